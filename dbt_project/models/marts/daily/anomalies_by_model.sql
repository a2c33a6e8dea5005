{{ config(indexes = [{"columns": ["event_date", "model"], "unique": true}]) }}

{{ anomalies_by('model') }}
