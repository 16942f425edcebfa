"""ONNX graphs beyond a chain of operators: branches, functions, several inputs, what is dropped."""

import json

import numpy as np
import onnx
import pytest
from helpers import run_here
from onnx import TensorProto, helper, numpy_helper
from onnx_models import RNG, assert_agrees, f32, model, refused

from linregions.readers.onnx.model import from_model

i64 = np.int64
W = f32(3, 4)
info = helper.make_tensor_value_info


def branches(condition, then, other, opset=17):
    """y = If(condition): a graph on the outer x and w each."""
    graphs = {
        f"{name}_branch": helper.make_graph(
            [helper.make_node(op, inputs.split(), ["r"], f"{op}_{name}") for op, inputs in nodes],
            name,
            [],
            [info("r", 1, None)],
            [numpy_helper.from_array(f32(1), "inner")],
        )
        for name, nodes in (("then", [then]), ("else", [other]))
    }
    node = helper.make_node("If", [condition], ["y"], "If_n", **graphs)
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["h"]), node],
        "g",
        [info("x", 1, [2, 3])],
        [info("y", 1, None)],
        [
            numpy_helper.from_array(np.array(True), "yes"),
            numpy_helper.from_array(np.array([False]), "no"),
            numpy_helper.from_array(W, "w"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@pytest.mark.parametrize("opset", [1, 11, 13, 17, 21])
@pytest.mark.parametrize("condition", ["yes", "no"])
def test_a_branch_of_a_constant_condition(condition, opset):
    made = branches(condition, ("MatMul", "h w"), ("Tanh", "x"), opset)
    if condition == "no":
        refused(made, f"node 'If_n/Tanh_else' (Tanh, opset {opset}): Tanh is not piecewise linear")
        return
    net = from_model(made)
    x = RNG.normal(size=(2, 3))
    assert np.allclose(net(x.ravel()), (np.maximum(x, 0) @ W).ravel())
    assert any("If_n" in n and "then branch" in n for n in net.notes)


def test_a_branch_sees_its_own_weights_and_the_outer_values():
    assert_agrees(branches("no", ("Tanh", "x"), ("Add", "h inner")))


def test_a_branch_on_the_input_is_refused():
    made = branches("yes", ("Relu", "x"), ("Neg", "x"))
    made.graph.node[1].input[0] = "x"
    refused(made, "node 'If_n' (If, opset 17): a branch that depends on the input", "Max, Min")


def functional():
    """y = Act(Dense(x)): functions with attributes, one calling another, each with its opset."""
    act = helper.make_function(
        "local", "Act", ["v"], ["r"],
        [helper.make_node("LeakyRelu", ["v"], ["r"], "leak")],
        [helper.make_opsetid("", 16)], ["alpha"],
    )  # fmt: skip
    act.node[0].attribute.append(
        onnx.AttributeProto(name="alpha", ref_attr_name="alpha", type=onnx.AttributeProto.FLOAT)
    )
    dense = helper.make_function(
        "local", "Dense", ["v", "w", "b"], ["r"],
        [
            helper.make_node("MatMul", ["v", "w"], ["m"]),
            helper.make_node("Add", ["m", "b"], ["s"]),
            helper.make_node("Act", ["s"], ["r"], "inner", domain="local", alpha=0.25),
        ],
        [helper.make_opsetid("", 13), helper.make_opsetid("local", 1)],
    )  # fmt: skip
    graph = helper.make_graph(
        [
            helper.make_node("Dense", ["x", "w", "b"], ["h"], "first", domain="local"),
            helper.make_node("Act", ["h"], ["y"], "last", domain="local", alpha=0.5),
        ],
        "g", [info("x", 1, [2, 3])], [info("y", 1, None)],
        [numpy_helper.from_array(W, "w"), numpy_helper.from_array(f32(4), "b")],
    )  # fmt: skip
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    return helper.make_model(graph, functions=[act, dense], opset_imports=imports, ir_version=8)


def test_local_functions():
    net = assert_agrees(functional())
    names = [layer.units.describe() for layer in net.layers]
    assert names == ["leaky_relu(0.25)", "leaky_relu(0.5)"]


def test_refusals_inside_functions_name_the_way_there():
    made = functional()
    made.functions[0].node[0].op_type = "Elu"
    refused(made, "node 'first/inner/leak' (Elu, opset 16): Elu is not piecewise linear")
    made.functions[0].node[0].op_type = "Act"
    made.functions[0].node[0].domain = "local"
    refused(made, "call each other without an end")


def test_a_function_has_the_opset_that_it_names():
    made = functional()
    made.functions[1].opset_import[0].version = 6
    refused(made, "node 'first/s' (Add, opset 6)", "broadcast=1 is not set")
    made.functions[1].node[1].attribute.append(helper.make_attribute("broadcast", 1))
    x = RNG.normal(size=(2, 3))
    b = numpy_helper.to_array(made.graph.initializer[1])
    z = x @ W + b
    z = np.where(z < 0, 0.125 * z, z)
    assert np.allclose(from_model(made)(x.ravel()), z.ravel())


def test_inputs_that_nothing_reads(capsys):
    made = model([("Relu", "x", "y"), ("Mul", "z z", "u")], [1, 3], outputs=("y",))
    made.graph.input.insert(0, info("z", TensorProto.INT64, [7]))
    net = from_model(made)
    assert net.inputs == 3 and "does not depend on: 'z'" in net.notes[0]


def test_sparse_weights():
    made = model([("MatMul", "x w", "y")], [1, 2])
    dense = np.array([[0, 1.5, 0], [0, 0, -2]], np.float32)
    flat = helper.make_tensor("i", TensorProto.INT64, [2], [1, 5])
    pairs = helper.make_tensor("i", TensorProto.INT64, [2, 2], [0, 1, 1, 2])
    for indices in (flat, pairs):
        del made.graph.sparse_initializer[:]
        data = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.5, -2.0])
        made.graph.sparse_initializer.append(helper.make_sparse_tensor(data, indices, [2, 3]))
        assert np.array_equal(from_model(made)([1.0, 1.0]), dense.sum(0))


@pytest.mark.parametrize(
    ("attributes", "left", "right"),
    [
        ({}, 0, 0),
        ({"alpha": 0.25}, 0, 0),
        ({"transB": 1}, 0, 1),
        ({"transA": 1, "alpha": 2.0}, 1, 0),
    ],
)
def test_fused_products(attributes, left, right):
    w = f32(4, 3) if right else f32(3, 4)
    shape = [2, 3, 5] if left else [2, 5, 3]
    made = model([("FusedMatMul", "x w", "y", attributes)], shape, {"w": w})
    made.graph.node[0].domain = "com.microsoft"
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    assert_agrees(made)
    made.graph.node[0].attribute.append(helper.make_attribute("beta", 1.0))
    refused(made, "(FusedMatMul, com.microsoft opset 1)", "the attribute 'beta'")


# -- behind a dropped function ------------------------------------------------------------------

ENDS = {
    "transpose": [("Softmax", "a", "b"), ("Transpose", "b", "y")],
    "reshape": [("Softmax", "a", "b"), ("Reshape", "b s", "y")],
    "shape_of_it": [("Softmax", "a", "b"), ("Shape", "b", "n"), ("Reshape", "b n", "y")],
    "slice": [("Softmax", "a", "b"), ("Gather", "b i", "y", {"axis": 1})],
    "gather_of_argmax": [
        ("ArgMax", "a", "b", {"axis": 1}),
        ("Squeeze", "b k", "c"),
        ("Cast", "c", "y", {"to": 1}),
    ],
    "split_and_concat": [
        ("Sigmoid", "a", "b"),
        ("Split", "b p", "c d", {"axis": 1}),
        ("Concat", "d c", "y", {"axis": 1}),
    ],
    "two_heads": [
        ("Softmax", "a", "b"),
        ("Sigmoid", "a", "c"),
        ("Concat", "b c", "y", {"axis": 1}),
    ],
    "sigmoid_then_softmax": [("Sigmoid", "a", "b"), ("Softmax", "b", "y")],
}


@pytest.mark.parametrize("name", ENDS)
def test_moves_behind_a_dropped_function(name):
    weights = {"w": W, "s": i64([4, 1]), "i": i64([2]), "k": i64([1]), "p": i64([1, 3])}
    made = model([("MatMul", "x w", "a"), *ENDS[name]], [1, 3], weights, opset=13)
    with pytest.warns(UserWarning, match="dropped at the output"):
        net = from_model(made)
    rows = {r.tobytes() for r in net.output.terms[0].factors[0] + np.zeros((1, 3))}
    assert rows == {r.tobytes() for r in W.T + np.zeros((1, 3))}


def test_what_comes_behind_is_still_refused():
    for nodes in (
        [("Softmax", "x", "a"), ("Gather", "a i", "b", {"axis": 1}), ("Relu", "b", "y")],
    ):
        refused(model(nodes, [1, 3], {"i": i64([0])}), "(Relu, opset 17)", "after node 'Softmax_n'")
    nodes = [("Softmax", "x", "a"), ("Transpose", "a", "b"), ("Add", "b x", "y")]
    refused(model(nodes, [3, 3]), "(Add, opset 17)", "can be left out only at the very end")


# -- every refusal ------------------------------------------------------------------------------


def _every_operator():
    for schema in onnx.defs.get_all_schemas():
        if schema.domain == "" and not schema.deprecated:
            yield schema


@pytest.mark.parametrize("schema", _every_operator(), ids=lambda s: s.name)
def test_every_refusal_names_node_operator_version_and_remedy(schema):
    """Each operator of the newest opset on the input, in all its places, with no attributes."""
    op, opset = schema.name, onnx.defs.onnx_opset_version()
    node = helper.make_node(op, ["x"] * max(schema.min_input, 1), ["y"], "it")
    graph = helper.make_graph([node], "g", [info("x", 1, [2, 3])], [info("y", 1, None)])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    try:
        with np.errstate(all="ignore"):
            net = from_model(made)
    except Exception as error:
        text = str(error)
        assert text.startswith(f"node 'it' ({op}, opset {opset}): "), text
        assert "; " in text and "\n" not in text, text
    else:
        assert net.inputs == 6


def test_the_command_line_says_it_in_one_line(tmp_path):
    path = tmp_path / "t.onnx"
    onnx.save(model([("Tanh", "x", "y")], [1, 3]), path)
    done = run_here("count", path, "--json")
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    assert "node 'Tanh_n' (Tanh, opset 17): Tanh is not piecewise linear; replace" in done.stderr
    onnx.save(model([("Relu", "x", "y")], [1, 3]), path)
    assert json.loads(run_here("info", path, "--json").stdout)["inputs"] == 3
