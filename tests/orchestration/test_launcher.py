"""A run whose process is gone is told from one that works, also by a server that did not start it."""

import json
import os
import socket
import subprocess
import sys
import time

import dagster as dg
import pytest
from dagster import DagsterEventType
from dagster._core.events import DagsterEvent
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG

from orchestration.launcher import LocalRunLauncher, lives


@dg.job
def nothing() -> None:
    pass


@pytest.fixture
def health():
    """What the launcher says of a run that began in the process of a number, started by the server of a port."""
    with dg.DagsterInstance.ephemeral() as instance:
        launcher = LocalRunLauncher()
        launcher.register_instance(instance)
        assert launcher.supports_check_run_worker_health

        def of(pid, port=None):
            started_by = {GRPC_INFO_TAG: json.dumps({"host": "127.0.0.1", "port": port})} if port else {}
            run = instance.create_run_for_job(nothing, tags=started_by)
            began = DagsterEvent(DagsterEventType.RUN_START.value, nothing.name, pid=pid)
            instance.report_dagster_event(began, run.run_id)
            return launcher.check_run_worker_health(run)

        yield of


def test_a_run_whose_process_works_is_left_alone(health):
    assert health(os.getpid()).status is WorkerStatus.RUNNING


def test_a_run_whose_process_is_gone_is_found(health):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    found = health(gone.pid)
    assert (found.status, found.msg) == (WorkerStatus.NOT_FOUND, f"its process {gone.pid} is gone")


def test_it_is_told_of_once_the_server_that_tries_it_again_is_back(health):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert health(gone.pid, port).status is WorkerStatus.RUNNING
        server.listen()
        assert health(gone.pid, port).status is WorkerStatus.NOT_FOUND


def test_a_process_that_waits_to_be_buried_works_no_more(health):
    with subprocess.Popen([sys.executable, "-c", ""]) as zombie:
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        assert health(zombie.pid).status is WorkerStatus.NOT_FOUND


def test_a_later_process_of_the_same_number_is_another_one():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as later:
        assert not lives(later.pid, time.time() - 3600)
        assert lives(later.pid, time.time())
        later.kill()
