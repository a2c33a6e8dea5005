{{ config(indexes = [{"columns": ["event_date", "table_name"], "unique": true}]) }}

with

results as (
    select * from {{ ref('stg_quality_results') }}
    where {{ of_the_days('event_date') }}
    -- Totals stand among the checks and are none.
    and check_name not like 'total.%'
),

final as (
    select
        event_date,
        table_name,
        count(*) as checks,
        count(*) filter (where not passed and severity = 'error') as failed_errors,
        count(*) filter (where not passed and severity = 'warning') as failed_warnings,
        count(*) filter (where passed)::double precision / count(*) as passed_share,
        sum(offenders)::bigint as offenders,
        string_agg(check_name, ', ' order by check_name) filter (where not passed) as failed_checks,
        max(checked_at) as checked_at
    from results
    group by event_date, table_name
)

select * from final
