"""Spark's classes as Java has them in memory, in a file beside the packages: with it Spark starts a quarter sooner.

Java calls this class data sharing. A small session is opened once, at set-up, and what it has loaded is written as it
ends; later sessions map the file instead of reading, checking and linking each class. A file fits one class path and
one Java, which its name tells; without one that fits, all works as well, only later.

    python -m lakehouse.class_archive JAVA_HOME JAR...
"""

import hashlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pyspark

_FOLDER = Path(sys.prefix) / "share" / "sensorlake-classes"
_PYSPARK_JARS = Path(pyspark.__file__).parent / "jars"
_EXIT_SECONDS = 120


def path(classpath: Sequence[Path], java_home: Path) -> Path:
    """Where the archive for these jars before pyspark's own, and for this Java, is or would be."""
    files = [*classpath, *sorted(_PYSPARK_JARS.glob("*.jar")), _base(java_home)]
    states = [(str(file), file.stat()) for file in files if file.exists()]
    known = [(name, state.st_size, state.st_mtime_ns) for name, state in states]
    return _FOLDER / f"spark-{hashlib.sha256(repr(known).encode()).hexdigest()[:16]}.jsa"


def flag(classpath: Sequence[Path], java_home: Path) -> str:
    """What to add to the JVM's command line; nothing where no archive fits."""
    archive = path(classpath, java_home)
    return f'"-XX:SharedArchiveFile={archive}"' if archive.is_file() else ""


def make(classpath: Sequence[Path], java_home: Path) -> Path | None:
    """Have the archive, and none of earlier jars; None where this Java can make none."""
    archive = path(classpath, java_home)
    if archive.is_file():
        return archive
    if not _base(java_home).is_file():  # a Java put together by jlink: an archive adds to the one that Java comes with
        return None
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_FOLDER) as folder:
        made = Path(folder) / archive.name
        _open_and_end_session(classpath, java_home, made, Path(folder) / "data")
        if not made.is_file():
            return None
        for old in _FOLDER.glob("*.jsa"):
            old.unlink()
        made.chmod(0o644)
        made.replace(archive)
    return archive


def _open_and_end_session(classpath: Sequence[Path], java_home: Path, made: Path, data: Path) -> None:
    from lakehouse import session  # noqa: PLC0415  it takes seconds to import, and there is mostly nothing to do
    from sensorlake import settings as settings_module  # noqa: PLC0415

    java = f'{session.STREAM_JAVA} "-XX:ArchiveClassesAtExit={made}" -Xlog:disable'
    options = {session.JAVA_OPTIONS: java, "spark.ui.port": "0"}
    spark = session.build(settings_module.load(data), classpath, java_home, options=options)
    table = str(data / "table")
    # What every query and asset does: a plan that is compiled, a commit to Delta, a stream with a checkpoint and state.
    spark.range(10).selectExpr("id", "id % 2 as half").groupBy("half").count().write.format("delta").save(table)
    spark.read.format("delta").load(table).collect()
    rows = spark.readStream.format("rate").load().groupBy("value").count().writeStream.outputMode("update")
    query = (
        rows.format("noop").option("checkpointLocation", str(data / "checkpoint")).trigger(availableNow=True).start()
    )
    query.awaitTermination(_EXIT_SECONDS)
    process = spark.sparkContext._gateway.proc
    spark.stop()
    process.stdin.close()  # Java ends when nobody can speak to it any more, and writes the archive
    process.wait(_EXIT_SECONDS)


def _base(java_home: Path) -> Path:
    return java_home / "lib" / "server" / "classes.jsa"


def main() -> None:
    java_home, *classpath = map(Path, sys.argv[1:])
    archive = make(classpath, java_home)
    sys.stdout.write(f"{archive}\n" if archive else "")


if __name__ == "__main__":
    main()
