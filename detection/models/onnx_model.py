"""Scores with a model in the ONNX format, by ONNX Runtime: no training library is needed for it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensorlake.errors import ModelError

_ROWS = 4096


class OnnxModel:
    """One input of float32 rows, any number of outputs. Rows are scored some thousands at a time, so that memory stays
    bounded.

    Raises:
        ModelError: the file is no such model.
    """

    def __init__(self, file: Path, *, threads: int = 1) -> None:
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

    def run(self, rows: NDArray[np.float32], outputs: Sequence[str]) -> list[NDArray[Any]]:
        """The named outputs for all rows."""
        parts = [
            self._session.run(list(outputs), {self.input.name: np.ascontiguousarray(rows[first : first + _ROWS])})
            for first in range(0, max(len(rows), 1), _ROWS)
        ]
        return [np.concatenate(found) for found in zip(*parts, strict=True)]
