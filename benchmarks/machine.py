"""What the figures were taken on: without it they say nothing."""

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from stack import jars, java


def describe() -> dict[str, Any]:
    """The machine and the versions of what runs on it."""
    return {
        "cpu": cpu_model(_read(Path("/proc/cpuinfo"))) or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "load_average_before": round(os.getloadavg()[0], 2),
        "versions": {
            "sensorlake": importlib.metadata.version("sensorlake"),
            "python": platform.python_version(),
            "java": java_version(_java_says()),
            "spark": importlib.metadata.version("pyspark"),
            "delta": importlib.metadata.version("delta-spark"),
            "kafka": kafka_version([path.name for path in jars.jar_paths("kafka")]),
        },
    }


def cpu_model(cpuinfo: str) -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else ""


def java_version(said: str) -> str:
    found = re.search(r'version "([^"]+)"', said)
    return found[1] if found else "unknown"


def kafka_version(jar_names: list[str]) -> str:
    found = [match[1] for name in jar_names if (match := re.fullmatch(r"kafka-clients-([\d.]+)\.jar", name))]
    return found[0] if found else "unknown"


def _java_says() -> str:
    return subprocess.run(
        [java.java_command(), "-version"], capture_output=True, text=True, timeout=30, check=False
    ).stderr


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
