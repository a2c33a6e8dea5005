"""A step is tried again where a server does not answer, and fails at once of anything else."""

import dagster as dg
import pytest

from orchestration import outages
from orchestration.outages import RETRIES, reachable_lake, tried_again
from orchestration.resources.installation import Installation
from sensorlake.errors import LakeError, MissingToolError, StackError


@pytest.fixture
def run(instance, monkeypatch):
    """Materialize an asset that raises `errors` one after the other; how often it was tried, and its last error."""
    monkeypatch.setattr(outages, "_FIRST_WAIT_SECONDS", 0)

    def materialize(*errors):
        tries = iter([*errors, None])
        tried = []

        @dg.asset
        def day(context: dg.AssetExecutionContext):
            with tried_again(context):
                tried.append(error := next(tries))
                if error:
                    raise error

        result = dg.materialize([day], instance=instance, raise_on_error=False)
        failure = None if result.success else result.failure_data_for_node("day").error
        return len(tried), failure and failure.cause and failure.cause.message

    return materialize


def test_a_server_that_comes_back_lets_the_step_go_on(run):
    assert run(StackError("MinIO is away"), StackError("still")) == (3, None)


def test_a_server_that_stays_away_is_the_error_of_the_run(run):
    tried, said = run(*[StackError("MinIO is away")] * 9)
    assert tried == RETRIES + 1
    assert "StackError: MinIO is away" in said


@pytest.mark.parametrize("error", [LakeError("no table"), MissingToolError("no Java"), ValueError("a bug")])
def test_what_waiting_does_not_mend_is_tried_once(run, error):
    tried, said = run(error)
    assert tried == 1
    assert str(error) in said


def test_what_goes_wrong_in_a_local_lake_stays_what_it_is(tmp_path):
    with pytest.raises(OSError, match="full"), reachable_lake(Installation(lake_root=str(tmp_path))):
        raise OSError("full")
