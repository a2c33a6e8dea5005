"""Connections: do passwords and readings cross a network in the open?"""

from urllib.parse import urlsplit

from sensorlake.settings import PREFIX, Settings
from stack.doctor.finding import Finding

AREA = "connections"
LOCAL = {"127.0.0.1", "localhost", "::1", ""}


def findings(settings: Settings) -> list[Finding]:
    """Servers on other machines that are spoken to without TLS."""
    found = []
    for name, host in _in_the_open(settings).items():
        if host not in LOCAL:
            found.append(
                Finding(
                    AREA,
                    f"{PREFIX}{name.upper()} leads to {host} without TLS",
                    "everybody on the way reads the password and the data, and can change them",
                    "use its address with TLS (docs/security.md)",
                )
            )
    return found


def _in_the_open(settings: Settings) -> dict[str, str]:
    """Setting -> host, of those that are not encrypted."""
    urls = ("s3_endpoint", "influxdb_url", "model_server_url")
    plain = {name: getattr(settings, name) for name in urls if getattr(settings, name).startswith("http://")}
    hosts = {name: urlsplit(url).hostname or "" for name, url in plain.items()}
    if not settings.kafka_tls:
        hosts["kafka_bootstrap_servers"] = _first_host(settings.kafka_bootstrap_servers)
    if not settings.postgres_tls:
        hosts["postgres_host"] = settings.postgres_host
    return hosts


def _first_host(servers: str) -> str:
    """
    >>> _first_host("127.0.0.1:9092,kafka.example:9092"), _first_host("[::1]:9092")
    ('kafka.example', '::1')
    """
    hosts = [urlsplit(f"//{server.strip()}").hostname or "" for server in servers.split(",")]
    return next((host for host in hosts if host not in LOCAL), hosts[0])
