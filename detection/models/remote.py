"""Scores by an LSTM autoencoder that a server holds: ours (`sensorlake serve-models`) or a TensorFlow Serving.

Stands in for `lstm_autoencoder.Scorer`, with the same answers: for machines that are to spend no processor time on it,
or where one server scores for many. It asks in the columnar format of TensorFlow Serving's REST API.
"""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import orjson

from detection.detectors.detector import Floats
from detection.models.lstm_autoencoder import ERROR, INPUT
from detection.models.sequences import Sequences
from sensorlake.errors import ModelServerError

# As many as the server computes together: larger requests are not answered sooner.
_SEQUENCES = 64
# What a connection fails with that the server closed while nothing was asked.
_GONE = (ConnectionResetError, BrokenPipeError)


@dataclass(frozen=True)
class Server:
    """Where a server answers, the token that it asks for (empty: none), and how long one answer may take."""

    url: str
    token: str = field(default="", repr=False)
    seconds: float = 10.0


class RemoteScorer:
    """A published autoencoder on a server, `parameters` being those of its manifest; for one thread.

    Without `version` the server's own choice answers, which may change from one call to the next.
    """

    def __init__(self, server: Server, name: str, parameters: Mapping[str, Any], *, version: int | None = None) -> None:
        self.length = int(parameters["length"])
        self.threshold = float(parameters["threshold"])
        parts = urlsplit(server.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._server = server
        self._connection = kind(parts.hostname or "", parts.port, timeout=server.seconds)
        which = "" if version is None else f"/versions/{version}"
        self._path = f"{parts.path.rstrip('/')}/v1/models/{quote(name, safe='')}{which}"
        self._headers = {"Content-Type": "application/json"}
        if server.token:
            self._headers["Authorization"] = f"Bearer {server.token}"

    def require(self) -> None:
        """
        Raises:
            ModelServerError: the server does not answer, or does not hold the version, or not yet.
        """
        content = self._ask("GET", self._path)
        try:
            found = [each["state"] for each in orjson.loads(content)["model_version_status"]]
        except (ValueError, KeyError, TypeError):
            raise self._failed(f"answers something else than the state of a model: {_shown(content)}") from None
        if "AVAILABLE" not in found:
            raise self._failed(f"does not hold {self._path}, whose state is {', '.join(found)}")

    def score(self, sequences: Sequences) -> Floats:
        """Reconstruction errors, shape (sequences,).

        Raises:
            ModelServerError: the server does not answer, refuses, or answers something else.
        """
        errors = np.empty(len(sequences), np.float64)
        for first in range(0, len(sequences), _SEQUENCES):
            part = np.ascontiguousarray(sequences[first : first + _SEQUENCES], np.float32)
            body = orjson.dumps({"inputs": {INPUT: part}}, option=orjson.OPT_SERIALIZE_NUMPY)
            errors[first : first + len(part)] = self._errors(
                self._ask("POST", f"{self._path}:predict", body), len(part)
            )
        return errors

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        self._connection.close()

    def _errors(self, content: bytes, expected: int) -> Floats:
        try:
            outputs = orjson.loads(content)["outputs"]
            # The only output of a model comes without its name.
            found = np.asarray(outputs if isinstance(outputs, list) else outputs[ERROR], np.float64)
        except (ValueError, KeyError, TypeError):
            raise self._failed(f"answers something else than outputs with {ERROR!r}: {_shown(content)}") from None
        if found.shape != (expected,):
            raise self._failed(f"answers errors of shape {found.shape} to {expected} sequences")
        return found

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        # One that was kept open may have been closed by the server just now: then a new one is tried.
        tries = 1 if self._connection.sock is None else 2
        while True:
            tries -= 1
            try:
                return self._once(method, path, body)
            except (OSError, http.client.HTTPException) as error:
                if not tries or not isinstance(error, _GONE):
                    raise self._failed(f"does not answer ({error!r})") from None

    def _once(self, method: str, path: str, body: bytes | None) -> bytes:
        try:
            self._connection.request(method, path, body, self._headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()  # what is left of an answer must not be taken for the next one
            raise
        if answer.status != 200:
            raise self._failed(f"refuses with {answer.status}: {_reason(content)}", answer.status)
        return content

    def _failed(self, what: str, status: int = 0) -> ModelServerError:
        return ModelServerError(
            f"the model server at {self._server.url} {what}. Is it up (`sensorlake status`), does it hold the model "
            "(`sensorlake logs model-server`), and is SENSORLAKE_MODEL_SERVER_TOKEN its token?",
            status,
        )


def _reason(content: bytes) -> str:
    try:
        return str(orjson.loads(content)["error"])
    except (ValueError, KeyError, TypeError):
        return _shown(content)


def _shown(content: bytes) -> str:
    return content[:200].decode(errors="replace")
