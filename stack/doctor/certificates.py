"""Certificates of secured servers: how long are they valid?"""

from datetime import UTC, datetime
from pathlib import Path

from stack.doctor.finding import Finding
from stack.security import certificates

AREA = "certificates"


def findings(root: Path, now: datetime | None = None) -> list[Finding]:
    """Those that end soon; nothing where the servers are not secured."""
    moment = now or datetime.now(UTC)
    files = [certificates.authority_file(root)]
    files += [certificates.of(root, server).public for server in certificates.SERVERS]
    return [
        Finding(
            AREA,
            f"{path} {'ended' if end < moment else 'ends'} on {end:%Y-%m-%d}",
            "clients refuse the server from then on",
            "`sensorlake down`, then `sensorlake up` renews it"
            if path != files[0]
            else "make a new authority (docs/security.md)",
        )
        for path in files
        if path.is_file() and (end := certificates.ends(path)) - moment < certificates.RENEW_BEFORE
    ]
