"""Ctrl-C in a benchmark of several parts, each of minutes, keeps the parts that are done."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import latency, scale, soak
from benchmarks.churn import ChurningPlan
from edge.pacing import due_at


def until_interrupted(done: list[Any]) -> Any:
    """A part that is measured twice, and at which the user loses patience."""

    def measure(*_: object, **__: object) -> Any:
        if not done:
            raise KeyboardInterrupt
        return done.pop(0)

    return measure


def size(sensors: int) -> dict[str, Any]:
    return {"sensors": sensors, "costs": {"CPU s a million": 100.0}}


def scale_of(*sensors: int) -> scale.Request:
    return scale.Request(sensors, 1000.0, 10.0, 10.0, 0.01, 0, ("alerts",))


def latency_at(rate: float) -> latency.Request:
    return latency.Request(
        rate=rate,
        sensors=10,
        seconds=10.0,
        warmup_seconds=10.0,
        violating_share=0.1,
        fault_share=0.0,
        seed=0,
        queries=("alerts",),
    )


def test_sizes_that_are_done_are_kept_and_the_aim_is_not_met(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scale, "_size", until_interrupted([size(10), size(100)]))
    found = scale.run(scale_of(10, 100, 1000, 10_000), tmp_path, lambda _: None, keep=False)
    assert found["sizes"] == [size(10), size(100), {"sensors": 1000, "failed": "interrupted"}]
    assert found["aims_met"] == {"no cost grows faster than linearly": False}


def test_rates_that_are_done_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(latency, "run", until_interrupted([{"rate": 1}]))
    told: list[str] = []
    found = latency.run_all([latency_at(1.0), latency_at(2.0)], tmp_path, told.append, keep=False)
    assert found["runs"] == [{"rate": 1}]
    assert told[-1] == "interrupted: the rates before are kept"


def test_with_nothing_done_ctrl_c_is_ctrl_c(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scale, "_size", until_interrupted([]))
    with pytest.raises(KeyboardInterrupt):
        scale.run(scale_of(10, 100), tmp_path, lambda _: None, keep=False)
    monkeypatch.setattr(latency, "run", until_interrupted([]))
    with pytest.raises(KeyboardInterrupt):
        latency.run_all([latency_at(1.0)], tmp_path, lambda _: None, keep=False)


class Sender:
    def __init__(self) -> None:
        self.ended = False

    def is_sending(self) -> bool:
        return not self.ended

    def end(self) -> None:
        self.ended = True


class StandingClock:
    def __init__(self, time: int) -> None:
        self.time = time

    def now(self) -> int:
        return self.time


def lose_patience() -> None:
    raise KeyboardInterrupt


def test_a_soak_that_is_interrupted_ends_its_load_and_keeps_what_was_seen_after_the_warm_up() -> None:
    plan = ChurningPlan(10, 1.0, warmup_seconds=10.0, seconds=60.0, seed=0, start=0, violating_share=0.1)
    sender = Sender()
    assert soak._attend(plan, StandingClock(30_000_000), sender, [], lose_patience) is False
    assert sender.ended
    assert due_at(plan.run(), 30) == 30_000_000
    with pytest.raises(KeyboardInterrupt):
        soak._attend(plan, StandingClock(5_000_000), Sender(), [], lose_patience)
