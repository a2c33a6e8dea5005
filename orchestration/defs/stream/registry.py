"""The registry in PostgreSQL: what people know of devices. People and their tools write it."""

import dagster as dg

_DESCRIPTIONS = {
    "devices": "One row a device: model, location, when it came and went. Readings may come from devices not in it.",
    "device_configs": "One row a device and version of its configuration, valid until the next one.",
    "alert_rules": "What people demand: limits of a metric, for all devices or one.",
    "maintenance": "When which device was worked on.",
    "ops_events": "What happened to a device, a location or everything.",
    "feedback": "What people said of anomalies: right, or a false alarm.",
    "replays": "Which dead letters were sent again, why, and what became of them.",
}
REGISTRY = [
    dg.AssetSpec(
        dg.AssetKey(["postgres", "registry", name]),
        description=description,
        group_name="registry",
        owners=["team:sensorlake-operations"],
        kinds={"postgres"},
        metadata={"dagster/table_name": f"registry.{name}"},
    )
    for name, description in _DESCRIPTIONS.items()
]
