"""Models opened from the folder of a version: under the names that the SavedModel has, or refused with a reason."""

import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sensorlake.errors import ModelError
from serving import saved_model
from serving.engines.engine import open_model

FLOAT, STRING = 1, 7


def field(number, content):
    """A field of a protocol buffer: a number, or anything that has a length."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content % 2**64)
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value):
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


def tensor(name, kind, *sizes):
    dims = b"".join(field(2, field(1, size)) for size in sizes)
    return field(1, name) + field(2, kind) + field(3, dims)


def signature(inputs, outputs, method="tensorflow/serving/predict"):
    entries = [(1, inputs), (2, outputs)]
    return b"".join(
        field(number, field(1, name) + field(2, content))
        for number, found in entries
        for name, content in found.items()
    ) + field(3, method)


def graph(tag, **signatures):
    entries = b"".join(field(5, field(1, name) + field(2, content)) for name, content in signatures.items())
    return field(1, field(4, tag)) + field(2, b"\x00" * 1000) + entries


def write_saved_model(folder, *graphs):
    (folder / "saved_model.pb").write_bytes(field(1, 1) + b"".join(field(2, one) for one in graphs))


def write_onnx(folder, *, outputs=("y",)):
    """The first output is x + 1, the second x - 1, for rows of two."""
    nodes = [
        helper.make_node(operation, ["x", "one"], [name])
        for operation, name in zip(("Add", "Sub"), outputs, strict=False)
    ]
    made = helper.make_graph(
        nodes,
        "shift",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2]) for name in outputs],
        [helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(model, str(folder / "model.onnx"))


ROWS = {"x": np.array([[1, 2], [3, 4]], np.float32)}
SHIFT = signature({"rows": tensor("a:0", FLOAT, -1, 2)}, {"shifted": tensor("b:0", FLOAT, -1, 2)})


def test_an_onnx_graph_alone_has_its_own_names(tmp_path):
    write_onnx(tmp_path)
    engine = open_model(tmp_path)
    assert engine.library == "ONNX Runtime"
    assert engine.signatures["serving_default"].is_batched
    assert engine.predict("serving_default", ROWS)["y"].tolist() == [[2, 3], [4, 5]]


def test_beside_a_saved_model_it_has_the_names_of_that(tmp_path):
    write_onnx(tmp_path)
    nothing = signature({}, {"__saved_model_init_op": tensor("NoOp", 0)}, "")
    write_saved_model(
        tmp_path, graph("train"), graph("serve", serving_default=SHIFT, serve=SHIFT, __saved_model_init_op=nothing)
    )
    engine = open_model(tmp_path)
    assert sorted(engine.signatures) == ["serve", "serving_default"]
    assert engine.predict("serve", {"rows": ROWS["x"]})["shifted"].tolist() == [[2, 3], [4, 5]]
    described = engine.signatures["serving_default"].describe()
    assert described["inputs"]["rows"] == {
        "dtype": "DT_FLOAT",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}, {"size": "2", "name": ""}], "unknown_rank": False},
        "name": "a:0",
    }


def test_outputs_with_the_same_names_go_by_name_and_not_by_place(tmp_path):
    write_onnx(tmp_path, outputs=("up", "down"))
    two = {"down": tensor("d:0", FLOAT, -1, 2), "up": tensor("u:0", FLOAT, -1, 2)}
    write_saved_model(tmp_path, graph("serve", serving_default=signature({"x": tensor("x:0", FLOAT, -1, 2)}, two)))
    found = open_model(tmp_path).predict("serving_default", ROWS)
    assert (found["up"] - found["down"]).tolist() == [[2, 2], [2, 2]]


def write_sums(folder, *, sequences=True):
    """Of each instance the sum of its figures, or (whatever the graph says of its shape) of all instances together."""
    axes = [1, 2] if sequences else [0, 1, 2]
    made = helper.make_graph(
        [helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0 if sequences else 1)],
        "sums",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch"] if sequences else ["batch", 1, 1])],
        [helper.make_tensor("axes", TensorProto.INT64, [len(axes)], axes)],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(model, str(folder / "model.onnx"))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 16, 17, 64, 101])
def test_sequences_are_computed_part_by_part_with_the_same_answers(tmp_path, threads, count):
    write_sums(tmp_path)
    given = np.random.default_rng(1).normal(size=(count, 3, 2)).astype(np.float32)
    found = open_model(tmp_path, threads=threads).predict("serving_default", {"x": given})
    np.testing.assert_allclose(found["y"], given.sum(axis=(1, 2)), rtol=1e-5, atol=1e-5)


def test_what_is_computed_over_all_instances_is_not_taken_apart(tmp_path):
    write_sums(tmp_path, sequences=False)
    found = open_model(tmp_path, threads=2).predict("serving_default", {"x": np.ones((40, 3, 2), np.float32)})
    assert found["y"].ravel().tolist() == [240]


def test_an_onnx_graph_that_is_not_the_saved_model_is_not_taken_for_it(tmp_path):
    write_onnx(tmp_path, outputs=("up", "down"))
    write_saved_model(tmp_path, graph("serve", serving_default=SHIFT))
    with pytest.raises(ModelError, match="other inputs or outputs"):
        open_model(tmp_path, "onnx")


def test_a_saved_model_alone_without_tensorflow_names_the_extra(tmp_path, monkeypatch):
    write_saved_model(tmp_path, graph("serve", serving_default=SHIFT))
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # as where it is not installed
    with pytest.raises(ModelError, match="extra `models`"):
        open_model(tmp_path)


@pytest.mark.parametrize("choice", ["auto", "onnx", "tensorflow"])
def test_a_folder_without_a_model_is_refused(tmp_path, choice):
    with pytest.raises(ModelError, match="nothing to serve"):
        open_model(tmp_path, choice)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x12\x7f", b"\xff" * 40])
def test_a_damaged_saved_model_is_refused(tmp_path, content):
    (tmp_path / "saved_model.pb").write_bytes(content)
    with pytest.raises(ModelError, match="is no SavedModel"):
        saved_model.read_signatures(tmp_path)


def test_a_damaged_onnx_graph_is_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="cannot be loaded"):
        open_model(tmp_path)
