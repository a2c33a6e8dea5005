"""The stream on secured servers: readings arrive in every store, and no secret comes to light on the way."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from influxdb_client import InfluxDBClient

from lakehouse.lake import Lake
from lakehouse.tables import ANOMALIES, READINGS
from orchestration.watching.query_health import WRITES
from sensorlake.settings import PREFIX, Settings
from tests.integration.secured import installation

pytestmark = pytest.mark.integration

COMMAND = [sys.executable, "-c", "from sensorlake.command_line import main; main()"]
FASTER = {
    "ALERTS_BATCH_SECONDS": "5",
    "LAKE_TRIGGER_SECONDS": "2",
    "METRICS_TRIGGER_SECONDS": "2",
    "SPARK_DRIVER_MEMORY": "1g",
}
PATIENCE = 240.0


class Stream:
    """`sensorlake stream` as a user starts it, who names the data folder and no password."""

    def __init__(self, settings: Settings) -> None:
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        self.environment |= {PREFIX + name: value for name, value in FASTER.items()}
        self.environment[PREFIX + "DATA_DIR"] = str(settings.data_dir)
        self.log = settings.data_dir / "logs" / "stream.log"
        self.report = settings.data_dir / "run" / "queries.json"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen([*COMMAND, "stream"], env=self.environment, stdout=out, stderr=out)

    def run(self, *arguments: str) -> str:
        command = [*COMMAND, *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def has_started(self) -> bool:
        return self.report.is_file() and json.loads(self.report.read_text("utf-8"))["queries"].keys() >= WRITES.keys()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            end = self.log.read_text("utf-8", errors="replace")[-3000:]
            assert self.process.poll() is None, end
            assert time.monotonic() < deadline, end
            time.sleep(0.5)

    @property
    def page(self) -> str:
        found = re.search(r'"page": "([^"]+)"', self.log.read_text("utf-8"))
        assert found
        return found[1]


@pytest.fixture(scope="module")
def stream(operator: Settings) -> Iterator[Stream]:
    running = Stream(operator)
    try:
        running.wait_for(running.has_started)
        yield running
    finally:
        running.process.terminate()
        running.process.wait(60)


@pytest.fixture(scope="module")
def sent(stream: Stream) -> int:
    """Readings of simulated sensors, some of which break a hard limit."""
    told = stream.run("simulate", "--sensors", "40", "--anomaly-rate", "0.5", "--rate", "40", "--seconds", "15")
    summary = json.loads(told.splitlines()[-1])
    assert summary["failed"] == 0
    assert summary["limit_violations"] > 0
    return int(summary["readings"])


def test_readings_and_anomalies_arrive_in_every_store(operator: Settings, stream: Stream, sent: int):
    lake = Lake.of(installation.of(operator, "stream"))

    def rows(table) -> int:
        found = lake.find(table)
        return 0 if found is None else found.to_pyarrow_table(columns=["device_id"]).num_rows

    stream.wait_for(lambda: rows(READINGS) == sent)
    stream.wait_for(lambda: rows(ANOMALIES) > 0)
    alarms = rows(ANOMALIES)
    stream.wait_for(lambda: in_postgres(operator) >= alarms)
    stream.wait_for(lambda: points(operator, "sensor_anomalies", "value") >= alarms)
    stream.wait_for(lambda: points(operator, "sensor_metrics", "value") > 0)


def in_postgres(operator: Settings) -> int:
    with installation.database(operator) as connection:
        return int(connection.run("select count(*) from stream.anomalies")[0][0])


def points(operator: Settings, measurement: str, field: str) -> int:
    own = installation.of(operator, "dashboards")
    question = (
        f'from(bucket: "{own.influxdb_bucket}") |> range(start: -1h) '
        f'|> filter(fn: (r) => r._measurement == "{measurement}" and r._field == "{field}") |> group() |> count()'
    )
    with InfluxDBClient(
        url=own.influxdb_url,
        token=own.influxdb_token.get_secret_value(),
        org=own.influxdb_org,
        ssl_ca_cert=own.tls_ca_file,
        timeout=60_000,
    ) as client:
        return sum(record.get_value() for table in client.query_api().query(question) for record in table.records)


def test_no_secret_stands_on_a_command_line_in_a_log_or_on_sparks_pages(operator: Settings, stream: Stream, sent: int):
    shown = {f"process {pid}": line for pid, line in command_lines().items()}
    assert any(str(operator.data_dir) in line for line in shown.values())
    shown |= {str(path): path.read_text("utf-8", errors="replace") for path in open_files(operator)}
    application = json.loads(fetched(f"{stream.page}/api/v1/applications"))[0]["id"]
    rest = f"/api/v1/applications/{application}"
    for page in ("/environment/", "/SQL/", "/StreamingQuery/", f"{rest}/environment", f"{rest}/sql?details=true"):
        shown[page] = fetched(stream.page + page)
    assert "spark.sql.shuffle.partitions" in shown["/environment/"]
    secrets = installation.secrets(operator)
    assert len(secrets) > 15
    assert [place for place, text in shown.items() if any(secret in text for secret in secrets)] == []


def test_checkpoints_hold_no_secret(operator: Settings, stream: Stream, sent: int):
    secrets = [secret.encode() for secret in installation.secrets(operator)]
    files = [path for path in operator.checkpoint_dir.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if any(secret in content(path) for secret in secrets)] == []


def content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""  # the stream clears up behind itself


def command_lines() -> dict[int, str]:
    found = {}
    for process in psutil.process_iter():
        try:
            found[process.pid] = " ".join(process.cmdline())
        except psutil.Error:
            continue
    return found


def open_files(settings: Settings) -> list[Path]:
    """Logs, configurations and reports: all but the files that hold the login of a part, for its owner alone."""
    folders = [settings.data_dir / name for name in ("logs", "run")]
    files = [path for folder in folders for path in folder.iterdir() if path.is_file()]
    held = [path for path in files if path.suffix == ".jaas"]
    assert held
    assert all(path.stat().st_mode & 0o077 == 0 for path in held)
    return [path for path in files if path not in held]


def fetched(url: str) -> str:
    """A page of Spark. It lists the last executions and looks up each: one that it forgets in between, as new ones come
    all the time, makes the page an error 500."""
    deadline = time.monotonic() + 30.0
    while True:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310  an address of this machine
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            if error.code != 500 or time.monotonic() > deadline:
                raise
            time.sleep(0.5)
