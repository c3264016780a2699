{# A column is what an expression says. #}
{% test is_equal_to(model, column_name, expression) %}
select {{ column_name }} from {{ model }} where {{ column_name }} is distinct from ({{ expression }})
{% endtest %}
