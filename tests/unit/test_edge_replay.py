"""CSV files: what is read, what is refused and how, and which messages come out."""

import contextlib
import json
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge import times
from edge.csv_file import CsvFile
from edge.replay import Replay, merged
from sensorlake.errors import InputFileError
from tests import wire_reference

START = 1_795_000_000_000_000
EXAMPLES = Path(times.__file__).parent / "examples"


def written(folder: Path, content: str | bytes, name: str = "pump.csv") -> CsvFile:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return CsvFile(path, path.stem)


def sent(file: CsvFile, speed: float = 1.0, *, keep: bool = False) -> list[dict[str, object]]:
    return [json.loads(m[2]) for m in Replay(START, speed, keep_timestamps=keep).messages(file.rows)]


WIDE = """timestamp,flow,temp,anomaly
2020-01-01T00:00:00Z,1.5,20,0
2020-01-01T00:00:10Z,,21,1
2020-01-01T00:00:20Z,nan,,0
"""


def test_wide_rows_become_multi_metric_messages_without_label_and_gaps(tmp_path: Path) -> None:
    assert sent(written(tmp_path, WIDE)) == [
        {"device_id": "pump", "timestamp": "2026-11-18T11:06:40.000000Z", "flow": 1.5, "temp": 20.0},
        {"device_id": "pump", "timestamp": "2026-11-18T11:06:50.000000Z", "temp": 21.0},
    ]


def test_long_rows_become_single_metric_messages(tmp_path: Path) -> None:
    content = "timestamp,sensor_id,metric,value,unit,location\n1577836800,a,flow,1,l/s,hall\n1577836800,b,temp,2,,\n"
    assert sent(written(tmp_path, content), keep=True) == [
        {
            "sensor_id": "a",
            "timestamp": "2020-01-01T00:00:00.000000Z",
            "metric": "flow",
            "value": 1.0,
            "meta": {"unit": "l/s", "location": "hall"},
        },
        {"sensor_id": "b", "timestamp": "2020-01-01T00:00:00.000000Z", "metric": "temp", "value": 2.0},
    ]


def test_columns_that_mean_something_else_in_a_message_are_sent_as_messages_of_their_own(tmp_path: Path) -> None:
    """A single column `value`, as in many a public file, would be no reading among many."""
    file = written(tmp_path, "timestamp,value,meta,flow,unit\n1577836800,1,2,3,K\n")
    assert [message["metric"] for message in sent(file)] == ["value", "meta", "flow"]
    found = [wire_reference.judge(m[2], m[0], 1000)[0] for m in Replay(START).messages(file.rows)]
    assert [(each.device, each.sensor, each.metric, each.value, each.unit) for each in found] == [
        ("pump", "pump", "value", 1.0, ""),
        ("pump", "pump", "meta", 2.0, ""),
        ("pump", "pump", "flow", 3.0, ""),
    ]


def test_speed_divides_the_intervals_and_the_key_is_the_device(tmp_path: Path) -> None:
    timed = list(Replay(START, 10).messages(written(tmp_path, WIDE).rows))
    assert [(m[0] - START, m[1], m[3]) for m in timed] == [(0, b"pump", 2), (1_000_000, b"pump", 1)]


def test_even_at_any_speed_no_two_readings_of_a_sensor_get_one_time(tmp_path: Path) -> None:
    content = "timestamp,v\n" + "".join(f"{1577836800 + i},{i}\n" for i in range(100))
    assert len({message["timestamp"] for message in sent(written(tmp_path, content), speed=1e12)}) == 100


def test_rows_of_one_time_keep_one_time_and_late_rows_stay_late(tmp_path: Path) -> None:
    content = "timestamp,device_id,v\n100,a,1\n100,b,1\n110,a,2\n105,b,2\n120,a,3\n"
    timed = list(Replay(START).messages(written(tmp_path, content).rows))
    stamps = [json.loads(m[2])["timestamp"][17:19] for m in timed]
    assert stamps == ["40", "40", "50", "45", "00"]
    assert [(m[0] - START) // 1_000_000 for m in timed] == [0, 0, 10, 10, 20]


def test_a_loop_goes_on_after_the_last_interval(tmp_path: Path) -> None:
    content = "timestamp,v\n100,1\n101,2\n103,3\n"
    messages = Replay(START, loop=True).messages(written(tmp_path, content).rows)
    assert [(next(messages)[0] - START) // 1_000_000 for _ in range(7)] == [0, 1, 3, 5, 6, 8, 10]


def test_several_files_start_together_and_are_merged_by_time(tmp_path: Path) -> None:
    files = [written(tmp_path, f"timestamp,v\n{t},1\n{t + 2},2\n", f"{t}.csv") for t in (1000, 500_000)]
    keys = [m[1] for m in merged([Replay(START).messages(file.rows) for file in files])]
    assert keys == [b"1000", b"500000", b"1000", b"500000"]


def test_metric_renames_a_single_value_column(tmp_path: Path) -> None:
    file = written(tmp_path, "timestamp,value\n100,1\n")
    assert sent(CsvFile(file.path, "m", "bearing"))[0]["bearing"] == 1.0
    assert sent(file)[0]["value"] == 1.0


@pytest.mark.parametrize(
    ("text", "micros", "zone"),
    [
        ("2020-01-01T00:00:00Z", 1_577_836_800_000_000, True),
        ("2020-01-01 01:00:00.5+01:00", 1_577_836_800_500_000, True),
        ("2020-01-01 00:00:00", 1_577_836_800_000_000, False),
        ("1577836800", 1_577_836_800_000_000, True),
        ("1577836800.25", 1_577_836_800_250_000, True),
        ("1577836800123", 1_577_836_800_123_000, True),
        ("1577836800123456", 1_577_836_800_123_456, True),
    ],
)
def test_timestamps_in_every_accepted_form(text: str, micros: int, zone: bool) -> None:
    assert times.parse(text) == (micros, zone)


def test_the_survey_counts_and_sees_a_missing_zone(tmp_path: Path) -> None:
    survey = written(tmp_path, WIDE.replace("10Z", "10")).survey()
    assert (survey.rows, survey.readings, survey.zone_named) == (3, 3, False)


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("", 1, "empty"),
        ("a,b\n1,2\n", 1, "no column timestamp"),
        ("timestamp;v\n1;2\n", 1, "separated by something else"),
        ("timestamp,v,v\n1,2,3\n", 1, "twice"),
        ("timestamp,,v\n1,2,3\n", 1, "column 2 must have a name"),
        ("timestamp,anomaly\n1,2\n", 1, "no metric"),
        ("timestamp,v\n1,2\n1,2,3\n", 3, "3 cells"),
        ("timestamp,v\nyesterday,2\n", 2, "not a timestamp"),
        ("timestamp,v\n99999999999999999999,2\n", 2, "not a timestamp"),
        ("timestamp,v\n1,two\n", 2, "column 'v': 'two' is not a number"),
        ("timestamp,v\n1,1_000\n", 2, "not a number"),
        ("timestamp,v\n1,inf\n", 2, "not a finite number"),
        ("timestamp,v\n1,1e999\n", 2, "not a finite number"),
        ("timestamp,metric,value\n1,,2\n", 2, "metric must have"),
        ('timestamp,v\n1,"2\n', 2, "not valid CSV"),
        ("timestamp,v\r1,2\r", 1, "not valid CSV"),
        (b"timestamp,v\n1,\xff\n", 2, "not UTF-8"),
        (b"timestamp,v\n1,\0\n", 2, "zero byte"),
        (b"timestamp,v\n1," + b"1" * 1_100_000, 2, "longer than"),
        ("timestamp,v\n1," + "1" * 200_000 + "\n", 2, "not valid CSV"),
    ],
)
def test_bad_files_are_refused_with_file_line_and_reason(
    tmp_path: Path, content: str | bytes, line: int, reason: str
) -> None:
    file = written(tmp_path, content)
    with pytest.raises(InputFileError) as caught:
        file.survey()
    assert str(caught.value).startswith(f"{file.path}:{line}: ")
    assert reason in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_file_without_values_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="holds no value"):
        written(tmp_path, "timestamp,v\n1,\n").survey()
    with pytest.raises(InputFileError, match="No such file"):
        CsvFile(tmp_path / "none.csv", "x").survey()
    with pytest.raises(InputFileError, match="directory"):
        CsvFile(tmp_path, "x").survey()


@pytest.mark.parametrize("header", ["timestamp,flow", "timestamp,metric,value", "timestamp,value,speed"])
def test_metric_needs_a_single_value_column(tmp_path: Path, header: str) -> None:
    file = written(tmp_path, f"{header}\n")
    with pytest.raises(InputFileError, match="--metric"):
        CsvFile(file.path, "x", "speed").survey()


CELL = st.one_of(
    st.sampled_from(
        ["timestamp", "metric", "value", "device_id", "2020-01-01", "1577836800", "-1", "nan", '"', "1e400"]
    ),
    st.text(alphabet=string.printable, max_size=6),
)
CSV_TEXT = st.lists(st.lists(CELL, max_size=4).map(",".join), max_size=5).map("\n".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(
    content=st.one_of(
        st.binary(max_size=200), CSV_TEXT.map(str.encode), CSV_TEXT.map(lambda t: b"timestamp,v\n" + t.encode())
    )
)
def test_any_bytes_are_read_or_refused_but_never_crash(tmp_path: Path, content: bytes) -> None:
    file = written(tmp_path, content)
    with contextlib.suppress(InputFileError):
        file.survey()
        for keep in (True, False):
            assert sent(file, keep=keep)
        for due, _, message, readings in Replay(START).messages(file.rows):
            with contextlib.suppress(wire_reference.Late):
                assert len(wire_reference.judge(message, due, 1_000_000)) == readings


@pytest.mark.parametrize(
    ("name", "rows", "readings"), [("machine_temperature", 22_695, 22_695), ("water_quality", 10_500, 94_500)]
)
def test_the_examples_can_be_replayed(name: str, rows: int, readings: int) -> None:
    survey = CsvFile(EXAMPLES / f"{name}.csv", name).survey()
    assert (survey.rows, survey.readings, survey.zone_named) == (rows, readings, True)


def test_the_examples_come_with_their_notices() -> None:
    notice = (EXAMPLES / "NOTICE.md").read_text("utf-8")
    assert "Copyright 2014-2024 Numenta Inc." in notice
    assert "creativecommons.org/licenses/by/4.0" in notice
