"""What a run does when a server goes away under it: it says so in one sentence, waits, and tries its step again.

Spark's own words for it are a hundred lines of Java, and none of them names `sensorlake up`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg

from orchestration.resources.installation import Installation
from sensorlake.errors import MissingToolError, SensorlakeError, StackError

if TYPE_CHECKING:
    from lakehouse.lake import Lake

# 10, 20 and 40 s: a server that its supervisor starts again is back by then. Dagster's retries of whole runs come on
# top of it, at once after each other.
RETRIES = 3
_FIRST_WAIT_SECONDS = 10

# What clients of the storage say, should it be back already when it is asked.
_LOST = ("Unable to execute HTTP request", "Connection refused", "Connection reset", "error sending request")


@contextmanager
def tried_again(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> Iterator[None]:
    """Has Dagster try the step again, in the same run, where a server does not answer; the last time it fails.

    Only for steps that replace what they write as a whole.
    """
    try:
        yield
    except MissingToolError:
        raise
    except StackError as error:
        if context.op_execution_context.retry_number >= RETRIES:
            raise
        seconds = _FIRST_WAIT_SECONDS * 2**context.op_execution_context.retry_number
        context.log.warning(f"{error}. The step is tried again in {seconds} s")
        raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=seconds) from error


@contextmanager
def reachable_lake(installation: Installation) -> "Iterator[Lake]":
    """The lake, for as long as its storage answers: silence must not be taken for tables that are not there.

    Raises:
        StackError: nothing answers, or no longer; the message says where and what to do.
    """
    lake = installation.lake
    if installation.lake_root is not None:
        yield lake
        return
    from lakehouse.storage import require_answer  # noqa: PLC0415  definitions load without it

    settings = installation.settings
    require_answer(settings)
    try:
        yield lake
    except SensorlakeError:
        raise
    except Exception as error:
        require_answer(settings, error)
        if any(words in str(error) for words in _LOST):
            raise StackError(
                f"the lake's storage at {settings.s3_endpoint} went away during this run, and answers again. What the "
                "run was about to replace is as it was: run it again"
            ) from error
        raise
