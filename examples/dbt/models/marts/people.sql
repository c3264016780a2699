with accounts as (
  select * from {{ ref('accounts') }} where is_in_pool
),

persons as (
  select
    person_key,
    array_agg(username order by is_linked, created_at, username) as usernames,
    min(created_at) as created_at,
    max(updated_at) as updated_at
  from accounts
  group by person_key
),

providers as (
  select person_key, array_agg(distinct name order by name) as providers
  from accounts, unnest(accounts.providers) as name
  group by person_key
),

memberships as (
  select person_key, array_agg(distinct group_name order by group_name) as groups
  from accounts
  inner join {{ ref('stg_group_memberships') }} using (user_key)
  group by person_key
),

factors as (
  select
    accounts.person_key,
    array_agg(distinct factor order by factor) filter (where factor is not null) as second_factors,
    bool_or('WEB_AUTHN' = any (auth_factors)) as has_passkey
  from accounts
  inner join {{ ref('stg_user_mfa') }} as mfa using (user_key)
  left join unnest(mfa.second_factors) as factor on true
  group by person_key
),

activity as (
  select person_key, max(sessions.last_active_at) as last_active_at
  from accounts
  inner join {{ ref('stg_user_sessions') }} as sessions using (user_key)
  group by person_key
)

select
  persons.person_key,
  accounts.user_pool_id,
  accounts.username,
  usernames,
  email,
  {{ as_boolean("attributes ->> 'email_verified'") }} as email_verified,
  attributes ->> 'phone_number' as phone_number,
  {{ as_boolean("attributes ->> 'phone_number_verified'") }} as phone_number_verified,
  attributes ->> 'sub' as sub,
  attributes ->> 'name' as name,
  attributes ->> 'given_name' as given_name,
  attributes ->> 'family_name' as family_name,
  attributes ->> 'preferred_username' as preferred_username,
  {{ as_date("attributes ->> 'birthdate'") }} as birthdate,
  attributes ->> 'locale' as locale,
  attributes ->> 'zoneinfo' as zoneinfo,
  (
    select coalesce(jsonb_object_agg(substr(pair.key, 8), pair.value), '{}')
    from jsonb_each(attributes) as pair
    where pair.key ^@ 'custom:'
  ) as custom_attributes,
  status,
  enabled,
  coalesce(providers.providers, '{}') as providers,
  {% if loaded_columns('group_memberships') -%}
  coalesce(memberships.groups, '{}') as groups,
  {%- else -%}
  memberships.groups,
  {%- endif %}
  case when factors.person_key is not null then coalesce(factors.second_factors, '{}') end
    as second_factors,
  factors.has_passkey,
  activity.last_active_at,
  persons.created_at,
  persons.updated_at
from persons
inner join accounts on persons.person_key = accounts.user_key
left join providers on persons.person_key = providers.person_key
left join memberships on persons.person_key = memberships.person_key
left join factors on persons.person_key = factors.person_key
left join activity on persons.person_key = activity.person_key
