"""The process of the model server: listens, looks for new versions, ends in good order."""

import gc
import signal
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import structlog
import uvicorn
from starlette.applications import Starlette

from sensorlake.errors import ModelError
from serving.application import Application
from serving.batching import Limits
from serving.engines.engine import Choice, open_model
from serving.library import Labels, Library, Store

_log = structlog.get_logger(__name__)
# Requests under way are answered before the process ends; supervisors wait longer than this.
_LAST_ANSWERS_SECONDS = 10
_LAST_LOOK_SECONDS = 5


@dataclass(frozen=True)
class Options:
    """`threads`: how many processors one batch may use. `poll_seconds`: how often new versions are looked for."""

    host: str = "127.0.0.1"
    port: int = 8501
    engine: Choice = "auto"
    threads: int = 1
    poll_seconds: float = 10.0
    limits: Limits = field(default_factory=Limits)


def serve(store: Store, labels: Labels, token: str, options: Options) -> None:
    """Answer until SIGTERM or SIGINT, then end when what is under way is answered.

    Raises:
        ModelError: the port is taken.
    """
    with (
        tempfile.TemporaryDirectory(prefix="sensorlake-models-", ignore_cleanup_errors=True) as folder,
        ThreadPoolExecutor(1, thread_name_prefix="model") as executor,
    ):
        library = Library(
            store,
            labels,
            Path(folder),
            lambda found: open_model(found, options.engine, options.threads),
            executor=executor,
            limits=options.limits,
        )
        application = Application(library, token).asgi()
        closed = threading.Event()
        poller = threading.Thread(target=_poll, args=(library, options.poll_seconds, closed), daemon=True)
        try:
            _listen(application, options, poller)
        finally:
            # Python, as it ends, unwinds the threads that come back to it, which kills the process (SIGSEGV) where one
            # does so from deltalake.
            closed.set()
            if poller.is_alive():
                poller.join(_LAST_LOOK_SECONDS)


def _poll(library: Library, seconds: float, closed: threading.Event) -> None:
    """Look for new versions until `closed`."""
    while not closed.is_set():
        before = library.defaults()
        try:
            library.refresh()
        except Exception:  # a fault of ours must not leave the models as they are for ever, unseen
            _log.exception("models were not looked for")
        if library.defaults() != before:
            # Later collections of garbage, for which requests wait, need not go through what the libraries keep.
            gc.collect()
            gc.freeze()
        closed.wait(seconds)


def _listen(application: Starlette, options: Options, poller: threading.Thread) -> None:
    config = uvicorn.Config(
        application,
        options.host,
        options.port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS,
    )
    try:
        listening = config.bind_socket()
    except SystemExit:  # it has logged why
        where = f"{options.host}:{options.port}"
        raise ModelError(f"the model server cannot listen on {where}: is the port taken?") from None
    # Uvicorn repeats the signal that ended it when all is done, which is no failure here.
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        _log.info("model server listens", host=options.host, port=listening.getsockname()[1])
        poller.start()
        uvicorn.Server(config).run([listening])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
