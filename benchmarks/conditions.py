"""What a benchmark was taken under, as rows for people: machine, versions, load."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def table(document: Mapping[str, Any], **more: str) -> Table:
    """`more`: further rows, by their names."""
    machine = document["machine"]
    made = Table(title="Conditions", title_justify="left", show_header=False)
    made.add_row(
        "machine", f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['kernel']}"
    )
    made.add_row("versions", ", ".join(f"{name} {version}" for name, version in machine["versions"].items()))
    made.add_row("load average before", f"{machine['load_average_before']}")
    for name, text in more.items():
        made.add_row(name.replace("_", " "), text)
    return made


def parts(found: Mapping[str, float]) -> str:
    """`kafka 1.5, minio 2`: those that are not nothing."""
    return ", ".join(f"{name} {value:,g}" for name, value in found.items() if value)
