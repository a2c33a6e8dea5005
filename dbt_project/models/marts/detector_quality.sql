with

days as (
    select * from {{ ref('int_detector_days') }}
),

judged as (
    select * from {{ ref('int_judged_anomalies') }}
),

series as (
    select * from {{ ref('stg_device_days') }}
),

readings as (
    select
        metric,
        sum(readings)::bigint as readings
    from series
    group by metric
),

alarms as (
    select
        detector,
        metric,
        sum(anomalies)::bigint as anomalies,
        sum(anomalies) filter (where severity = 'critical')::bigint as critical,
        min(event_date) as first_day,
        max(event_date) as last_day
    from days
    group by detector, metric
),

verdicts as (
    select
        detector,
        metric,
        count(*) as judged,
        count(*) filter (where not is_real) as false_alarms
    from judged
    group by detector, metric
),

final as (
    select
        alarms.detector,
        alarms.metric,
        alarms.anomalies,
        coalesce(alarms.critical, 0) as critical,
        alarms.first_day,
        alarms.last_day,
        coalesce(readings.readings, 0) as readings,
        alarms.anomalies::double precision / nullif(readings.readings, 0) as alarm_rate,
        coalesce(verdicts.judged, 0) as judged,
        coalesce(verdicts.false_alarms, 0) as false_alarms,
        verdicts.false_alarms::double precision / nullif(verdicts.judged, 0) as false_alarm_share
    from alarms
    left join readings using (metric)
    left join verdicts using (detector, metric)
)

select * from final
