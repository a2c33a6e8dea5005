{{
    config(
        materialized = "incremental",
        tags = "daily",
        incremental_strategy = "append",
        on_schema_change = "append_new_columns",
        pre_hook = "{{ forget_the_days() }}",
        indexes = [{"columns": ["event_date", "location"], "unique": true}]
    )
}}

{{ anomalies_by('location') }}
