with

source as (
    select * from {{ source('facts', 'device_days') }}
),

renamed as (
    select
        event_date,
        device_id,
        metric,
        readings,
        mean,
        min as lowest,
        max as highest,
        anomalies as abnormal_readings,
        gaps,
        gap_seconds,
        late_readings,
        expected_readings,
        maintenance_readings,
        location,
        model
    from source
)

select * from renamed
