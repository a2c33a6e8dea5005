"""What the tests of the running stream share: each start of it takes half a minute. It ends with the last of them."""

from types import SimpleNamespace

import pytest

from orchestration.watching.query_health import WRITES
from tests.integration.stream.deployment import Deployment


@pytest.fixture(scope="package")
def deployment(stack_settings, tmp_path_factory):
    return Deployment(stack_settings, tmp_path_factory.mktemp("deployment"))


@pytest.fixture(scope="package")
def life(deployment):
    """The stream that runs now; whatever the tests leave behind is ended with the session."""
    current = SimpleNamespace(stream=deployment.start())
    try:
        deployment.wait_for("all queries", current.stream, lambda: deployment.queries().keys() >= WRITES.keys())
        yield current
    finally:
        if current.stream.poll() is None:
            current.stream.kill()
            current.stream.wait(30)
