"""What of the environment of `sensorlake up` its programs get.

The supervisor hands its own environment on, but that is the one of the first `up`: what a later one says is said to
each program anew. A password never is, as the supervisor's configuration would show it: programs read those from
`credentials.env`.
"""

from collections.abc import Mapping

from pydantic import SecretStr

from sensorlake.errors import StackError
from sensorlake.settings import PREFIX, Settings


def settings_of(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings among these variables, without the secret ones.

    Raises:
        StackError: a value that the supervisor would misread.
    """
    open_ones = [name for name, field in Settings.model_fields.items() if field.annotation is not SecretStr]
    found = {PREFIX + name.upper(): environment.get(PREFIX + name.upper()) for name in open_ones}
    for name, value in found.items():
        if value and set(value) & set("\"'\n\\"):
            raise StackError(f"{name} has a quotation mark, a backslash or a line break in it: {value!r}")
    return {name: value for name, value in found.items() if value}
