{{ config(materialized = "view") }}

with

feedback as (
    select * from {{ ref('stg_feedback') }}
),

anomalies as (
    select * from {{ ref('stg_anomalies') }}
),

latest as (
    select distinct on (anomaly_id)
        anomaly_id,
        is_real
    from feedback
    order by anomaly_id, given_at desc, feedback_id desc
),

joined as (
    select
        anomalies.anomaly_id,
        anomalies.event_date,
        anomalies.detector,
        anomalies.metric,
        anomalies.threshold_version,
        latest.is_real
    from latest
    inner join anomalies using (anomaly_id)
)

select * from joined
