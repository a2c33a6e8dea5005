with

anomalies as (
    select * from {{ ref('stg_anomalies') }}
    -- The day lets PostgreSQL leave out the months before.
    where event_date >= (({{ as_of() }} - interval '24 hours') at time zone 'UTC')::date
        and event_time > {{ as_of() }} - interval '24 hours'
        and event_time <= {{ as_of() }}
),

devices as (
    select * from {{ ref('stg_devices') }}
),

counted as (
    select
        device_id,
        count(*) as anomalies,
        count(*) filter (where severity = 'critical') as critical,
        count(distinct metric) as metrics,
        max(event_time) as last_at
    from anomalies
    group by device_id
),

ranked as (
    select
        *,
        row_number() over (order by anomalies desc, critical desc, device_id) as place
    from counted
),

final as (
    select
        ranked.place::integer as place,
        ranked.device_id,
        devices.location,
        devices.model,
        ranked.anomalies,
        ranked.critical,
        ranked.metrics,
        ranked.last_at
    from ranked
    left join devices using (device_id)
    where ranked.place <= 10
)

select * from final
