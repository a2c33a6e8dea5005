{{
    config(
        materialized = "incremental",
        tags = "daily",
        incremental_strategy = "append",
        on_schema_change = "append_new_columns",
        pre_hook = "{{ forget_the_days() }}",
        indexes = [{"columns": ["event_date", "model"], "unique": true}]
    )
}}

with

devices as (
    select * from {{ ref('int_device_days') }}
    where {{ of_the_days('event_date') }}
),

final as (
    select
        event_date,
        model,
        count(*) as devices,
        sum(readings)::bigint as readings,
        sum(anomalies)::bigint as anomalies,
        sum(critical)::bigint as critical,
        count(*) filter (where anomalies > 0) as devices_with_anomalies,
        sum(abnormal_readings)::double precision / nullif(sum(readings), 0)::double precision as anomaly_rate
    from devices
    group by event_date, model
)

select * from final
