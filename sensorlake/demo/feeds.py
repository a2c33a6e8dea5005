"""The senders of a demo, each a thread with a Kafka client of its own, and the account of what they sent."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from contracts.topics import Topics
from edge import pacing, producer
from edge.block import Block
from sensorlake import connections
from sensorlake.demo import fleet, recordings
from sensorlake.demo.mischief import Mischief
from sensorlake.errors import StackError
from sensorlake.settings import Settings, of_service

ONE_IN = 100
Source = Callable[[pacing.Clock, Callable[[], bool]], Iterator[Block]]


@dataclass
class Feed:
    """One sender; `readings` counts what its client took, one for each broken message."""

    name: str
    source: Source
    outlet: producer.Outlet
    stop: threading.Event
    readings: int = 0
    messages: int = 0
    summary: producer.Summary | None = None
    error: BaseException | None = None
    thread: threading.Thread = field(init=False)

    def start(self) -> None:
        self.thread = threading.Thread(target=self._run, name=f"feed-{self.name}", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        clock = pacing.SteadyClock()
        try:
            blocks = self._counted(self.source(clock, self.stop.is_set))
            self.summary = producer.publish(blocks, self.outlet, clock, self.stop.is_set)
        except BaseException as error:  # told by `check` in the main thread
            self.error = error

    def _counted(self, blocks: Iterator[Block]) -> Iterator[Block]:
        for block in blocks:
            yield block
            self.readings += block.readings
            self.messages += len(block.payloads)


class Feeds:
    """Simulated sensors with some mischief among them, and the recordings."""

    def __init__(self, settings: Settings) -> None:
        self.mischief = Mischief(ONE_IN)
        self._stop = threading.Event()
        sources: dict[str, Source] = {
            "sensors": lambda clock, stop: self.mischief.among(fleet.blocks(clock, stop)),
            "recordings": recordings.blocks,
        }
        topic, edge = Topics(settings.topic_prefix).raw, of_service(settings, "edge")
        access = connections.kafka_access(edge)
        self._feeds = [
            Feed(name, source, producer.connect(edge.kafka_bootstrap_servers, topic, access), self._stop)
            for name, source in sources.items()
        ]

    def start(self) -> None:
        for feed in self._feeds:
            feed.start()

    @property
    def readings(self) -> int:
        """Readings handed to Kafka so far, broken messages counted as one each."""
        return sum(feed.readings for feed in self._feeds)

    @property
    def messages(self) -> int:
        return sum(feed.messages for feed in self._feeds)

    @property
    def unacknowledged(self) -> int:
        """Messages that the broker did not confirm; known after `finish`."""
        return sum(feed.summary.failed for feed in self._feeds if feed.summary)

    def check(self) -> None:
        """
        Raises:
            StackError: a sender failed.
        """
        for feed in self._feeds:
            if feed.error is not None:
                raise StackError(f"the demo's {feed.name} cannot send: {feed.error}") from feed.error

    def finish(self) -> None:
        """Stop sending and wait until Kafka has confirmed what was sent. Harmless before `start` and when done."""
        self._stop.set()
        for feed in self._feeds:
            if hasattr(feed, "thread"):
                feed.thread.join(producer.FLUSH_SECONDS + 5)
