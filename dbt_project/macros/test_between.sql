{% test between(model, column_name, least=none, greatest=none) %}
    select *
    from {{ model }}
    where false
        {% if least is not none %} or {{ column_name }} < {{ least }} {% endif %}
        {% if greatest is not none %} or {{ column_name }} > {{ greatest }} {% endif %}
{% endtest %}
