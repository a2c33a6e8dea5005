"""What Dagster shows: a change of keys, groups, checks, partitions, jobs, schedules or sensors is seen in review.

`.venv/bin/python -m tests.orchestration.test_definitions` writes the file anew after a change that is meant.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).with_name("definitions.txt")


def shown() -> str:
    """Every definition, a line each."""
    from orchestration.definitions import definitions  # noqa: PLC0415  reads the settings of this directory

    found = definitions()
    repository = found.get_repository_def()
    graph = repository.asset_graph
    lines = []
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        parts = [f"asset {key.to_user_string()}", f"group={node.group_name}"]
        parts += ["by day"] if node.is_partitioned else []
        parts += ["external"] if not node.is_materializable else []
        parts += [f"pool={','.join(sorted(node.pools))}"] if node.is_materializable and node.pools else []
        parts += [f"after={','.join(parent.to_user_string() for parent in sorted(node.parent_keys))}"]
        lines.append(" ".join(parts))
    lines += [
        f"check {key.to_user_string()}" for key in sorted(graph.asset_check_keys, key=lambda key: key.to_user_string())
    ]
    lines += [
        f"job {name}" for name in sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__"))
    ]
    lines += [
        f"schedule {each.name} {each.cron_schedule}"
        for each in sorted(repository.schedule_defs, key=lambda each: each.name)
    ]
    lines += [f"sensor {name}" for name in sorted(each.name for each in repository.sensor_defs)]
    return "\n".join(lines) + "\n"


def test_the_definitions_are_those_that_were_agreed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in [name for name in os.environ if name.startswith("SENSORLAKE_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("SENSORLAKE_DATA_DIR", str(tmp_path))
    assert shown() == FILE.read_text("utf-8")


def test_every_asset_of_ours_says_what_it_is_and_whose() -> None:
    from orchestration.definitions import definitions  # noqa: PLC0415

    graph = definitions().get_repository_def().asset_graph
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.group_name != "default", key
        assert node.owners, key
        assert node.description, key


def test_every_pool_has_its_limit_from_the_start() -> None:
    """A pool that is not listed would get it only after its first runs were started."""
    from orchestration.definitions import definitions  # noqa: PLC0415
    from orchestration.instance import POOLS  # noqa: PLC0415

    graph = definitions().get_repository_def().asset_graph
    used = {pool for key in graph.materializable_asset_keys for pool in graph.get(key).pools or ()}
    assert used <= set(POOLS)


@pytest.mark.parametrize(
    "package", ["pandas", "pyarrow", "deltalake", "great_expectations", "dbt", "tensorflow", "boto3"]
)
def test_nothing_heavy_is_imported_when_definitions_are_loaded(package: str) -> None:
    """The web server and the daemon load them again and again."""
    program = "import sys, orchestration.definitions as d; d.definitions(); print(*sys.modules)"
    loaded = _loaded(program)
    assert package not in loaded


def _loaded(program: str, seen: dict[str, set[str]] = {}) -> set[str]:  # noqa: B006  one process for all questions
    if program not in seen:
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
        seen[program] = {name for name in re.split(r"\s+", done.stdout) if "." not in name}
    return seen[program]


if __name__ == "__main__":
    FILE.write_text(shown(), "utf-8")
