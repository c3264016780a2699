with last_versions as (
  select distinct on (user_key, created_at)
    *,
    case
      when attributes ->> 'identities' ^@ '[' then (attributes ->> 'identities')::jsonb else '[]'
    end as identities,
    status is not distinct from 'EXTERNAL_PROVIDER' as is_external
  from {{ ref('users_history') }}
  where not is_deleted
  order by user_key, created_at, version desc
),

durations as (
  select
    user_key,
    created_at,
    count(*)::int as stays,
    min(joined_at) as first_seen_at,
    case when not bool_or(left_at is null) then max(left_at) end as left_at
  from {{ ref('stays') }}
  group by user_key, created_at
),

accounts as (
  select last_versions.*, stays, first_seen_at, left_at
  from last_versions
  inner join durations
    on
      last_versions.user_key = durations.user_key
      and last_versions.created_at is not distinct from durations.created_at
),

-- A provider's user has one identity, and so does the account that it was linked to: that one is the
-- person.
holders as (
  select
    user_key,
    user_pool_id,
    identity.value ->> 'providerName' as provider,
    identity.value ->> 'userId' as provider_user,
    identity.ordinality,
    first_value(user_key) over (
      partition by user_pool_id, identity.value ->> 'providerName', identity.value ->> 'userId'
      order by
        left_at is not null, is_external, jsonb_array_length(identities) desc, created_at, user_key
    ) as person_key
  from
    (select distinct on (user_key) * from accounts order by user_key, version desc) as latest,
    jsonb_array_elements(identities) with ordinality as identity
),

persons as (
  select distinct on (user_key) user_key, person_key
  from holders
  order by user_key, person_key = user_key, ordinality
)

select
  accounts.user_key,
  accounts.user_pool_id,
  accounts.username,
  accounts.created_at,
  coalesce(persons.person_key, accounts.user_key) as person_key,
  coalesce(persons.person_key <> accounts.user_key, false) as is_linked,
  accounts.first_seen_at,
  accounts.left_at,
  accounts.left_at is null as is_in_pool,
  accounts.stays,
  case
    when not is_external then 'Cognito'
    else coalesce(identities #>> '{0,providerName}', 'unknown')
  end as provider,
  case when is_external then '{}' else '{Cognito}'::text[] end
  || array(
    select identity.value ->> 'providerName'
    from jsonb_array_elements(identities) with ordinality as identity
    where identity.value ->> 'providerName' is not null
    order by identity.ordinality
  ) as providers,
  accounts.email,
  accounts.status,
  accounts.enabled,
  accounts.updated_at,
  accounts.attributes
from accounts
left join persons on accounts.user_key = persons.user_key
