{{ config(indexes = [{"columns": ["event_date", "device_id", "metric"], "unique": true}]) }}

with

anomalies as (
    select * from {{ ref('stg_anomalies') }}
    where {{ of_the_days('event_date') }}
),

-- Several detectors may have judged one reading.
readings as (
    select
        event_date,
        device_id,
        metric,
        event_time,
        count(*) as anomalies,
        count(*) filter (where severity = 'critical') as critical
    from anomalies
    group by event_date, device_id, metric, event_time
),

final as (
    select
        event_date,
        device_id,
        metric,
        sum(anomalies)::bigint as anomalies,
        sum(critical)::bigint as critical,
        count(*) as abnormal_readings,
        min(event_time) as first_at,
        max(event_time) as last_at
    from readings
    group by event_date, device_id, metric
)

select * from final
