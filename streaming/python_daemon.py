"""Starts Spark's Python workers, as pyspark.daemon does, for the detectors. Named by `spark.python.daemon.module`.

Workers are forked from this process, and three things of it become theirs:

- its priority, which lies below that of the alerts
- all that the detectors import, so that no worker takes seconds to begin
- its frozen objects: a worker collects garbage after each task, through all that it has ever imported, unless these
  are out of the collector's sight
"""

import gc
import os
from importlib import import_module

from pyspark import daemon

from streaming import priorities

if __name__ == "__main__":
    # Threads would not survive the fork, and arrays here are too small for several.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    priorities.lower_judging()
    for needed in ("pyspark.worker", "pyspark.sql.streaming.proto.StateMessage_pb2", "streaming.detect.processor"):
        import_module(needed)
    gc.collect()
    gc.freeze()
    daemon.manager()
