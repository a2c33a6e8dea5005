"""Everything that `sensorlake doctor` looks at, in the order in which it is shown."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from sensorlake.settings import Settings
from stack.doctor import certificates, clock, disk, file_modes, listeners, passwords, transport, versions
from stack.doctor.finding import Finding

_CHECKS: dict[str, Callable[[Settings], list[Finding]]] = {
    listeners.AREA: lambda settings: listeners.findings(listeners.of(settings.data_dir.absolute())),
    file_modes.AREA: file_modes.findings,
    passwords.AREA: passwords.findings,
    transport.AREA: transport.findings,
    certificates.AREA: lambda settings: certificates.findings(settings.data_dir.absolute()),
    versions.AREA: versions.findings,
    disk.AREA: lambda settings: disk.findings(settings.data_dir.absolute()),
    clock.AREA: clock.findings,
}


@dataclass(frozen=True)
class Examination:
    """What was looked at, and what was found there."""

    areas: tuple[str, ...]
    findings: tuple[Finding, ...]

    def of(self, area: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.area == area]

    def as_dict(self) -> dict[str, Any]:
        return {"areas": list(self.areas), "findings": [asdict(finding) for finding in self.findings]}


def examine(settings: Settings) -> Examination:
    """Look at everything. Nothing is changed and nothing need run; what does not answer is left out."""
    found = [finding for check in _CHECKS.values() for finding in check(settings)]
    return Examination(tuple(_CHECKS), tuple(found))
