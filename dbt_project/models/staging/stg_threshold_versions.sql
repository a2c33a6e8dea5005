with

source as (
    select * from {{ source('facts', 'threshold_versions') }}
),

renamed as (
    select
        version as threshold_version,
        published_at,
        published_by,
        kind,
        why,
        rows as limits,
        learned as learned_limits,
        manual as manual_limits
    from source
)

select * from renamed
