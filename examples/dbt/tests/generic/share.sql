{# A share is null or from 0 to 1. #}
{% test share(model, column_name) %}
select {{ column_name }} from {{ model }} where {{ column_name }} not between 0 and 1
{% endtest %}
