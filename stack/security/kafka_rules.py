"""Who may do what in Kafka: a SCRAM user for each part of sensorlake, and the access rules of each."""

from collections.abc import Iterator

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it has no __all__
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from contracts.topics import Topics
from sensorlake.settings import Service, Settings
from stack.security import logins

_SECONDS = 20
ITERATIONS = 8192

_READ = (AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS, AclOperation.READ)
_WRITE = (AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS, AclOperation.WRITE)
_LOOK = (AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS)


def ensure(admin: AdminClient, settings: Settings) -> None:
    """Have the users with the passwords of their files, and the rules. Harmless when done before."""
    users: list[UserScramCredentialAlteration] = [
        UserScramCredentialUpsertion(
            service,
            ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS),
            logins.read(settings, service)["kafka_password"].encode(),
        )
        for service in logins.using("kafka")
    ]
    for altered in admin.alter_user_scram_credentials(users, request_timeout=_SECONDS).values():
        altered.result(timeout=_SECONDS)
    for made in admin.create_acls(list(rules(Topics(settings.topic_prefix))), request_timeout=_SECONDS).values():
        made.result(timeout=_SECONDS)


def rules(topics: Topics) -> Iterator[AclBinding]:
    """The stream reads readings and writes what it finds; senders send; orchestration looks, and sends dead letters
    again. Topics are made and deleted by the operator alone."""
    every = dict.fromkeys(topics.all(), _LOOK)
    found = {topics.raw: _READ, topics.anomaly: (*_READ, AclOperation.WRITE), topics.dead_letter: _WRITE}
    allowed: dict[Service, dict[str, tuple[AclOperation, ...]]] = {
        "stream": every | found,
        "edge": {topics.raw: _WRITE},
        "orchestration": every | {topics.raw: _WRITE},
    }
    for service, by_topic in allowed.items():
        for topic, operations in by_topic.items():
            for operation in operations:
                yield _rule(service, ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, operation)
    groups = "spark-kafka-"  # Spark names a new one at each start
    yield _rule("stream", ResourceType.GROUP, groups, ResourcePatternType.PREFIXED, AclOperation.READ)


def _rule(
    service: Service, kind: ResourceType, name: str, pattern: ResourcePatternType, operation: AclOperation
) -> AclBinding:
    return AclBinding(kind, name, pattern, f"User:{service}", "*", operation, AclPermissionType.ALLOW)
