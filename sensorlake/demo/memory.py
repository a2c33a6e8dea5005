"""Memory of all that a demo runs: servers, stream, their supervisor and the demo itself."""

import contextlib
import os
from collections.abc import Mapping
from typing import Any

import psutil  # type: ignore[import-untyped]

from stack import supervisor
from stack.layout import Layout


class PeakMemory:
    """The highest sum seen, MB."""

    def __init__(self, layout: Layout) -> None:
        self.peak_mb = 0.0
        self.now_mb = 0.0
        self._others = [os.getpid()]
        with contextlib.suppress(OSError):
            self._others.append(int(supervisor.call(layout, "getPID")))

    def sample(self, services: Mapping[str, Mapping[str, Any]]) -> None:
        """Add one look; `services` as `stack.status` gives them."""
        parts = [service["rss_mb"] or 0.0 for service in services.values()]
        # The others are parents of the services: themselves alone, or the services would count again.
        self.now_mb = round(sum(parts) + sum(_alone(pid) for pid in self._others), 1)
        self.peak_mb = max(self.peak_mb, self.now_mb)


def _alone(pid: int) -> float:
    with contextlib.suppress(psutil.Error):
        return float(psutil.Process(pid).memory_info().rss) / 2**20
    return 0.0
