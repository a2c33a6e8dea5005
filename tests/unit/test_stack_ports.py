"""Ports: the usual ones, others when those are taken, the same again at the next start."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlake.errors import StackError
from stack import ports


def free_but(*taken: int) -> Callable[[int], bool]:
    return lambda port: port not in taken


def test_usual_ports_are_used_when_free() -> None:
    assert ports.choose(demanded={}, recorded={}, free=free_but()) == ports.USUAL


def test_a_taken_port_is_replaced_by_a_free_one_that_no_other_server_would_use() -> None:
    chosen = ports.choose(demanded={}, recorded={}, free=free_but(9092))
    assert chosen["kafka"] == 9094
    assert chosen["kafka_controller"] == 9093


def test_recorded_ports_are_kept_while_free_and_left_when_taken() -> None:
    recorded = ports.USUAL | {"minio": 9017, "postgres": 5440}
    chosen = ports.choose(demanded={}, recorded=recorded, free=free_but(5440))
    assert chosen["minio"] == 9017
    assert chosen["postgres"] == 5432


def test_the_port_of_a_running_server_is_kept_though_it_is_taken() -> None:
    recorded = ports.USUAL | {"influxdb": 8090}
    chosen = ports.choose(demanded={}, recorded=recorded, in_use=frozenset({"influxdb"}), free=free_but(8090))
    assert chosen["influxdb"] == 8090


def test_a_demanded_port_is_used_or_refused() -> None:
    assert ports.choose(demanded={"postgres": 6000}, recorded={}, free=free_but())["postgres"] == 6000
    with pytest.raises(StackError, match=r"port 6000, set for postgres, is taken.*\n.*unset"):
        ports.choose(demanded={"postgres": 6000}, recorded={}, free=free_but(6000))


@given(st.sets(st.integers(9000, 9100)), st.dictionaries(st.sampled_from(sorted(ports.USUAL)), st.integers(9000, 9100)))
def test_no_two_servers_ever_share_a_port_or_get_a_taken_one(taken: set[int], recorded: dict[str, int]) -> None:
    chosen = ports.choose(demanded={}, recorded=recorded, free=free_but(*taken))
    assert len(set(chosen.values())) == len(ports.USUAL)
    assert not taken & set(chosen.values())


def test_a_listening_socket_makes_a_port_taken() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert not ports.is_free(port)
    assert ports.is_free(port)


def test_what_was_chosen_is_read_back_and_damage_counts_as_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    assert ports.read(path) == {}
    ports.write(path, {"kafka": 9094})
    assert ports.read(path) == {"kafka": 9094}
    path.write_text('{"kafka": "x", "other": 1', encoding="utf-8")
    assert ports.read(path) == {}
