"""The versions in memory, kept as the store has them while requests are answered.

`refresh` runs in a thread of its own. It makes each change by putting a new table in place of the old one, so a request
sees the one or the other, and a version that a request has in hand lives until that is answered. What it does for a
model, in this order:
1. a version that is to be loaded and is not is fetched, verified and tried;
2. the version that answers by default changes, when its successor can answer;
3. versions that nobody needs any more are let go, never the one that answers by default.
A version that cannot be loaded is tried again after `retry_seconds`.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import structlog

from sensorlake.errors import SensorlakeError
from serving import choice
from serving.batching import Limits
from serving.calls import Call
from serving.engines.engine import Open
from serving.refusal import invalid, not_found
from serving.version import AVAILABLE, END, LOADING, Version

_log = structlog.get_logger(__name__)


class Store(Protocol):
    """What is needed of lakehouse.models.store.ModelStore."""

    def names(self) -> list[str]: ...

    def versions(self, name: str) -> list[int]: ...

    def fetch(self, name: str, version: int, into: Path) -> Path: ...


Labels = Callable[[str], Mapping[str, int]]


@dataclass(frozen=True)
class _Model:
    versions: Mapping[int, Version] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    default: int | None = None

    @property
    def available(self) -> list[int]:
        return [number for number, version in self.versions.items() if version.state == AVAILABLE]


class Library:
    def __init__(
        self,
        store: Store,
        labels: Labels,
        folder: Path,
        open_model: Open,
        *,
        executor: Executor,
        limits: Limits,
        retry_seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`folder` is where fetched versions lie; `executor` is where they compute."""
        self._store = store
        self._labels = labels
        self._folder = folder
        self._open = open_model
        self._executor = executor
        self._limits = limits
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._models: Mapping[str, _Model] = {}
        self._complaints: Mapping[str, str] = {}

    def find(self, call: Call) -> Version:
        """The version that is to answer.

        Raises:
            RefusalError: there is none.
        """
        model = self._models.get(call.model, _Model())
        number = self._number(call)
        version = model.versions.get(model.default if number is None else number)  # type: ignore[arg-type]
        if version is None or version.state != AVAILABLE:
            which = f"Latest({call.model})" if number is None else f"Specific({call.model}, {number})"
            raise not_found(f"Servable not found for request: {which}")
        return version

    def statuses(self, call: Call) -> list[Version]:
        """The versions of a model, or the one that is asked for, wherever they are in their life.

        Raises:
            RefusalError: there is none.
        """
        versions = self._models.get(call.model, _Model()).versions
        number = self._number(call)
        if number is not None:
            if number not in versions:
                raise not_found(f"Could not find version {number} of model {call.model}")
            return [versions[number]]
        if not versions:
            raise not_found(f"Could not find any versions of model {call.model}")
        return [versions[number] for number in sorted(versions, reverse=True)]

    def defaults(self) -> dict[str, int | None]:
        """The version of each model that answers where none is named."""
        return {name: model.default for name, model in sorted(self._models.items())}

    def refresh(self) -> None:
        """Bring the versions in memory up to date with the store; what fails is logged, and stays as it was."""
        complaints: dict[str, str] = {}
        try:
            names = sorted({*self._store.names(), *self._models})
        except SensorlakeError as error:
            names, complaints["all"] = [], str(error)
        for name in names:
            try:
                self._refresh(name)
            except Exception as error:  # of the storage's clients; the other models are none the worse for it
                complaints[name] = str(error)
        for name, reason in complaints.items():
            if self._complaints.get(name) != reason:  # it is tried again each time, but said once
                _log.error("models cannot be looked up", model=name, reason=reason)
        self._complaints = complaints

    def _refresh(self, name: str) -> None:
        published, labels = self._store.versions(name), dict(self._labels(name))
        wanted = choice.wanted(published, labels)
        self._put(name, labels=labels)
        for number in wanted:
            self._load(name, number)
            self._choose(name)
        model = self._models[name]
        kept = {number: found for number, found in model.versions.items() if number in {*wanted, model.default}}
        for number in model.versions.keys() - kept.keys():
            _log.info("version let go", model=name, version=number)
        self._put(name, versions=kept)

    def _load(self, name: str, number: int) -> None:
        version = self._models[name].versions.get(number)
        if version and (version.state == AVAILABLE or self._clock() < version.failed_at + self._retry_seconds):
            return
        self._put_version(Version(name, number, LOADING))
        began = self._clock()
        try:
            engine = self._open(self._store.fetch(name, number, self._folder))
        except Exception as error:  # whatever a broken artefact makes a library raise, the others go on
            _log.error("version not loaded", model=name, version=number, reason=str(error))
            self._put_version(Version(name, number, END, str(error), failed_at=self._clock()))
        else:
            self._put_version(Version.available(name, number, engine, self._executor, self._limits))
            seconds = round(self._clock() - began, 2)
            _log.info("version loaded", model=name, version=number, library=engine.library, seconds=seconds)

    def _choose(self, name: str) -> None:
        model = self._models[name]
        chosen = choice.default(model.available, model.labels, model.default)
        if chosen != model.default:
            _log.info("version answers now", model=name, version=chosen, before=model.default)
            self._put(name, default=chosen)

    def _number(self, call: Call) -> int | None:
        if call.label is None:
            return call.version
        labels = self._models.get(call.model, _Model()).labels
        if call.label not in labels:
            raise invalid(f"Unrecognized servable version label: {call.label}")
        return labels[call.label]

    def _put(self, name: str, **changes: object) -> None:
        changed = replace(self._models.get(name, _Model()), **changes)  # type: ignore[arg-type]
        self._models = {**self._models, name: changed}

    def _put_version(self, version: Version) -> None:
        versions = {**self._models[version.name].versions, version.number: version}
        self._put(version.name, versions=versions)
