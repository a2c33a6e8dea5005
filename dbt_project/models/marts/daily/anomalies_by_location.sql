{{ config(indexes = [{"columns": ["event_date", "location"], "unique": true}]) }}

{{ anomalies_by('location') }}
