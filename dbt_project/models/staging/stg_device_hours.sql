with

source as (
    select * from {{ source('facts', 'device_hours') }}
),

renamed as (
    select
        event_date,
        hour,
        device_id,
        readings,
        anomalies as abnormal_readings
    from source
)

select * from renamed
