"""Asset checks out of a suite of expectations/: one operation a table, so Great Expectations is imported once a run.

    checks = checks_for("baselines", baselines.SUITE)

Great Expectations' own Dagster integration asks for its old version, so this takes its place.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from expectations.expectation import SHOWN, Expectation, Finding, Severity, Suite
from orchestration.outages import reachable_lake, tried_again
from orchestration.resources.installation import Installation

if TYPE_CHECKING:
    from expectations.data import Data

    Load = Callable[[Installation, date | None], Data | None]

_POOL = "quality"
_SEVERITIES = {Severity.ERROR: dg.AssetCheckSeverity.ERROR, Severity.WARNING: dg.AssetCheckSeverity.WARN}


def checks_for(
    asset: str,
    suite: Suite,
    *,
    partitions_def: dg.PartitionsDefinition[Any] | None = None,
    blocking: bool = True,
    today: bool = False,
    load: "Load | None" = None,
) -> dg.AssetChecksDefinition:
    """One check for each expectation of `suite`, on `asset`.

    `partitions_def`: that of the asset; a run of a partition then judges its day. Without one the whole table is
    judged, or the current day where `today`. `blocking`: let expectations that are blocking hold up what follows.
    `load` says what is judged, None where the table is not there yet; by default the lake's table of the suite's name.
    """
    read = load or _from_lake(suite)

    @dg.multi_asset_check(
        name=f"{asset}_checks",
        specs=_specs(asset, suite, partitions_def, blocking=blocking),
        can_subset=True,
        pool=_POOL,
    )
    def checks(context: dg.AssetCheckExecutionContext, installation: Installation) -> Iterator[dg.AssetCheckResult]:
        from expectations import validation  # noqa: PLC0415  needs Arrow

        names = [key.name for key in context.selected_asset_check_keys]
        if context.has_partition_key:
            day = date.fromisoformat(context.partition_key)
        else:
            day = datetime.now(UTC).date() if today else None
        with tried_again(context), reachable_lake(installation):
            data = read(installation, day)
            found = None if data is None else validation.findings(suite, data, names)
        if found is None:
            absent = "the table is not in the lake yet: what writes it has not run"
            for name in names:
                yield dg.AssetCheckResult(
                    passed=False, check_name=name, severity=dg.AssetCheckSeverity.WARN, description=absent
                )
            return
        for finding in found:
            yield result(finding)

    return checks


def result(finding: Finding) -> dg.AssetCheckResult:
    """A finding as Dagster shows it: the number of offenders, and some of them as a table."""
    metadata: dict[str, Any] = {"offenders": finding.offenders, "examined": finding.examined}
    if finding.observed is not None:
        metadata["observed"] = finding.observed
    if finding.sample:
        metadata["sample"] = table_of(finding.sample)
    return dg.AssetCheckResult(
        passed=finding.passed,
        check_name=finding.check,
        severity=_SEVERITIES[finding.severity],
        description=said(finding),
        metadata=metadata,
    )


def said(finding: Finding) -> str:
    """In one line, what is expected and how far it is so."""
    if finding.passed:
        return f"{finding.detail} {finding.examined:,} examined."
    of_them = f" {finding.offenders:,} of {finding.examined:,} do not." if finding.examined else ""
    return finding.detail + of_them


def table_of(sample: Sequence[Any]) -> dg.TableMetadataValue:
    """Offending rows, as a check shows them."""
    names = list(dict.fromkeys(name for row in sample for name in row))
    records = [dg.TableRecord({name: _cell(row.get(name)) for name in names}) for row in sample[:SHOWN]]
    columns = [dg.TableColumn(name, "string") for name in names]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns=columns))


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _specs(
    asset: str, suite: Suite, partitions_def: dg.PartitionsDefinition[Any] | None, *, blocking: bool
) -> list[dg.AssetCheckSpec]:
    def spec(expectation: Expectation) -> dg.AssetCheckSpec:
        return dg.AssetCheckSpec(
            expectation.name,
            asset=asset,
            description=expectation.description,
            blocking=blocking and expectation.blocking and expectation.severity is Severity.ERROR,
            metadata={"severity": expectation.severity.value},
            partitions_def=partitions_def,
        )

    with warnings.catch_warnings():
        # Partitions of checks may still change in Dagster; without them a past day's result hides the last day's.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [spec(expectation) for expectation in suite.expectations]


def _from_lake(suite: Suite) -> "Load":
    def load(installation: Installation, day: date | None) -> "Data | None":
        from lakehouse.tables import TABLES  # noqa: PLC0415
        from orchestration import evidence  # noqa: PLC0415  imports Arrow and delta-rs

        lake = installation.lake
        (table,) = (each for each in TABLES if each.name == suite.table)
        if not evidence.exists(lake, table):
            return None
        needs_devices = any(expectation.name == "registered" for expectation in suite.expectations)
        devices = frozenset(evidence.registered_devices(installation.settings)) if needs_devices else None
        return evidence.gather(lake, table, now=datetime.now(UTC), day=day, devices=devices)

    return load
