{% test at_most(model, rows) %}
    select count(*) as rows_found
    from {{ model }}
    having count(*) > {{ rows }}
{% endtest %}
