{{ config(indexes = [{"columns": ["event_date", "device_id"], "unique": true}]) }}

with

devices as (
    select * from {{ ref('int_device_days') }}
    where {{ of_the_days('event_date') }}
        and readings > 0
),

-- Each part runs from 0, all well, to 1, as bad as it is counted.
parts as (
    select
        *,
        abnormal_readings::double precision / readings as anomaly_rate,
        gap_seconds / 3600 as gap_hours,
        least(1, abnormal_readings::double precision / readings / {{ var('health_anomaly_rate') }}) as abnormal,
        least(1, gap_seconds / 3600 / {{ var('health_gap_hours') }}) as silent,
        -- PostgreSQL's least() and greatest() pass over a null, which must not count as the worst.
        case when lowest_battery is null then 0 else greatest(0, least(1,
            ({{ var('health_battery_low') }} - lowest_battery)
            / ({{ var('health_battery_low') }} - {{ var('health_battery_empty') }})::double precision
        )) end as drained,
        case when mean_signal is null then 0 else greatest(0, least(1,
            ({{ var('health_signal_weak') }} - mean_signal)
            / ({{ var('health_signal_weak') }} - ({{ var('health_signal_lost') }}))::double precision
        )) end as faint
    from devices
),

final as (
    select
        event_date,
        device_id,
        location,
        model,
        round((100 - 40 * abnormal - 30 * silent - 15 * drained - 15 * faint)::numeric, 1)::double precision as health,
        anomaly_rate,
        gap_hours,
        lowest_battery,
        mean_signal,
        maintenance_readings > 0 as in_maintenance
    from parts
)

select * from final
