with

days as (
    select * from {{ ref('int_device_day_anomalies') }}
    where event_date > ({{ as_of() }} at time zone 'UTC')::date - {{ var('spacing_days') }}
),

devices as (
    select * from {{ ref('stg_devices') }}
),

spans as (
    select
        device_id,
        metric,
        sum(abnormal_readings)::bigint as abnormal_readings,
        min(first_at) as first_at,
        max(last_at) as last_at
    from days
    group by device_id, metric
),

final as (
    select
        spans.device_id,
        spans.metric,
        devices.location,
        devices.model,
        spans.abnormal_readings,
        spans.first_at,
        spans.last_at,
        -- The pauses between the first and the last add up to the time between the two.
        extract(epoch from spans.last_at - spans.first_at)::double precision
            / nullif(spans.abnormal_readings - 1, 0) as mean_seconds
    from spans
    left join devices using (device_id)
)

select * from final
