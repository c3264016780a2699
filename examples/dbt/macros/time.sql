{# The time of a snapshot, in UTC like the columns of the tap, whatever the session's time zone. #}
{% macro postgres__snapshot_get_time() -%}
(now() at time zone 'UTC')
{%- endmacro %}

{# A text YYYY-MM-DD as a date; null if there is no such day. #}
{% macro as_date(text) -%}
case
  when {{ text }} ~ '^(?!0000)\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$' then
    case
      when right({{ text }}, 2)::int
        <= extract(day from (left({{ text }}, 7) || '-01')::date + interval '1 month - 1 day')
        then ({{ text }})::date
    end
end
{%- endmacro %}

{# A text true or false as a boolean; null if it is neither. #}
{% macro as_boolean(text) -%}
case lower({{ text }}) when 'true' then true when 'false' then false end
{%- endmacro %}
