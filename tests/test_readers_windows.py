"""Convolution, pooling, normalisation, padding and resizing of ONNX models, against onnxruntime."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_models import RNG, assert_agrees, f32, model, refused
from scipy import sparse

from linregions.errors import UnsupportedNetwork
from linregions.network.units import MaxUnits, Pointwise
from linregions.readers.onnx.model import from_model
from linregions.readers.symbolic.layers import inverse_roots
from linregions.readers.symbolic.windows import Window

i64 = np.int64
SAME = {"auto_pad": "SAME_UPPER"}
LOWER = {"auto_pad": "SAME_LOWER"}


def one(op, shape, attributes=None, opset=17, **constants):
    """A model of one operator on x, its constants in the order given."""
    names = " ".join(["x", *constants])
    return model([(op, names, "y", attributes or {})], shape, constants, opset=opset)


CONV = {
    "1d": ([1, 2, 7], (3, 2, 3), {}),
    "2d": (["N", 2, 5, 6], (3, 2, 3, 2), {"kernel_shape": [3, 2]}),
    "3d": ([1, 2, 3, 4, 3], (2, 2, 2, 2, 2), {"pads": [0, 1, 0, 1, 0, 1]}),
    "strides": ([1, 2, 7, 8], (3, 2, 3, 3), {"strides": [2, 3], "pads": [1, 0, 2, 1]}),
    "dilations": ([1, 1, 9, 8], (2, 1, 3, 2), {"dilations": [2, 3], "pads": [2, 2, 2, 2]}),
    "groups": ([1, 6, 4, 4], (4, 3, 2, 2), {"group": 2}),
    "depthwise": ([1, 3, 4, 4], (6, 1, 3, 3), {"group": 3, "pads": [1, 1, 1, 1]}),
    "same_upper": ([1, 1, 7, 6], (2, 1, 2, 4), {**SAME, "strides": [2, 1]}),
    "same_lower": ([1, 1, 7, 6], (2, 1, 2, 4), {**LOWER, "strides": [2, 3]}),
    "valid": ([1, 1, 7, 6], (2, 1, 2, 4), {"auto_pad": "VALID"}),
    "batch": ([2, 2, 4, 4], (2, 2, 3, 3), {}),
}


@pytest.mark.parametrize("name", CONV)
def test_convolutions(name):
    shape, weight, attributes = CONV[name]
    net = assert_agrees(
        one("Conv", shape, attributes, w=f32(*weight), b=f32(weight[0])), exactly=True
    )
    assert all(sparse.issparse(f) for t in net.output.terms if t.source == 0 for f in t.factors)
    assert net.notes == ("compiled away: Conv (1)",)


TRANSPOSED = {
    "plain": ([1, 2, 4, 3], (2, 3, 3, 2), {}),
    "strides": ([1, 2, 4, 3], (2, 3, 3, 3), {"strides": [2, 3], "pads": [1, 0, 0, 1]}),
    "dilations": ([1, 2, 4], (2, 3, 3), {"dilations": [2], "strides": [2]}),
    "groups": ([1, 4, 3, 3], (4, 2, 2, 2), {"group": 2, "strides": [2, 2]}),
    "output_padding": ([1, 1, 3, 3], (1, 2, 2, 2), {"strides": [3, 2], "output_padding": [2, 1]}),
    "same_upper": ([1, 1, 4, 3], (1, 2, 3, 3), {**SAME, "strides": [2, 2]}),
    "same_lower": ([1, 1, 4, 3], (1, 2, 3, 3), {**LOWER, "strides": [2, 2]}),
    "output_shape": ([1, 1, 4, 3], (1, 2, 4, 3), {"strides": [2, 2], "output_shape": [7, 6]}),
    "3d": ([1, 1, 2, 2, 2], (1, 1, 2, 2, 3), {"strides": [1, 2, 1]}),
}


@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_convolutions(name):
    shape, weight, attributes = TRANSPOSED[name]
    bias = f32(weight[1] * attributes.get("group", 1))
    assert_agrees(one("ConvTranspose", shape, attributes, w=f32(*weight), b=bias), exactly=True)


POOL = {
    "1d": ([1, 2, 7], {"kernel_shape": [3]}),
    "overlap": ([1, 2, 7, 6], {"kernel_shape": [3, 2], "strides": [2, 1]}),
    "padding": ([1, 1, 6, 6], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 1, 2]}),
    "ceil": ([1, 1, 7, 8], {"kernel_shape": [2, 3], "strides": [2, 2], "ceil_mode": 1}),
    "same_upper": ([1, 1, 7, 8], {"kernel_shape": [2, 3], "strides": [2, 2], **SAME}),
    "same_lower": ([1, 1, 7, 8], {"kernel_shape": [2, 4], "strides": [2, 2], **LOWER}),
    "valid": ([1, 1, 7, 8], {"kernel_shape": [2, 4], "auto_pad": "VALID"}),
    "3d": ([1, 1, 4, 3, 4], {"kernel_shape": [2, 2, 2], "pads": [0, 0, 1, 0, 1, 0]}),
    "dilations": ([1, 1, 7, 8], {"kernel_shape": [2, 3], "dilations": [3, 2]}),
    "batch": ([2, 2, 4], {"kernel_shape": [2]}),
    "gaps": ([1, 1, 9], {"kernel_shape": [2], "strides": [3]}),
}


@pytest.mark.parametrize("name", POOL)
def test_max_pooling(name):
    shape, attributes = POOL[name]
    net = assert_agrees(one("MaxPool", shape, attributes), exactly=True)
    units = net.layers[0].units
    assert isinstance(units, MaxUnits)
    assert {i for g in units.groups for i in g} == set(range(units.fan_in))


@pytest.mark.parametrize("name", POOL)
@pytest.mark.parametrize("count", [0, 1])
def test_average_pooling(name, count):
    shape, attributes = POOL[name]
    opset = 19 if "dilations" in attributes else 17
    attributes = {**attributes, "count_include_pad": count}
    assert_agrees(one("AveragePool", shape, attributes, opset=opset), exactly=True)


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
def test_global_pooling(op):
    assert_agrees(one(op, ["N", 3, 4, 5]), exactly=True)


def test_overlapping_windows_share_their_entries():
    net = from_model(one("MaxPool", [1, 1, 5], {"kernel_shape": [3], "pads": [1, 1]}))
    assert net.layers[0].units.groups == ((0, 1), (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4))
    assert net.layers[0].affine.size == 5


def test_a_window_of_one_entry_is_no_unit():
    attributes = {"kernel_shape": [2], "strides": [2], "pads": [1, 0]}
    net = assert_agrees(one("MaxPool", [1, 1, 5], attributes))
    assert net.layers[0].units.groups == ((0, 1), (2, 3))
    assert net.output.sources == (0, 1)
    attributes = {"kernel_shape": [1], "strides": [2]}
    assert assert_agrees(one("MaxPool", [1, 1, 5], attributes)).units == 0


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_random_windows(data):
    """Positions of a window against their definition, one output and one tap at a time."""
    n = data.draw(st.integers(1, 9))
    k, s, d = (data.draw(st.integers(1, 3)) for _ in range(3))
    b, a = (data.draw(st.integers(-1, 2)) for _ in range(2))
    window = Window.of((k,), (s,), (d,), (b,), (a,))
    if n + b + a < d * (k - 1) + 1:
        return
    expected, start = [], -b
    while start + d * (k - 1) < n + a:
        taps = [start + d * i for i in range(k)]
        expected.append([t if 0 <= t < n else -1 for t in taps])
        start += s
    assert window.table((n,)).tolist() == expected


def test_batch_normalisation():
    parts = {"s": f32(3) + 4, "b": f32(3), "m": f32(3), "v": np.float32([0.5, 2, 3])}
    net = assert_agrees(one("BatchNormalization", ["N", 3, 2, 2], **parts), exactly=True)
    text = "rounded: node 'BatchNormalization_n' (BatchNormalization): 1 / sqrt(variance + epsilon)"
    assert net.notes[0].startswith(text)
    assert_agrees(one("BatchNormalization", ["N", 3], {"epsilon": 0.1}, **parts), exactly=True)
    nodes = [("Conv", "x w", "a"), ("BatchNormalization", "a s b m v", "c"), ("Relu", "c", "y")]
    net = assert_agrees(model(nodes, ["N", 2, 4, 4], {"w": f32(3, 2, 3, 3), **parts}), exactly=True)
    assert net.widths == (12,)


def test_batch_normalisation_is_exact_where_the_root_is():
    parts = {"s": [3.0], "b": [0.5], "m": [2.0], "v": [0.1875]}
    parts = {k: np.float32(v) for k, v in parts.items()}
    net = from_model(one("BatchNormalization", [1, 1], {"epsilon": 0.0625}, **parts))
    assert net.exactly([Fraction(1, 3)])[0] == [(Fraction(1, 3) - 2) * 2 * 3 + Fraction(1, 2)]
    assert net.notes == ("compiled away: BatchNormalization (1)",)


@given(st.floats(1e-30, 1e30), st.floats(1e-12, 1.0))
def test_inverse_roots_are_correctly_rounded(variance, epsilon):
    (root,), exact = inverse_roots(np.array([variance]), epsilon)
    x = Fraction(variance) + Fraction(epsilon)
    up, down = (Fraction(float(np.nextafter(float(root), t))) for t in (np.inf, 0))
    assert ((root + down) / 2) ** 2 * x <= 1 <= ((root + up) / 2) ** 2 * x
    assert exact == (root * root * x == 1)


def test_factors_of_a_convolution_and_its_normalisation_stay_sparse():
    """With float64 weights nothing can be folded: three exact factors, none of them dense."""
    w = np.float64(RNG.normal(size=(2, 1, 3, 3)))
    parts = {k: np.float64(RNG.uniform(1, 2, size=2)) for k in "sbmv"}
    nodes = [("Conv", "x w", "a"), ("BatchNormalization", "a s b m v", "c"), ("Relu", "c", "y")]
    net = from_model(model(nodes, [1, 1, 20, 20], {"w": w, **parts}, kind=11))
    for term in net.layers[0].affine.terms:
        if term.source == 0:
            assert all(sparse.issparse(f) for f in term.factors)
            assert len(term.factors) == 3
    x = RNG.integers(-3, 4, size=400)
    exact, _ = net.exactly(x.tolist())
    assert np.allclose([float(v) for v in exact], net(x), rtol=1e-12)


def test_a_division_that_is_too_long_to_be_kept_is_noted():
    attributes = {"kernel_shape": [3, 3]}
    short = from_model(one("AveragePool", [1, 1, 5, 5], attributes))
    assert short.exactly([Fraction(i == 6) for i in range(25)])[0][0] == Fraction(1, 9)
    long = assert_agrees(one("AveragePool", [1, 1, 30, 30], attributes))
    assert long.notes[0].startswith("rounded: layer 1: 784 multipliers such as 1/9")


PADS = {
    "constant": ({}, [0, 1, 2, 0, 0, 3]),
    "reflect": ({"mode": "reflect"}, [0, 1, 2, 0, 2, 1]),
    "edge": ({"mode": "edge"}, [0, 1, 2, 0, 2, 1]),
    "negative": ({}, [0, -1, 2, 0, 1, -2]),
}


@pytest.mark.parametrize("name", PADS)
def test_padding(name):
    attributes, pads = PADS[name]
    assert_agrees(one("Pad", [1, 3, 4], attributes, p=i64(pads)), exactly=True)
    nodes = [("Pad", "x p", "a", attributes), ("MatMul", "a w", "y")]
    width = 4 + pads[2] + pads[5]
    assert_agrees(model(nodes, [1, 3, 4], {"p": i64(pads), "w": f32(width, 2)}), exactly=True)


def test_padding_with_a_value_on_some_axes():
    parts = {"p": i64([1, 2]), "v": np.float32(2.5), "a": i64([-1])}
    assert_agrees(one("Pad", [1, 3, 4], {}, 18, **parts), exactly=True)
    old = [("Pad", "x", "y", {"pads": [0, 1, 0, 2], "value": 1.5})]
    assert_agrees(model(old, [1, 3], opset=10))


@pytest.mark.parametrize(
    "mode", ["asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel"]
)
@pytest.mark.parametrize("near", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
def test_resizing_by_the_nearest_entry(mode, near):
    attributes = {"mode": "nearest", "coordinate_transformation_mode": mode, "nearest_mode": near}
    for scales in ([1, 1, 2, 3], [1, 1, 1.5, 0.5]):
        nodes = [("Resize", "x none s", "y", attributes)]
        parts = {"none": np.zeros(0, np.float32), "s": np.float32(scales)}
        assert_agrees(model(nodes, [1, 2, 4, 4], parts, opset=13))
    nodes = [("Resize", "x none none2 s", "y", attributes)]
    parts = {"none": np.zeros(0, np.float32), "none2": np.zeros(0, np.float32)}
    assert_agrees(model(nodes, [1, 1, 4, 3], {**parts, "s": i64([1, 1, 6, 5])}, opset=13))


def test_old_upsampling():
    assert_agrees(one("Upsample", [1, 2, 3, 3], {}, 9, s=np.float32([1, 1, 2, 3])))


# -- maxima ---------------------------------------------------------------------------------


def test_maxout_by_reshape_and_maximum():
    nodes = [
        ("MatMul", "x w", "a"),
        ("Reshape", "a s", "b"),
        ("ReduceMax", "b", "c", {"axes": [2], "keepdims": 0}),
        ("ReduceMin", "c", "y", {"axes": [-1]}),
    ]
    parts = {"w": f32(3, 8), "s": i64([0, -1, 2])}
    net = assert_agrees(model(nodes, ["N", 3], parts), exactly=True)
    assert net.widths == (4, 1)
    assert net.layers[0].units.groups == ((0, 1), (2, 3), (4, 5), (6, 7))
    assert assert_agrees(model([("ReduceMax", "x", "y")], [2, 3])).widths == (1,)


def test_extremes_with_constants_are_pointwise():
    for op in ("Max", "Min"):
        net = assert_agrees(one(op, [1, 3], c=f32(3), d=f32(1)), exactly=True)
        assert isinstance(net.layers[0].units, Pointwise)


def test_units_that_bend_without_a_jump():
    for op, attributes in (
        ("ThresholdedRelu", {"alpha": 0.0}),
        ("Shrink", {"lambd": 0.5, "bias": 0.5}),
        ("Clip", {}),
    ):
        parts = {"c": np.float32(-0.5)} if op == "Clip" else {}
        assert_agrees(one(op, [1, 9], attributes, **parts), exactly=True)
    refused(
        one("Shrink", [1, 3], {"lambd": 0.5}), "'Shrink_n' (Shrink, opset 17)", "it jumps at 0.5"
    )


def test_a_choice_by_a_constant_mask():
    nodes = [("Relu", "x", "a"), ("Where", "m a x", "y")]
    net = assert_agrees(model(nodes, [2, 3], {"m": np.array([True, False, True])}), exactly=True)
    assert net.output.sources == (0, 1)


# -- refusals -------------------------------------------------------------------------------

REFUSED = {
    "channels": (one("Conv", [1, 2, 5, 5], w=f32(1, 3, 2, 2)), "for a value of 2 channels"),
    "groups": (one("Conv", [1, 4, 5], {"group": 2}, w=f32(3, 2, 2)), "in 2 groups"),
    "large": (one("Conv", [1, 1, 2, 2], w=f32(1, 1, 3, 3)), "longer than the padded input"),
    "training": (
        one("BatchNormalization", [1, 1], {"training_mode": 1}, **dict.fromkeys("sbmv", f32(1))),
        "export for inference",
    ),
    "linear": (
        model(
            [("Resize", "x r s", "y", {"mode": "linear"})],
            [1, 1, 4],
            {"r": np.zeros(0, np.float32), "s": np.float32([1, 1, 2])},
        ),
        "mode 'linear'",
    ),
    "padding": (
        one("MaxPool", [1, 1, 3], {"kernel_shape": [2], "pads": [2, 0]}),
        "wholly in the padding",
    ),
    "instance": (
        one("InstanceNormalization", [1, 2, 3], s=f32(2), b=f32(2)),
        "not piecewise linear",
    ),
    "where": (
        model([("Greater", "x z", "m"), ("Where", "m x z", "y")], [1, 3], {"z": np.float32(0)}),
        "'Greater_n' (Greater, opset 17)",
    ),
    "dropout": (
        one("Dropout", [1, 3], r=np.float32(0.5), t=np.array(True)),
        "'Dropout_n' (Dropout, opset 17): in training mode it is random",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_node(name):
    out, *parts = REFUSED[name]
    refused(out, "node '", *parts)


def test_positions_of_maxima_are_refused():
    nodes = [("MaxPool", "x", "a i", {"kernel_shape": [2]}), ("Cast", "i", "y", {"to": 1})]
    refused(model(nodes, [1, 1, 4]), "reads 'i'", error=UnsupportedNetwork)
