{#- Everything lands in schema `reporting`: dbt would put `reporting_` before the name of any other. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
