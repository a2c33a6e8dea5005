{{ config(indexes = [{"columns": ["event_date"], "unique": true}]) }}

with

days as (
    select * from {{ ref('stg_reading_days') }}
    where {{ of_the_days('event_date') }}
),

final as (
    select
        event_date,
        readings,
        valid_readings,
        duplicates,
        late_readings,
        dead_letters,
        dead_letters::double precision / nullif(readings + dead_letters, 0) as dead_letter_share,
        late_readings::double precision / nullif(valid_readings, 0) as late_share
    from days
)

select * from final
