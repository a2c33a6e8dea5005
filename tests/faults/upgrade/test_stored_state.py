"""What the release before has stored fits today's version: its checkpoints, its tables in the lake, what detect knows.
A few rows of it lie in the repository (stored.py); that streams go on from it is for test_stream_goes_on.py."""

import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from detection import fleet_bytes, standard
from detection.fleet import Fleet
from lakehouse import creation
from lakehouse.columns import arrow_schema
from lakehouse.lake import Lake
from lakehouse.tables import DEAD_LETTERS, MODEL_SCORES, READINGS, TABLES
from orchestration.watching.query_health import WRITES
from streaming import checkpoints, position, restarting
from streaming.detect.reshard import stored_fleets
from tests.faults.upgrade.stored import DEVICES, unpacked


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(tmp_path_factory.mktemp("stored"))


@pytest.fixture
def root(stored: Path, tmp_path: Path) -> Path:
    """Its checkpoints, to be written to."""
    return Path(shutil.copytree(stored / "checkpoints", tmp_path / "checkpoints"))


@pytest.fixture
def lake(stored: Path, tmp_path: Path) -> Lake:
    return Lake(str(shutil.copytree(stored / "lake", tmp_path / "lake")), {})


def test_every_checkpoint_is_whole_and_takes_on_the_id_of_its_topic(root: Path) -> None:
    for query in WRITES:
        made_for = checkpoints.made_for(root, query) | {"topic_id": "one"}
        assert checkpoints.folder(root, query, made_for) == root / query
        assert checkpoints.made_for(root, query) == made_for
        assert checkpoints.application_id(root / query)
        # One without a model has judged nothing.
        assert checkpoints.last_batch(root / query) is not None or query == "autoencoder"


def test_every_table_gets_the_columns_that_it_lacks_and_keeps_its_rows(lake: Lake) -> None:
    grown = set()
    for table in TABLES:
        before = lake.open(table).to_pyarrow_table()
        found = creation.ensure(lake, table).to_pyarrow_table()
        assert found.select(before.column_names).equals(before), table.name
        assert set(found.column_names) == set(arrow_schema(table.record).names)
        grown |= {table.name} if found.num_columns > before.num_columns else set()
    assert grown == {MODEL_SCORES.name}
    assert lake.open(READINGS).to_pyarrow_table().num_rows > 0


def test_the_rows_of_the_lake_tell_what_its_checkpoint_says(root: Path, lake: Lake) -> None:
    topic = checkpoints.made_for(root, "lake")["source"]
    _, read = restarting.noted(root, "lake", topic)
    tables = [lake.open(table).to_pyarrow_dataset() for table in (READINGS, DEAD_LETTERS)]
    newest = pa.compute.max(lake.open(READINGS).to_pyarrow_table()["received_at"]).as_py()
    assert read
    assert position.last(lake.open(READINGS).history()) is None
    assert position.of_rows(tables, newest, read).offsets == read
    assert position.of_rows(tables[:1], newest, read).offsets != read, "the last message of all was no reading"


def test_detect_knows_the_devices_and_only_drift_begins_anew(stored: Path) -> None:
    told: list[list[str]] = []
    (seed,) = (each for each in (stored / "seeds").iterdir() if each.suffix == ".fleet")
    fleet = fleet_bytes.load(standard.ensemble(), seed.read_bytes(), told.append)
    assert told == [["drift"]]
    assert names(fleet) == sorted(DEVICES)
    assert all((cohort.state["seen"] > 0).all() for cohort in fleet.cohorts.values())


@pytest.mark.spark
def test_sparks_state_of_detect_is_read_also_at_another_place(spark: SparkSession, root: Path) -> None:
    fleets = stored_fleets(spark, root / "detect")
    assert sorted(name for fleet in fleets for name in names(fleet)) == sorted(DEVICES)


def names(fleet: Fleet) -> list[str]:
    """How those of its devices end."""
    return sorted(name.rpartition("-")[2] for cohort in fleet.cohorts.values() for name in cohort.devices)
