{% macro anomalies_by(column) %}
with

devices as (
    select * from {{ ref('int_device_days') }}
    where {{ of_the_days('event_date') }}
),

final as (
    select
        event_date,
        {{ column }},
        count(*) as devices,
        sum(readings)::bigint as readings,
        sum(anomalies)::bigint as anomalies,
        sum(critical)::bigint as critical,
        count(*) filter (where anomalies > 0) as devices_with_anomalies,
        sum(abnormal_readings)::double precision / nullif(sum(readings), 0)::double precision as anomaly_rate
    from devices
    group by event_date, {{ column }}
)

select * from final
{% endmacro %}
