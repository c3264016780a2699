{{ config(materialized='table') }}

with people as (
  select
    user_pool_id,
    case when 'Cognito' = any (providers) then 'password' else 'provider' end as sign_in,
    case
      when second_factors is null then 'not read'
      when second_factors <> '{}' then 'second factor'
      when has_passkey then 'passkey'
      when has_passkey is null then 'none known'
      else 'none'
    end as coverage,
    last_active_at
  from {{ ref('people') }}
  where enabled is not false
)

select
  user_pool_id,
  sign_in,
  coverage,
  count(*)::int as people,
  {% if loaded_columns('user_sessions') -%}
  (count(*) filter (where last_active_at >= now() at time zone 'UTC' - interval '30 days'))::int
  {%- else -%}
  null::int
  {%- endif %} as active_people,
  (count(*) / sum(count(*)) over (partition by user_pool_id, sign_in))::numeric(5, 4) as share
from people
group by user_pool_id, sign_in, coverage
