"""One demo from start to end: servers, stream, readings, a look every second, the count.

It ends by itself after `seconds` of readings, or when it is told to. Then, in this order: the senders stop; the stream
gets a while to take in what was sent; everything is counted; stream and servers are stopped, as after any failure.
"""

import os
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from sensorlake.demo import lake_progress, models, plan, servers, summary
from sensorlake.demo.ending import Ending, Interrupted, on_signals
from sensorlake.demo.feeds import Feeds
from sensorlake.demo.figures import percentiles
from sensorlake.demo.kafka_tap import KafkaTap
from sensorlake.demo.loop import DagsterStart, Versions
from sensorlake.demo.measure import Measure
from sensorlake.demo.memory import PeakMemory
from sensorlake.demo.models import Models
from sensorlake.demo.news import News
from sensorlake.demo.screen import Screen
from sensorlake.demo.view import View
from sensorlake.errors import StackError
from sensorlake.settings import Settings
from stack import selection, status
from stack.layout import Layout
from streaming import topics

CATCH_UP_SECONDS = 90.0
_LEFT_OVER_SECONDS = 120.0
_RATE_OVER = 5
_INTERRUPTED = 130


def run(settings: Settings, seconds: float | None) -> int:
    """Run a demo; the exit code.

    Raises:
        StackError: something cannot start or fails on the way.
    """
    left_out = selection.left_out(os.environ)
    plan.require(left_out)
    with on_signals() as ending, News() as news:
        for part in plan.missing_parts(left_out):
            news.say(part)

        def no_more_breaks() -> None:
            ending.breaks = False

        try:
            with servers.running(settings, left_out, news.step, no_more_breaks) as current:
                result = Demo(current, left_out, ending, news).through(seconds)
        except Interrupted:
            news.say("ended before any reading was sent")
            return _INTERRUPTED
        sys.stdout.write("\n" + "\n".join(summary.lines(result)) + "\n")
        return 0


class Demo:
    """What goes on while the servers run."""

    def __init__(self, settings: Settings, left_out: Sequence[str], ending: Ending, news: News) -> None:
        self._settings = settings
        self._left_out = left_out
        self._ending = ending
        self._news = news
        self._memory = PeakMemory(Layout.of(settings))
        topics.ensure(settings)
        self._tap = KafkaTap(settings)
        self._feeds = Feeds(settings)
        self._measure: Measure | None = None
        beside = plan.beside(left_out)
        self._dagster = DagsterStart(settings, beside, news.step) if beside else None
        self._models = Models(server="model-server" in beside)
        self._sent: deque[tuple[float, int]] = deque(maxlen=_RATE_OVER + 1)
        self._sending_since: float | None = None
        self._began_at = time.time() - news.seconds
        self._versions = Versions(settings, self._began_at)

    def through(self, seconds: float | None) -> summary.Result:
        """Everything from the start of the stream to the count."""
        with Screen(plan.missing_parts(self._left_out)) as screen:
            try:
                self._start_stream(screen)
                # From here on an end is an ordinary one, with a count.
                self._ending.breaks = False
                self._send(screen, seconds)
                sent_for = time.monotonic() - (self._sending_since or time.monotonic())
                behind = self._catch_up(screen)
                return self._count(sent_for, behind)
            finally:
                self._feeds.finish()
                if self._measure:
                    self._measure.stop()
                self._tap.close()
                self._models.end()
                if self._dagster:
                    self._dagster.end()

    def _start_stream(self, screen: Screen) -> None:
        screen.addresses = self._addresses(None)
        stream = servers.StreamStart(self._settings, plan.queries(self._left_out))
        while not stream.is_ready(found := self._status()):
            screen.show(self._view(f"the stream is starting: {stream.step()}", found))
            self._ending.wait(1)
        screen.addresses = self._addresses(stream.page())
        checkpoint = self._settings.checkpoint_dir / "lake"
        deadline = time.monotonic() + _LEFT_OVER_SECONDS
        while left := lake_progress.left(self._tap.raw_ends(), lake_progress.consumed(checkpoint, self._tap.raw)):
            if time.monotonic() > deadline:
                raise StackError(
                    f"the lake does not take in {left} messages that an earlier run left in Kafka: see "
                    "`sensorlake status` and `sensorlake logs stream`, or set "
                    "SENSORLAKE_DATA_DIR to a new folder to begin anew"
                )
            screen.show(self._view(f"the lake takes in {left} messages of an earlier run", self._status()))
            self._ending.wait(1)
        # Only now: alerts about an earlier run's messages are out, and would be counted as of this one.
        self._tap.open()

    def _send(self, screen: Screen, seconds: float | None) -> None:
        self._measure = Measure(self._settings, self._tap, influxdb="influxdb" not in self._left_out)
        self._measure.start()
        self._feeds.start()
        self._sending_since = time.monotonic()
        if self._dagster:
            self._dagster.begin()
        shown = len(screen.addresses)
        while True:
            self._feeds.check()
            self._versions.look()
            if self._dagster and self._dagster.ready:
                self._models.begin(self._dagster.ready)
            if self._versions.published:
                self._models.want()
            left = 1.0 if seconds is None else self._sending_since + seconds - time.monotonic()
            if left <= 0 or self._ending.wait(min(1.0, left)):
                return
            found = self._status()
            dagster = found["services"].get("dagster", {})
            if dagster.get("state") == "running" and len(screen.addresses) == shown:
                screen.addresses = [("Dagster", str(dagster["address"])), *screen.addresses]
            screen.show(self._view("running", found))

    def _catch_up(self, screen: Screen) -> list[str]:
        """Stop sending, and wait a while for what is on its way; which places are still behind."""
        self._feeds.finish()
        self._feeds.check()
        deadline = time.monotonic() + CATCH_UP_SECONDS
        behind = self._behind()
        while behind and time.monotonic() < deadline and not self._ending.hurried:
            screen.show(self._view(f"sending has ended; waiting for {', '.join(behind)}", self._status()))
            time.sleep(0.5)
            behind = self._behind()
        return behind

    def _behind(self) -> list[str]:
        return self._measure.behind() if self._measure else []

    def _count(self, sent_for: float, behind: list[str]) -> summary.Result:
        assert self._measure is not None  # noqa: S101  made before anything was sent
        self._measure.stop()
        self._measure.lake.look()
        self._models.end()
        self._status()
        alerts = self._tap.alerts
        return summary.Result(
            seconds=sent_for,
            readings_in=self._feeds.readings - self._feeds.unacknowledged,
            messages_in=self._measure.messages_sent(),
            unacknowledged=self._feeds.unacknowledged,
            batches=self._measure.lake.batches,
            counts=self._measure.counts(),
            anomalies=len(alerts.latencies),
            latencies_ms=alerts.counting(),
            freshness_s=self._measure.lake.freshness_s(),
            first_alert_s=alerts.first_at - self._began_at if alerts.first_at else None,
            peak_rss_mb=self._memory.peak_mb,
            left_out=self._left_out,
            behind=behind,
            threshold_versions=dict(sorted(alerts.versions.items())),
            live_version=self._versions.live,
            first_refresh_s=self._versions.seconds_to_first(),
            detector_alarms=len(alerts.learned),
            models=self._models.state if self._dagster else None,
        )

    def _status(self) -> dict[str, dict[str, dict[str, object]]]:
        found = status.status(self._settings, self._left_out)
        self._memory.sample(found["services"])
        return found

    def _view(self, phase: str, found: dict[str, dict[str, dict[str, object]]]) -> View:
        view = View(
            phase=phase,
            elapsed=self._news.seconds,
            seconds=time.monotonic() - self._sending_since if self._sending_since else 0.0,
            services=found["services"],
            queries=found["queries"],
            memory_mb=self._memory.now_mb,
        )
        if self._measure is None:
            return view
        alerts, lake = self._tap.alerts, self._measure.lake
        self._sent.append((time.monotonic(), self._feeds.readings))
        (since, before), (now, readings) = self._sent[0], self._sent[-1]
        latency = percentiles(alerts.counting(), 50, 95, 99)
        return replace(
            view,
            readings_in=readings,
            rate=(readings - before) / (now - since) if now > since else 0.0,
            broken=self._feeds.mischief.broken,
            repeated=self._feeds.mischief.repeated,
            alerts=len(alerts.latencies),
            first_alert_s=alerts.first_at - self._began_at if alerts.first_at else None,
            latency_ms=(latency["p50"], latency["p95"], latency["p99"]),
            dead_letters=self._tap.dead_letters,
            duplicates=lake.batches.duplicates,
            delta_readings=lake.readings,
            delta_features=self._measure.features_new,
            commits=lake.batches.commits,
            freshness_s=percentiles(lake.freshness_s(), 50)["p50"],
            lag=max(0, self._feeds.messages - lake.batches.messages),
            thresholds=self._loop(),
            models=tuple(models.told(self._models.state, time.time())) if self._dagster else (),
            trouble=(self._dagster and self._dagster.error) or self._measure.trouble,
        )

    def _loop(self) -> str | None:
        live = self._versions.live
        if live is None:
            return None
        learned = f"version {live.version}: {live.learned} learned, {live.rows - live.learned} others"
        return learned if live.learned else f"{learned}; Dagster learns them" if self._dagster else learned

    def _addresses(self, page: str | None) -> list[tuple[str, str]]:
        settings = self._settings
        found = [("Spark", page)] if page else []
        found += [
            ("Kafka", settings.kafka_bootstrap_servers),
            ("MinIO (S3)", f"{settings.s3_endpoint}, bucket {settings.lake_bucket}"),
            ("PostgreSQL", f"{settings.postgres_host}:{settings.postgres_port}, database {settings.postgres_database}"),
        ]
        if "influxdb" not in self._left_out:
            found.append(("InfluxDB", f"{settings.influxdb_url}, bucket {settings.influxdb_bucket}"))
        return [*found, ("passwords", str(settings.credentials_file))]
