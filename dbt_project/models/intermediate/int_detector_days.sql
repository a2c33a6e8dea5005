{{ config(indexes = [{"columns": ["event_date", "detector", "metric", "threshold_version", "severity"], "unique": true}]) }}

with

anomalies as (
    select * from {{ ref('stg_anomalies') }}
    where {{ of_the_days('event_date') }}
),

final as (
    select
        event_date,
        detector,
        metric,
        threshold_version,
        severity,
        count(*) as anomalies
    from anomalies
    group by event_date, detector, metric, threshold_version, severity
)

select * from final
