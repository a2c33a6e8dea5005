with

source as (
    select * from {{ source('facts', 'quality_results') }}
),

renamed as (
    select
        day as event_date,
        table_name,
        check_name,
        severity,
        passed,
        examined,
        offenders,
        checked_at
    from source
)

select * from renamed
