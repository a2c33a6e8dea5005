"""Fetches jars with Ivy, which pyspark carries: no Maven is needed, and Ivy knows the central repository by itself."""

import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from xml.sax.saxutils import quoteattr

from sensorlake.errors import StackError
from stack.java import java_command

# Without poms Ivy asks for each jar and nothing else (a locked set); with poms it follows dependencies (`make lock`).
# Ivy's own checksums are off: the lock's sha256 is stronger, and asking for them doubles the requests.
_SETTINGS = """<ivysettings>
  <property name="ivy.checksums" value=""/>
  <settings defaultResolver="central"/>
  <resolvers><ibiblio name="central" m2compatible="true" usepoms="{poms}"/></resolvers>
</ivysettings>
"""


@dataclass(frozen=True)
class Dependency:
    """One coordinate to fetch; `excluding` names `organisation:name` pairs that are not followed."""

    organisation: str
    name: str
    version: str
    transitive: bool = False
    excluding: tuple[str, ...] = field(default=())

    def xml(self) -> str:
        excludes = "".join(
            f"<exclude org={quoteattr(org)} module={quoteattr(module)}/>"
            for org, _, module in (pair.partition(":") for pair in self.excluding)
        )
        return (
            f"<dependency org={quoteattr(self.organisation)} name={quoteattr(self.name)} rev={quoteattr(self.version)}"
            f' conf="default->default" transitive="{str(self.transitive).lower()}">{excludes}</dependency>'
        )


def ivy_jar() -> Path:
    """The Ivy of the installed pyspark.

    Raises:
        StackError: pyspark is not installed, or carries no Ivy.
    """
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise StackError("pyspark is not installed: run `make setup`")
    found = sorted((Path(spec.origin).parent / "jars").glob("ivy-*.jar"))
    if not found:
        raise StackError("the installed pyspark carries no Ivy (jars/ivy-*.jar): run `make setup` again")
    return found[-1]


def retrieve(
    dependencies: Iterable[Dependency], into: Path, work: Path, *, fetched: Callable[[str], None] = lambda _: None
) -> None:
    """Put the jars of `dependencies` into `into` as `organisation/name/name-version.jar`.

    `work` keeps what has come so far, so that a second try after an interruption fetches only the rest. `fetched` is
    called with each jar's name as it arrives.

    Raises:
        StackError: with Ivy's own last words.
    """
    wanted = list(dependencies)
    work.mkdir(parents=True, exist_ok=True)
    poms = any(dependency.transitive for dependency in wanted)
    (work / "settings.xml").write_text(_SETTINGS.format(poms=str(poms).lower()), encoding="utf-8")
    (work / "ivy.xml").write_text(
        '<ivy-module version="2.0"><info organisation="sensorlake" module="jars"/>'
        '<configurations><conf name="default"/></configurations><dependencies>'
        + "".join(dependency.xml() for dependency in wanted)
        + "</dependencies></ivy-module>",
        encoding="utf-8",
    )
    command = [str(java_command()), "-jar", str(ivy_jar()), "-settings", f"{work}/settings.xml"]
    command += ["-cache", f"{work}/cache", "-ivy", f"{work}/ivy.xml", "-confs", "default"]
    command += ["-retrieve", f"{into}/[organisation]/[artifact]/[artifact]-[revision].[ext]"]
    said: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - Popen was asked for a pipe
        for line in process.stdout:
            said.append(line.rstrip())
            if "[SUCCESSFUL ]" in line:
                fetched(line.split("!", 1)[-1].split(" ", 1)[0].strip())
    if process.returncode:
        faults = [line.strip() for line in said if "WARN" in line or "ERROR" in line or "not found" in line][:12]
        raise StackError(
            "jars could not be fetched from the central Maven repository (is the network up? behind a proxy set "
            "JAVA_TOOL_OPTIONS=-Dhttps.proxyHost=... -Dhttps.proxyPort=...):\n  " + "\n  ".join(faults or said[-8:])
        )
