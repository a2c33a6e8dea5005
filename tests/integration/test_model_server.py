"""The model server as a process: what it answers, to whom, while versions change and when it is told to end."""

import json
import socket
import threading
from pathlib import Path

import numpy as np
import onnx
import psutil
import pytest
from onnx import TensorProto, helper

from detection.models.remote import RemoteScorer, Server
from lakehouse.models.store import ModelStore
from sensorlake.errors import ModelServerError
from tests.integration import model_server
from tests.integration.model_server import KEY, TOKEN

NOBODY = 1  # a port
HALF = "/v1/models/half_plus_two"

pytestmark = pytest.mark.integration


def publish(bucket: Path, bias: float, key: str = KEY) -> int:
    """half_plus_two: y = x / 2 + bias, for any number of instances."""
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "half"], ["xh"]), helper.make_node("Add", ["xh", "bias"], ["y"])],
        "half_plus_two",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch"])],
        [
            helper.make_tensor("half", TensorProto.FLOAT, [1], [0.5]),
            helper.make_tensor("bias", TensorProto.FLOAT, [1], [bias]),
        ],
    )
    draft = bucket.parent / "draft"
    draft.mkdir(exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(model, str(draft / "model.onnx"))
    store = ModelStore.in_folder(bucket, key)
    return store.publish("half_plus_two", draft, training_set={}, parameters={}, metrics={}).version


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    bucket = tmp_path_factory.mktemp("models") / "bucket"
    publish(bucket, bias=2)
    with model_server.running(bucket, token=TOKEN) as running:
        running.wait_for("half_plus_two", 1)
        yield running


def test_rows_and_columns_of_the_default_and_of_a_named_version(server):
    for path in (HALF, f"{HALF}/versions/1"):
        assert server.ask("POST", f"{path}:predict", {"instances": [1.0, 2, 5.0]}) == (
            200,
            {"predictions": [2.5, 3.0, 4.5]},
        )
        body = {"signature_name": "serving_default", "inputs": {"x": [3.0, 4.0]}}
        assert server.ask("POST", f"{path}:predict", body) == (200, {"outputs": [3.5, 4.0]})


def test_the_status_has_tensorflow_servings_shape(server):
    status = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    for path in (HALF, f"{HALF}/versions/1"):
        assert server.ask("GET", path) == (200, {"model_version_status": [status]})


def test_the_metadata_have_tensorflow_servings_shape(server):
    def tensor(name):
        shape = {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
        return {name: {"dtype": "DT_FLOAT", "tensor_shape": shape, "name": name}}

    signature = {"inputs": tensor("x"), "outputs": tensor("y"), "defaults": {}}
    signature["method_name"] = "tensorflow/serving/predict"
    assert server.ask("GET", f"{HALF}/metadata") == (
        200,
        {
            "model_spec": {"name": "half_plus_two", "signature_name": "", "version": "1"},
            "metadata": {"signature_def": {"signature_def": {"serving_default": signature}}},
        },
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/v1/models/other", None, (404, "Could not find any versions of model other")),
        ("GET", f"{HALF}/versions/9", None, (404, "Could not find version 9 of model half_plus_two")),
        ("GET", "/v1/models/other/metadata", None, (404, "Servable not found for request: Latest(other)")),
        (
            "POST",
            "/v1/models/other:predict",
            {"instances": [1]},
            (404, "Servable not found for request: Latest(other)"),
        ),
        ("POST", f"{HALF}/versions/9:predict", {"instances": [1]}, (404, "Specific(half_plus_two, 9)")),
        ("POST", f"{HALF}/labels/stable:predict", {"instances": [1]}, (400, "Unrecognized servable version label")),
        ("POST", f"{HALF}:predict", '{"instances": [1', (400, "JSON Parse error")),
        ("POST", f"{HALF}:predict", {"instances": [[1]]}, (400, "expecting shape")),
        ("POST", f"{HALF}:classify", {"examples": [{"x": 1}]}, (400, "classify signature")),
        ("PUT", f"{HALF}:predict", {}, (400, "Malformed request")),
        ("GET", "/metrics", None, (404, "No such path")),
    ],
)
def test_errors_have_tensorflow_servings_shape_and_codes(server, method, path, body, expected):
    status, content = server.ask(method, path, body)
    assert content.keys() == {"error"}
    assert (status, expected[1] in content["error"]) == (expected[0], True), content


@pytest.mark.parametrize("token", ["wrong", TOKEN + "!", "x"])
def test_without_the_token_nothing_is_told_but_that_it_is_up(server, token):
    for method, path in [("GET", HALF), ("POST", f"{HALF}:predict"), ("GET", "/anything")]:
        assert server.ask(method, path, token=token)[0] == 401
    assert server.ask("GET", "/healthz", token=token) == (200, {"status": "ok", "models": {"half_plus_two": 1}})


def test_a_scorer_is_told_what_is_wrong(server):
    parameters = {"length": 50, "threshold": 0.5}
    sequences = np.zeros((3, 50, 6), np.float32)
    cases = [
        (Server(f"http://127.0.0.1:{NOBODY}"), "does not answer", 0),
        (Server(server.url, "wrong"), "refuses with 401", 401),
        (Server(server.url, TOKEN), "Missing named input: x", 400),
    ]
    for place, reason, status in cases:
        scorer = RemoteScorer(place, "half_plus_two", parameters)
        with pytest.raises(ModelServerError) as error:
            scorer.score(sequences)
        scorer.close()
        assert reason in str(error.value)
        assert error.value.status == status
        assert TOKEN not in str(error.value) + repr(place)


def test_a_scorer_can_ask_beforehand_whether_its_version_is_held(server):
    def scorer(place, name, version):
        return RemoteScorer(place, name, {"length": 50, "threshold": 0.5}, version=version)

    place = Server(server.url, TOKEN)
    held = scorer(place, "half_plus_two", 1)
    held.require()
    held.close()
    cases = [
        (place, "half_plus_two", 2, "Could not find version 2 of model half_plus_two", 404),
        (place, "other", 1, "Could not find", 404),
        (Server(server.url, "wrong"), "half_plus_two", 1, "refuses with 401", 401),
        (Server(f"http://127.0.0.1:{NOBODY}"), "half_plus_two", 1, "does not answer", 0),
    ]
    for where, name, version, reason, status in cases:
        asking = scorer(where, name, version)
        with pytest.raises(ModelServerError, match=reason) as error:
            asking.require()
        asking.close()
        assert error.value.status == status


def test_it_starts_without_a_model_and_stays_small_until_there_is_one(tmp_path):
    with model_server.running(tmp_path / "bucket") as server:
        assert server.ask("POST", f"{HALF}:predict", {"instances": [1]})[0] == 404
        assert server.ask("GET", "/healthz") == (200, {"status": "ok", "models": {}})
        assert not libraries(server) & {"tensorflow", "onnxruntime", "deltalake", "pyarrow"}
        publish(tmp_path / "bucket", bias=2)
        server.wait_for("half_plus_two", 1)
        assert server.ask("POST", f"{HALF}:predict", {"instances": [1]}) == (200, {"predictions": [2.5]})
        assert "onnxruntime" in libraries(server)
        assert "tensorflow" not in libraries(server)


def test_versions_change_under_load_and_no_request_is_lost(tmp_path):
    bucket = tmp_path / "bucket"
    publish(bucket, bias=1)
    failed: list[object] = []
    seen: set[float] = set()
    stop = threading.Event()

    def caller(server):
        while not stop.is_set():
            status, content = server.ask("POST", f"{HALF}:predict", {"instances": [2, 4]})
            if status == 200 and content["predictions"][1] == content["predictions"][0] + 1:
                seen.add(content["predictions"][0] - 1)
            else:
                failed.append((status, content))

    with model_server.running(bucket) as server:
        server.wait_for("half_plus_two", 1)
        callers = [threading.Thread(target=caller, args=(server,)) for _ in range(4)]
        for thread in callers:
            thread.start()
        try:
            for bias in (2, 3, 4):
                server.wait_for("half_plus_two", publish(bucket, bias))
                server.wait_until(lambda bias=bias: bias in seen)
            refused = publish(bucket, bias=5, key="another key")
            server.wait_until(lambda: state(server, refused) == "END")
        finally:
            stop.set()
            for thread in callers:
                thread.join(30)
    assert not failed
    assert seen == {1, 2, 3, 4}


def test_told_to_end_it_answers_what_it_has_begun(tmp_path):
    bucket = tmp_path / "bucket"
    publish(bucket, bias=2)
    with model_server.running(bucket) as server:
        server.wait_for("half_plus_two", 1)
        body = json.dumps({"instances": [1]}).encode()
        head = f"POST {HALF}:predict HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(head + body[:5])
            server.wait_until(lambda: server.ask("GET", "/healthz")[0] == 200)
            server.process.terminate()
            server_refuses(server)
            connection.sendall(body[5:])
            answer = b""
            while part := connection.recv(4096):
                answer += part
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b'{"predictions":[2.5]}')


def state(server, version):
    status, content = server.ask("GET", f"{HALF}/versions/{version}")
    return content["model_version_status"][0]["state"] if status == 200 else None


def libraries(server):
    """Names of the folders that code in the process's memory came from."""
    mapped = psutil.Process(server.process.pid).memory_maps()
    return {part for one in mapped for part in Path(one.path).parts}


def server_refuses(server):
    """Wait until nobody new is let in."""

    def refused():
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
        except OSError:
            return True
        return False

    server.wait_until(refused)
