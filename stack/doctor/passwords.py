"""Credentials: is there one where one is needed, and could it be guessed?"""

from collections import defaultdict
from collections.abc import Iterator

from pydantic import SecretStr

from sensorlake.settings import PREFIX, Settings
from stack.doctor.finding import Finding

AREA = "credentials"
SHORTEST = 16
# Local servers that are not secured let everybody on this machine in to Kafka.
OPTIONAL = {"kafka_password"}
# Of manuals and of first starts: what everybody tries first.
_WELL_KNOWN = {
    "minioadmin",
    "password",
    "postgres",
    "admin",
    "changeme",
    "secret",
    "sensorlake",
    "my-super-secret-token",
}


def findings(settings: Settings) -> list[Finding]:
    """Secrets that are missing, that are short or well known, and one that serves twice."""
    secrets = {
        PREFIX + name.upper(): value.get_secret_value() for name, value in settings if isinstance(value, SecretStr)
    }
    optional = set() if settings.kafka_user else {PREFIX + name.upper() for name in OPTIONAL}
    given = {name: value for name, value in secrets.items() if value}
    missing = [name for name in secrets if name not in given and name not in optional]
    return [*_missing(settings, missing), *_weak(given), *_shared(given)]


def _missing(settings: Settings, names: list[str]) -> Iterator[Finding]:
    for name in names:
        yield Finding(
            AREA,
            f"{name} is not set",
            "the server behind it either lets everybody in or will refuse this installation",
            f"`sensorlake up` makes passwords of its own servers in {settings.credentials_file}; for a server of yours "
            "set it in .env",
        )


def _weak(given: dict[str, str]) -> Iterator[Finding]:
    for name, value in given.items():
        known = value.lower() in _WELL_KNOWN
        if known or len(value) < SHORTEST:
            yield Finding(
                AREA,
                f"{name} is {'a well-known default' if known else f'shorter than {SHORTEST} characters'}",
                "it can be guessed",
                f"set another, such as the one that `openssl rand -hex 24` prints, at least {SHORTEST} characters long",
            )


def _shared(given: dict[str, str]) -> Iterator[Finding]:
    names = defaultdict(list)
    for name, value in given.items():
        names[value].append(name)
    for several in names.values():
        if len(several) > 1:
            yield Finding(
                AREA,
                f"{' and '.join(several)} are the same",
                "who gets to know one of them has them all",
                "give each server a password of its own",
            )
