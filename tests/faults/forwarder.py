"""Stands between a client and a server: kills the server at the very request that a test names, holds replies back,
refuses requests in its place, or loses the reply to one that succeeded."""

import contextlib
import socket
import threading
from collections.abc import Callable

UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Forwarder:
    """Passes bytes on both ways until a client sends `fatal`: then it calls `kill` and refuses connections, as a port
    does on which nothing listens any more, until `reopen`.

    What a test may change while it runs, where `request` is what a client's bytes contain:
        slow = (request, seconds)     such a request is passed on so much later, and all that follows on its connection
        unavailable = request         such a request of HTTP is answered with 503
        lose = request                one such request is passed on; its reply is thrown away and its connection cut.
                                      Then `lost` is set
    """

    def __init__(self, port: int, fatal: bytes | None = None, kill: Callable[[], None] = lambda: None) -> None:
        self.struck = threading.Event()
        self.slow: tuple[bytes, float] | None = None
        self.unavailable: bytes | None = None
        self.refused = 0
        self.lose: bytes | None = None
        self.lost = threading.Event()
        self._server, self._fatal, self._kill = ("127.0.0.1", port), fatal, kill
        self._ends: set[socket.socket] = set()
        self._deaf: set[socket.socket] = set()
        self._closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def strike(self, fatal: bytes, kill: Callable[[], None]) -> None:
        """Kill at this request as well, once more."""
        self._fatal, self._kill = fatal, kill
        self.struck.clear()

    def reopen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        for each in (self._listener, *list(self._ends)):
            _cut(each)

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
                for pump in (self._requests, self._replies):
                    threading.Thread(target=pump, args=(client, server), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := client.recv(65_536):
                if self._fatal is not None and self._fatal in piece and not self.struck.is_set():
                    self.struck.set()
                    self._kill()
                    self.close()
                    break
                if self.unavailable is not None and self.unavailable in piece:
                    self.refused += 1
                    client.sendall(UNAVAILABLE)
                    break
                if self.slow is not None and self.slow[0] in piece:
                    self._closed.wait(self.slow[1])
                if self.lose is not None and self.lose in piece:
                    self.lose = None
                    self._deaf.add(server)
                server.sendall(piece)
        self._end(client, server)

    def _replies(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := server.recv(65_536):
                if server in self._deaf:
                    self.lost.set()
                    break
                client.sendall(piece)
        self._end(client, server)

    def _end(self, client: socket.socket, server: socket.socket) -> None:
        for each in (client, server):
            _cut(each)
            self._ends.discard(each)
            self._deaf.discard(each)


def _cut(end: socket.socket) -> None:
    # Closing alone wakes nobody who waits for it.
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
