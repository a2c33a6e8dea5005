with

versions as (
    select * from {{ ref('stg_threshold_versions') }}
),

live as (
    select * from {{ ref('stg_live_thresholds') }}
),

hours as (
    select * from {{ ref('stg_device_hours') }}
),

days as (
    select * from {{ ref('int_detector_days') }}
),

judged as (
    select * from {{ ref('int_judged_anomalies') }}
),

in_force as (
    select
        *,
        lead(published_at) over (order by threshold_version) as replaced_at
    from versions
),

fleet as (
    select
        hour,
        sum(readings) as readings
    from hours
    group by hour
),

-- Of an hour in which a version came or went it gets its share.
read as (
    select
        in_force.threshold_version,
        sum(
            fleet.readings * extract(epoch from
                least(fleet.hour + interval '1 hour', coalesce(in_force.replaced_at, 'infinity'))
                - greatest(fleet.hour, in_force.published_at)
            ) / 3600
        ) as readings
    from in_force
    inner join fleet
        on fleet.hour + interval '1 hour' > in_force.published_at
        and fleet.hour < coalesce(in_force.replaced_at, 'infinity')
    group by in_force.threshold_version
),

alarms as (
    select
        threshold_version,
        sum(anomalies)::bigint as anomalies
    from days
    group by threshold_version
),

verdicts as (
    select
        threshold_version,
        count(*) as judged,
        count(*) filter (where not is_real) as false_alarms
    from judged
    group by threshold_version
),

now_in_force as (
    select max(threshold_version) as live_version from live
),

final as (
    select
        in_force.threshold_version,
        in_force.threshold_version = now_in_force.live_version as is_live,
        in_force.kind,
        in_force.published_by,
        in_force.why,
        in_force.published_at,
        in_force.replaced_at,
        in_force.limits,
        in_force.learned_limits,
        in_force.manual_limits,
        coalesce(round(read.readings), 0)::bigint as readings,
        coalesce(alarms.anomalies, 0) as anomalies,
        alarms.anomalies::double precision / nullif(round(read.readings), 0)::double precision as alarm_rate,
        coalesce(verdicts.judged, 0) as judged,
        coalesce(verdicts.false_alarms, 0) as false_alarms,
        verdicts.false_alarms::double precision / nullif(verdicts.judged, 0) as false_alarm_share
    from in_force
    cross join now_in_force
    left join read using (threshold_version)
    left join alarms using (threshold_version)
    left join verdicts using (threshold_version)
)

select * from final
