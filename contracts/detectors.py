"""Names of detectors as anomalies carry them.

The alerts lane and detection/ both have a z_score, which judge by different limits: an anomaly of each on one reading
must not count as one, and its id is made from the name. The models' names are their own.
"""

ISOLATION_FOREST = "isolation_forest"
LSTM_AUTOENCODER = "lstm_autoencoder"

_LEARNED = "learned_"
_MODELS = frozenset({ISOLATION_FOREST, LSTM_AUTOENCODER})


def learned(detector: str) -> str:
    """The name that anomalies of a detector of detection/ carry."""
    return _LEARNED + detector


def is_learned(name: str) -> bool:
    """An anomaly's detector is one of detection/ or a model, which judge after the alerts lane and by limits of their
    own."""
    return name.startswith(_LEARNED) or name in _MODELS
