"""The faults need the same Dagster as the tests of daily work."""

from tests.daily.conftest import quiet_dagster

__all__ = ["quiet_dagster"]
