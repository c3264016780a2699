{# Every current account belongs to exactly one person. #}
select username
from (
  select user_pool_id, username from {{ ref('accounts') }} where is_in_pool
  union all
  select user_pool_id, unnest(usernames) from {{ ref('people') }}
) as accounts
group by user_pool_id, username
having count(*) <> 2
