"""What the benchmarks' commands refuse, before anything is started."""

import pytest
import typer
from typer.testing import CliRunner

from benchmarks import queries
from sensorlake.commands.bench import group, options
from sensorlake.errors import SettingsError

COMMANDS = (
    "latency",
    "throughput",
    "catch-up",
    "scale",
    "soak",
    "recovery",
    "ratio",
    "detect",
    "injected",
    "lakehouse",
    "model-server",
)


def run(*arguments):
    app = typer.Typer()
    group.register(app)
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_result_without_a_folder_is_refused_first(command, tmp_path):
    found = run("bench", command, "--json", str(tmp_path / "none" / "result.json"))
    assert isinstance(found.exception, SettingsError)
    assert "make it first" in str(found.exception)
    assert found.exception.exit_code == 2


def test_a_picture_without_a_folder_is_refused_first(tmp_path):
    found = run("bench", "soak", "--picture", str(tmp_path / "none" / "picture.svg"))
    assert "--picture" in str(found.exception)
    with pytest.raises(SettingsError, match="that is a folder"):
        options.require_folders(json=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("latency", "--rate", "1000,many"), "--rate '1000,many': numbers"),
        (("latency", "--rate", ","), "--rate ',': each must be from 1 to 1,000,000"),
        (("latency", "--queries", "alerts,lakes"), "no query is called lakes"),
        (("latency", "--queries", "postgres"), "alone it would have nothing to do"),
        (("throughput", "--rate", "2000", "--ceiling", "1000"), "--ceiling 1000 is below --rate 2000"),
        (("catch-up", "--queries", "metrics"), "metrics reads what lake writes"),
        (("scale", "--sensors", "1000,0"), "--sensors '1000,0': each must be from 1 to 1,000,000"),
        (("scale", "--sensors", "1.5"), "whole numbers are wanted"),
        (("scale", "--sensors", ""), "--sensors and --days are both empty"),
        (("scale", "--sensors", "", "--days", "1", "--queries", "alerts"), "name it in --queries too"),
        (("soak", "--queries", ""), "no query is called nothing"),
        (("recovery", "--queries", "lake"), "name alerts too"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_the_reason(arguments, reason):
    found = run("bench", *arguments)
    assert isinstance(found.exception, SettingsError)
    assert reason in str(found.exception)


@pytest.mark.parametrize(
    "arguments", [("soak", "--minutes", "0"), ("ratio", "--rate", "0"), ("catch-up", "--backlog", "1")]
)
def test_numbers_out_of_their_range_are_refused(arguments):
    found = run("bench", *arguments)
    assert found.exit_code == 2


def test_queries_are_in_the_order_of_the_stream_and_know_their_servers():
    assert queries.chosen("all") == queries.ALL
    assert queries.chosen("postgres, alerts") == ("alerts", "postgres")
    assert queries.servers(("detect",)) == ["kafka", "postgres"]
    assert queries.servers(("alerts", "influxdb")) == ["kafka", "minio", "postgres", "influxdb"]
    assert (queries.told(queries.ALL), queries.told(("alerts",))) == ("all queries", "alerts")
