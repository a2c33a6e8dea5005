"""The status as a table for people."""

from typing import Any


def render(found: dict[str, Any]) -> str:
    """A line a service, a line a query, and one a disk that is full."""
    lines = [f"{'service':15} {'state':11} {'address':27} {'pid':>8} {'MB':>7} {'restarts':>9}"]
    for name, service in found["services"].items():
        lines.append(
            f"{name:15} {service['state']:11} {service['address'] or '-':27} {_shown(service['pid']):>8} "
            f"{_shown(service['rss_mb']):>7} {service['restarts']:>9}"
        )
    if found["queries"]:
        lines += ["", f"{'query':10} {'state':11} {'batch':>9} {'rows/s':>10} {'lag':>10}  last error"]
    for name, query in found["queries"].items():
        lines.append(
            f"{name:10} {query['state']:11} {_shown(query['batch']):>9} {_shown(query['input_rate']):>10} "
            f"{_shown(query['lag']):>10}  {query['last_error'] or ''}"
        )
    full = [disk["full"] for disk in found["disks"] if disk["full"]]
    return "\n".join([*lines, *([""] if full else []), *full, "", f"credentials: {found['credentials_file']}"])


def _shown(value: float | str | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if isinstance(value, float) else str(value)
