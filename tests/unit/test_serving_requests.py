"""Bodies and paths of TensorFlow Serving's REST API: what is understood, what is refused and with which words.

The cases follow TensorFlow Serving's own tests (json_tensor_test.cc, http_rest_api_handler_test.cc)."""

import json
import math

import numpy as np
import pytest

from serving import calls, tensors
from serving.calls import Call
from serving.refusal import RefusalError
from serving.signature import Signature, Tensor

FLOAT, INT32, STRING = 1, 3, 7
HALVES = {"serving_default": Signature({"x": Tensor(FLOAT, (-1,))}, {"y": Tensor(FLOAT, (-1,))})}
PAIRS = {"serving_default": Signature({"x": Tensor(FLOAT, (-1, 2)), "n": Tensor(INT32, (-1,))}, {})}


def read(text, signatures=HALVES):
    return tensors.read_request(text.encode(), signatures)


def test_rows_of_the_only_input_need_no_name():
    request = read('{"instances": [1.5, 2, -3e2]}')
    assert request.rows
    assert request.inputs["x"].dtype == np.float32
    assert request.inputs["x"].tolist() == [1.5, 2.0, -300.0]


def test_rows_of_several_inputs_are_objects():
    request = read('{"instances": [{"x": [1, 2], "n": 3}, {"n": 4, "x": [5, 6]}]}', PAIRS)
    assert request.inputs["x"].tolist() == [[1, 2], [5, 6]]
    assert request.inputs["n"].tolist() == [3, 4]


def test_columns_come_with_or_without_the_name_of_the_only_input():
    for text in ('{"inputs": [1, 2]}', '{"inputs": {"x": [1, 2]}}', '{"signature_name": "", "inputs": [1, 2]}'):
        request = read(text)
        assert not request.rows
        assert request.inputs["x"].tolist() == [1, 2]


def test_numbers_that_are_not_finite_are_understood():
    found = read('{"instances": [NaN, Infinity, -Infinity]}').inputs["x"]
    assert math.isnan(found[0])
    assert found[1:].tolist() == [math.inf, -math.inf]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "JSON Parse error: The document is empty"),
        ("instances = [1, 2]", "JSON Parse error: Invalid value"),
        ('{"instances": [NaN', "JSON Parse error: Invalid value"),
        ("[1, 2]", "Is not object"),
        ('{"signature_name": 100}', "'signature_name' key must be a string value."),
        ('{"signature_name": "other", "instances": [1]}', 'Serving signature name: "other" not found'),
        ('{"instances": [1], "inputs": [1]}', "expecting only one of 'inputs' or 'instances'"),
        ("{}", "Missing 'inputs' or 'instances' key"),
        ('{"instances": 1}', "Expecting 'instances' to be an list/array"),
        ('{"instances": []}', "No values in 'instances' array"),
        ('{"instances": ["x", "y"]}', "not of expected type: float"),
        ('{"instances": [true, false]}', "not of expected type: float"),
        ('{"instances": [null]}', "not of expected type: float"),
        ('{"instances": [{"b64": "eA=="}]}', "keys must be equal to: x"),
        ('{"instances": [[1], [2]]}', "expecting shape [-1] but got: [2,1]"),
        ('{"instances": [[1, 2], [3]]}', "differ in length or depth"),
        ('{"inputs": {"z": [1]}}', "Missing named input: x"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(text, reason):
    with pytest.raises(RefusalError) as refusal:
        read(text)
    assert refusal.value.status == 400
    assert reason in refusal.value.message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"instances": [[1, 2]]}', "instances is a plain list, but expecting list of objects"),
        ('{"inputs": [[1, 2]]}', "inputs is a plain value/list, but expecting an object"),
        ('{"instances": [{"x": [1, 2], "n": 3}, [1]]}', "Expecting object but got list at item 1"),
        ('{"instances": [{"x": [1, 2]}]}', "keys must be equal to: n,x"),
        ('{"instances": [{"x": [1, 2], "n": 1.5}]}', "not of expected type: int32"),
        ('{"instances": [{"x": [1, 2], "n": 3000000000}]}', "not of expected type: int32"),
    ],
)
def test_what_does_not_fit_several_inputs_is_refused(text, reason):
    with pytest.raises(RefusalError) as refusal:
        read(text, PAIRS)
    assert reason in refusal.value.message


def test_a_megabyte_in_the_wrong_place_is_not_sent_back():
    with pytest.raises(RefusalError) as refusal:
        read(json.dumps({"instances": [["x" * 1000] * 1000]}))
    assert len(refusal.value.message) < 400


def test_strings_are_not_served():
    with pytest.raises(RefusalError) as refusal:
        read('{"instances": ["a"]}', {"serving_default": Signature({"s": Tensor(STRING, (-1,))}, {})})
    assert refusal.value.status == 501


def test_one_output_has_no_name_in_the_answer():
    outputs = {"y": np.array([[2.5, 3], [3.5, 4]], np.float32)}
    assert json.loads(tensors.write_answer(outputs, rows=True)) == {"predictions": [[2.5, 3.0], [3.5, 4.0]]}
    assert json.loads(tensors.write_answer(outputs, rows=False)) == {"outputs": [[2.5, 3.0], [3.5, 4.0]]}


def test_several_outputs_are_objects_by_row_or_one_object_of_columns():
    outputs = {"y": np.array([[1, 2], [3, 4]], np.float32), "n": np.array([7, 8], np.int64)}
    rows = [{"y": [1.0, 2.0], "n": 7}, {"y": [3.0, 4.0], "n": 8}]
    assert json.loads(tensors.write_answer(outputs, rows=True)) == {"predictions": rows}
    assert json.loads(tensors.write_answer(outputs, rows=False)) == {"outputs": {"y": [[1, 2], [3, 4]], "n": [7, 8]}}


def test_outputs_of_different_length_have_no_rows():
    outputs = {"y": np.zeros(2), "total": np.zeros(())}
    with pytest.raises(RefusalError, match="columnar"):
        tensors.write_answer(outputs, rows=True)


def test_answers_that_are_not_finite_are_written_as_tensorflow_serving_does():
    outputs = {"y": np.array([math.nan, math.inf, -math.inf, 0.5], np.float32), "n": np.array([1, 2, 3, 4])}
    text = tensors.write_answer(outputs, rows=False)
    assert text == b'{"outputs": {"y": [NaN, Infinity, -Infinity, 0.5], "n": [1, 2, 3, 4]}}'
    assert b'{"y": NaN, "n": 1}' in tensors.write_answer(outputs, rows=True)


@pytest.mark.parametrize(
    ("method", "path", "call"),
    [
        ("GET", "/v1/models/m", Call("m", "status")),
        ("GET", "/v1/models/m/versions/3", Call("m", "status", 3)),
        ("GET", "/v1/models/m/labels/champion", Call("m", "status", label="champion")),
        ("GET", "/v1/models/m/metadata", Call("m", "metadata")),
        ("GET", "/v1/models/m/versions/3/metadata", Call("m", "metadata", 3)),
        ("POST", "/v1/models/m:predict", Call("m", "predict")),
        ("POST", "/v1/models/a%2Fb/versions/12:predict", Call("a/b", "predict", 12)),
        ("POST", "/V1/Models/m/labels/challenger:Predict", Call("m", "predict", label="challenger")),
        ("POST", "/v1/models/m:classify", Call("m", "classify")),
    ],
)
def test_paths_say_what_is_asked_of_which_version(method, path, call):
    assert calls.parse(method, path) == call


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/v1/foo", 400, "Malformed request: GET /v1/foo"),
        ("GET", "/v1/models", 400, "Missing model name"),
        ("GET", "/v1/models/debug/model_name", 400, "Malformed request"),
        ("GET", "/v1/models/foo:predict", 400, "Malformed request"),
        ("POST", "/v1/models", 400, "Malformed request"),
        ("POST", "/v1/models/foo/metadata", 400, "Malformed request"),
        ("POST", "/v1/models/foo/version/50:predict", 400, "Malformed request"),
        ("POST", "/v1/models/foo/versions/HELLO:predict", 400, "Malformed request"),
        ("POST", "/v1/models/foo/versions/50/labels/some:predict", 400, "Malformed request"),
        ("POST", f"/v1/models/foo/versions/{2**64 - 1}:predict", 400, "Failed to convert version"),
        ("DELETE", "/v1/models/foo", 400, "Malformed request"),
        ("GET", "/statuspage", 404, "No such path"),
    ],
)
def test_other_paths_are_refused(method, path, status, reason):
    with pytest.raises(RefusalError) as refusal:
        calls.parse(method, path)
    assert refusal.value.status == status
    assert reason in refusal.value.message
