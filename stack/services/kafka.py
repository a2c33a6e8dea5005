"""Kafka: one broker in KRaft mode, run from jars. Topics are made by those who own them, never by a typing error."""

import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from sensorlake.errors import StackError
from stack import jars, java
from stack.layout import Stack
from stack.program import Program
from stack.service import make_private

_MAX_BYTES = 16 * 1024 * 1024

# Small on purpose: one broker, one machine. The cleaner's default buffer alone would take a quarter of the heap.
_PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
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


class Kafka:
    name = "kafka"

    def address(self, stack: Stack) -> str:
        return f"127.0.0.1:{stack.ports['kafka']}"

    def prepare(self, stack: Stack) -> Program:
        folder = make_private(stack.data_of(self.name))
        properties = folder / "server.properties"
        properties.write_text(
            _PROPERTIES.format(
                port=stack.ports["kafka"],
                controller=stack.ports["kafka_controller"],
                data=folder / "data",
                max_bytes=_MAX_BYTES,
            ),
            encoding="utf-8",
        )
        logging = folder / "log4j2.properties"
        logging.write_text(_LOGGING, encoding="utf-8")
        command = [str(java.java_command()), "-Xmx512m", "-Xms256m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]
        # A broker that ran out of memory half works; dead, it is restarted.
        command += ["-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true"]
        command += [f"-Dlog4j2.configurationFile={logging}", "-cp", _class_path()]
        if not (folder / "data" / "meta.properties").is_file():
            _format(command, properties, folder / "data")
        return Program(self.name, [*command, "kafka.Kafka", str(properties)], folder, stop_seconds=30, started_after=3)

    def is_ready(self, stack: Stack) -> bool:
        admin = AdminClient({"bootstrap.servers": self.address(stack), "log_level": 0, "socket.timeout.ms": 3000})
        try:
            return len(admin.list_topics(timeout=3).brokers) == 1
        except KafkaException:
            return False

    def after_start(self, stack: Stack) -> None:
        """Nothing: topics are made by the stream and the producers, which know their settings."""


def _class_path() -> str:
    folders = {path.parent for path in jars.jar_paths("kafka")}
    return ":".join(f"{folder}/*" for folder in folders)


def _format(java_command: list[str], properties: Path, data: Path) -> None:
    """Give the empty log folder its cluster id; an interrupted try is thrown away first."""
    shutil.rmtree(data, ignore_errors=True)
    cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode().replace("-", "A")
    done = subprocess.run(
        [*java_command, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(properties)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        shutil.rmtree(data, ignore_errors=True)
        raise StackError(f"kafka's log folder could not be formatted:\n{(done.stdout + done.stderr).strip()[-2000:]}")
