{# An array has no null and nothing twice. #}
{% test distinct_items(model, column_name) %}
select {{ column_name }} from {{ model }}
where cardinality({{ column_name }}) <> (
  select count(distinct item) from unnest({{ column_name }}) as item
)
{% endtest %}
