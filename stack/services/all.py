"""The local servers by name, and in which order they start."""

from stack.service import Service
from stack.services.dagster import Dagster, DagsterCode, DagsterDaemon
from stack.services.influxdb import Influxdb
from stack.services.kafka import Kafka
from stack.services.minio import Minio
from stack.services.model_server import ModelServer
from stack.services.postgres import Postgres

# Those of one wave start at the same time, and the next wave once they are ready.
WAVES: tuple[tuple[Service, ...], ...] = (
    (Kafka(), Minio(), Postgres(), Influxdb()),
    (DagsterCode(), ModelServer()),
    (DagsterDaemon(), Dagster()),
)
SERVERS = WAVES[0]
SERVICES: dict[str, Service] = {service.name: service for wave in WAVES for service in wave}
