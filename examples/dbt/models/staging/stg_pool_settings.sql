{#- Each table of a pool's configuration, with the columns that name its rows within the pool. -#}
{%- set tables = {
  'user_pool': [],
  'mfa_configuration': [],
  'app_clients': ['client_id'],
  'identity_providers': ['provider_name'],
  'resource_servers': ['identifier'],
  'domains': ['domain'],
  'risk_configurations': ['client_id'],
  'log_delivery': ['event_source', 'log_level'],
} -%}
{#- What changes by itself, or says when something changed. -#}
{%- set ignored = ['user_pool_id', 'estimated_number_of_users', 'created_at', 'updated_at'] -%}

with recursive items as (
{%- for table, keys in tables.items() %}
{%- set found = loaded_columns(table) %}
  select
    {{ 'user_pool_id' if found else 'null::text' }} as user_pool_id,
    '{{ table }}' as kind,
    {{ keys | join(" || ' ' || ") if keys and found else "''" }} as item,
    {{ 'to_jsonb(loaded)' if found else 'null::jsonb' }} as settings
{%- if found %}
  from {{ source('cognito', table) }} as loaded
{%- if '_sdc_deleted_at' in found %}
  where _sdc_deleted_at is null
{%- endif %}
{%- else %}
  where false
{%- endif %}
  {{ 'union all' if not loop.last }}
{%- endfor %}
),

-- Objects are taken apart, arrays are not.
settings as (
  select user_pool_id, kind, item, pair.key as setting, pair.value
  from items, jsonb_each(items.settings) as pair
  where pair.key not like '\_sdc\_%' and pair.key not in ('{{ ignored | join("', '") }}')
  union all
  select user_pool_id, kind, item, setting || '.' || pair.key, pair.value
  from
    settings,
    jsonb_each(case jsonb_typeof(settings.value) when 'object' then settings.value else '{}' end) as pair
)

select
  concat_ws('/', user_pool_id, kind, item, setting) as setting_key,
  user_pool_id,
  kind,
  item,
  setting,
  value
from settings
where jsonb_typeof(value) not in ('object', 'null') or value = '{}'
