{# A stay begins when an account is created or returns. A user name that was deleted and created again
   between two runs has no version without a user in between, but another date of creation. #}
with versions as (
  select
    *,
    change in ('created', 'returned')
    or created_at is distinct from lag(created_at) over (partition by user_key order by version)
      as begins
  from {{ ref('users_history') }}
  where not is_deleted
),

numbered as (
  select
    *,
    count(*) filter (where begins) over (partition by user_key order by version) as number
  from versions
)

select
  user_key,
  user_pool_id,
  username,
  created_at,
  row_number() over (partition by user_key, created_at order by min(valid_from))::int as stay,
  min(valid_from) as joined_at,
  case when not bool_or(is_current) then max(valid_to) end as left_at
from numbered
group by user_key, user_pool_id, username, created_at, number
