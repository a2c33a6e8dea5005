"""The Kafka topics. What is in them is written by devices and by the stream, so Dagster only looks on."""

from typing import Any

import dagster as dg

from contracts.topics import Topics
from orchestration.metadata import column_lineage, table_schema
from orchestration.watching.outlets import topic_key

_NAMES = Topics()
RAW, ANOMALY, DEAD_LETTER = (topic_key(name) for name in (_NAMES.raw, _NAMES.anomaly, _NAMES.dead_letter))


def _topic(name: str, description: str, record: str | None, deps: tuple[str, ...] = (), **more: Any) -> dg.AssetSpec:
    schema = {"dagster/column_schema": table_schema(record)} if record else {}
    return dg.AssetSpec(
        dg.AssetKey.from_user_string(topic_key(name)),
        deps=[dg.AssetKey.from_user_string(each) for each in deps],
        description=description,
        group_name="stream",
        owners=["team:sensorlake-operations"],
        kinds={"kafka"},
        metadata={"dagster/uri": f"kafka://{name}", "dagster/table_name": name, **schema, **more},
    )


TOPICS = [
    _topic(
        _NAMES.raw,
        "Everything that devices send, as they sent it: JSON or Avro, one metric or many (docs/wire-format.md). "
        "The columns are those of a reading once it is decoded.",
        "reading",
    ),
    _topic(_NAMES.device_events, "What happened to devices: started, stopped, maintained.", "device_event"),
    _topic(_NAMES.user_events, "What people did: an alarm acknowledged, a limit set.", None),
    _topic(
        _NAMES.anomaly,
        "Every alert, milliseconds after its reading. It is judged by the limits in force (the asset `stream/limits`), "
        "which come from `thresholds`: the loop is closed there, as a graph cannot hold a circle.",
        "anomaly",
        (RAW,),
        limits_in_force=dg.MetadataValue.asset(dg.AssetKey(["stream", "limits"])),
        **{
            "dagster/column_lineage": column_lineage(
                {
                    name: {RAW: [name]}
                    for name in ("device_id", "sensor_id", "metric", "event_time", "value", "event_date")
                }
            )
        },
    ),
    _topic(
        _NAMES.dead_letter,
        "Every message that is no reading: its original bytes, and why in the headers.",
        "dead_letter",
        (RAW,),
    ),
]
