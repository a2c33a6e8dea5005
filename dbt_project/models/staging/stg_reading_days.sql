with

source as (
    select * from {{ source('facts', 'reading_days') }}
),

renamed as (
    select
        event_date,
        readings,
        valid as valid_readings,
        duplicates,
        late as late_readings,
        dead_letters
    from source
)

select * from renamed
