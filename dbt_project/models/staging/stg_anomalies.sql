with

source as (
    select * from {{ source('stream', 'anomalies') }}
),

renamed as (
    select
        anomaly_id,
        device_id,
        metric,
        event_date,
        event_time,
        detector,
        severity,
        score,
        threshold,
        coalesce(threshold_version, 0) as threshold_version,
        detected_at,
        stored_at
    from source
    where is_anomaly
)

select * from renamed
