"""`sensorlake up` in a terminal stops what it started, and nothing of another `up`."""

from pathlib import Path

import pytest

from sensorlake import settings as settings_module
from sensorlake.errors import StackError
from stack import foreground


@pytest.mark.parametrize(
    ("told", "stopped"),
    [([], 0), ([False], 0), ([True], 1)],
    ids=["another is busy", "they ran already", "its own"],
)
def test_only_what_it_started_is_stopped_when_it_fails(
    told: list[bool], stopped: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bring_up(_settings, _names, _report, _once_up, begun):
        for is_first in told:
            begun(is_first)
        raise StackError("busy")

    down = []
    monkeypatch.setattr(foreground, "bring_up", bring_up)
    monkeypatch.setattr(foreground, "bring_down", down.append)
    with pytest.raises(StackError, match="busy"):
        foreground.run(settings_module.load(tmp_path), ["minio"], lambda _: None, detach=True)
    assert len(down) == stopped
