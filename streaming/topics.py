"""Makes the Kafka topics that are missing and checks what the stream relies on."""

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from contracts.topics import Topics
from sensorlake import connections
from sensorlake.errors import StreamError
from sensorlake.settings import Settings

LARGEST_MESSAGE = 16 * 1024 * 1024
_SECONDS = 20
# While a query starts the others are not looked after.
_SHORT_SECONDS = 5

# A message's verdict depends on when it arrived (streaming/validation.py), so the broker's clock has to say so, not
# the sender's.
_ARRIVAL = "message.timestamp.type"


def ensure(settings: Settings) -> Topics:
    """Have all topics of this deployment, with arrival times by the broker.

    Raises:
        StreamError: the broker cannot be reached, the raw topic keeps the senders' times, or it has too many partitions
        for Spark's task slots.
    """
    topics = Topics(settings.topic_prefix)
    admin = AdminClient(connections.kafka(settings) | {"log_level": 0})
    try:
        known = admin.list_topics(timeout=_SECONDS).topics
    except KafkaException as error:
        raise StreamError(
            f"Kafka does not answer at {settings.kafka_bootstrap_servers} ({error.args[0].str()}): start it with "
            f"`sensorlake up`, or set SENSORLAKE_KAFKA_BOOTSTRAP_SERVERS"
        ) from None
    partitions = len(known[topics.raw].partitions) if topics.raw in known else settings.kafka_partitions
    require_slots(topics.raw, partitions, settings.spark_cores)
    config = {_ARRIVAL: "LogAppendTime", "max.message.bytes": str(LARGEST_MESSAGE)}
    missing = [
        NewTopic(name, num_partitions=settings.kafka_partitions, replication_factor=1, config=config)
        for name in topics.all()
        if name not in known
    ]
    if missing:
        _create(admin, missing)
    _require_arrival_times(admin, topics.raw)
    return topics


def _create(admin: AdminClient, missing: list[NewTopic]) -> None:
    """
    Raises:
        StreamError: whoever asks may not make topics.
    """
    for name, made in admin.create_topics(missing, operation_timeout=_SECONDS).items():
        try:
            made.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise
            raise StreamError(
                f"topic {name} is missing, or hidden from this user, who may not make it: `sensorlake up` makes topics"
            ) from None


def require_slots(topic: str, partitions: int, slots: int) -> None:
    """
    Raises:
        StreamError: the alerts query, which holds a slot for each partition, would leave fewer than two to the others.
    """
    if slots < partitions + 2:
        raise StreamError(
            f"topic {topic} has {partitions} partitions, each of which holds a task slot of Spark, and the other "
            f"queries need two: set SENSORLAKE_SPARK_CORES to {partitions + 2} or more (it is {slots})"
        )


def cluster_id(settings: Settings) -> str:
    """The id of the Kafka cluster, which stays the same when its address changes."""
    admin = AdminClient(connections.kafka(settings) | {"log_level": 0})
    return str(admin.list_topics(timeout=_SECONDS).cluster_id)


def id_of(settings: Settings, topic: str) -> str:
    """What the broker named the topic when it was made: one that is deleted and made anew has another id.

    Raises:
        StreamError: there is no such topic, or the broker does not answer.
    """
    admin = AdminClient(connections.kafka(settings) | {"log_level": 0})
    try:
        asked = admin.describe_topics(TopicCollection([topic]), request_timeout=_SHORT_SECONDS)
        return str(asked[topic].result(_SHORT_SECONDS).topic_id)
    except (KafkaException, TimeoutError) as error:
        raise StreamError(f"Kafka does not know topic {topic}, or does not answer: {error}") from None


def bounds(settings: Settings, topic: str) -> dict[int, tuple[int, int]]:
    """By partition: the offset of the oldest message that is there, and the one after the newest."""
    consumer = Consumer(connections.kafka(settings) | {"group.id": "sensorlake-bounds", "log_level": 0})
    try:
        known = consumer.list_topics(topic, timeout=_SECONDS).topics[topic].partitions
        return {
            number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=_SECONDS) for number in known
        }
    except KafkaException as error:
        raise StreamError(f"Kafka does not say what topic {topic} holds: {error}") from None
    finally:
        consumer.close()


def _require_arrival_times(admin: AdminClient, topic: str) -> None:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    # A broker takes a moment to know a topic that was just made.
    known = Retrying(
        retry=retry_if_exception_type(KafkaException),
        stop=stop_after_delay(_SECONDS),
        wait=wait_fixed(0.1),
        reraise=True,
    )
    config = known(lambda: admin.describe_configs([resource])[resource].result(timeout=_SECONDS))
    if config[_ARRIVAL].value != "LogAppendTime":
        raise StreamError(
            f"topic {topic} keeps the senders' times ({_ARRIVAL}={config[_ARRIVAL].value}), so that a device with a "
            f"wrong clock could not be told from the others. Change it:\n  kafka-configs --alter --entity-type topics "
            f"--entity-name {topic} --add-config {_ARRIVAL}=LogAppendTime"
        )
