"""The bill of materials, in CycloneDX: what sensorlake is made of, as far as it is locked. Standard library only.

uv writes the Python packages; added are the jars of jars.lock and the servers that `make setup` builds or fetches.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

from sensorlake.errors import StackError
from stack import jar_lock, servers
from stack.jar_lock import Jar

PLACE = Path("dist") / "sensorlake.cdx.json"


def write(uv: Path, root: Path) -> Path:
    """Make the file; where it lies.

    Raises:
        StackError: uv cannot read the lock.
    """
    command = [str(uv), "export", "--frozen", "--quiet", "--format", "cyclonedx1.5", "--no-dev", "--all-extras"]
    done = subprocess.run(
        [*command, "--preview-features", "sbom-export", "--project", str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StackError(f"uv cannot write a bill of materials:\n{done.stderr.strip()[-2000:]}")
    bill = complete(json.loads(done.stdout))
    place = root / PLACE
    place.parent.mkdir(exist_ok=True)
    place.write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")
    return place


def complete(bill: dict[str, Any]) -> dict[str, Any]:
    """With jars and servers beside the Python packages."""
    jars = [_jar(section, jar) for section, found in jar_lock.read().items() for jar in found]
    once = {component["bom-ref"]: component for component in jars}
    return bill | {"components": [*bill.get("components", []), *once.values(), *_servers()]}


def _jar(section: str, jar: Jar) -> dict[str, Any]:
    purl = f"pkg:maven/{jar.organisation}/{jar.name}@{jar.version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "group": jar.organisation,
        "name": jar.name,
        "version": jar.version,
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": jar.sha256}],
        "properties": [{"name": "sensorlake:jars", "value": section}],
    }


def _servers() -> list[dict[str, Any]]:
    modules = {
        "minio": ("pkg:golang/github.com/minio/minio", servers.MINIO_VERSION, "AGPL-3.0-only"),
        "influxdb": ("pkg:golang/github.com/influxdata/influxdb/v2", servers.INFLUXDB_VERSION, "MIT"),
        "postgresql": ("pkg:generic/postgresql", servers.POSTGRES_VERSION, "PostgreSQL"),
    }
    return [
        {
            "type": "application",
            "bom-ref": f"{place}@{version}",
            "name": name,
            "version": version,
            "purl": f"{place}@{version}",
            "licenses": [{"license": {"id": licence}}],
        }
        for name, (place, version, licence) in modules.items()
    ]
