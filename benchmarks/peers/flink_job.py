"""The stateless job in Flink SQL. Run in a virtual environment of its own by `benchmarks.peers.engines`.

    python flink_job.py job.json    {"servers": ..., "topics": {}, "jars": [], "limits": {}, "parallelism": 2}

What was done for its speed: the whole job is one chain of operators without an exchange, with one sink,
so that a message is parsed once; the limits are a lookup join
that keeps every row it has seen in memory; objects are reused; it asks the broker as the alerts lane does.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pyflink.common import Configuration  # type: ignore[import-not-found]
from pyflink.table import EnvironmentSettings, TableEnvironment  # type: ignore[import-not-found]

_MICROS = (
    "UNIX_TIMESTAMP(SUBSTRING(sent, 1, 19), 'yyyy-MM-dd''T''HH:mm:ss') * 1000000 + "
    "COALESCE(TRY_CAST(SUBSTRING(sent, 21, 6) AS BIGINT), 0)"
)
_VALID = (
    "sensor_id IS NOT NULL AND metric IS NOT NULL AND figure IS NOT NULL AND sent IS NOT NULL AND micros BETWEEN "
    "(UNIX_TIMESTAMP() - 604800) * 1000000 AND (UNIX_TIMESTAMP() + 300) * 1000000"
)
_ID = (
    "LOWER(SUBSTRING(SHA256(CONCAT_WS(U&'\\001f', sensor_id, s.metric, CAST(micros AS STRING), 'hard_limit')), 1, 32))"
)
_ALERT = f"""JSON_OBJECT('anomaly_id' VALUE {_ID}, 'device_id' VALUE sensor_id, 'sensor_id' VALUE sensor_id,
    'metric' VALUE s.metric, 'event_time' VALUE sent, 'value' VALUE figure,
    'threshold' VALUE IF(figure > upper_limit, upper_limit, lower_limit), 'detector' VALUE 'hard_limit',
    'severity' VALUE 'critical', 'is_anomaly' VALUE TRUE, 'detected_at' VALUE CAST(CURRENT_TIMESTAMP AS STRING))"""


def statements(job: dict[str, Any]) -> list[str]:
    """The tables and views of the job."""
    kafka = f"'connector' = 'kafka', 'properties.bootstrap.servers' = '{job['servers']}'"
    topics, limits = job["topics"], job["limits"]
    return [
        f"""CREATE TABLE messages (payload STRING, proc AS PROCTIME()) WITH ({kafka}, 'topic' = '{topics["raw"]}',
            'properties.group.id' = 'flink', 'scan.startup.mode' = 'earliest-offset', 'format' = 'raw',
            'properties.fetch.max.wait.ms' = '5', 'properties.fetch.min.bytes' = '65536')""",
        f"""CREATE TABLE outgoing (device STRING, content STRING, destination STRING NOT NULL METADATA FROM 'topic')
            WITH ({kafka}, 'topic' = '{topics["anomaly"]};{topics["dead_letter"]}', 'key.format' = 'raw',
            'key.fields' = 'device', 'value.format' = 'raw', 'value.fields-include' = 'EXCEPT_KEY',
            'sink.delivery-guarantee' = 'at-least-once')""",
        f"""CREATE TABLE device_limits (device_id STRING, metric STRING, lower_limit DOUBLE, upper_limit DOUBLE) WITH (
            'connector' = 'jdbc', 'url' = '{limits["url"]}', 'table-name' = '{limits["table"]}',
            'username' = '{limits["user"]}', 'password' = '{limits["password"]}',
            'lookup.cache' = 'PARTIAL', 'lookup.partial-cache.max-rows' = '1000000',
            'lookup.partial-cache.expire-after-write' = '1 h')""",
        """CREATE VIEW fields AS SELECT payload, proc, JSON_VALUE(payload, '$.sensor_id') AS sensor_id,
            JSON_VALUE(payload, '$.metric') AS metric, JSON_VALUE(payload, '$.timestamp') AS sent,
            TRY_CAST(JSON_VALUE(payload, '$.value') AS DOUBLE) AS figure FROM messages""",
        f"CREATE VIEW timed AS SELECT *, {_MICROS} AS micros FROM fields",  # noqa: S608  constants alone
        f"CREATE VIEW judged AS SELECT *, ({_VALID}) IS TRUE AS is_reading FROM timed",  # noqa: S608
    ]


def insert(job: dict[str, Any]) -> str:
    """All that the job does: one pass, one sink for both topics."""
    anomaly, dead = job["topics"]["anomaly"], job["topics"]["dead_letter"]
    return f"""INSERT INTO outgoing SELECT IF(is_reading, sensor_id, ''), IF(is_reading, {_ALERT}, payload),
        IF(is_reading, '{anomaly}', '{dead}')
        FROM judged AS s LEFT JOIN device_limits FOR SYSTEM_TIME AS OF s.proc AS l
        ON l.device_id = s.sensor_id AND l.metric = s.metric
        WHERE NOT is_reading OR figure < lower_limit OR figure > upper_limit"""  # noqa: S608  names of topics


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_bytes())
    configuration = Configuration()
    for name, value in {
        "parallelism.default": str(job["parallelism"]),
        "pipeline.jars": ";".join(f"file://{jar}" for jar in job["jars"]),
        "pipeline.object-reuse": "true",
        "execution.checkpointing.interval": "10 s",
        "execution.buffer-timeout.interval": "5 ms",
        "table.local-time-zone": "UTC",
        "restart-strategy.type": "disable",  # an engine that fails shall say so
        "rest.bind-address": "127.0.0.1",
        "rest.bind-port": "0",
    }.items():
        configuration.set_string(name, value)
    tables = TableEnvironment.create(
        EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(configuration).build()
    )
    for statement in statements(job):
        tables.execute_sql(statement)
    tables.execute_sql(insert(job)).wait()


if __name__ == "__main__":
    main()
