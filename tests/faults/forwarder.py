"""Stands between a client and a server, so that the server can be killed at the very request that a test names."""

import contextlib
import socket
import threading
from collections.abc import Callable


class Forwarder:
    """Passes bytes on both ways until a client sends `fatal`: then it calls `kill` and refuses connections, as a port
    does on which nothing listens any more, until `reopen`."""

    def __init__(self, port: int, fatal: bytes, kill: Callable[[], None]) -> None:
        self.struck = threading.Event()
        self._server, self._fatal, self._kill = ("127.0.0.1", port), fatal, kill
        self._ends: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def reopen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        for each in (self._listener, *list(self._ends)):
            # Closing alone wakes nobody who waits for it.
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = listener.accept()
                try:
                    server = socket.create_connection(self._server)
                except OSError:
                    client.close()
                    continue
                self._ends |= {client, server}
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(*ends, ends[0] is client), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, of_client: bool) -> None:
        with contextlib.suppress(OSError), source, target:
            while piece := source.recv(65_536):
                if of_client and self._fatal in piece and not self.struck.is_set():
                    self.struck.set()
                    self._kill()
                    self.close()
                    return
                target.sendall(piece)
