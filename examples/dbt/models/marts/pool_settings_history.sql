with versions as (
  select
    *,
    dbt_is_deleted = 'True' as is_deleted,
    lag(value) over version as last_value,
    coalesce(lag(dbt_is_deleted) over version = 'True', false) as was_deleted,
    min(dbt_valid_from) over (partition by user_pool_id, kind) as first_read_at
  from {{ ref('pool_settings_snapshot') }}
  window version as (partition by setting_key order by dbt_valid_from)
)

select
  user_pool_id,
  kind,
  item,
  setting,
  case
    when is_deleted then 'removed'
    when dbt_valid_from = first_read_at then 'first read'
    when last_value is null or was_deleted then 'added'
    else 'changed'
  end as change,
  case when not was_deleted then last_value end as previous_value,
  case when not is_deleted then value end as value,
  dbt_valid_from as valid_from,
  dbt_valid_to as valid_to,
  dbt_valid_to is null as is_current,
  is_deleted
from versions
