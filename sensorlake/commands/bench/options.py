"""What the benchmarks' commands share: their options, the files that they write, and how they tell what happens."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sensorlake import settings
from sensorlake.errors import SettingsError

if TYPE_CHECKING:
    from rich.console import Console

Rate = Annotated[float, typer.Option(min=1, max=1e6, help="Messages a second over all sensors.")]
Rates = Annotated[str, typer.Option(help="Messages a second over all sensors; several with commas, one run each.")]
Sensors = Annotated[int, typer.Option(min=1, max=1_000_000, help="How many sensors send.")]
Seconds = Annotated[float, typer.Option(min=1, max=86_400, help="Length of the counted part.")]
Warmup = Annotated[
    float, typer.Option(min=0, max=86_400, help="Seconds of the same load before, as a JVM compiles its code first.")
]
Violations = Annotated[
    float, typer.Option(min=0, max=1, help="Share of the sensors that always send values beyond their limit.")
]
Faults = Annotated[float, typer.Option(min=0, max=1, help="Share of the sensors with injected faults.")]
Queries = Annotated[str, typer.Option(help="Queries of the stream that run: all, or some (alerts,lake).")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same fleet and values.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")]
Picture = Annotated[Path | None, typer.Option("--picture", help="Draw the result into this SVG file.")]
DataDir = Annotated[
    Path | None, typer.Option(help="New folder of the stack. [default: bench-<time> in the data folder]")
]
Keep = Annotated[bool, typer.Option("--keep", help="Keep that folder with all its data and logs.")]


def require_folders(*, json: Path | None = None, picture: Path | None = None) -> None:
    """Before anything is measured: the files to write have a folder.

    Raises:
        SettingsError: one has none.
    """
    for option, path in (("--json", json), ("--picture", picture)):
        if path is None:
            continue
        if not path.absolute().parent.is_dir():
            raise SettingsError(f"{option} {path}: there is no folder {path.absolute().parent}; make it first")
        if path.is_dir():
            raise SettingsError(f"{option} {path}: that is a folder; name a file in it")


def numbers(text: str, option: str, least: float, most: float) -> list[float]:
    """`"1000,10000"` -> [1000.0, 10000.0].

    Raises:
        SettingsError: not numbers from `least` to `most`, or none at all.
    """
    try:
        found = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise SettingsError(f"{option} {text!r}: numbers with commas between them are wanted") from None
    if not found or not all(least <= number <= most for number in found):
        raise SettingsError(f"{option} {text!r}: each must be from {least:,.0f} to {most:,.0f}")
    return found


def whole_numbers(text: str, option: str, least: int, most: int) -> list[int]:
    """As `numbers`, each without a fraction.

    Raises:
        SettingsError: as there.
    """
    found = numbers(text, option, least, most)
    if any(number != int(number) for number in found):
        raise SettingsError(f"{option} {text!r}: whole numbers are wanted")
    return [int(number) for number in found]


def new_folder(data_dir: Path | None) -> Path:
    """Where the stack of this benchmark lies."""
    return (data_dir or settings.load().data_dir / f"bench-{datetime.now(UTC):%Y%m%d-%H%M%S}").absolute()


def write(document: dict[str, Any], json: Path | None) -> None:
    import orjson  # noqa: PLC0415  heavy modules are imported by the command that needs them

    if json is not None:
        json.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")


def console(width: int = 160) -> "Console":
    """As wide as the terminal; `width` where the output goes elsewhere."""
    from rich.console import Console  # noqa: PLC0415

    return Console(width=None if sys.stdout.isatty() else width)


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C ends the command without a traceback, once the benchmark has cleaned up."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def reporter() -> Callable[[str], None]:
    """Tells each event on standard error, with the seconds since now."""
    began = time.monotonic()

    def report(event: str) -> None:
        sys.stderr.write(f"[{time.monotonic() - began:6.1f} s] {event}\n")
        sys.stderr.flush()

    return report


def met(is_met: bool) -> str:
    return "yes" if is_met else "no"
