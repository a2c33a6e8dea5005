"""The local servers by name."""

from stack.service import Service
from stack.services.influxdb import Influxdb
from stack.services.kafka import Kafka
from stack.services.minio import Minio
from stack.services.postgres import Postgres

SERVICES: dict[str, Service] = {service.name: service for service in (Kafka(), Minio(), Postgres(), Influxdb())}
