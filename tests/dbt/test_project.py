"""The dbt project as it stands, without a server."""

import os
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from orchestration.reports import documentation, project
from sensorlake import settings as settings_module
from sensorlake.errors import ReportError
from sensorlake.settings import Settings

MODELS = sorted(project.PROJECT.glob("models/**/*.sql"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_module.load(tmp_path)


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project that the test may change."""
    copy = tmp_path / "copy"
    shutil.copytree(project.PROJECT, copy)
    monkeypatch.setattr(project, "PROJECT", copy)
    return copy


def test_dbt_understands_the_project_and_warns_of_nothing(settings):
    done = subprocess.run(
        [project.executable(), "--warn-error", "parse", "--no-partial-parse", "--show-all-deprecations"],
        env=os.environ | project.variables(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "deprecat" not in done.stdout.lower()
    assert "warn" not in done.stdout.lower()


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_each_model_is_described_in_a_file_of_its_own_beside_it(model):
    described = yaml.safe_load(model.with_suffix(".yml").read_text("utf-8"))["models"]
    assert [each["name"] for each in described] == [model.stem]
    assert described[0]["description"].startswith("One row")


def test_reports_promise_their_columns_and_land_in_one_schema(settings):
    nodes = project.manifest(settings)["nodes"].values()
    models = [node for node in nodes if node["resource_type"] == "model"]
    assert len(models) == len(MODELS)
    promised = {node["name"] for node in models if node["config"]["contract"]["enforced"]}
    assert promised == {node["name"] for node in models if node["fqn"][1] == "marts"}
    assert {node["schema"] for node in models} == {"reporting"}


def test_the_manifest_is_kept_until_the_project_changes(settings, copied):
    kept = project.manifest_file(settings)
    before = kept.stat().st_mtime_ns
    assert project.manifest_file(settings).stat().st_mtime_ns == before
    (copied / "models/marts/answer.sql").write_text("select 42 as answer", encoding="utf-8")
    assert project.manifest_file(settings) != kept
    assert "model.sensorlake.answer" in project.manifest(settings)["nodes"]
    assert not kept.exists()


def test_a_project_that_dbt_does_not_understand_is_refused_with_its_reason(settings, copied):
    (copied / "models/marts/answer.sql").write_text("select * from {{ ref('nothing') }}", encoding="utf-8")
    with pytest.raises(ReportError, match="depends on a node named 'nothing'"):
        project.manifest(settings)


def test_no_password_is_written_down(tmp_path, settings):
    secret = settings.model_copy(update={"postgres_password": type(settings.postgres_password)("not-to-be-seen")})
    project.manifest(secret)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if b"not-to-be-seen" in path.read_bytes()]


def test_documentation_is_served_to_this_machine_and_nothing_else_is(tmp_path):
    (tmp_path / "index.html").write_text("the page", encoding="utf-8")
    (tmp_path / "partial_parse.msgpack").write_text("not for others", encoding="utf-8")
    with documentation.server(tmp_path, 0) as server:
        host, port = server.server_address[:2]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert host == "127.0.0.1"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            assert answer.read() == b"the page"
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/partial_parse.msgpack")
        refused.value.close()
        with pytest.raises(ReportError, match="choose another one with --port"):
            documentation.server(tmp_path, port)
        server.shutdown()
