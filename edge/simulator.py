"""The simulated fleet's messages: pure, without a clock and without Kafka.

>>> run = Simulator(sensors=100, anomaly_rate=0.05, seed=7, start=1_700_000_000_000_000, rate=100, seconds=60)
>>> block = run.block(0, 50)
>>> len(block.payloads), block.keys[0][:4]
(50, b'sim-')
"""

from collections.abc import Iterator

import numpy as np

from edge import episodes, fleet, limits, noise, shapes, wire
from edge.block import Block
from edge.episodes import Episodes, Kind
from edge.metrics import METRICS
from edge.shapes import Floats, Integers

WINDOW_SECONDS = 600
VALUE, BATTERY, SIGNAL = range(3)  # streams of random numbers


class Simulator:
    """Message i is due at `start` + i / `rate`, and the sensors take turns.

    Message i depends on the arguments alone, not on how the run is cut into blocks.

    Args:
        sensors: how many devices send.
        anomaly_rate: share of them (0 to 1) with injected faults.
        start: time of message 0, microseconds since 1970-01-01 UTC.
        rate: messages a second over the whole fleet; one a second and sensor where it is None.
        seconds: length of the run, which says how the faults are spread; None for a run without end.
    """

    def __init__(
        self,
        sensors: int,
        anomaly_rate: float,
        seed: int,
        start: int,
        *,
        rate: float | None = None,
        seconds: float | None = None,
    ) -> None:
        self.sensors = sensors
        self.seed = seed
        self.start = start
        self.rate = float(rate or sensors)
        self.total = None if seconds is None else max(1, round(self.rate * seconds))
        self.fleet = fleet.build(sensors, seed)
        self.affected = episodes.affected_sensors(sensors, anomaly_rate, seed)
        windows = 1 if seconds is None else max(1, round(seconds / WINDOW_SECONDS))
        self._window_length = (
            max(1, round(self.rate * WINDOW_SECONDS)) if self.total is None else -(-self.total // windows)
        )
        self._limits = limits.load()
        self._planned: tuple[int, Episodes] | None = None
        self._scale = np.array([10.0**m.decimals for m in METRICS])
        self._profile = np.array([m.profile for m in METRICS], dtype=np.int64)
        self._floor = np.array([m.floor for m in METRICS])
        self._ceiling = np.array([m.ceiling for m in METRICS])
        self._lower = np.array([self._limits[m.name].lower for m in METRICS])
        self._upper = np.array([self._limits[m.name].upper for m in METRICS])
        self._keys = [name.encode() for name in self.fleet.names]
        self._templates, self._tails = self._prepare()

    def window_of(self, message: int) -> int:
        """The episode window that a message belongs to."""
        return message // self._window_length

    def episodes(self, window: int) -> Episodes:
        """The planned faults of a window; the last one planned is kept."""
        if self._planned is None or self._planned[0] != window:
            first = window * self._window_length
            end = first + self._window_length if self.total is None else min(first + self._window_length, self.total)
            planned = episodes.plan(
                self.fleet, self.affected, self._limits, first=first, end=end, seed=self.seed, window=window
            )
            self._planned = (window, planned)
        return self._planned[1]

    def due(self, message: Integers) -> Integers:
        """Intended send times, microseconds since 1970-01-01 UTC."""
        times: Integers = self.start + np.rint(message * (1e6 / self.rate)).astype(np.int64)
        return times

    def blocks(self, size: int) -> Iterator[Block]:
        """The whole run in blocks of `size` messages (the last of a window may be shorter)."""
        first = 0
        while self.total is None or first < self.total:
            block = self.block(first, size)
            first += len(block.payloads)
            yield block

    def block(self, first: int, count: int) -> Block:
        """`count` messages from number `first` on, fewer where the window or the run ends before."""
        window = self.window_of(first)
        end = min(first + count, (window + 1) * self._window_length, self.total or first + count)
        index = np.arange(first, end)
        sensor = self.fleet.order[index % self.sensors]
        due = self.due(index)
        value = self._values(index, sensor, self.episodes(window))
        metric = self.fleet.metric[sensor]
        beyond = (value < self._lower[metric]) | (value > self._upper[metric])
        senders = sensor.tolist()
        tails = [self._tails[s] for s in senders]
        rows = np.flatnonzero(self.fleet.multi[sensor])
        if len(rows):
            battery, signal = self.condition(index[rows], sensor[rows], due[rows])
            for row, charge, strength in zip(rows.tolist(), battery.tolist(), signal.tolist(), strict=True):
                tails[row] = wire.condition(charge, strength) + tails[row]
        parts = zip(senders, wire.timestamps(due), value.tolist(), tails, strict=True)
        return Block(
            keys=[self._keys[s] for s in senders],
            payloads=[self._templates[s] % (time, number, tail) for s, time, number, tail in parts],
            due=due,
            values=np.where(self.fleet.multi[sensor], 3, 1),
            beyond=beyond,
            first=first,
        )

    def readings(self, first: int, count: int) -> tuple[Integers, Integers, Floats, Integers]:
        """As `block`, without the messages around them: sensor, intended time, value, and the kind of fault of each
        reading (`episodes.Kind`), -1 without one."""
        window = self.window_of(first)
        end = min(first + count, (window + 1) * self._window_length, self.total or first + count)
        index = np.arange(first, end)
        sensor = self.fleet.order[index % self.sensors]
        planned = self.episodes(window)
        value, kind = self._values(index, sensor, planned), np.full(len(index), -1)
        rows, episode = _faulty(index, sensor, planned)
        kind[rows] = planned.kind[episode]
        return sensor, self.due(index), value, kind

    def _values(self, index: Integers, sensor: Integers, planned: Episodes) -> Floats:
        """Value of each message's own metric, faults included, rounded as it is sent."""
        rows, episode = _faulty(index, sensor, planned)
        kind = planned.kind[episode]
        shown = index
        if len(rows):
            shown = index.copy()  # a stuck sensor goes on showing what it showed at the onset
            stuck = kind == Kind.STUCK
            shown[rows[stuck]] = planned.first[episode[stuck]]
        metric = self.fleet.metric[sensor]
        jitter = self.fleet.noise[sensor] * noise.normal(self.seed, VALUE, shown)
        value = self._quiet(shown, sensor) + jitter
        if len(rows):
            magnitude = planned.magnitude[episode]
            steps = np.maximum(1, planned.last[episode] - planned.first[episode])
            progress = (index[rows] - planned.first[episode] + self.sensors) / (steps + self.sensors)
            value[rows] += np.where(kind == Kind.DRIFT, magnitude * progress, 0)
            value[rows] += np.where(kind == Kind.NOISE, (magnitude - 1) * jitter[rows], 0)
            value[rows] = np.where(kind == Kind.SPIKE, magnitude, value[rows])
        value = np.clip(value, self._floor[metric], self._ceiling[metric])
        rounded: Floats = np.rint(value * self._scale[metric]) / self._scale[metric]
        return rounded

    def _quiet(self, index: Integers, sensor: Integers) -> Floats:
        """The value without noise: a level, the daily shape and a working cycle of some minutes."""
        seconds = self.due(index) / 1e6
        members = self.fleet
        day = shapes.daily(self._profile[members.metric[sensor]], seconds + members.clock_shift[sensor])
        cycle = np.sin(seconds * (2 * np.pi) / members.cycle_seconds[sensor] + members.cycle_phase[sensor])
        level: Floats = members.level[sensor] + members.daily_swing[sensor] * day + members.cycle_swing[sensor] * cycle
        return level

    def condition(self, index: Integers, sensor: Integers, due: Integers) -> tuple[Floats, Floats]:
        """Battery (%) and signal (dBm) of the devices that report them."""
        days = (due - self.start) / (1e6 * shapes.DAY_SECONDS)
        charge = self.fleet.battery[sensor] - self.fleet.battery_a_day[sensor] * days
        charge += 0.05 * noise.normal(self.seed, BATTERY, index)
        strength = self.fleet.signal[sensor] + 2 * noise.normal(self.seed, SIGNAL, index)
        return np.clip(charge, 15, 100), np.clip(np.rint(strength), -110, -30)

    def _prepare(self) -> tuple[list[bytes], list[bytes]]:
        pairs = []
        members = zip(
            self.fleet.names, self.fleet.metric.tolist(), self.fleet.locations, self.fleet.multi.tolist(), strict=True
        )
        for name, number, location, many in members:
            metric = METRICS[number]
            if many:
                pairs.append(wire.multi_template(name, metric.name, metric.decimals, location))
            else:
                unit = self._limits[metric.name].unit
                pairs.append(wire.single_template(name, metric.name, metric.decimals, unit, location))
        return [template for template, _ in pairs], [tail for _, tail in pairs]


def _faulty(index: Integers, sensor: Integers, planned: Episodes) -> tuple[Integers, Integers]:
    """The rows within an episode of their sensor, and that episode."""
    episode = planned.of_sensor[sensor]
    rows = np.flatnonzero(episode >= 0)
    episode = episode[rows]
    active = (planned.first[episode] <= index[rows]) & (index[rows] <= planned.last[episode])
    return rows[active], episode[active]
