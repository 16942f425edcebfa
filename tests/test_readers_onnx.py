"""The ONNX reader: agreement with onnxruntime, exactness, structure, refusals."""

import warnings
from fractions import Fraction

import numpy as np
import onnx
import pytest
from data import shared
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx_models import RNG, assert_agrees, f32, model, ort, refused

from linregions.errors import LinregionsError, UnsupportedNetwork
from linregions.network.units import MaxUnits
from linregions.readers import load
from linregions.readers.onnx.model import from_model

# -- collected models ---------------------------------------------------------------------

DENSE = [
    ("acasxu/ACASXU_run2a_1_1_batch_2000", (50,) * 6),
    ("acasxu/ACASXU_run2a_2_1_batch_2000", (50,) * 6),
    ("acasxu/ACASXU_run2a_3_3_batch_2000", (50,) * 6),
    ("counted/quadratic_2-16-16-1", (16, 16)),
    ("mnistfc/mnist-net_256x2", (256, 256)),
    ("mnistfc/mnist-net_256x4", (256,) * 4),
    ("small/fc1", (25,) * 3),
    ("small/fc2", ()),
    ("small/fc_2-2-3", (2,)),
    ("small/mnist2x10", (10, 10)),
    ("small/mnist5x20_leaky_relu", (20,) * 6),
    ("small/test_dropout", (5, 5)),
    ("small/oneInput_twoBranches", (12, 12, 12)),
]
ZOO = (
    "add cast_int_to_float constant dropout dropout_training_mode_false flatten gemm identity "
    "leakyRelu matmul relu reshape reshape_with_dimension_inference squeeze squeeze_with_axes sub "
    "transpose unsqueeze"
)


@pytest.mark.parametrize(("name", "widths"), DENSE)
def test_collected_models(name, widths):
    assert assert_agrees(shared(f"{name}.onnx")).widths == widths


@pytest.mark.parametrize("name", ZOO.split())
def test_one_operator_models(name):
    assert_agrees(shared(f"small/layer-zoo/{name}.onnx"))


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("small/layer-zoo/tanh", "Tanh is not piecewise linear"),
        ("small/multiInput_add", "'X1', 'X2'"),
    ],
)
def test_collected_models_that_are_refused(name, node):
    refused(shared(f"{name}.onnx"), node, f"{name.split('/')[-1]}.onnx: ", error=UnsupportedNetwork)


def test_softmax_at_the_end():
    path = shared("small/softmax-last-layer.onnx")
    with pytest.warns(UserWarning, match=r"'Softmax_7' \(Softmax\): dropped"):
        net = load(path)
    assert "Softmax_7" in net.notes[0]
    x = RNG.normal(size=(1, 1, 28, 28)).astype(np.float32)
    (p,) = ort.InferenceSession(str(path)).run(None, {"input": x})
    e = np.exp(net(x.ravel()) - net(x.ravel()).max())
    assert np.allclose(p[0], e / e.sum(), atol=1e-5)


def test_acas_has_no_trace_of_its_zero_mean():
    net = load(shared("acasxu/ACASXU_run2a_1_1_batch_2000.onnx"))
    shapes = [[f.shape for f in t.factors] for t in net.layers[0].affine.terms]
    assert shapes == [[(50, 5)], [(50, 1)]]


# -- operators against onnxruntime --------------------------------------------------------

W34, W43, B4, V6 = f32(3, 4), f32(4, 3), f32(4), f32(6)
i64 = np.int64
CASES = {
    "gemm": ([("Gemm", "x w b", "y", {"alpha": 0.3, "beta": 0.7})], [1, 3], {"w": W34, "b": B4}),
    "gemm_turned": (
        [("Gemm", "x w", "y", {"transA": 1, "transB": 1})],
        [3, 2],
        {"w": W43},
    ),
    "gemm_left": ([("Gemm", "w x b", "y")], [4, 2], {"w": W34, "b": f32(3, 1)}),
    "gemm_residual": ([("Relu", "x", "h"), ("Gemm", "h w x", "y")], [1, 3], {"w": f32(3, 3)}),
    "matmul_left": ([("MatMul", "w x", "y")], [4], {"w": W34}),
    "matmul_left_batch": ([("MatMul", "w x", "y")], [2, 4, 3], {"w": W34}),
    "matmul_right": ([("MatMul", "x w", "y")], [2, 5, 3], {"w": W34}),
    "matmul_vector": ([("MatMul", "x w", "y")], [2, 3], {"w": f32(3)}),
    "matmul_one_batch": ([("MatMul", "x w", "y")], ["N", 3], {"w": f32(1, 3, 4)}),
    "add_broadcast": ([("Add", "x c", "y")], [1, 3], {"c": f32(2, 1)}),
    "sub_from": ([("Sub", "c x", "y")], ["N", 3], {"c": f32(3)}),
    "mul": ([("Mul", "c x", "y")], ["N", 3], {"c": f32(3)}),
    "div": ([("Div", "x c", "y")], [2, 3], {"c": np.float32([3, 7, -0.5])}),
    "neg_abs": ([("Neg", "x", "a"), ("Abs", "a", "y")], [1, 3], {}),
    "prelu": ([("PRelu", "x c", "y")], [1, 3, 2], {"c": f32(3, 1)}),
    "leaky_default": ([("LeakyRelu", "x", "y")], [1, 3], {}),
    "hard_sigmoid": ([("HardSigmoid", "x", "y", {"alpha": 0.5})], [1, 3], {}),
    "clip": (
        [("Clip", "x a b", "y")],
        [1, 9],
        {"a": np.float32(-0.5), "b": np.float32(0.25)},
    ),
    "clip_low": ([("Clip", "x a", "y")], [1, 9], {"a": np.float32(-0.5)}),
    "max": ([("MatMul", "x w", "a"), ("Max", "a x b", "y")], [1, 3], {"w": f32(3, 3), "b": f32(3)}),
    "max_constant": ([("Max", "c x", "y")], [1, 3], {"c": np.float32([0, 0.5, -1])}),
    "min": ([("MatMul", "x w", "a"), ("Min", "a x", "y")], [1, 3], {"w": f32(3, 3)}),
    "sum": ([("Relu", "x", "a"), ("Sum", "a x c", "y")], [1, 3], {"c": f32(3)}),
    "reduce": (
        [("ReduceMean", "x", "a", {"axes": [2]}), ("ReduceSum", "a k", "y", {"keepdims": 0})],
        [1, 3, 5],
        {"k": i64([1])},
    ),
    "transpose_flatten": (
        [
            ("Transpose", "x", "a", {"perm": [0, 2, 1]}),
            ("Flatten", "a", "b"),
            ("MatMul", "b w", "y"),
        ],
        ["N", 3, 2],
        {"w": f32(6, 4)},
    ),
    "after_matmul": (
        [
            ("MatMul", "x w", "a"),
            ("Reshape", "a s", "b"),
            ("Transpose", "b", "c"),
            ("Relu", "c", "y"),
        ],
        ["N", 3],
        {"w": W34, "s": i64([2, 2])},
    ),
    "slice_gather": (
        [
            ("Slice", "x a b k s", "h"),
            ("Gather", "h i", "g", {"axis": 1}),
            ("MatMul", "g w", "y"),
        ],
        ["N", 8],
        {
            "a": i64([7]),
            "b": i64([0]),
            "k": i64([1]),
            "s": i64([-2]),
            "i": i64([0, 3, 0]),
            "w": W34,
        },
    ),
    "split_concat": (
        [("Split", "x s", "a b", {"axis": 1}), ("Concat", "b c a", "y", {"axis": 1})],
        ["N", 5],
        {"s": i64([2, 3]), "c": f32(1, 2)},
    ),
    "concat_branches": (
        [
            ("MatMul", "x w", "a"),
            ("Relu", "a", "b"),
            ("Concat", "x b a", "c", {"axis": -1}),
            ("Relu", "c", "y"),
        ],
        ["N", 3],
        {"w": W34},
    ),
    "expand_tile": (
        [("Expand", "x s", "a"), ("Tile", "a r", "y")],
        [1, 3],
        {"s": i64([2, 3]), "r": i64([1, 2])},
    ),
    "shape_arithmetic": (
        [
            ("Shape", "x", "s"),
            ("Gather", "s zero", "u"),
            ("Concat", "u m", "t", {"axis": 0}),
            ("Reshape", "x t", "y"),
        ],
        ["N", 3, 2],
        {"zero": i64([0]), "m": i64([-1])},
    ),
    "constant_of_shape": (
        [
            ("ConstantOfShape", "s", "c", {"value": helper.make_tensor("v", 1, [1], [2.5])}),
            ("Add", "x c", "y"),
        ],
        [1, 3],
        {"s": i64([3])},
    ),
    "normalised": (
        [("Sub", "x m", "a"), ("Div", "a s", "b"), ("MatMul", "b w", "c"), ("Relu", "c", "y")],
        ["N", 3],
        {"m": f32(3), "s": np.float32([3, 7, 0.5]), "w": W34},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_operators(name):
    nodes, shape, constants = CASES[name]
    opset = 13 if name in ("reduce", "split_concat") else 17
    assert_agrees(model(nodes, shape, constants, opset=opset))


def test_old_operator_versions():
    nodes = [
        ("Slice", "x", "a", {"starts": [1], "ends": [3], "axes": [1]}),
        ("Unsqueeze", "a", "b", {"axes": [0]}),
        ("Squeeze", "b", "c", {"axes": [0]}),
        ("Clip", "c", "y", {"min": 0.0, "max": 6.0}),
    ]
    net = assert_agrees(model(nodes, ["N", 4], opset=8))
    assert net.layers[0].units.describe() == "relu6"


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_chains_of_moves_are_permutations(draw):
    """Any chain of moves, a layer and more moves agrees with numpy, entry for entry."""
    shape = [1, 2, 3, 4]
    nodes, constants, name = [], {}, "x"
    x = np.arange(24.0).reshape(shape)
    y = x
    for i in range(draw.draw(st.integers(1, 5))):
        kind = draw.draw(st.sampled_from(["transpose", "reshape", "scale", "relu"]))
        new = f"v{i}"
        if kind == "transpose":
            perm = draw.draw(st.permutations(range(y.ndim)))
            nodes.append(("Transpose", name, new, {"perm": list(perm)}))
            y = y.transpose(perm)
        elif kind == "reshape":
            to = draw.draw(st.sampled_from([(24,), (4, 6), (2, 3, 4), (1, 24), (3, 1, 8)]))
            constants[f"s{i}"] = i64(to)
            nodes.append(("Reshape", f"{name} s{i}", new))
            y = y.reshape(to)
        elif kind == "scale":
            constants[f"c{i}"] = np.float32(3)
            nodes.append(("Div", f"{name} c{i}", new))
            y = y / 3
        else:
            nodes.append(("Relu", name, new))
        name = new
    net = from_model(model(nodes, shape, constants, outputs=(name,)))
    assert np.allclose(net(x.ravel()), y.ravel(), rtol=1e-14)


# -- exactness and structure --------------------------------------------------------------


def factors(affine):
    return [(t.source, [f.shape for f in t.factors]) for t in affine.terms]


def test_division_is_exact():
    net = from_model(
        model([("Div", "x c", "a"), ("Relu", "a", "y")], [1, 2], {"c": f32(1) * 0 + 3})
    )
    out, _ = net.exactly([Fraction(1), Fraction(1, 5)])
    assert out == [Fraction(1, 3), Fraction(1, 15)]


def test_a_mean_is_an_exact_term():
    W = RNG.normal(size=(3, 2))
    mean = np.array([0.1, 0.2, 0.3])
    nodes = [("Sub", "x m", "a"), ("MatMul", "a w", "b"), ("Relu", "b", "y")]
    net = from_model(model(nodes, ["N", 3], {"m": mean, "w": W}, kind=TensorProto.DOUBLE))
    assert factors(net.layers[0].affine) == [(0, [(2, 3)]), (-1, [(3, 1), (2, 3)])]
    x = [Fraction(1, 3), Fraction(-2), Fraction(7, 5)]
    expected = [
        sum((a - Fraction(m)) * Fraction(w) for a, m, w in zip(x, mean, W[:, j], strict=True))
        for j in range(2)
    ]
    assert list(net.layers[0].affine.at({0: np.array(x, dtype=object)})) == expected


def test_two_linear_layers_stay_two_factors():
    nodes = [("MatMul", "x a", "h"), ("Add", "h c", "k"), ("MatMul", "k b", "y")]
    constants = {"a": RNG.normal(size=(5, 4)), "b": RNG.normal(size=(4, 2)), "c": np.ones(4)}
    net = from_model(model(nodes, [1, 5], constants, kind=TensorProto.DOUBLE))
    assert factors(net.output) == [(0, [(4, 5), (2, 4)]), (-1, [(4, 1), (2, 4)])]


def test_a_large_image_is_not_stored_as_a_dense_square():
    nodes = [
        ("Div", "x c", "s"),
        ("Transpose", "s", "t", {"perm": [0, 2, 1]}),
        ("Flatten", "t", "f"),
        ("MatMul", "f w", "h"),
        ("Relu", "h", "y"),
    ]
    constants = {"c": np.float32(255), "w": f32(784, 5)}
    net = assert_agrees(model(nodes, ["N", 28, 28], constants))
    assert factors(net.layers[0].affine) == [(0, [(5, 784), (5, 5)])]
    bare = from_model(model([("Relu", "x", "y")], ["N", 784]))
    (term,) = bare.layers[0].affine.terms
    assert term.factors[0].nnz == 784


def test_scalings_that_round_nothing_are_folded():
    nodes = [("Mul", "x c", "a"), ("MatMul", "a w", "b"), ("Mul", "b d", "k"), ("Add", "k e", "y")]
    constants = {"c": f32(3) + 3, "w": W34, "d": np.float32(0.25), "e": B4}
    net = assert_agrees(model(nodes, [1, 3], constants))
    assert factors(net.output)[0] == (0, [(4, 3)])


def test_biases_add_up_exactly():
    nodes = [("Add", "x a", "h"), ("Add", "h b", "y")]
    constants = {"a": np.array([1.0, 0.5]), "b": np.array([2.0**-60, 0.25])}
    net = from_model(model(nodes, [1, 2], constants, kind=TensorProto.DOUBLE))
    assert net.exactly([0, 0])[0] == [1 + Fraction(1, 2**60), Fraction(3, 4)]
    assert len(net.output.terms) == 2


def test_a_residual_reads_two_sources():
    nodes = [
        ("MatMul", "x w", "a"),
        ("Relu", "a", "h"),
        ("MatMul", "h v", "b"),
        ("Add", "b x", "s"),
        ("Relu", "s", "y"),
    ]
    net = assert_agrees(model(nodes, ["N", 3], {"w": W34, "v": W43}))
    assert net.layers[1].affine.sources == (0, 1)


def test_max_is_one_unit_per_entry():
    nodes, shape, constants = CASES["max"]
    (layer,) = from_model(model(nodes, shape, constants)).layers
    assert isinstance(layer.units, MaxUnits)
    assert layer.units.groups == ((0, 3, 6), (1, 4, 7), (2, 5, 8))


def test_nodes_in_any_order_and_constants_after_use():
    nodes = [("Relu", "b", "y"), ("Add", "a c", "b"), ("MatMul", "x w", "a")]
    out = model(nodes, [1, 3], {"w": W34, "c": B4})
    net = from_model(out)
    assert net.widths == (4,)
    nodes = [("Relu", "y", "x2"), ("Relu", "x2", "y")]
    refused(model(nodes, [1, 3]), "cycle")


def test_initializers_listed_as_inputs_do_not_count():
    out = model([("MatMul", "x w", "y")], [1, 3], {"w": W34})
    out.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [3, 4]))
    assert from_model(out).outputs == 4


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE])
def test_weight_types_are_exact(kind):
    out = model([("MatMul", "x w", "y")], [1, 2], kind=kind)
    out.graph.initializer.append(helper.make_tensor("w", kind, [2, 2], [0.5, -3.0, 1.25, 0.0]))
    (term,) = from_model(out).output.terms
    assert term.factors[0].tolist() == [[0.5, 1.25], [-3.0, 0.0]]


def test_several_outputs(recwarn):
    nodes = [("Relu", "x", "y"), ("MatMul", "y w", "z"), ("Relu", "z", "u")]
    net = from_model(model(nodes, [1, 3], {"w": W34}, outputs=("z", "y")))
    assert not recwarn.list
    assert "output 'z'; not read: 'y'" in net.notes[0]
    with pytest.warns(UserWarning, match="not read: 'u'"):
        assert from_model(model(nodes, [1, 3], {"w": W34}, outputs=("z", "u"))).widths == (3,)


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax", "Sigmoid", "ArgMax"])
def test_output_functions_are_dropped(op):
    nodes = [("MatMul", "x w", "a"), (op, "a", "b"), ("Identity", "b", "y")]
    with pytest.warns(UserWarning, match=op):
        net = from_model(model(nodes, ["N", 3], {"w": W34}))
    assert np.array_equal(net.output.terms[0].factors[0], W34.T)


def test_notes():
    nodes = [
        ("Dropout", "x", "a"),
        ("Cast", "a", "b", {"to": TensorProto.DOUBLE}),
        ("Add", "c c", "d"),
        ("Add", "b d", "y"),
    ]
    net = from_model(model(nodes, [1, 3], {"c": f32(3)}))
    assert net.notes == (
        "node 'Dropout_n' (Dropout): identity at inference",
        "node 'Cast_n' (Cast): a cast to float64 is read as the identity",
        "rounded: node 'Add_n' (Add): constants combined once, in float32",
        "compiled away: Dropout (1), Cast (1), Add (1)",
    )


# -- input shapes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "size"),
    [(["N", 3], 3), ([0, 3], 3), ([1, 3], 3), ([2, 3], 6), ([3], 3), ([None, 2, 3], 6), ([1], 1)],
)
def test_which_dimension_is_the_batch(shape, size):
    assert from_model(model([("Relu", "x", "y")], shape)).inputs == size


def test_open_shapes(tmp_path):
    for shape in (["N"], ["N", "M"], ["N", 3, "M"], None):
        refused(model([("Relu", "x", "y")], shape), "input 'x'", "give shape=")
    path = tmp_path / "open.onnx"
    onnx.save(model([("Relu", "x", "y")], ["N", "M"]), path)
    assert load(path, shape=(5,)).inputs == 5
    onnx.save(model([("Relu", "x", "y")], ["N", 3, "M"]), path)
    with pytest.raises(LinregionsError, match="does not fit"):
        load(path, shape=(4, 5))


# -- refusals -----------------------------------------------------------------------------

MM = ("MatMul", "x w", "a")
REFUSED = {
    "sigmoid": (
        [("Sigmoid", "x", "a"), ("MatMul", "a w", "y")],
        "node 'Sigmoid_n' (Sigmoid)",
        "linear",
    ),
    "softmax": (
        [("Softmax", "x", "a"), ("Relu", "a", "y")],
        "node 'Softmax_n' (Softmax)",
        "very end",
    ),
    "tanh": ([MM, ("Tanh", "a", "y")], "'Tanh_n' (Tanh, opset 17)", "not piecewise linear"),
    "jump": ([("Floor", "x", "y")], "'Floor_n' (Floor, opset 17)", "not a continuous"),
    "jump2": ([("ThresholdedRelu", "x", "y")], "ThresholdedRelu_n", "it jumps from 0 to 1 at 1"),
    "hard_swish": (
        [("HardSwish", "x", "y")],
        "'HardSwish_n' (HardSwish, opset 17)",
        "not piecewise linear",
    ),
    "product": ([("Mul", "x x", "y")], "'Mul_n' (Mul, opset 17)", "quadratic"),
    "square": ([("MatMul", "x x", "y")], "'MatMul_n' (MatMul, opset 17)", "quadratic"),
    "division": ([("Div", "w x", "y")], "'Div_n' (Div, opset 17)", "depends on the input"),
    "zero": ([("Div", "x z", "y")], "'Div_n' (Div, opset 17)", "division by zero"),
    "nan": ([("Add", "x n", "y")], "'Add_n' (Add, opset 17)", "'n' holds NaN"),
    "cast": ([("Cast", "x", "y", {"to": 7})], "'Cast_n' (Cast, opset 17)", "INT64"),
    "unknown": (
        [("Frobnicate", "x", "y")],
        "'Frobnicate_n' (Frobnicate, opset 17)",
        "no operator of ONNX",
    ),
    "conv": ([("Conv", "x w", "y")], "'Conv_n' (Conv, opset 17)", "a value of shape (1, 3)"),
    "shapes": (
        [("MatMul", "w x", "y")],
        "'MatMul_n' (MatMul, opset 17)",
        "shapes (3, 4) and (1, 3)",
    ),
    "sum": ([("Add", "x w", "y")], "'Add_n' (Add, opset 17)", "cannot be read"),
    "dangling": ([("Add", "x q", "y")], "'Add_n' (Add", "reads 'q'"),
    "mask": ([("Dropout", "x", "a m"), ("Not", "m", "y")], "'Not_n' (Not, opset 17)", "reads 'm'"),
    "missing": ([("Add", "x", "y")], "'Add_n' (Add, opset 17)", "argument 1 is missing"),
    "no_output": ([("Relu", "x", "h")], "output 'y'", "no node"),
    "random": ([("RandomNormal", "", "r", {"shape": [3]}), ("Add", "x r", "y")], "RandomNormal_n"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_node(name):
    nodes, *parts = REFUSED[name]
    constants = {"w": W34, "z": f32(3) * 0, "n": np.float32([np.nan, 0, 0])}
    refused(model(nodes, [1, 3], constants), *parts)


def test_inputs_that_are_refused():
    two = model([("Relu", "x", "y")], [1, 3])
    two.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 3]))
    assert from_model(two).notes[0] == "inputs that output 'y' does not depend on: 'z'"
    two.graph.node[0].op_type = "Add"
    two.graph.node[0].input.append("z")
    refused(two, "2 inputs ('x', 'z')", "joined into one")
    refused(model([("Relu", "x", "y")], [1, 3], kind=TensorProto.INT64), "input 'x' has type INT64")
    other = model([("Relu", "x", "y")], [1, 3])
    other.graph.node[0].domain = "com.microsoft"
    refused(other, "'com.microsoft'")


def test_damaged_files(tmp_path):
    data = model([("MatMul", "x w", "a"), ("Relu", "a", "y")], [1, 3], {"w": W34})
    data = data.SerializeToString()
    path = tmp_path / "bad.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for content in [b"garbage", b"\x00" * 50, *(data[:n] for n in range(1, len(data) - 8, 3))]:
            path.write_bytes(content)
            refused(path, "bad.onnx: ")
    wrong = model([("MatMul", "x w", "y")], [1, 3], {"w": W34})
    wrong.graph.initializer[0].raw_data = wrong.graph.initializer[0].raw_data[:-5]
    onnx.save(wrong, path)
    refused(path, "initializer 'w'")
