"""Is the storage under the lake there at all?"""

import socket
from urllib.parse import urlsplit

from sensorlake.errors import StackError
from sensorlake.settings import Settings

CONNECT_SECONDS = 5


def require_answer(settings: Settings, cause: Exception | None = None) -> None:
    """Knock before tables are opened: the client of the storage itself tries for minutes. Or afterwards: `cause` is
    what failed then, perhaps for that reason.

    Raises:
        StackError: nothing answers.
    """
    address = urlsplit(settings.s3_endpoint)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise StackError(
            f"the lake's storage does not answer at {settings.s3_endpoint} ({error.strerror or error}). Start it with "
            "`sensorlake up`, or say where yours is: SENSORLAKE_S3_ENDPOINT"
        ) from cause or error
