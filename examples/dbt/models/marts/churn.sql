{{ config(materialized='table') }}

with stays as (
  select
    stays.user_pool_id,
    date_trunc('month', stays.created_at)::date as cohort,
    stays.stay,
    stays.joined_at,
    coalesce(stays.left_at, 'infinity') as left_at
  from {{ ref('stays') }} as stays
  inner join {{ ref('accounts') }} as accounts
    on
      stays.user_key = accounts.user_key
      and stays.created_at is not distinct from accounts.created_at
  where not accounts.is_linked
),

months as (
  select month::date as month, month + interval '1 month' as next_month
  from generate_series(
    (select date_trunc('month', min(joined_at)) from stays),
    date_trunc('month', now() at time zone 'UTC'),
    interval '1 month'
  ) as month
),

counts as (
  select
    stays.user_pool_id,
    stays.cohort,
    months.month,
    count(*) filter (where joined_at < month and left_at >= month) as at_start,
    count(*) filter (where joined_at >= month and joined_at < next_month and stay = 1) as joined,
    count(*) filter (where joined_at >= month and joined_at < next_month and stay > 1) as returned,
    count(*) filter (where left_at >= month and left_at < next_month) as departed,
    count(*) filter (where joined_at < next_month and left_at >= next_month) as at_end
  from stays
  inner join months on stays.joined_at < months.next_month
  group by stays.user_pool_id, stays.cohort, months.month
)

select
  user_pool_id,
  cohort,
  month,
  at_start::int,
  joined::int,
  returned::int,
  departed::int,
  at_end::int,
  (departed::numeric / nullif(at_start + joined + returned, 0))::numeric(5, 4) as churn_rate
from counts
