with

source as (
    select * from {{ source('registry', 'maintenance') }}
),

renamed as (
    select
        maintenance_id,
        device_id,
        kind,
        started_at,
        ended_at
    from source
)

select * from renamed
