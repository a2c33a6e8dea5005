"""The thresholds table: one version at a time, each published in one Delta commit that says who, why and from what.

A commit replaces all rows. It is refused where another version went live since the one that it was made from, so that
two publishers never undo each other's work unseen. Earlier versions stay readable for a year.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from lakehouse import creation
from lakehouse.columns import arrow_schema
from lakehouse.lake import Lake
from lakehouse.tables import THRESHOLDS
from sensorlake.errors import ThresholdsError

if TYPE_CHECKING:
    from lakehouse.registry import AlertRule

ANY_DEVICE = "*"
FIRST_VERSION = 1
SCHEMA = arrow_schema(THRESHOLDS.record)

RULE, LEARNED, MANUAL = "rule", "learned", "manual"
LIMITS = ("lower", "upper", "mean", "stddev", "z_limit")


@dataclass(frozen=True)
class Reason:
    """Why a version is published. `kind`: first, refresh, manual, removal, rollback. `data`: what it was made from."""

    kind: str
    by: str
    why: str
    data: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Version:
    """A version that was published; `table_version` is Delta's number of the commit."""

    version: int
    table_version: int
    published_at: datetime
    kind: str
    by: str
    why: str
    rows: int
    learned: int
    manual: int
    data: Mapping[str, Any]


def versions(lake: Lake) -> list[Version]:
    """Every version that is still readable, the live one first.

    Raises:
        ThresholdsError: nothing was published yet.
    """
    table = _open(lake)
    found = [made for commit in table.history() if (made := _version(commit)) is not None]
    if not found and table.file_uris():
        found = [_before_notes(table)]
    if not found:
        raise _nothing_published()
    return found


def live(lake: Lake) -> tuple[Version, pa.Table]:
    """The live version and its rows, in the shape of contracts/schemas/threshold.avsc."""
    newest = versions(lake)[0]
    return newest, rows_of(lake, newest)


def rows_of(lake: Lake, version: Version) -> pa.Table:
    table = _open(lake)
    table.load_as_version(version.table_version)
    return complete(table.to_pyarrow_table())


def find(lake: Lake, number: int) -> Version:
    """
    Raises:
        ThresholdsError: there is no such version; the message names those there are.
    """
    known = versions(lake)
    for version in known:
        if version.version == number:
            return version
    numbers = ", ".join(str(version.version) for version in known[:10])
    raise ThresholdsError(f"there is no version {number} of the thresholds; the newest are {numbers}")


def publish(lake: Lake, rows: pa.Table, reason: Reason, *, replacing: int) -> int:
    """Make `rows` the live version in place of version `replacing`; the new version's number.

    Raises:
        ThresholdsError: another version went live meanwhile, or there are no rows: nothing was changed.
    """
    if rows.num_rows == 0:
        raise ThresholdsError("a version without rows would leave nothing to judge readings by: not published")
    table = creation.ensure(lake, THRESHOLDS)
    newest = versions(lake)[0].version if table.file_uris() else FIRST_VERSION - 1
    if newest != replacing:
        raise ThresholdsError(
            f"version {newest} of the thresholds went live since version {replacing}, which this was made from: "
            "look at `sensorlake thresholds show`, then try again"
        )
    number, now = newest + 1, datetime.now(UTC)
    stamped = complete(rows)
    for name, value in (("version", number), ("published_at", now), ("published_by", reason.by)):
        place = stamped.schema.get_field_index(name)
        stamped = stamped.set_column(
            place, SCHEMA.field(name), pa.repeat(pa.scalar(value, SCHEMA.field(name).type), stamped.num_rows)
        )
    sources = stamped["source"]
    note = {
        "version": number,
        "published_at": now.isoformat(),
        "kind": reason.kind,
        "by": reason.by,
        "why": reason.why,
        "data": dict(reason.data),
        "rows": stamped.num_rows,
        "learned": _count(sources, LEARNED),
        "manual": _count(sources, MANUAL),
    }
    try:
        write_deltalake(
            table,
            stamped,
            mode="overwrite",
            commit_properties=CommitProperties(
                custom_metadata={"userMetadata": json.dumps(note)}, max_commit_retries=0
            ),
        )
    except CommitFailedError as error:
        raise ThresholdsError(
            f"another version of the thresholds went live at this moment, so this one did not: {error}"
        ) from None
    return number


def has_version(lake: Lake) -> bool:
    """Is a version live?"""
    return bool(creation.ensure(lake, THRESHOLDS).file_uris())


def ensure_first_version(lake: Lake, rules: "Sequence[AlertRule]") -> None:
    """Publish version 1 from the physical limits of `rules`, unless a version is live already.

    Raises:
        ThresholdsError: there is no rule, so that no reading could ever be judged.
    """
    if has_version(lake):
        return
    if not rules:
        raise ThresholdsError(
            "registry.alert_rules is empty, so there is nothing to judge readings by: add a row for each metric"
        )
    reason = Reason("first", "registry.alert_rules", "the limits of the registry, before anything was learned")
    publish(lake, from_rules(rules), reason, replacing=FIRST_VERSION - 1)


def from_rules(rules: "Sequence[AlertRule]") -> pa.Table:
    """The registry's alert rules as rows of the table."""
    return complete(
        pa.Table.from_pylist(
            [
                {
                    "device_id": rule.device_id or ANY_DEVICE,
                    "metric": rule.metric,
                    "lower": rule.lower,
                    "upper": rule.upper,
                    "z_limit": rule.z_limit,
                    "unit": rule.unit,
                    "source": RULE,
                }
                for rule in rules
            ],
            schema=SCHEMA,
        )
    )


def complete(rows: pa.Table) -> pa.Table:
    """`rows` with exactly the table's columns, in their order; those that are missing are null."""
    columns = [
        rows[item.name].cast(item.type) if item.name in rows.column_names else pa.nulls(rows.num_rows, item.type)
        for item in SCHEMA
    ]
    return pa.table(columns, schema=SCHEMA)


def _open(lake: Lake) -> DeltaTable:
    try:
        return lake.open(THRESHOLDS)
    except TableNotFoundError:
        raise _nothing_published() from None
    except DeltaError as error:
        raise ThresholdsError(f"the thresholds cannot be read from the lake: {error}") from None


def _nothing_published() -> ThresholdsError:
    return ThresholdsError(
        "no thresholds were published yet: `sensorlake stream` publishes the first version at its start"
    )


def _version(commit: Mapping[str, Any]) -> Version | None:
    """The version that a commit of the log published; None for commits that published none."""
    try:
        note = json.loads(commit["userMetadata"])
        return Version(
            version=int(note["version"]),
            table_version=int(commit["version"]),
            published_at=datetime.fromisoformat(note["published_at"]),
            kind=note["kind"],
            by=note["by"],
            why=note["why"],
            rows=note["rows"],
            learned=note["learned"],
            manual=note["manual"],
            data=note["data"],
        )
    except (KeyError, TypeError, ValueError):
        return None


def _before_notes(table: DeltaTable) -> Version:
    """The version that an installation older than the notes has live."""
    rows = table.to_pyarrow_table(columns=["version", "published_at", "published_by"])
    number, at, by = (rows[name][0].as_py() for name in rows.column_names)
    return Version(
        number, table.version(), at, "first", by, "published before versions said why", rows.num_rows, 0, 0, {}
    )


def _count(sources: pa.ChunkedArray, source: str) -> int:
    return int(pc.sum(pc.equal(sources, source)).as_py() or 0)
