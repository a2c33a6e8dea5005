"""Scores with a model in the ONNX format, by ONNX Runtime: no training library is needed for it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensorlake.errors import ModelError

SEQUENCES = 16
"""How many sequences a recurrent network takes at a time: what it keeps of more falls out of the processor's cache, and
the same answers take a tenth more time (docs/performance.md)."""
_ROWS = 4096


class OnnxModel:
    """One input of float32 rows, any number of outputs. `together`: how many rows are scored at a time, so that memory
    stays bounded.

    Raises:
        ModelError: the file is no such model.
    """

    def __init__(self, file: Path, *, threads: int = 1, together: int = _ROWS) -> None:
        import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415  only those who score by a model load it

        options = onnxruntime.SessionOptions()
        # One thread by default: the machine has other work, and rows are many.
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has a class of its own for each of a dozen faults
            raise ModelError(f"{file} is no model that ONNX Runtime can read: {error}") from None
        (self.input,) = self._session.get_inputs()
        self._together = together

    def run(self, rows: NDArray[np.float32], outputs: Sequence[str]) -> list[NDArray[Any]]:
        """The named outputs for all rows."""
        parts = [
            self._session.run(
                list(outputs), {self.input.name: np.ascontiguousarray(rows[first : first + self._together])}
            )
            for first in range(0, max(len(rows), 1), self._together)
        ]
        return [np.concatenate(found) for found in zip(*parts, strict=True)]
