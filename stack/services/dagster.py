"""Dagster: a server with the code, a daemon that looks and starts runs, and the web pages.

Each run is a process of its own, a child of the code server. All of it yields to the alerts
(docs/decisions/dagster-beside-the-stream.md).
"""

import os
import socket
import sys
from pathlib import Path
from typing import Any

from sensorlake.errors import StackError
from sensorlake.settings import PREFIX
from stack import environment, http_probe
from stack.layout import Stack
from stack.program import BACKGROUND_NICENESS, Program
from stack.service import make_private

CONFIG = Path(__file__).resolve().parents[2] / "dagster.yaml"
LOCATION = "sensorlake"

_WORKSPACE = """# Written by `sensorlake up`: where the server with the code listens.
load_from:
  - grpc_server:
      host: 127.0.0.1
      port: {port}
      location_name: {location}
"""

_QUESTION = """{
  workspaceOrError { ... on Workspace { locationEntries { name loadStatus
    locationOrLoadError { __typename ... on PythonError { message } } } } }
  instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } }
}"""


class DagsterCode:
    """Knows the definitions, answers questions about them, and starts the process of each run."""

    name = "dagster-code"

    def address(self, stack: Stack) -> str:
        return f"127.0.0.1:{stack.ports[self.name]}"

    def prepare(self, stack: Stack) -> Program:
        home, port = _home(stack), stack.ports[self.name]
        (home / "workspace.yaml").write_text(_WORKSPACE.format(port=port, location=LOCATION), encoding="utf-8")
        try:
            (home / "dagster.yaml").write_bytes(CONFIG.read_bytes())
        except OSError as error:
            raise StackError(f"Dagster's configuration {CONFIG} cannot be read: {error.strerror}") from error
        command = [_script("dagster"), "api", "grpc", "--host", "127.0.0.1", "--port", str(port)]
        command += ["--module-name", "orchestration.definitions", "--location-name", LOCATION, "--log-level", "warning"]
        # It waits for its runs before it ends; told as a group, those end themselves and are noted as interrupted.
        return _program(stack, self.name, command, started_after=3, stop_group=True, stop_seconds=25)

    def is_ready(self, stack: Stack) -> bool:
        try:  # it listens once the definitions are loaded
            socket.create_connection(("127.0.0.1", stack.ports[self.name]), timeout=1).close()
        except OSError:
            return False
        return True

    def after_start(self, stack: Stack) -> None:
        """Nothing: the storage makes its own tables."""


class DagsterDaemon:
    """Asks sensors, schedules and conditions, and takes runs from the queue."""

    name = "dagster-daemon"

    def address(self, stack: Stack) -> str:  # noqa: ARG002  it listens nowhere
        return ""

    def prepare(self, stack: Stack) -> Program:
        command = [_script("dagster-daemon"), "run", "--workspace", str(_home(stack) / "workspace.yaml")]
        return _program(stack, self.name, [*command, "--log-level", "warning"], started_after=3)

    def is_ready(self, stack: Stack) -> bool:
        return daemon_is_healthy(stack.ports["dagster"])

    def after_start(self, stack: Stack) -> None:
        """Nothing."""


class Dagster:
    """The web pages."""

    name = "dagster"

    def address(self, stack: Stack) -> str:
        return f"http://127.0.0.1:{stack.ports[self.name]}"

    def prepare(self, stack: Stack) -> Program:
        command = [_script("dagster-webserver"), "--host", "127.0.0.1", "--port", str(stack.ports[self.name])]
        command += ["--workspace", str(_home(stack) / "workspace.yaml"), "--dagster-log-level", "warning"]
        # It keeps nothing that could be lost, and an open page must not hold the end up.
        return _program(stack, self.name, command, started_after=2, stop_seconds=5)

    def is_ready(self, stack: Stack) -> bool:
        return http_probe.status(f"{self.address(stack)}/server_info") == 200 and is_loaded(stack.ports[self.name])

    def after_start(self, stack: Stack) -> None:
        """Nothing."""


def is_loaded(port: int) -> bool:
    """Does the web server on this port know the definitions?"""
    entries = _ask(port).get("workspaceOrError", {}).get("locationEntries", [])
    return any(
        entry["name"] == LOCATION
        and entry["loadStatus"] == "LOADED"
        and (entry["locationOrLoadError"] or {}).get("__typename") == "RepositoryLocation"
        for entry in entries
    )


def daemon_is_healthy(port: int) -> bool:
    """Does the daemon's every part that is needed say that it lives?"""
    statuses = _ask(port).get("instance", {}).get("daemonHealth", {}).get("allDaemonStatuses", [])
    needed = [status["healthy"] for status in statuses if status["required"]]
    return bool(needed) and all(needed)


def _ask(port: int) -> dict[str, Any]:
    answer = http_probe.request(f"http://127.0.0.1:{port}/graphql", body={"query": _QUESTION})[1].get("data")
    return answer if isinstance(answer, dict) else {}


def _home(stack: Stack) -> Path:
    return make_private(stack.data_of("dagster"))


def _script(name: str) -> str:
    return str(Path(sys.prefix) / "bin" / name)


def _program(stack: Stack, name: str, command: list[str], **rest: Any) -> Program:
    variables = environment.settings_of(os.environ) | {
        PREFIX + "DATA_DIR": str(stack.layout.root),
        "DAGSTER_HOME": str(_home(stack)),
        # Where the servers are secured, it logs in as this part of sensorlake.
        PREFIX + "SERVICE": "orchestration",
        # dbt is run by its name.
        "PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ.get('PATH', os.defpath)}",
        # How long a question that is being answered, such as a sensor's, may hold up the end of the code server.
        "DAGSTER_GRPC_SHUTDOWN_GRACE_PERIOD": "5",
        # Nothing here calls out.
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "GX_ANALYTICS_ENABLED": "false",
    }
    return Program(name, command, Path.cwd(), variables, niceness=BACKGROUND_NICENESS, priority=500, **rest)
