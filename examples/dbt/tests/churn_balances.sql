{# Whoever was there, joined or returned has left or is still there; and a month begins as the last
   one has ended. #}
select *
from (
  select
    *,
    lag(at_end, 1, 0) over (partition by user_pool_id, cohort order by month) as last_end
  from {{ ref('churn') }}
) as months
where at_end <> at_start + joined + returned - departed or at_start <> last_end
