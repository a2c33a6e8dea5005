"""Dead letters looked at from Dagster, on a small real table. Replays need servers: tests/integration."""

from datetime import UTC, datetime

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from lakehouse.columns import arrow_schema
from lakehouse.creation import ensure
from lakehouse.lake import Lake
from lakehouse.tables import DEAD_LETTERS
from orchestration.defs.dead_letters import jobs
from orchestration.resources.installation import Installation

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


@pytest.fixture
def letters(lake: Lake) -> Lake:
    """Three dead letters, one of which would like to be a terminal's command and a table's cell."""
    rows = [
        {"source_offset": 1, "dq_reason": "malformed", "payload": b"\x1b[2J?", "key": b"pump`|1"},
        {"source_offset": 2, "dq_reason": "malformed", "payload": None, "key": None},
        {"source_offset": 3, "dq_reason": "wrong_type:t", "payload": b'{"t": "1"}', "key": b"pump-2"},
    ]
    same = {
        "source_topic": "raw",
        "source_partition": 0,
        "replay_count": 1,
        "received_at": NOON,
        "event_date": NOON.date(),
    }
    opened = ensure(lake, DEAD_LETTERS)
    written = pa.Table.from_pylist([row | same for row in rows], schema=arrow_schema("dead_letter"))
    write_deltalake(opened, written, mode="append")
    return lake


def run(job: dg.JobDefinition, lake: Lake, op: str, **config: object) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(
            instance=instance,
            resources={"installation": Installation(lake_root=lake.root)},
            run_config={"ops": {op: {"config": config}}},
            raise_on_error=False,
        )


def observation(done: dg.ExecuteInProcessResult) -> dict:
    (event,) = [event for event in done.all_events if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION]
    observed = event.event_specific_data.asset_observation
    assert observed.asset_key == dg.AssetKey("dead_letters")
    return {name: value.value for name, value in observed.metadata.items()}


def test_they_are_counted_by_reason_and_day_on_the_page_of_their_asset(letters: Lake) -> None:
    noted = observation(run(jobs.list_dead_letters, letters, "count_dead_letters"))
    assert noted["dead_letters"] == 3
    lines = noted["by_reason_and_day"].splitlines()
    assert len(lines) == 4
    assert lines[-1].startswith("| 2026-11-03 | 1 | 12:00:00 | 0:3 | `pump-2` | `wrong_type:t` |")
    assert r"`pump'\|1`" in lines[2]
    assert (
        observation(run(jobs.list_dead_letters, letters, "count_dead_letters", reason="wrong_type"))["dead_letters"]
        == 1
    )


def test_they_are_shown_in_the_log_without_harm(letters: Lake, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(jobs.show_dead_letters, letters, "look_at_dead_letters", id="0:1").success
    shown = capfd.readouterr().err
    assert r"message   \x1b[2J?" in shown
    assert "replayed  once" in shown
    assert "0:3" not in shown


def test_a_selection_that_makes_no_sense_fails_and_says_so(letters: Lake) -> None:
    done = run(jobs.show_dead_letters, letters, "look_at_dead_letters", day="yesterday")
    assert not done.success
    (failure,) = done.get_step_failure_events()
    assert "YYYY-MM-DD" in str(failure.step_failure_data.error.cause)


def test_a_replay_is_a_dry_run_unless_told_otherwise_and_is_not_tried_again_by_itself() -> None:
    config = jobs.Replayed(reason="malformed")
    assert config.dry_run
    assert jobs.replay_dead_letters.tags["dagster/max_retries"] == "0"
