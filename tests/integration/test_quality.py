"""The report and the command on real storage and a real registry."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from uuid import uuid4

import boto3
import dagster as dg
import pytest

from lakehouse import registry
from lakehouse.lake import Lake
from lakehouse.tables import QUALITY, READINGS
from orchestration.defs.quality.report import data_quality_report
from orchestration.resources.installation import Installation
from tests.orchestration.quality_cases import DAY, NAN, readings
from tests.orchestration.rows import read, reading, write

pytestmark = pytest.mark.integration

COMMAND = [str(Path(sys.executable).with_name("sensorlake")), "quality"]


@pytest.fixture
def own(stack_settings, monkeypatch):
    """The settings of the servers, with a bucket of this test's own, also for other processes."""
    bucket = f"test-{uuid4().hex}"
    storage = boto3.client(
        "s3",
        endpoint_url=stack_settings.s3_endpoint,
        aws_access_key_id=stack_settings.s3_access_key,
        aws_secret_access_key=stack_settings.s3_secret_key.get_secret_value(),
        region_name="us-east-1",
    )
    storage.create_bucket(Bucket=bucket)
    registry.migrate(stack_settings)
    monkeypatch.setenv("SENSORLAKE_DATA_DIR", str(stack_settings.data_dir))
    monkeypatch.setenv("SENSORLAKE_LAKE_BUCKET", bucket)
    return stack_settings.model_copy(update={"lake_bucket": bucket})


def test_the_asset_writes_the_day_and_tells_the_findings(own):
    lake = Lake.of(own)
    write(lake, READINGS, [*readings(), reading(1, NAN, source_offset=10)])
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            result = dg.materialize(
                [data_quality_report],
                partition_key=DAY.isoformat(),
                instance=instance,
                resources={"installation": Installation()},
            )
    (event,) = result.get_asset_materialization_events()
    metadata = event.step_materialization_data.materialization.metadata
    assert metadata["errors"].value == 1
    assert "| readings | finite | error | 1 | 11 |" in metadata["findings"].value
    assert metadata["totals"].data["readings.active_devices"] == 1
    rows = read(lake, QUALITY)
    assert len(rows) == metadata["dagster/partition_row_count"].value
    assert {row["day"] for row in rows} == {DAY}


@pytest.mark.parametrize(("value", "code"), [(20.0, 0), (NAN, 1)])
def test_the_command_prints_findings_writes_data_docs_and_fails_on_errors(own, tmp_path: Path, value: float, code: int):
    write(Lake.of(own), READINGS, [*readings(), reading(660, value, source_offset=10)])
    done = subprocess.run(
        [*COMMAND, "--day", DAY.isoformat(), "--html", str(tmp_path / "docs")],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        timeout=180,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "offsets_accounted_for" in done.stdout
    assert ("readings finite: No figure is NaN" in done.stdout) == bool(code)
    assert "readings" in (tmp_path / "docs" / "index.html").read_text("utf-8")


def test_a_day_without_anything_is_no_error(own):
    given = [*COMMAND, "--day", date(2026, 11, 2).isoformat()]
    done = subprocess.run(given, capture_output=True, text=True, env=dict(os.environ), timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    assert "The lake holds nothing of that day." in done.stdout
