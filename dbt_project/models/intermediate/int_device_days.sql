{{ config(indexes = [{"columns": ["event_date", "device_id"], "unique": true}]) }}

with

series as (
    select * from {{ ref('stg_device_days') }}
    where {{ of_the_days('event_date') }}
),

verdicts as (
    select * from {{ ref('int_device_day_anomalies') }}
    where {{ of_the_days('event_date') }}
),

devices as (
    select * from {{ ref('stg_devices') }}
),

read as (
    select
        event_date,
        device_id,
        sum(readings)::bigint as readings,
        sum(expected_readings) as expected_readings,
        sum(abnormal_readings)::bigint as abnormal_readings,
        sum(gaps)::bigint as gaps,
        -- A device that is away is away with all its metrics.
        max(gap_seconds) as gap_seconds,
        sum(late_readings)::bigint as late_readings,
        sum(maintenance_readings)::bigint as maintenance_readings,
        min(lowest) filter (where metric = 'battery') as lowest_battery,
        min(mean) filter (where metric = 'signal') as mean_signal,
        max(location) as location,
        max(model) as model
    from series
    group by event_date, device_id
),

judged as (
    select
        event_date,
        device_id,
        sum(anomalies)::bigint as anomalies,
        sum(critical)::bigint as critical
    from verdicts
    group by event_date, device_id
),

joined as (
    select
        event_date,
        device_id,
        coalesce(read.location, devices.location, 'unknown') as location,
        coalesce(read.model, devices.model, 'unknown') as model,
        coalesce(read.readings, 0) as readings,
        read.expected_readings,
        coalesce(read.abnormal_readings, 0) as abnormal_readings,
        coalesce(judged.anomalies, 0) as anomalies,
        coalesce(judged.critical, 0) as critical,
        coalesce(read.gaps, 0) as gaps,
        coalesce(read.gap_seconds, 0) as gap_seconds,
        coalesce(read.late_readings, 0) as late_readings,
        coalesce(read.maintenance_readings, 0) as maintenance_readings,
        read.lowest_battery,
        read.mean_signal
    from read
    full join judged using (event_date, device_id)
    left join devices using (device_id)
)

select * from joined
