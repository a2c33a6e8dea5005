"""Serves the documentation that dbt made. dbt's own server logs every request and ends with a traceback."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sensorlake.errors import ReportError

PAGES = {"/", "/index.html", "/manifest.json", "/catalog.json"}


class _Handler(SimpleHTTPRequestHandler):
    def send_head(self):  # type: ignore[no-untyped-def]
        """The page and its two files; the folder holds more that is nobody's business."""
        if self.path.split("?")[0] not in PAGES:
            self.send_error(404)
            return None
        return super().send_head()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def server(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of what `dbt docs generate` left in `folder`, for this machine only.

    Raises:
        ReportError: the port is taken.
    """
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, directory=str(folder)))
    except OSError as error:
        raise ReportError(f"port {port} cannot be used ({error.strerror}): choose another one with --port") from error
