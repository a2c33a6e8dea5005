with

maintenance as (
    select * from {{ ref('stg_maintenance') }}
),

devices as (
    select * from {{ ref('stg_devices') }}
),

hours as (
    select * from {{ ref('stg_device_hours') }}
),

-- Only whole hours count: one that the maintenance cuts through belongs to neither side.
sides as (
    select
        maintenance.maintenance_id,
        count(*) filter (where hours.hour <= maintenance.started_at - interval '1 hour') as hours_before,
        sum(hours.abnormal_readings) filter (
            where hours.hour <= maintenance.started_at - interval '1 hour'
        ) as anomalies_before,
        count(*) filter (where hours.hour >= maintenance.ended_at) as hours_after,
        sum(hours.abnormal_readings) filter (where hours.hour >= maintenance.ended_at) as anomalies_after
    from maintenance
    inner join hours
        on hours.device_id = maintenance.device_id
        and hours.hour >= maintenance.started_at - interval '{{ var("maintenance_days") }} days'
        and hours.hour <= coalesce(
            maintenance.ended_at + interval '{{ var("maintenance_days") }} days', maintenance.started_at
        ) - interval '1 hour'
    group by maintenance.maintenance_id
),

joined as (
    select
        maintenance.maintenance_id,
        maintenance.device_id,
        devices.model,
        maintenance.kind,
        maintenance.started_at,
        maintenance.ended_at,
        coalesce(sides.hours_before, 0) as hours_before,
        coalesce(sides.anomalies_before, 0)::bigint as anomalies_before,
        sides.anomalies_before::double precision / nullif(sides.hours_before, 0) as rate_before,
        coalesce(sides.hours_after, 0) as hours_after,
        coalesce(sides.anomalies_after, 0)::bigint as anomalies_after,
        sides.anomalies_after::double precision / nullif(sides.hours_after, 0) as rate_after
    from maintenance
    left join devices using (device_id)
    left join sides using (maintenance_id)
),

final as (
    select
        *,
        rate_after - rate_before as rate_change
    from joined
)

select * from final
