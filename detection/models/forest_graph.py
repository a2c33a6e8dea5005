"""An isolation forest as an ONNX graph: one ensemble of trees, whose leaves weigh what a path to them counts.

    path of a leaf = its depth + c(samples in it),  c(n) = 2 (ln(n - 1) + 0.5772) - 2 (n - 1) / n
    output = -2 ^ (-sum of paths / (trees c(samples a tree)))       as score_samples of scikit-learn

The converter of scikit-learn's makers writes 27 operations for each tree, which take a millisecond a call however few
rows there are; the stream scores a handful at a time.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

OPSETS = {"": 18, "ai.onnx.ml": 3}
_IR_VERSION = 8
_LEAF = -1


def of(forest: Any, output: str) -> bytes:
    """The model file of a fitted scikit-learn forest: input x of shape (rows, columns), `output` of shape (rows, 1)."""
    from onnx import TensorProto, helper  # noqa: PLC0415  only who trains needs it

    columns = forest.n_features_in_
    trees = [_tree(number, each.tree_) for number, each in enumerate(forest.estimators_)]
    nodes = {name: np.concatenate([tree[name] for tree in trees]).tolist() for name in trees[0]}
    whole = len(trees) * float(_unfinished(np.array([forest.max_samples_]))[0])
    graph = helper.make_graph(
        [
            helper.make_node("TreeEnsembleRegressor", ["x"], ["paths"], domain="ai.onnx.ml", n_targets=1, **nodes),
            helper.make_node("Mul", ["paths", "scale"], ["exponent"]),
            helper.make_node("Pow", ["two", "exponent"], ["score"]),
            helper.make_node("Neg", ["score"], [output]),
        ],
        "isolation_forest",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, columns])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, 1])],
        [
            helper.make_tensor("scale", TensorProto.FLOAT, [1], [-1 / whole]),
            helper.make_tensor("two", TensorProto.FLOAT, [1], [2.0]),
        ],
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    made: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION).SerializeToString()
    return made


def _tree(number: int, tree: Any) -> dict[str, NDArray[Any]]:
    """The attributes of the operation that one tree gives."""
    left, right = tree.children_left, tree.children_right
    leaf = left == _LEAF
    depth = np.zeros(tree.node_count)
    for node in np.flatnonzero(~leaf):  # a parent stands before its children
        depth[[left[node], right[node]]] = depth[node] + 1
    here, leaves = np.full(tree.node_count, number), np.flatnonzero(leaf)
    return {
        "nodes_treeids": here,
        "nodes_nodeids": np.arange(tree.node_count),
        "nodes_featureids": np.where(leaf, 0, tree.feature),
        "nodes_modes": np.where(leaf, "LEAF", "BRANCH_LEQ"),
        "nodes_values": np.where(leaf, 0.0, _rounded_down(tree.threshold)),
        "nodes_truenodeids": np.where(leaf, 0, left),
        "nodes_falsenodeids": np.where(leaf, 0, right),
        "target_treeids": here[leaves],
        "target_nodeids": leaves,
        "target_ids": np.zeros(len(leaves), np.int64),
        "target_weights": (depth + _unfinished(tree.n_node_samples))[leaves],
    }


def _unfinished(samples: NDArray[Any]) -> NDArray[np.float64]:
    """c(n): the mean depth that further cuts of n samples would have."""
    many = np.maximum(samples, 2).astype(np.float64)
    found = 2 * (np.log(many - 1) + np.euler_gamma) - 2 * (many - 1) / many
    return np.where(samples <= 1, 0.0, np.where(samples == 2, 1.0, found))


def _rounded_down(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest 32-bit number that is no larger: the same rows of 32-bit numbers lie below it."""
    near = threshold.astype(np.float32)
    return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)
