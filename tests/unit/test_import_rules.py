"""What may import what. The table is the architecture: a new arrow between packages is decided here, not in passing."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOT_PRODUCT = {"tests"}


@dataclass(frozen=True)
class Rule:
    """What a package may import of this project, and which packages of others it must not."""

    ours: set[str] = field(default_factory=set)
    never: set[str] = field(default_factory=set)
    standard_library_only: bool = False


ROOM = {"sensorlake.settings", "sensorlake.connections", "sensorlake.errors", "sensorlake.logs"}
SPARK = {"pyspark", "delta"}
DAGSTER = {"dagster"}
EVERYTHING = {
    *("benchmarks", "contracts", "dbt_project", "detection", "edge", "expectations", "lakehouse"),
    *("orchestration", "sensorlake", "serving", "stack", "streaming"),
}

RULES = {
    # What everyone agrees on leans on nothing.
    "contracts": Rule({"sensorlake.errors"}, standard_library_only=True),
    # Pure numpy: the same code judges in the stream, in Dagster and on a device.
    "detection": Rule({"contracts"} | ROOM, never=SPARK | DAGSTER),
    # Runs on a gateway, where there is no Java.
    "edge": Rule({"contracts", "detection"} | ROOM, never=SPARK | DAGSTER),
    "lakehouse": Rule({"contracts"} | ROOM, never=DAGSTER),
    # What dbt reads; no Python.
    "dbt_project": Rule(standard_library_only=True),
    "expectations": Rule({"contracts"} | ROOM, never=DAGSTER),
    # Two planes that meet in tables and topics: the stream runs without Dagster, and Dagster never starts the stream.
    "streaming": Rule({"contracts", "detection", "lakehouse"} | ROOM, never=DAGSTER),
    # Its bounded Spark work runs on the same pinned jars and Java as the stream.
    # Models are tried on a simulated fleet where the lake holds too little.
    "orchestration": Rule(
        {"contracts", "detection", "edge.labelled", "expectations", "lakehouse", "stack.jars", "stack.java"} | ROOM
    ),
    # Answers questions about models, and knows no Spark and no Dagster.
    "serving": Rule({"contracts", "detection", "lakehouse.models"} | ROOM, never=SPARK | DAGSTER),
    # Starts servers as programs; it need not know what runs on them.
    "stack": Rule({"contracts"} | ROOM, never=SPARK | DAGSTER),
    # The foundation of every room...
    "sensorlake": Rule(ROOM, never=SPARK | DAGSTER),
    "sensorlake.settings": Rule(ROOM | {"sensorlake.settings_files"}, never=SPARK | DAGSTER),
    # ...and, above all rooms, what connects them.
    "sensorlake.commands": Rule(EVERYTHING),
    "sensorlake.command_line": Rule(EVERYTHING),
    "sensorlake.demo": Rule(EVERYTHING),
    "benchmarks": Rule(EVERYTHING),
}


def imports(source: str) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import, also inside functions; the name of a relative one starts with a dot."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)


def violations(package: str, rule: Rule, source: str) -> Iterator[str]:
    for line, name in imports(source):
        top = name.split(".")[0]
        if name.startswith("."):
            yield f"{line}: relative import"
        elif top in EVERYTHING:
            if not _within(name, rule.ours | ({package} - {"sensorlake"})):
                yield f"{line}: {package} must not import {name}"
        elif rule.standard_library_only and top not in sys.stdlib_module_names:
            yield f"{line}: {package} imports the standard library only, not {top}"
        elif top.split("_")[0] in rule.never:
            yield f"{line}: {package} must not import {top}"


def rule_of(path: Path) -> str:
    """The name of the most special rule for a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    names = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next(name for name in names if name in RULES)


def _within(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _packages() -> list[Path]:
    return [init.parent for init in sorted(ROOT.glob("[a-z]*/__init__.py")) if init.parent.name not in NOT_PRODUCT]


def test_every_package_has_a_rule():
    assert {package.name for package in _packages()} <= RULES.keys()
    assert {name.split(".")[0] for name in RULES} == EVERYTHING


@pytest.mark.parametrize("package", _packages(), ids=lambda package: package.name)
def test_a_package_imports_only_what_it_may(package):
    found = [
        f"{path.relative_to(ROOT)}:{violation}"
        for path in sorted(package.rglob("*.py"))
        for violation in violations(rule_of(path), RULES[rule_of(path)], path.read_text("utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("package", "line"),
    [
        ("contracts", "import numpy"),
        ("contracts", "from sensorlake import settings"),
        ("detection", "from pyspark.sql import functions"),
        ("detection", "def f():\n    import delta"),
        ("edge", "import pyspark"),
        ("edge", "from lakehouse import tables"),
        ("lakehouse", "from streaming.alerts import outgoing"),
        ("streaming", "from dagster_dbt import DbtProject"),
        ("streaming", "import orchestration.definitions"),
        ("streaming", "from . import decode"),
        ("streaming", "from sensorlake.commands import stream"),
        ("orchestration", "from streaming import application"),
        ("orchestration", "from stack import up"),
        ("stack", "from sensorlake import command_line"),
        ("sensorlake", "from stack import up"),
        ("sensorlake", "from sensorlake import command_line"),
    ],
)
def test_the_rules_find_an_offender(package, line):
    assert list(violations(package, RULES[package], line))


@pytest.mark.parametrize(
    ("package", "line"),
    [
        ("contracts", "import json\nfrom sensorlake.errors import ContractError\nfrom contracts import avro"),
        ("detection", "import numpy as np\nfrom contracts.avro import load"),
        (
            "streaming",
            "from pyspark.sql import Column\nfrom lakehouse import tables\nfrom sensorlake import settings as s",
        ),
        ("orchestration", "import dagster as dg\nfrom detection import baselines"),
        ("sensorlake.commands", "from streaming import application\nfrom stack import up"),
    ],
)
def test_the_rules_let_the_architecture_pass(package, line):
    assert not list(violations(package, RULES[package], line))
