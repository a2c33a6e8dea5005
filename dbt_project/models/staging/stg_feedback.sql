with

source as (
    select * from {{ source('registry', 'feedback') }}
),

renamed as (
    select
        feedback_id,
        anomaly_id,
        verdict as is_real,
        given_by,
        given_at
    from source
)

select * from renamed
