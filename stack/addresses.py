"""Ports and addresses: what the user demands of the settings, and what `addresses.env` tells the clients."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from sensorlake.errors import StackError
from sensorlake.settings import PREFIX, Settings
from stack import env_file

_LOCAL = {"127.0.0.1", "localhost"}


def variables(ports: Mapping[str, int], authority: str = "") -> dict[str, str]:
    """The content of `addresses.env`; `authority`: the file with the certificate that secured servers are known by."""
    scheme = "https" if authority else "http"
    secured = {"SECURE": "true", "TLS_CA_FILE": authority, "KAFKA_TLS": "true", "POSTGRES_TLS": "true"}
    return {PREFIX + name: value for name, value in secured.items() if authority} | {
        PREFIX + "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{ports['kafka']}",
        PREFIX + "S3_ENDPOINT": f"{scheme}://127.0.0.1:{ports['minio']}",
        PREFIX + "POSTGRES_HOST": "127.0.0.1",
        PREFIX + "POSTGRES_PORT": str(ports["postgres"]),
        PREFIX + "INFLUXDB_URL": f"{scheme}://127.0.0.1:{ports['influxdb']}",
        PREFIX + "DAGSTER_PORT": str(ports["dagster"]),
        PREFIX + "MODEL_SERVER_URL": f"http://127.0.0.1:{ports['model-server']}",
    }


def write(settings: Settings, ports: Mapping[str, int], authority: str = "") -> None:
    comment = "Written by `sensorlake up`: where its servers listen. Settings read it; a variable or .env wins over it."
    env_file.write(settings.addresses_file, variables(ports, authority), comment=comment)


def demanded_ports(settings: Settings, names: list[str]) -> dict[str, int]:
    """The ports of the services `names` that the environment or .env sets, other than defaults and `addresses.env`.

    Raises:
        StackError: a setting points to another machine, where nothing can be started from here.
    """
    recorded = env_file.read(settings.addresses_file)
    demanded = {}
    hosts = {"postgres": settings.postgres_host, "dagster": "127.0.0.1"}
    for name, field in _FIELDS.items():
        value = str(getattr(settings, field))
        usual = recorded.get(PREFIX + field.upper(), str(Settings.model_fields[field].default))
        if name not in names or value == usual:
            continue
        host, port = (hosts[name], int(value)) if name in hosts else _host_and_port(value)
        if host not in _LOCAL or port is None:
            raise StackError(
                f"{PREFIX}{field.upper()}={value} is not on this machine, so {name} cannot be started here.\n"
                f"Unset it, or leave the local one out: WITHOUT={name}"
            )
        demanded[name] = port
    return demanded


_FIELDS = {
    "kafka": "kafka_bootstrap_servers",
    "minio": "s3_endpoint",
    "postgres": "postgres_port",
    "influxdb": "influxdb_url",
    "dagster": "dagster_port",
    "model-server": "model_server_url",
}


def _host_and_port(value: str) -> tuple[str | None, int | None]:
    parts = urlsplit(value if "//" in value else f"//{value}")
    try:
        return parts.hostname, parts.port
    except ValueError:
        return None, None
