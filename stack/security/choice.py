"""Whether a data folder's servers are secured: decided at its first start, and for good."""

from collections.abc import Mapping

from sensorlake.errors import StackError
from sensorlake.settings import PREFIX, Settings
from stack import env_file
from stack.layout import Layout

_STORES = ("kafka", "minio", "postgres", "influxdb")
_YES, _NO = {"1", "true", "yes", "on"}, {"", "0", "false", "no", "off"}


def secured(settings: Settings, environment: Mapping[str, str]) -> bool:
    """As the data folder was made; for a new one as SECURE=1 or SENSORLAKE_SECURE=1 say.

    Raises:
        StackError: the data folder was made without, and cannot be changed; or SECURE is neither yes nor no.
    """
    wanted = settings.secure or _means_yes(environment.get("SECURE", ""))
    before = env_file.read(settings.addresses_file).get(PREFIX + "SECURE") == "true"
    root = Layout.of(settings).root
    if wanted and not before and any((root / name).is_dir() for name in _STORES):
        raise StackError(
            f"the servers in {root} were made without security, and the passwords and keys of their data cannot be "
            "added later. Set SENSORLAKE_DATA_DIR to a new folder, or leave SECURE away"
        )
    return wanted or before


def _means_yes(text: str) -> bool:
    """
    >>> _means_yes("1"), _means_yes("no")
    (True, False)
    """
    if text.strip().lower() not in _YES | _NO:
        raise StackError(f"SECURE={text} is neither 1 nor 0")
    return text.strip().lower() in _YES
