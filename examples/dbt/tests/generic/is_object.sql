{# JSON is null or an object. #}
{% test is_object(model, column_name) %}
select {{ column_name }} from {{ model }} where jsonb_typeof({{ column_name }}) <> 'object'
{% endtest %}
