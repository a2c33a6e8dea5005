"""Runs a suite over its data with Great Expectations.

How a big day is handled: a day may hold 14 million rows, and neither they nor a list of all offenders fit in memory as
pandas objects. Expectations of rows look at each row alone, so that Great Expectations judges the table piece by piece
(the pieces that `Data.read` gives), and the counts add up: examined and offenders are exact, the sample holds the
first offenders. Only the columns that are judged become pandas. What needs the whole day (keys, gaps, volume) is
worked out with Arrow and numpy into a small table of figures, which is judged whole.
"""

import logging
import math
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from expectations.expectation import SHOWN, Expectation, Finding, Suite

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

    from expectations.data import Data

_FORMAT = {"result_format": "SUMMARY", "partial_unexpected_count": SHOWN}


@dataclass
class Judged:
    """What is known of one expectation so far. `result`: Great Expectations' own last word, for its Data Docs."""

    expectation: Expectation
    examined: int = 0
    offenders: int = 0
    observed: float | None = None
    detail: str = ""
    sample: list[Mapping[str, Any]] = field(default_factory=list)
    result: Any = None

    def finding(self, table: str) -> Finding:
        return Finding(
            table=table,
            check=self.expectation.name,
            severity=self.expectation.severity,
            passed=not (self.offenders or self.detail),
            examined=self.examined,
            offenders=self.offenders,
            observed=self.observed,
            detail=self.detail or self.expectation.description,
            sample=tuple(self.sample),
        )


def findings(suite: Suite, data: "Data", only: Sequence[str] | None = None) -> list[Finding]:
    """What the checks of `suite`, or those named in `only`, found."""
    return [each.finding(suite.table) for each in judge(suite, data, only)]


def judge(suite: Suite, data: "Data", only: Sequence[str] | None = None) -> list[Judged]:
    """As `findings`, with what Great Expectations itself said."""
    judged = [Judged(each) for each in suite.expectations if only is None or each.name in only]
    able = []
    for each in judged:
        if lacking := [name for name in each.expectation.needs if name not in data.found]:
            each.detail = f"cannot be judged: the table has no column {', '.join(lacking)}"
        else:
            able.append(each)
    batches = _batches()
    _judge_rows([each for each in able if each.expectation.figures is None], suite, data, batches)
    for each in able:
        if each.expectation.figures is not None:
            _judge_figures(each, data, batches)
    return judged


def _judge_rows(judged: list[Judged], suite: Suite, data: "Data", batches: Any) -> None:
    if not judged:
        return
    needed = {name for each in judged for name in each.expectation.needs}
    columns = [name for name in data.found if name in needed or name in suite.shown]
    derivations = dict.fromkeys(each.expectation.derive for each in judged if each.expectation.derive)
    wanted = list(dict.fromkeys(name for each in judged for name in each.expectation.judgement.columns))
    for piece in data.read(columns):
        rows = piece
        for derive in derivations:
            for name, values in derive(piece).items():
                rows = rows.append_column(name, values)
        frame = rows.select(wanted).to_pandas()
        for each, result in zip(judged, _validate(judged, frame, batches), strict=True):
            found = result.result
            each.examined += rows.num_rows
            each.offenders += int(found["unexpected_count"])
            _keep(each, result)
            shown = [*suite.shown, *each.expectation.needs, *each.expectation.judgement.columns]
            places = found["partial_unexpected_index_list"][: SHOWN - len(each.sample)]
            each.sample += _plain(rows, places, [name for name in dict.fromkeys(shown) if name in rows.column_names])


def _judge_figures(judged: Judged, data: "Data", batches: Any) -> None:
    expectation = judged.expectation
    assert expectation.figures is not None  # noqa: S101  for the type checker: chosen by the caller
    figures = expectation.figures(data)
    rows, judged.examined = figures.rows, figures.examined
    if expectation.observed and rows.num_rows:
        judged.observed = float(rows[expectation.observed][0].as_py())
    frame = rows.select(list(expectation.judgement.columns)).to_pandas()
    (result,) = _validate([judged], frame, batches, complete=True)
    places = result.result["unexpected_index_list"]
    weights = rows[expectation.weight].to_pylist() if expectation.weight else [1] * rows.num_rows
    judged.offenders = sum(weights[place] for place in places)
    _keep(judged, result)
    judged.sample = _plain(rows, places[:SHOWN], rows.column_names)


def _keep(judged: Judged, result: Any) -> None:
    """Great Expectations' result of the first piece that broke the expectation, with the counts of all pieces."""
    kept = judged.result
    if kept is None or (kept.success and not result.success):
        kept = judged.result = result
    kept.result["element_count"] = judged.examined
    kept.result["unexpected_count"] = judged.offenders
    kept.result["unexpected_percent"] = 100 * judged.offenders / judged.examined if judged.examined else None


@contextmanager
def quiet() -> Iterator[None]:
    """Great Expectations tells nobody that it runs, and keeps its own deprecations to itself."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@quiet()
def _validate(judged: Sequence[Judged], frame: Any, batches: Any, *, complete: bool = False) -> list[Any]:
    """Results in the order of `judged`."""
    import great_expectations as gx  # noqa: PLC0415  takes seconds to import

    kinds = {"error": "critical", "warning": "warning"}
    built = [
        each.expectation.judgement.build(
            meta={"name": each.expectation.name},
            notes=f"**{each.expectation.name}**: {each.expectation.description}",
            severity=kinds[each.expectation.severity],
        )
        for each in judged
    ]
    form = _FORMAT | {"result_format": "COMPLETE"} if complete else _FORMAT
    validated = batches.get_batch({"dataframe": frame}).validate(
        gx.ExpectationSuite("piece", expectations=built), result_format=form
    )
    by_name = {result.expectation_config.meta["name"]: result for result in validated.results}
    for result in by_name.values():
        if result.exception_info.get("raised_exception", True) or "unexpected_count" not in result.result:
            raise RuntimeError(
                f"Great Expectations could not judge {result.expectation_config}: {result.exception_info}"
            )
    return [by_name[each.expectation.name] for each in judged]


@cache
@quiet()
def _batches() -> Any:
    """A definition that takes data frames, in a context that lives in memory; one a process, as each leaves a folder
    behind."""
    import great_expectations as gx  # noqa: PLC0415
    from great_expectations.data_context.types.base import ProgressBarsConfig  # noqa: PLC0415

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return (
        context.data_sources.add_pandas("lake").add_dataframe_asset("table").add_batch_definition_whole_dataframe("day")
    )


def _plain(rows: "pa.Table", places: Sequence[int], columns: Sequence[str]) -> list[Mapping[str, Any]]:
    import pyarrow as pa  # noqa: PLC0415  definitions load without Arrow

    taken = rows.select(list(columns)).take(pa.array(list(places), pa.int64()))
    return [{name: _shown(value) for name, value in row.items()} for row in taken.to_pylist()]


def _shown(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bytes):
        return value[:200].decode("utf-8", "replace")
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
