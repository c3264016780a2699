{# A column is unique within a combination of others; nulls are equal. #}
{% test unique_in(model, column_name, others) %}
select {{ others | join(', ') }}, {{ column_name }} from {{ model }}
group by {{ others | join(', ') }}, {{ column_name }}
having count(*) > 1
{% endtest %}
