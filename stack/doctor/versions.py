"""Versions: are the programs and packages those that this version of sensorlake was tested with?"""

import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from sensorlake.errors import SensorlakeError, StackError
from sensorlake.settings import Settings
from stack import http_probe, jar_lock, jars, java, servers
from stack.doctor import database
from stack.doctor.finding import Finding

AREA = "versions"
PYTHONS = ((3, 11), (3, 12), (3, 13))
LOCK = Path(__file__).resolve().parents[2] / "uv.lock"
_WHY = "this combination was never tested: it may fail, or be without corrections of security"


def findings(settings: Settings) -> list[Finding]:
    return [*_python(sys.version_info[:2]), *_java(), *_jars(), *packages(locked(LOCK)), *_servers(settings)]


def locked(path: Path) -> dict[str, str]:
    """Package -> version of `uv.lock`; nothing where sensorlake was installed without one."""
    if not path.is_file():
        return {}
    found = tomllib.loads(path.read_text(encoding="utf-8")).get("package", [])
    names = [package["name"] for package in found]
    # A package may be locked in several versions, for different Pythons.
    return {package["name"]: package["version"] for package in found if names.count(package["name"]) == 1}


def packages(wanted: dict[str, str]) -> list[Finding]:
    """Installed Python packages whose version is another than the one that was locked."""
    installed = {each.metadata["Name"].lower().replace("_", "-"): each.version for each in metadata.distributions()}
    other = [
        f"{name} {installed[name]} instead of {wanted[name]}"
        for name in sorted(wanted)
        if _differs(name, installed, wanted)
    ]
    if not other:
        return []
    return [Finding(AREA, f"Python packages are not those of uv.lock: {', '.join(other)}", _WHY, "make setup")]


def _differs(name: str, installed: dict[str, str], wanted: dict[str, str]) -> bool:
    return name in installed and installed[name] != wanted[name]


def _python(running: tuple[int, ...]) -> Iterator[Finding]:
    if tuple(running) not in PYTHONS:
        said = ".".join(map(str, running))
        yield Finding(AREA, f"Python {said} runs sensorlake", _WHY, "make setup with Python 3.11, 3.12 or 3.13")


def _java() -> Iterator[Finding]:
    try:
        home = java.java_home()
    except SensorlakeError as error:
        yield Finding(
            AREA, "no Java 17 or 21 was found", "Kafka and Spark run on it", str(error).splitlines()[-1].strip()
        )
        return
    if (version := java.major_version(home)) not in java.FITTING and "sensorlake-java" not in str(home):
        yield Finding(AREA, f"Java {version} in {home}", _WHY, "install Java 17 or 21 and set JAVA_HOME to it")


def _jars() -> Iterator[Finding]:
    for section, wanted in jar_lock.read().items():
        if section == "postgres-binaries":
            continue  # unpacked when it was set up; its programs are looked at below
        if wrong := jars.wrong_jars(wanted, jars.set_dir(section, wanted)):
            yield Finding(
                AREA,
                f"{len(wrong)} jars of {section} are not those of jars.lock: {'; '.join(wrong[:3])}",
                "somebody or something changed them, or they were never fetched",
                "make setup: it fetches them anew and compares their sha256",
            )


def _servers(settings: Settings) -> Iterator[Finding]:
    postgres = database.version(settings)
    if postgres and int(postgres.split(".")[0]) < servers.OLDEST_POSTGRES:
        yield Finding(
            AREA,
            f"PostgreSQL {postgres} runs",
            _WHY,
            f"sensorlake is tested with PostgreSQL {servers.OLDEST_POSTGRES} to {servers.POSTGRES_VERSION}",
        )
    influxdb = http_probe.request(f"{settings.influxdb_url}/health", authority=settings.tls_ca_file)[1].get("version")
    if influxdb and not same(str(influxdb), servers.INFLUXDB_VERSION):
        remedy = f"sensorlake is tested with InfluxDB {servers.INFLUXDB_VERSION}: `sensorlake down`, `make setup`, `up`"
        yield Finding(AREA, f"InfluxDB {influxdb} runs", _WHY, remedy)
    try:
        data = servers.postgres_data_version(settings.data_dir.absolute() / "postgres" / "data")
        servers.find_postgres(data_version=data)
    except StackError as error:
        yield Finding(AREA, str(error).splitlines()[0], "its data cannot be read", str(error).splitlines()[-1])


def same(running: str, pinned: str) -> bool:
    """
    >>> same("2.7.12", "v2.7.12"), same("v2.7.11", "v2.7.12"), same("2.8.0", "v2.7.12"), same("dev", "v2.7.12")
    (True, True, False, True)
    """
    said, wanted = running.removeprefix("v").split("."), pinned.removeprefix("v").split(".")
    return not said[0].isdecimal() or said[:2] == wanted[:2]
