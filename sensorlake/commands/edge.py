"""Commands of the edge group: where readings come from."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edge.csv_file import CsvFile
    from edge.producer import Outlet, Summary


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    app.command()(simulate)
    app.command()(replay)


def simulate(
    *,
    sensors: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many sensors send.")] = 10_000,
    rate: Annotated[
        float | None,
        typer.Option(min=0.001, max=1e7, help="Messages a second over all sensors. [default: one a sensor]"),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.001, max=1e9, help="Length of the run. [default: until Ctrl-C]")
    ] = None,
    anomaly_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of sensors with injected faults.")] = 0.05,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same fleet, values and faults.")] = 0,
    truth: Annotated[
        Path | None, typer.Option(help="CSV file for the injected faults. [default: <data folder>/truth/<run>.csv]")
    ] = None,
) -> None:
    """Send readings of simulated sensors to Kafka; the injected faults are written to a file, never into a message.

    The last line of the output is a JSON summary.
    """
    from contracts.topics import Topics  # noqa: PLC0415  heavy modules are imported by the command that needs them
    from edge import pacing, producer, stopping  # noqa: PLC0415
    from edge.simulator import Simulator  # noqa: PLC0415
    from edge.truth import TruthFile  # noqa: PLC0415
    from sensorlake import connections, settings  # noqa: PLC0415

    chosen = settings.load(service="edge")
    outlet = producer.connect(
        chosen.kafka_bootstrap_servers, Topics(chosen.topic_prefix).raw, connections.kafka_access(chosen)
    )
    clock = pacing.SteadyClock()
    with stopping.on_signals() as stop:
        # building a large fleet takes a moment: its first message must not be late for that
        start = clock.now() + 200_000 + sensors * 20
        simulator = Simulator(sensors, anomaly_rate, seed, start, rate=rate, seconds=seconds)
        name = f"simulate-{start // 1000}-seed{seed}.csv"
        file = TruthFile(truth or chosen.data_dir / "truth" / name, simulator)
        length = f"for {seconds:g} s" if seconds else "until Ctrl-C"
        typer.echo(f"{sensors} sensors send {simulator.rate:g} messages/s to {outlet.topic} {length}")
        typer.echo(f"injected faults: {file.path}")
        summary = producer.publish(file.ahead_of(pacing.steady(simulator, clock, stop)), outlet, clock, stop)
    _finish(summary, outlet, chosen.kafka_bootstrap_servers)


def replay(
    files: Annotated[list[Path], typer.Argument(help="CSV files, wide or long.", metavar="FILE")],
    *,
    speed: Annotated[float, typer.Option(min=0.001, help="How many times faster than it was measured.")] = 1.0,
    device: Annotated[
        str | None, typer.Option(help="Device of rows that name none (one FILE only). [default: the file's name]")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Metric of a single column `value`.")] = None,
    keep_timestamps: Annotated[
        bool,
        typer.Option("--keep-timestamps", help="Send the file's own times instead of moving the first row to now."),
    ] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Start over at the end, until Ctrl-C.")] = False,
) -> None:
    """Send the readings of CSV files to Kafka as if they were measured now; several files run side by side.

    Every file is checked to its end before the first message is sent. The last line of the output is a JSON summary.
    """
    from contracts.topics import Topics  # noqa: PLC0415
    from edge import pacing, producer, stopping  # noqa: PLC0415
    from edge.csv_file import CsvFile  # noqa: PLC0415
    from edge.replay import Replay, merged  # noqa: PLC0415
    from sensorlake import connections, settings  # noqa: PLC0415

    if device and len(files) > 1:
        raise typer.BadParameter("needs a single FILE: several would be mixed up", param_hint="--device")
    sources = [CsvFile(path, device or path.stem, metric) for path in files]
    for source in sources:
        _check(source)
    chosen = settings.load(service="edge")
    outlet = producer.connect(
        chosen.kafka_bootstrap_servers, Topics(chosen.topic_prefix).raw, connections.kafka_access(chosen)
    )
    clock = pacing.SteadyClock()
    plan = Replay(clock.now(), speed, keep_timestamps, loop)
    messages = merged([plan.messages(source.rows) for source in sources])
    with stopping.on_signals() as stop:
        summary = producer.publish(pacing.timed(messages, clock, stop), outlet, clock, stop)
    _finish(summary, outlet, chosen.kafka_bootstrap_servers)


def _check(source: "CsvFile") -> None:
    survey = source.survey()
    typer.echo(f"{source.shown}: {survey.rows} rows, {survey.readings} readings")
    if not survey.zone_named:
        typer.echo(f"{source.shown}: timestamps without a zone are taken as UTC", err=True)


def _finish(summary: "Summary", outlet: "Outlet", servers: str) -> None:
    from edge import producer  # noqa: PLC0415

    typer.echo(
        f"sent {summary.sent} messages ({summary.readings} readings) in {summary.seconds:.1f} s, "
        f"{summary.rate:.0f} a second; {summary.acknowledged} acknowledged, {summary.failed} failed; "
        f"at worst {summary.worst_send_lag_ms:.1f} ms late"
    )
    typer.echo(summary.json())
    producer.require_delivery(summary, outlet.deliveries, servers)
