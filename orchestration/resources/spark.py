"""Spark for bounded work, by dagster-pyspark: opened with the jars and settings of the lakehouse."""

from typing import Any

import dagster as dg
from dagster_pyspark import LazyPySparkResource
from pydantic import PrivateAttr

from sensorlake import settings as settings_module


class Spark(LazyPySparkResource):
    """One local session a run, started by the first asset that asks for it and stopped with the run.

    `cores` and `memory` are those of a run, not of the stream, which has its own process.
    """

    spark_config: dict[str, Any] = {}  # noqa: RUF012  pydantic copies defaults
    cores: int = 2
    memory: str = "2g"
    _own: bool = PrivateAttr(default=False)

    def _init_session(self) -> None:
        if self._spark_session is None:
            from lakehouse import session  # noqa: PLC0415  Spark takes seconds to import
            from stack import jars, java  # noqa: PLC0415

            settings = settings_module.load().model_copy(update={"spark_driver_memory": self.memory})
            self._spark_session = session.build(
                settings, jars.spark_classpath(), java.java_home(), cores=self.cores, options=session.BOUNDED
            )
            self._own = True

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002  Dagster calls it so
        if self._own:
            self._spark_session.stop()
            self._spark_session = None
