"""A request that is answered with an error: TensorFlow Serving's status codes and its body `{"error": ...}`.

| code of TensorFlow Serving | HTTP |
| --- | --- |
| INVALID_ARGUMENT, FAILED_PRECONDITION | 400 |
| UNAUTHENTICATED | 401 |
| NOT_FOUND | 404 |
| INTERNAL | 500 |
| UNIMPLEMENTED | 501 |
| UNAVAILABLE: the queue is full | 503 |
| DEADLINE_EXCEEDED | 504 |

A body that is too large is refused with 413, which TensorFlow Serving has no limit for.
"""


class RefusalError(Exception):
    """`status` is the HTTP status; `message` is for whoever sent the request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def invalid(message: str) -> RefusalError:
    return RefusalError(400, message)


def not_found(message: str) -> RefusalError:
    return RefusalError(404, message)
