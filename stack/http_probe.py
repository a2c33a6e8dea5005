"""Small HTTP requests to a server on this machine, past any proxy of the environment.

`authority` is the file of certificates that an https:// address is checked by; empty: those that the machine knows.
"""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import cache
from typing import Any


def status(url: str, *, token: str = "", authority: str = "") -> int:
    """The status code of a GET; 0 where nobody answers."""
    return request(url, token=token, authority=authority)[0]


def request(
    url: str, *, body: dict[str, Any] | None = None, token: str = "", authority: str = "", method: str | None = None
) -> tuple[int, dict[str, Any]]:
    """GET, POST of a JSON body, or another method: the status code (0: nobody answered) and the JSON answer ({} where
    it is none)."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Token {token}"} if token else {})
    data = json.dumps(body).encode() if body is not None else None
    question = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310 - only 127.0.0.1 by HTTP comes here
    try:
        with _opener(authority).open(question, timeout=5) as answer:
            return answer.status, _as_object(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _as_object(error.read())
    except (OSError, ValueError):
        return 0, {}


def headers(url: str, *, authority: str = "") -> Mapping[str, str]:
    """The headers of the answer to a GET; none where nobody answers."""
    try:
        with _opener(authority).open(url, timeout=5) as answer:
            return dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return dict(error.headers)
    except (OSError, ValueError):
        return {}


@cache
def _opener(authority: str) -> urllib.request.OpenerDirector:
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if authority:
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authority)))
    return urllib.request.build_opener(*handlers)


def _as_object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
