with

source as (
    select * from {{ source('registry', 'devices') }}
),

renamed as (
    select
        device_id,
        model,
        location,
        installed_at,
        retired_at
    from source
)

select * from renamed
