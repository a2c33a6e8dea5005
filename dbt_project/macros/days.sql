{% macro first_day() -%}
    {%- if var('from_day') -%}
        date '{{ var("from_day") }}'
    {%- elif is_incremental() -%}
        (now() at time zone 'UTC')::date - 1
    {%- else -%}
        date '0001-01-01'
    {%- endif -%}
{%- endmacro %}

{% macro last_day() -%}
    {%- if var('to_day') -%} date '{{ var("to_day") }}' {%- else -%} date '9999-12-31' {%- endif -%}
{%- endmacro %}

{% macro of_the_days(column) -%}
    {{ column }} between {{ first_day() }} and {{ last_day() }}
{%- endmacro %}

{#- dbt's delete+insert deletes only days that have rows again: a day whose last row went would keep its old ones. This
    runs before the insert, in its transaction. -#}
{% macro forget_the_days() -%}
    {%- if execute and is_incremental() -%}
        delete from {{ this }} where {{ of_the_days('event_date') }}
    {%- endif -%}
{%- endmacro %}

{% macro as_of() -%}
    {%- if var('as_of') -%} timestamptz '{{ var("as_of") }}' {%- else -%} now() {%- endif -%}
{%- endmacro %}
