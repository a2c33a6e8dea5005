"""Isolation Forest: readings that few random cuts set apart from all others are abnormal.

    score = 2 ^ (-E[h(x)] / c(n))      about 0.5 is usual, towards 1 abnormal

with h the depth at which a tree isolates x and c(n) its mean over n samples (Liu, Ting, Zhou, ICDM 2008). Trained with
scikit-learn on the calibrated scores of the detectors (`detection.models.message_scores`), so it finds combinations
that no detector finds alone; scored through ONNX Runtime. Fires on rare combinations; fails where faults are as
common in training as normal readings.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from detection.detectors.detector import Floats
from detection.models import forest_graph
from detection.models.message_scores import Matrix
from detection.models.onnx_model import OnnxModel
from sensorlake.errors import ModelError

_OUTPUT = "score_samples"


@dataclass(frozen=True)
class Sizes:
    """trees, and samples that each of them sees; alarm_share: of normal messages that may lie above the threshold."""

    trees: int = 100
    samples: int = 256
    alarm_share: float = 0.001


@dataclass(frozen=True)
class Trained:
    """`parameters`: what a scorer must know, and how it was made."""

    forest: Any
    parameters: Mapping[str, Any]

    def export(self, folder: Path) -> None:
        """Write model.onnx."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.onnx").write_bytes(forest_graph.of(self.forest, _OUTPUT))


def train(normal: Matrix, validation: Matrix, names: tuple[str, ...], sizes: Sizes, seed: int) -> Trained:
    """Train on normal messages; the threshold lies where `alarm_share` of other normal ones are above it.

    normal, validation: shape (messages, names). The same arguments give the same forest.

    Raises:
        ModelError: there are too few messages to say anything.
    """
    from sklearn.ensemble import IsolationForest  # type: ignore[import-untyped]  # noqa: PLC0415  a second to import

    least = 2 * len(names)
    if min(len(normal), len(validation)) < least:
        raise ModelError(
            f"an isolation forest needs {least} normal messages to train on and as many to set its threshold by, but "
            f"there are {len(normal)} and {len(validation)}: take more devices or a longer time"
        )
    forest = IsolationForest(
        n_estimators=sizes.trees, max_samples=min(sizes.samples, len(normal)), random_state=seed, n_jobs=1
    ).fit(normal)
    threshold = float(np.quantile(-forest.score_samples(validation), 1 - sizes.alarm_share))
    parameters = {"features": list(names), "threshold": threshold, "seed": seed, **asdict(sizes)}
    return Trained(forest, parameters)


class Scorer:
    """A published forest, `parameters` being those of its manifest."""

    def __init__(self, file: Path, parameters: Mapping[str, Any]) -> None:
        self.features = tuple(parameters["features"])
        self.threshold = float(parameters["threshold"])
        self._model = OnnxModel(file)

    def score(self, matrix: Matrix) -> Floats:
        """Scores of shape (messages,) of a matrix whose columns are `features`."""
        (found,) = self._model.run(matrix, [_OUTPUT])
        return -found.reshape(-1).astype(np.float64)
