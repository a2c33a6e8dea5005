"""Which versions of the models are in force: by the registry, and by what the model server answers."""

from collections.abc import Mapping
from typing import Any

from lakehouse.lake import Lake
from lakehouse.models import registry
from lakehouse.models.store import LSTM_AUTOENCODER
from sensorlake.settings import Settings
from stack import http_probe


def champion(settings: Settings, name: str) -> int | None:
    found = registry.champion(Lake.of(settings), name)
    return found.version if found else None


def served(settings: Settings) -> int | None:
    """The version of the autoencoder that answers where none is named."""
    models: Mapping[str, Any] = http_probe.request(f"{settings.model_server_url}/healthz")[1].get("models", {})
    return models.get(LSTM_AUTOENCODER)
