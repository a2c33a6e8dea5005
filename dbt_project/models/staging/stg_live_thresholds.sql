with

source as (
    select * from {{ source('facts', 'live_thresholds') }}
),

renamed as (
    select
        device_id,
        metric,
        version as threshold_version,
        source as origin
    from source
)

select * from renamed
