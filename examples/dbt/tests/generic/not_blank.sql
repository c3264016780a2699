{# A text is null or says something. #}
{% test not_blank(model, column_name) %}
select {{ column_name }} from {{ model }} where {{ column_name }} = ''
{% endtest %}
