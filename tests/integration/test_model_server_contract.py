"""In-process scores and the model server's are the same, whichever library computes them, so that either can stand in
for the other, and a TensorFlow Serving for ours.

All that these tests need of TensorFlow is here: its import is slow."""

import numpy as np
import pytest

from detection.models.lstm_autoencoder import Scorer, Sizes, train
from detection.models.remote import RemoteScorer, Server
from lakehouse.models.store import LSTM_AUTOENCODER, ModelStore
from tests.integration import model_server
from tests.integration.model_server import KEY, TOKEN

pytest.importorskip("tf2onnx", reason="the extra `models` is not installed")
pytestmark = pytest.mark.integration

PATH = f"/v1/models/{LSTM_AUTOENCODER}"
ENGINES = ("tensorflow", "onnx")
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def sequences():
    return np.random.default_rng(3).normal(size=(150, 50, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def published(tmp_path_factory, sequences):
    """(store, manifest) of a small autoencoder that learned for a moment."""
    folder = tmp_path_factory.mktemp("autoencoder")
    trained = train(sequences[:64], sequences[64:96], Sizes(encoder=(8, 4), decoder=(4, 8), epochs=1), seed=5)
    trained.export(folder / "draft")
    store = ModelStore.in_folder(folder / "bucket", KEY)
    made = store.publish(LSTM_AUTOENCODER, folder / "draft", training_set={}, parameters=trained.parameters, metrics={})
    return folder / "bucket", store, made


@pytest.fixture(scope="module")
def in_process(published, tmp_path_factory):
    _, store, made = published
    folder = store.fetch(made.name, made.version, tmp_path_factory.mktemp("fetched"))
    return Scorer(folder / "model.onnx", made.parameters)


@pytest.fixture(scope="module", params=ENGINES)
def server(request, published):
    bucket, *_ = published
    with model_server.running(bucket, "--engine", request.param, token=TOKEN) as running:
        running.wait_for(LSTM_AUTOENCODER, 1)
        yield running


def test_a_server_scores_as_the_process_itself_does(server, published, in_process, sequences):
    scorer = RemoteScorer(Server(server.url, TOKEN), LSTM_AUTOENCODER, published[2].parameters, version=1)
    found = scorer.score(sequences)
    scorer.close()
    np.testing.assert_allclose(found, in_process.score(sequences), rtol=0, atol=TOLERANCE)
    assert scorer.threshold == in_process.threshold
    assert len(scorer.score(sequences[:0])) == 0


def test_rows_and_columns_say_the_same(server, in_process, sequences):
    copies, errors = in_process.reconstruct(sequences[:3])
    given = sequences[:3].tolist()
    status, columns = server.ask("POST", f"{PATH}:predict", {"inputs": {"sequence": given}})
    assert status == 200
    status, rows = server.ask("POST", f"{PATH}:predict", {"instances": [{"sequence": one} for one in given]})
    assert status == 200
    assert server.ask("POST", f"{PATH}:predict", {"instances": given}) == (200, rows)
    for name, expected in (("error", errors), ("reconstruction", copies)):
        np.testing.assert_allclose(columns["outputs"][name], expected, rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose([row[name] for row in rows["predictions"]], expected, rtol=0, atol=TOLERANCE)


def test_the_model_describes_itself_as_tensorflow_exported_it(server):
    status, content = server.ask("GET", f"{PATH}/versions/1/metadata")
    signature = content["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert status == 200
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert sizes(signature["inputs"]["sequence"]) == ("DT_FLOAT", [-1, 50, 6])
    assert sizes(signature["outputs"]["reconstruction"]) == ("DT_FLOAT", [-1, 50, 6])
    assert sizes(signature["outputs"]["error"]) == ("DT_FLOAT", [-1])


def sizes(tensor):
    return tensor["dtype"], [int(size["size"]) for size in tensor["tensor_shape"]["dim"]]
