"""TensorFlow Serving's REST API as an ASGI application.

    GET  /v1/models/M[/versions/N|/labels/L]            which versions there are, and how they do
    GET  /v1/models/M[/versions/N|/labels/L]/metadata   signatures
    POST /v1/models/M[/versions/N|/labels/L]:predict    outputs for inputs
    GET  /healthz                                       is this process up; asks for no token

Paths, bodies and errors are those of tensorflow_serving/model_servers/http_rest_api_handler.cc.
"""

import asyncio
import hmac

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from serving import tensors
from serving.calls import Call, parse
from serving.library import Library
from serving.refusal import RefusalError, invalid

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_SIGNATURE_METHODS = {"classify": "tensorflow/serving/classify", "regress": "tensorflow/serving/regress"}


class Application:
    """`token` is what callers must show, or empty; a body may have `largest_body` bytes, an answer take `seconds`."""

    def __init__(self, library: Library, token: str, *, largest_body: int = 64 << 20, seconds: float = 30.0) -> None:
        self._library = library
        self._expected = f"Bearer {token}".encode() if token else b""
        self._largest_body = largest_body
        self._seconds = seconds

    def asgi(self) -> Starlette:
        routes = [Route("/healthz", self._health), Route("/{path:path}", self._answer, methods=_METHODS)]
        return Starlette(routes=routes)

    async def _health(self, _request: Request) -> Response:
        return _json(orjson.dumps({"status": "ok", "models": self._library.defaults()}))

    async def _answer(self, request: Request) -> Response:
        try:
            self._admit(request)
            # The path as it was sent: a name may have an encoded slash in it.
            path = request.scope.get("raw_path", request.url.path.encode()).decode("ascii", "replace").split("?")[0]
            call = parse(request.method, path)
            async with asyncio.timeout(self._seconds):
                return _json(await self._result(call, request))
        except RefusalError as refusal:
            return _error(refusal.status, refusal.message)
        except TimeoutError:
            return _error(504, "Timed out waiting for the model")
        except ClientDisconnect:
            return _error(499, "The client went away")

    async def _result(self, call: Call, request: Request) -> bytes:
        if call.verb == "status":
            found = [version.describe() for version in self._library.statuses(call)]
            return orjson.dumps({"model_version_status": found}, option=orjson.OPT_INDENT_2)
        if call.verb == "metadata":
            return self._metadata(call)
        body = await self._body(request)
        version = self._library.find(call)  # in hand until it is answered, whatever is loaded meanwhile
        if call.verb in _SIGNATURE_METHODS:
            raise invalid(
                f"Expected {call.verb} signature method_name to be {_SIGNATURE_METHODS[call.verb]}: "
                "these models are asked with :predict"
            )
        asked = tensors.read_request(body, version.signatures)
        outputs = await version.predict(asked.signature, asked.inputs)
        return tensors.write_answer(outputs, rows=asked.rows)

    def _metadata(self, call: Call) -> bytes:
        version = self._library.find(call)
        signatures = {name: signature.describe() for name, signature in version.signatures.items()}
        spec = {"name": version.name, "signature_name": "", "version": str(version.number)}
        content = {"model_spec": spec, "metadata": {"signature_def": {"signature_def": signatures}}}
        return orjson.dumps(content, option=orjson.OPT_INDENT_2)

    def _admit(self, request: Request) -> None:
        shown = request.headers.get("authorization", "").encode()
        if self._expected and not hmac.compare_digest(shown, self._expected):
            raise RefusalError(401, "A token is needed: send the header 'Authorization: Bearer TOKEN'")

    async def _body(self, request: Request) -> bytes:
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > self._largest_body:
                raise RefusalError(413, f"The body is larger than {self._largest_body} bytes: send fewer instances")
            parts.append(part)
        return b"".join(parts)


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json")


def _error(status: int, message: str) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    content = orjson.dumps({"error": message})
    return Response(content, status, headers, media_type="application/json")
