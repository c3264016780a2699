{# The first version of a user was created, a later one edited; the end of a user is a version of
   its own, and whatever comes after it a return. #}
with versions as (
  select
    *,
    dbt_is_deleted = 'True' as is_deleted,
    row_number() over (partition by user_key order by dbt_valid_from)::int as version
  from {{ ref('users_snapshot') }}
)

select
  user_key,
  user_pool_id,
  username,
  version,
  case
    when is_deleted then 'deleted'
    when version = 1 then 'created'
    when lag(is_deleted) over (partition by user_key order by version) then 'returned'
    else 'edited'
  end as change,
  dbt_valid_from as valid_from,
  dbt_valid_to as valid_to,
  dbt_valid_to is null as is_current,
  is_deleted,
  email,
  status,
  enabled,
  created_at,
  updated_at,
  attributes
from versions
