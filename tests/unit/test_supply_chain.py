"""The audit of packages and the bill of materials, with the uv that is pinned."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from stack import audit, bill_of_materials, bootstrap, jar_lock

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def uv() -> Path:
    return bootstrap._uv()


@contextmanager
def advisories(vulnerable: set[str]) -> Iterator[str]:
    """A service that answers as the public one does, and knows a vulnerability of these packages."""

    class Answers(http.server.BaseHTTPRequestHandler):
        known: ClassVar[dict[str, Any]] = {"id": "TEST-1", "modified": "2026-01-01T00:00:00Z", "summary": "a test"}

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            found = [{"vulns": [self.known]} if each["package"]["name"] in vulnerable else {} for each in asked]
            self._answer({"results": found})

        def do_GET(self) -> None:
            self._answer(self.known)

        def log_message(self, *_: object) -> None:
            """Nothing."""

        def _answer(self, document: dict[str, Any]) -> None:
            content = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def test_a_known_vulnerability_fails_the_audit(uv: Path, capfd: pytest.CaptureFixture[str]):
    with advisories({"pyspark"}) as service:
        assert audit.run(uv, ROOT, ["--service-url", service]) == 1
    assert "TEST-1" in capfd.readouterr().out
    with advisories(set()) as service:
        assert audit.run(uv, ROOT, ["--service-url", service]) == 0


def test_an_audit_that_reaches_nobody_passes_and_says_loudly_that_nothing_was_checked(
    uv: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    assert audit.run(uv, ROOT, ["--service-url", "http://127.0.0.1:9/"]) == 0
    assert "NOTHING WAS AUDITED" in capfd.readouterr().err


def test_an_audit_that_cannot_be_made_fails(uv: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    assert audit.run(uv, tmp_path) == 2
    assert "NOTHING WAS AUDITED" not in capfd.readouterr().err


def test_the_bill_of_materials_names_packages_jars_and_servers(uv: Path, tmp_path: Path):
    for name in ("pyproject.toml", "uv.lock", "README.md"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    bill = json.loads(bill_of_materials.write(uv, tmp_path).read_text("utf-8"))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    found = {component["purl"] for component in bill["components"]}
    assert "pkg:pypi/pyspark@4.2.0" in found
    assert any(place.startswith("pkg:golang/github.com/minio/minio@") for place in found)
    jars = {jar for section in jar_lock.read().values() for jar in section}
    assert {f"pkg:maven/{jar.organisation}/{jar.name}@{jar.version}" for jar in jars} <= found
    named = [component["bom-ref"] for component in bill["components"]]
    assert len(set(named)) == len(named)
