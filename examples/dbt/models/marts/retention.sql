{{ config(materialized='table') }}

with cohorts as (
  select
    user_pool_id,
    date_trunc('month', created_at)::date as cohort,
    count(*) as people
  from {{ ref('accounts') }}
  where not is_linked
  group by user_pool_id, date_trunc('month', created_at)::date
),

beginnings as (
  select user_pool_id, min(joined_at) as begins_at
  from {{ ref('stays') }}
  group by user_pool_id
)

select
  churn.user_pool_id,
  churn.cohort,
  churn.month,
  (
    12 * (extract(year from churn.month) - extract(year from churn.cohort))
    + extract(month from churn.month) - extract(month from churn.cohort)
  )::int as months_since,
  cohorts.people::int as people,
  churn.at_end as retained,
  (churn.at_end::numeric / cohorts.people)::numeric(5, 4) as retention_rate,
  churn.cohort >= beginnings.begins_at as is_complete
from {{ ref('churn') }} as churn
inner join cohorts
  on
    churn.user_pool_id is not distinct from cohorts.user_pool_id
    and churn.cohort is not distinct from cohorts.cohort
inner join beginnings on churn.user_pool_id is not distinct from beginnings.user_pool_id
