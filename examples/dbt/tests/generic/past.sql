{# A date or time, in UTC, is not later than tomorrow: clocks may differ a little. #}
{% test past(model, column_name) %}
select {{ column_name }} from {{ model }}
where {{ column_name }} > now() at time zone 'UTC' + interval '1 day'
{% endtest %}
