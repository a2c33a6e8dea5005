"""Which version of each model is in force: the table `model_registry`, replaced in one commit at each change.

    challenger   judged beside the champion, its scores raise no alarm; one a model at most
    champion     in force; one a model at most
    archived     was replaced
    withdrawn    was rolled back, and is not promoted again by itself

Every commit says what was done, by whom and why; the history is kept for a year.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

from lakehouse import creation
from lakehouse.columns import arrow_schema
from lakehouse.lake import Lake
from lakehouse.tables import MODEL_REGISTRY
from sensorlake.errors import ModelError

CHAMPION, CHALLENGER, ARCHIVED, WITHDRAWN = "champion", "challenger", "archived", "withdrawn"
_SCHEMA = arrow_schema(MODEL_REGISTRY.record)


@dataclass(frozen=True)
class Standing:
    """A version of a model, and what it is now."""

    name: str
    version: int
    role: str
    since: datetime
    by: str
    why: str
    trained_on: int | None = None
    was_champion: bool = False

    @property
    def label(self) -> str:
        return f"{self.name}/{self.version}"


@dataclass(frozen=True)
class Change:
    """One thing that was done to the registry. kind: challenge, promotion or rollback."""

    kind: str
    name: str
    version: int
    by: str
    why: str
    at: datetime


def standings(lake: Lake, name: str | None = None) -> list[Standing]:
    """Every version that was entered, by name and then the newest first; none where nothing was entered yet."""
    found = _rows(lake.find(MODEL_REGISTRY))
    return [each for each in found if name in (None, each.name)]


def champion(lake: Lake, name: str) -> Standing | None:
    return _holder(standings(lake, name), CHAMPION)


def challenger(lake: Lake, name: str) -> Standing | None:
    return _holder(standings(lake, name), CHALLENGER)


def earlier_champions(lake: Lake, name: str) -> list[Standing]:
    """Those that were replaced by better ones, the last one first; not those that were withdrawn."""
    found = [each for each in standings(lake, name) if each.was_champion and each.role == ARCHIVED]
    return sorted(found, key=lambda each: each.since, reverse=True)


def history(lake: Lake) -> list[Change]:
    """What was done, the newest first."""
    table = lake.find(MODEL_REGISTRY)
    return [change for commit in (table.history() if table else []) if (change := _change(commit))]


def challenge(lake: Lake, name: str, version: int, *, by: str, why: str, trained_on: int | None = None) -> Standing:
    """Enter a published version as the challenger; the one before it is archived.

    Raises:
        ModelError: it was entered before, or the registry changed meanwhile.
    """
    table, known = _opened(lake)
    if any((each.name, each.version) == (name, version) for each in known):
        raise ModelError(f"model {name}/{version} stands in the registry already")
    now = datetime.now(UTC)
    before = _moved(known, name, CHALLENGER, becomes=ARCHIVED, now=now, by=by, why=f"version {version} took its place")
    entered = Standing(name, version, CHALLENGER, now, by, why, trained_on)
    _commit(table, [*before, entered], Change("challenge", name, version, by, why, now))
    return entered


def promote(lake: Lake, name: str, version: int, *, by: str, why: str) -> Standing:
    """Make a version that was entered the champion; the one before it is archived.

    Raises:
        ModelError: there is no such version, it is the champion already, or the registry changed meanwhile.
    """
    return _crown(lake, name, version, kind="promotion", role_of_old=ARCHIVED, by=by, why=why)


def roll_back(lake: Lake, name: str, *, by: str, why: str, version: int | None = None) -> Standing:
    """Make an earlier champion the champion again, by default the last one before this; this one is withdrawn.

    Raises:
        ModelError: there is no earlier champion, or the registry changed meanwhile.
    """
    if version is None:
        earlier = earlier_champions(lake, name)
        if not earlier:
            raise ModelError(f"model {name} has no earlier champion to go back to: see `sensorlake models list`")
        version = earlier[0].version
    return _crown(lake, name, version, kind="rollback", role_of_old=WITHDRAWN, by=by, why=why)


def _crown(lake: Lake, name: str, version: int, *, kind: str, role_of_old: str, by: str, why: str) -> Standing:
    table, known = _opened(lake)
    mine = [each for each in known if each.name == name]
    wanted = next((each for each in mine if each.version == version), None)
    if wanted is None:
        versions = ", ".join(str(each.version) for each in mine) or "none"
        raise ModelError(f"there is no version {version} of model {name} in the registry; there are: {versions}")
    if wanted.role == CHAMPION:
        raise ModelError(f"model {wanted.label} is the champion already")
    if kind == "rollback" and not wanted.was_champion:
        raise ModelError(f"model {wanted.label} was never in force, so there is nothing to go back to: promote it")
    now = datetime.now(UTC)
    instead = f"{kind} to version {version}: {why}"
    rest = [each for each in known if each is not wanted]
    crowned = replace(wanted, role=CHAMPION, since=now, by=by, why=why, was_champion=True)
    rows = [*_moved(rest, name, CHAMPION, becomes=role_of_old, now=now, by=by, why=instead), crowned]
    _commit(table, rows, Change(kind, name, version, by, why, now))
    return crowned


def _moved(
    known: Sequence[Standing], name: str, role: str, *, becomes: str, now: datetime, by: str, why: str
) -> list[Standing]:
    """The same, the holder of `role` in another role."""
    return [
        replace(each, role=becomes, since=now, by=by, why=why) if (each.name, each.role) == (name, role) else each
        for each in known
    ]


def _holder(known: Sequence[Standing], role: str) -> Standing | None:
    return next((each for each in known if each.role == role), None)


def _opened(lake: Lake) -> tuple[DeltaTable, list[Standing]]:
    table = creation.ensure(lake, MODEL_REGISTRY)
    return table, _rows(table)


def _rows(table: DeltaTable | None) -> list[Standing]:
    rows: list[Mapping[str, Any]] = table.to_pyarrow_table().to_pylist() if table else []
    names = list(Standing.__dataclass_fields__)
    found = [Standing(**{name: row[name] for name in names}) for row in rows]
    return sorted(found, key=lambda each: (each.name, -each.version))


def _commit(table: DeltaTable, rows: Sequence[Standing], change: Change) -> None:
    note = {**vars(change), "at": change.at.isoformat()}
    try:
        write_deltalake(
            table,
            pa.Table.from_pylist([vars(row) for row in rows], schema=_SCHEMA),
            mode="overwrite",
            commit_properties=CommitProperties(
                custom_metadata={"userMetadata": json.dumps(note)}, max_commit_retries=0
            ),
        )
    except CommitFailedError as error:
        raise ModelError(
            f"the registry of models changed at this moment, so the {change.kind} of {change.name}/{change.version} "
            f"was not done; look at `sensorlake models list`, then try again ({error})"
        ) from None


def _change(commit: Mapping[str, Any]) -> Change | None:
    """What a commit of the log did; None for commits that did nothing of ours."""
    try:
        note = json.loads(commit["userMetadata"])
        return Change(**{**note, "at": datetime.fromisoformat(note["at"])})
    except (KeyError, TypeError, ValueError):
        return None
