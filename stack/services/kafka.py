"""Kafka: one broker in KRaft mode, run from jars. Topics are made by those who own them, never by a typing error."""

import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from sensorlake import connections
from sensorlake.errors import StackError
from stack import jars, java
from stack.layout import Stack
from stack.program import Program
from stack.security import kafka_listeners, kafka_rules
from stack.service import make_private

_MAX_BYTES = 16 * 1024 * 1024

# Small on purpose: one broker, one machine. The cleaner's default buffer alone would take a quarter of the heap.
_PROPERTIES = """process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
message.max.bytes={max_bytes}
replica.fetch.max.bytes={max_bytes}
replica.fetch.response.max.bytes={max_bytes}
fetch.max.bytes=57671680
num.partitions=2
num.network.threads=2
num.io.threads=4
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=33554432
"""

_LOGGING = """status = warn
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""


def _escaped(text: str) -> str:
    """Java reads properties as Latin-1, and other characters where they are escaped.

    >>> _escaped("log.dirs=/home/jürgen")
    'log.dirs=/home/j\\\\u00fcrgen'
    """
    units = text.encode("utf-16-be", errors="surrogatepass")
    codes = [int.from_bytes(units[place : place + 2]) for place in range(0, len(units), 2)]
    return "".join(chr(code) if code < 128 else f"\\u{code:04x}" for code in codes)


class Kafka:
    name = "kafka"

    def address(self, stack: Stack) -> str:
        return f"127.0.0.1:{stack.ports['kafka']}"

    def prepare(self, stack: Stack) -> Program:
        folder = make_private(stack.data_of(self.name))
        properties = folder / "server.properties"
        properties.unlink(missing_ok=True)
        properties.touch(mode=0o600)  # a secured broker's own password stands in it
        text = _PROPERTIES.format(data=folder / "data", max_bytes=_MAX_BYTES)
        properties.write_text(_escaped(text + kafka_listeners.properties(stack)), encoding="ascii")
        logging = folder / "log4j2.properties"
        logging.write_text(_LOGGING, encoding="utf-8")
        command = [str(java.java_command()), "-Xmx512m", "-Xms256m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]
        # A broker that ran out of memory half works; dead, it is restarted.
        command += ["-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true"]
        command += [f"-Dlog4j2.configurationFile={logging}", "-cp", _class_path()]
        if not (folder / "data" / "meta.properties").is_file():
            _format(command, properties, folder / "data", kafka_listeners.first_users(stack))
        return Program(self.name, [*command, "kafka.Kafka", str(properties)], folder, stop_seconds=30, started_after=3)

    def is_ready(self, stack: Stack) -> bool:
        admin = self._admin(stack)
        try:
            return len(admin.list_topics(timeout=3).brokers) == 1
        except KafkaException:
            return False

    def after_start(self, stack: Stack) -> None:
        """Topics are made by the stream and the producers, which know their settings; users of secured servers here."""
        if stack.settings.secure:
            try:
                kafka_rules.ensure(self._admin(stack), stack.settings)
            except KafkaException as error:
                raise StackError(f"kafka is up, but its users cannot be made: {error.args[0].str()}") from error

    def _admin(self, stack: Stack) -> AdminClient:
        access = connections.kafka_access(stack.settings)
        return AdminClient(
            {"bootstrap.servers": self.address(stack), **access, "log_level": 0, "socket.timeout.ms": 3000}
        )


def _class_path() -> str:
    folders = {path.parent for path in jars.jar_paths("kafka")}
    return ":".join(f"{folder}/*" for folder in folders)


def _format(java_command: list[str], properties: Path, data: Path, users: list[str]) -> None:
    """Give the empty log folder its cluster id and its first users; an interrupted try is thrown away first."""
    shutil.rmtree(data, ignore_errors=True)
    cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode().replace("-", "A")
    java, *options = java_command
    words = [*options, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(properties), *users]
    # Java reads them from a file, as every user of the machine sees what stands on a command line.
    arguments = properties.with_name("format.arguments")
    arguments.unlink(missing_ok=True)
    arguments.touch(mode=0o600)
    arguments.write_text("".join(f"{_quoted(word)}\n" for word in words), encoding="utf-8")
    try:
        done = subprocess.run([java, f"@{arguments}"], capture_output=True, text=True, check=False)
    finally:
        arguments.unlink(missing_ok=True)
    if done.returncode:
        shutil.rmtree(data, ignore_errors=True)
        raise StackError(f"kafka's log folder could not be formatted:\n{(done.stdout + done.stderr).strip()[-2000:]}")


def _quoted(word: str) -> str:
    """As Java's files of arguments want it.

    >>> _quoted('a "b"')
    '"a \\\\"b\\\\""'
    """
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
