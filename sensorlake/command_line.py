"""The `sensorlake` command: one module a group of commands in `sensorlake/commands/`, each imported when it is
called."""

import errno
import os
import sys

import typer

from sensorlake import logs, settings
from sensorlake.commands import (
    checkpoints,
    dead_letters,
    demo,
    detection,
    doctor,
    edge,
    feedback,
    models,
    quality,
    reporting,
    serving,
    stack,
    stream,
    thresholds,
)
from sensorlake.commands.bench import group as bench
from sensorlake.errors import SensorlakeError

app = typer.Typer(
    name="sensorlake",
    help="Sensor readings become alerts in milliseconds and history in a lakehouse.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
stack.register(app)
edge.register(app)
detection.register(app)
stream.register(app)
checkpoints.register(app)
demo.register(app)
bench.register(app)
reporting.register(app)
quality.register(app)
thresholds.register(app)
models.register(app)
feedback.register(app)
dead_letters.register(app)
serving.register(app)
doctor.register(app)


def main() -> None:
    """Run one command; an error that a user can act on is printed without a traceback."""
    # Before numpy is imported: arrays here are too small for several threads, which would wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        logs.configure(settings.load().log_level)
        app()
    except SensorlakeError as error:
        sys.stderr.write(f"sensorlake: {error}\n")
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = f" for {error.filename}" if error.filename else ""
        sys.stderr.write(f"sensorlake: disk full: no room{where}. Make room there (`sensorlake doctor` shows where)\n")
        sys.exit(1)
