"""Commands of the serving group: models that answer over HTTP."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensorlake.settings import Settings
    from serving.library import Labels


def register(app: typer.Typer) -> None:
    """Add this group's commands to the application."""
    app.command()(serve_models)


def serve_models(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on. Outside of this machine, set a token first.")] = (
        "127.0.0.1"
    ),
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="[default: that of SENSORLAKE_MODEL_SERVER_URL]")
    ] = None,
    engine: Annotated[
        Literal["auto", "onnx", "tensorflow"], typer.Option(help="What computes. auto: ONNX where a version has it.")
    ] = "auto",
    threads: Annotated[int, typer.Option(min=1, max=256, help="Processors that one batch may use.")] = 1,
    poll_seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="How often to look for new versions.")] = 10,
    batch: Annotated[int, typer.Option(min=1, max=65536, help="Instances computed together at most.")] = 64,
    queue: Annotated[int, typer.Option(min=1, help="Instances that may wait; then requests are refused (503).")] = 4096,
    delay_ms: Annotated[
        float, typer.Option(min=0, max=1000, help="How long a batch that is not full waits for more.")
    ] = 0,
    folder: Annotated[
        Path | None, typer.Option(help="Published models in a local folder instead of the bucket; the newest answers.")
    ] = None,
) -> None:
    """Answer TensorFlow Serving's REST API with the published models, until Ctrl-C or SIGTERM."""
    from lakehouse.models.store import ModelStore  # noqa: PLC0415  heavy modules are imported by the command
    from sensorlake import settings as settings_module  # noqa: PLC0415
    from serving.batching import Limits  # noqa: PLC0415
    from serving.server import Options, serve  # noqa: PLC0415

    settings = settings_module.load(service="serving")
    if port is None:
        port = urlsplit(settings.model_server_url).port or 8501
    key = settings.model_signing_key.get_secret_value()
    store = ModelStore.in_folder(folder, key) if folder else ModelStore.of(settings)
    options = Options(
        host=host,
        port=port,
        engine=engine,
        threads=threads,
        poll_seconds=poll_seconds,
        limits=Limits(batch=batch, queue=queue, delay=delay_ms / 1000),
    )
    labels = (lambda _name: {}) if folder else _labels(settings)
    serve(store, labels, settings.model_server_token.get_secret_value(), options)


def _labels(settings: "Settings") -> "Labels":
    """What the registry of models calls their versions."""

    def labels(name: str) -> "Mapping[str, int]":
        # Delta's client is loaded with the first model: a server that waits for one stays small.
        from lakehouse.lake import Lake  # noqa: PLC0415
        from lakehouse.models import registry  # noqa: PLC0415
        from serving import labels as names  # noqa: PLC0415

        return names.of(registry.standings(Lake.of(settings), name))

    return labels
