{# Select columns of a table that the tap loads, with their types.

   A column that wasn't selected is null, and a table that wasn't is empty. Rows that target-postgres
   has marked as deleted, with `hard_delete: false`, are left out. #}
{% macro loaded(table, columns, of_users=true) -%}
{%- set found = loaded_columns(table) -%}
select
{%- if of_users %}
  {{ 'null::text' if not found else "user_pool_id || '/' || username" if has_pools() else 'username' }} as user_key,
{%- endif %}
{%- for name, type in columns.items() %}
  {{ name if name in found else 'null' }}::{{ type }} as {{ name }}{{ ',' if not loop.last }}
{%- endfor %}
{%- if found %}
from {{ source('cognito', table) }}
{%- if '_sdc_deleted_at' in found %}
where _sdc_deleted_at is null
{%- endif %}
{%- else %}
where false
{%- endif %}
{%- endmacro %}

{# The names of a loaded table's columns; none if there is no such table. #}
{% macro loaded_columns(table) -%}
{%- set place = source('cognito', table) -%}
{%- set relation = adapter.get_relation(place.database, place.schema, place.identifier) if execute -%}
{{ return(adapter.get_columns_in_relation(relation) | map(attribute='name') | list if relation else []) }}
{%- endmacro %}

{# Whether `users` has the users of several pools: then the pool's id is part of their key. #}
{% macro has_pools() -%}
{{ return('user_pool_id' in loaded_columns('users')) }}
{%- endmacro %}
