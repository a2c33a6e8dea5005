"""A missing tool is named with the way to get it and the other ways out, before anything is fetched."""

import subprocess
from pathlib import Path

import pytest

from sensorlake.errors import MissingToolError, StackError
from stack import java, needs, selection, servers, tools


def test_every_missing_tool_is_in_one_message_with_the_ways_out() -> None:
    found = {tools.GO: (1, 19, 8), tools.CARGO: None, tools.GCC: (12, 2, 0)}
    text = tools.explain({"influxdb": tools.missing(tools.NEEDED["influxdb"], found.get)})
    assert "go >= 1.23: 1.19.8 is too old" in text
    assert "cargo >= 1.72: not found" in text
    assert "gcc" not in text
    assert "apt install" in text
    assert "WITHOUT=influxdb make demo" in text
    assert "influxd 2.7 on PATH" in text


def test_a_machine_without_go_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    tools.version_of.cache_clear()
    try:
        with pytest.raises(MissingToolError, match=r"minio has to be compiled here(.|\n)*go >= 1\.23: not found"):
            needs.check({})
        needs.check({"WITHOUT": "minio, influxdb"})
    finally:
        tools.version_of.cache_clear()


def test_a_server_on_path_in_a_fitting_version_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for name, says in (("minio", "minio version RELEASE.2025-01-01"), ("influxd", "InfluxDB v2.7.11 (git: x)")):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
        program.chmod(0o755)
    assert needs.to_build({}) == []
    assert servers.find_minio() == tmp_path / "minio"
    assert servers.find_influxd() == tmp_path / "influxd"


@pytest.mark.parametrize("says", ["InfluxDB 1.8.10", "InfluxDB v2.6.1", "InfluxDB 3.0.0", ""])
def test_an_influxd_of_another_version_is_not_used(says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program = tmp_path / "influxd"
    program.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    program.chmod(0o755)
    assert servers.installed_influxd() is None


def test_names_are_checked_and_kept_in_order() -> None:
    assert selection.chosen("influxdb, kafka", {}) == ["kafka", "influxdb"]
    assert selection.chosen(None, {"WITHOUT": "minio"}) == ["kafka", "postgres", "influxdb", "dagster", "model-server"]
    assert selection.chosen(None, {"WITHOUT": "dagster,model-server"}) == list(selection.SERVERS)
    assert selection.servers({"WITHOUT": "minio"}) == ["kafka", "postgres", "influxdb"]
    assert selection.programs(["postgres", "dagster"]) == ["postgres", "dagster-code", "dagster-daemon", "dagster"]
    with pytest.raises(StackError, match="no service is called influx; there are kafka, minio"):
        selection.left_out({"WITHOUT": "influx"})


def test_data_of_a_postgres_that_has_gone_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "installed_postgres", lambda: [(15, Path("/fifteen")), (17, Path("/seventeen"))])
    assert servers.find_postgres() == Path("/fifteen")
    assert servers.find_postgres(data_version=17) == Path("/seventeen")
    with pytest.raises(StackError, match=r"made by PostgreSQL 13.*\(here: 15, 17"):
        servers.find_postgres(data_version=13)


def test_the_java_wrapper_drops_only_the_flag_that_the_runtime_lacks(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_text('#!/bin/sh\nprintf "[%s]" "$@"\n', encoding="utf-8")
    real.chmod(0o755)
    home = java.write_wrapper(real, tmp_path / "home")
    flags = ["-Xmx1g", "--add-modules=jdk.incubator.vector", "-cp", "a b", ""]
    done = subprocess.run([home / "bin" / "java", *flags], capture_output=True, text=True, check=True)
    assert done.stdout == "[-Xmx1g][-cp][a b][]"


def test_only_java_17_and_21_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("25.0.1", "17.0.2"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "java").touch()
        (tmp_path / version / "release").write_text(f'JAVA_VERSION="{version}"\n', encoding="utf-8")
    assert java.major_version(tmp_path / "25.0.1") == 25
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "25.0.1"))
    assert java.system_java_home() != tmp_path / "25.0.1"
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "17.0.2"))
    assert java.system_java_home() == tmp_path / "17.0.2"
