{{ config(materialized='table') }}

select
  user_pool_id,
  created_at::date as day,
  status,
  provider,
  count(*)::int as sign_ups,
  (count(*) filter (where is_in_pool))::int as still_there
from {{ ref('accounts') }}
where not is_linked
group by user_pool_id, created_at::date, status, provider
