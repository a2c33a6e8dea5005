"""What can go wrong with a measurement."""

from sensorlake.errors import SensorlakeError


class BenchmarkError(SensorlakeError):
    """A measurement cannot be taken, or its figures would be wrong."""
