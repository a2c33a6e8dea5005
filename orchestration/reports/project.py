"""dbt and its project: how it is run, and the manifest that says what is in the project.

dbt runs as a program of its own. It learns of this installation by environment variables, which it alone gets, so that
no password stands in a file or on a command line. What it writes goes to the data folder.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

from filelock import FileLock

from sensorlake import connections
from sensorlake.errors import ReportError
from sensorlake.settings import Settings, of_service

PROJECT = Path(__file__).parents[2] / "dbt_project"
_READ_BY_DBT = {".sql", ".yml", ".md", ".csv"}


def executable() -> str:
    """The `dbt` of this Python's environment, whatever else is on the path."""
    return str(Path(sys.executable).with_name("dbt"))


def folder(settings: Settings) -> Path:
    return settings.data_dir.absolute() / "dbt"


def target(settings: Settings) -> Path:
    """Where commands of a user leave what they made."""
    return folder(settings) / "target"


def variables(settings: Settings) -> dict[str, str]:
    """What dbt must find in its environment (dbt_project/profiles.yml). Where the servers are secured, it logs in as
    one who may build reports and no more."""
    settings = of_service(settings, "reporting")
    return connections.libpq(settings) | {
        "SENSORLAKE_POSTGRES_HOST": settings.postgres_host,
        "SENSORLAKE_POSTGRES_PORT": str(settings.postgres_port),
        "SENSORLAKE_POSTGRES_DATABASE": settings.postgres_database,
        "SENSORLAKE_POSTGRES_USER": settings.postgres_user,
        "DBT_ENV_SECRET_POSTGRES_PASSWORD": settings.postgres_password.get_secret_value(),
        "DBT_PROJECT_DIR": str(PROJECT),
        "DBT_PROFILES_DIR": str(PROJECT),
        "DBT_TARGET_PATH": str(target(settings)),
        "DBT_LOG_PATH": str(folder(settings) / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def run(settings: Settings, arguments: Sequence[str]) -> int:
    """Run `dbt` with the terminal's own input and output; its exit status."""
    return subprocess.call([executable(), *arguments], env=os.environ | variables(settings))


def become(settings: Settings, arguments: Sequence[str]) -> NoReturn:
    """Go on as `dbt` in place of this process, so that signals and the exit status are its own."""
    sys.stdout.flush()
    os.execve(executable(), ["dbt", *arguments], os.environ | variables(settings))  # noqa: S606  no shell is meant


def manifest(settings: Settings) -> dict[str, Any]:
    """What is in the project: its models, tests, sources and exposures, as dbt understood them.

    Read from where it was kept, in milliseconds, and made anew where the project, dbt or the database's name is another
    than then.

    Raises:
        ReportError: dbt does not understand the project.
    """
    return json.loads(manifest_file(settings).read_bytes())


def manifest_file(settings: Settings) -> Path:
    """Where the manifest of the project as it is now lies; see `manifest`."""
    kept = folder(settings) / f"manifest-{fingerprint(settings)}"
    if not (kept / "manifest.json").is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        # The web server, the daemon and runs may all find it missing at the same moment.
        with FileLock(kept.parent / "manifest.lock"):
            if not (kept / "manifest.json").is_file():
                _parse(settings, kept)
    return kept / "manifest.json"


def fingerprint(settings: Settings) -> str:
    """Changes with whatever would change the manifest."""
    hashed = hashlib.sha256(f"{metadata.version('dbt-core')} {settings.postgres_database}".encode())
    for path in sorted(path for path in PROJECT.rglob("*") if path.suffix in _READ_BY_DBT):
        hashed.update(f"\0{path.relative_to(PROJECT)}\0".encode() + path.read_bytes())
    return hashed.hexdigest()[:16]


def _parse(settings: Settings, kept: Path) -> None:
    """Made aside and renamed when complete, so that nobody reads half of it."""
    with tempfile.TemporaryDirectory(dir=kept.parent) as aside:
        made = Path(aside) / "target"
        environment = {**os.environ, **variables(settings), "DBT_TARGET_PATH": str(made)}
        done = subprocess.run(
            [executable(), "--quiet", "parse"], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ReportError(f"dbt does not understand {PROJECT}:\n{(done.stdout + done.stderr).strip()[-4000:]}")
        for older in kept.parent.glob("manifest-*"):
            shutil.rmtree(older, ignore_errors=True)
        made.rename(kept)


def of_days(first: str, last: str) -> Mapping[str, str]:
    """The variables with which daily models build the days from `first` to `last`, both included."""
    return {"from_day": first, "to_day": last}
