"""Servers of these tests' own, which they kill, and a stream on them; both end with the last of the tests."""

import os
from collections.abc import Iterator

import pytest

from sensorlake import settings as settings_module
from sensorlake.settings import PREFIX, Settings
from stack import leftovers, selection
from stack.up import bring_down, bring_up
from tests.faults.disks import Disks
from tests.faults.stream.life import Life
from tests.integration.stream.deployment import Deployment


@pytest.fixture(scope="package")
def disks() -> Iterator[Disks]:
    """A disk for each server, and one for the stream."""
    made = Disks()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="package")
def own_servers(tmp_path_factory: pytest.TempPathFactory, disks: Disks) -> Iterator[Settings]:
    """Kafka, MinIO, PostgreSQL and InfluxDB in a folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith(PREFIX)]:
            patch.delenv(variable)
        settings = settings_module.load(tmp_path_factory.mktemp("faults") / "data")
        for name in selection.SERVERS:
            disks.mount(name, settings.data_dir / name)
        try:
            yield bring_up(settings, list(selection.SERVERS))
        finally:
            bring_down(settings)
            assert leftovers.find(settings.data_dir) == []


@pytest.fixture(scope="package")
def one_life(own_servers: Settings, tmp_path_factory: pytest.TempPathFactory, disks: Disks) -> Iterator[Life]:
    folder = tmp_path_factory.mktemp("faults-stream")
    disks.mount("stream", folder)
    with Life(Deployment(own_servers, folder)) as life:
        yield life


@pytest.fixture
def life(one_life: Life) -> Life:
    """The one stream of these tests, running: each start of it takes half a minute."""
    print()  # noqa: T201  a line of its own for the account that follows
    one_life.ensure_running()
    return one_life
