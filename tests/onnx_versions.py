"""One small model for each ONNX operator and each version of it, with the value it must have.

A case is written in the form of its version: what is an attribute there is one here. The
value comes from onnxruntime where it runs that version, else from the package's reference
implementation. Where a version means something else than today's (`MEANING`), numpy says
what, from the words of the standard, and that is checked as well.
"""

import contextlib
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx_models import ort

RNG = np.random.default_rng(11)
i64, f32 = np.int64, np.float32


def grid(*shape):
    """Numbers of a coarse grid, none of them zero: exact in float32."""
    return ((RNG.integers(1, 12, shape)) * RNG.choice([-1, 1], shape) / 4).astype(f32)


@dataclass
class Case:
    """A node on x (or on constants alone), and what numpy says where the version is an old one."""

    shape: tuple = (2, 3)
    inputs: tuple = ("x",)  # "x", an array, or None for one that is left out
    attributes: dict = field(default_factory=dict)
    outputs: int = 1
    meaning: object = None

    def model(self, op, opset, kind=TensorProto.FLOAT):
        names, weights = [], {}
        for i, part in enumerate(self.inputs):
            if isinstance(part, np.ndarray | np.generic):
                weights[f"c{i}"] = np.asarray(part)
            names.append("" if part is None else part if isinstance(part, str) else f"c{i}")
        while names and not names[-1]:
            names.pop()
        outs = [f"y{i}" for i in range(self.outputs)]
        node = helper.make_node(op, names, outs, f"{op}_n", **self.attributes)
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            [node],
            "g",
            [info("x", kind, self.shape), *(_typed(n, a) for n, a in weights.items())],
            [helper.make_value_info(o, onnx.TypeProto()) for o in outs],
            [numpy_helper.from_array(a, n) for n, a in weights.items()],
        )
        version = 3 if opset < 9 else 4 if opset < 10 else 8 if opset < 19 else 10
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=version
        )


def _typed(name, array):
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_value_info(name, kind, array.shape)


def values(model, x, case):
    """What the first output must be: a list of (who says so, array).

    The package's reference implementation has no old versions of some operators and takes
    today's instead, so it is asked only where neither numpy nor onnxruntime knows.
    """
    out = [] if case.meaning is None else [("the standard", case.meaning(x))]
    with contextlib.suppress(Exception):  # not every version is implemented there
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        found = session.run(None, {"x": x})[0]
        out += [("onnxruntime", found)] if isinstance(found, np.ndarray) else []
    if not out:
        out.append(("the reference", ReferenceEvaluator(model).run(None, {"x": x})[0]))
    return [(who, np.asarray(v).astype(np.float64).ravel()) for who, v in out]


# -- the cases --------------------------------------------------------------------------------


def _either(v, since, shape, name_value, attributes=None, before=("x",)):
    """Arguments that are inputs from a version on, and attributes before."""
    attributes = attributes or {}
    if v >= since:
        parts = (np.asarray(a) if a is not None else None for _, a in name_value)
        return Case(shape, (*before, *parts), attributes)
    old = {n: (a.tolist() if np.ndim(a) else a.item()) for n, a in name_value if a is not None}
    return Case(shape, before, {**attributes, **old})


BINARY = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Pow": np.power,
    "And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor, "Equal": np.equal,
    "Greater": np.greater, "Less": np.less,
}  # fmt: skip


def _binary(op):
    f = BINARY[op]

    def cases(v):
        for first, second in (
            (("x", None), (None, "x")) if op in ("Add", "Sub", "Mul") else [("x", None)]
        ):
            if v >= 7:
                c, d = grid(3, 1), grid(4)
                yield Case((2, 3, 4), ("x", c) if first else (c, "x"), {})
                yield Case((2, 3, 4), ("x", d) if first else (d, "x"), {})
                continue
            c = grid(2, 3, 4)
            if second:
                yield Case((2, 3, 4), (c, "x"), {}, 1, lambda x, c=c: f(c, x))
                yield Case(
                    (3,), (c, "x"), {"broadcast": 1, "axis": 1}, 1, lambda x, c=c: f(c, x[:, None])
                )
                continue
            yield Case((2, 3, 4), ("x", c), {}, 1, lambda x, c=c: f(x, c))
            yield Case(
                (2, 3, 3),
                ("x", c := grid(3)),
                {"broadcast": 1, "axis": 1},
                1,
                lambda x, c=c: f(x, c[:, None]),
            )
            yield Case(
                (2, 3, 4),
                ("x", c := grid(2, 3)),
                {"broadcast": 1, "axis": 0},
                1,
                lambda x, c=c: f(x, c[:, :, None]),
            )
            yield Case(
                (2, 3, 4), ("x", c := grid(3, 4)), {"broadcast": 1}, 1, lambda x, c=c: f(x, c)
            )
            yield Case(
                (2, 3, 4), ("x", c := grid(1, 1)), {"broadcast": 1}, 1, lambda x, c=c: f(x, c[0, 0])
            )
            yield Case((2, 3, 4), ("x", c := grid()), {"broadcast": 1}, 1, lambda x, c=c: f(x, c))

    return cases


def _unary(**attributes):
    def cases(v):
        yield Case((2, 3, 5), ("x",), {})
        if attributes:
            yield Case((2, 3, 5), ("x",), attributes)

    return cases


def _old_buffers(v):
    yield Case((2, 3), ("x",), {"consumed_inputs": [0]} if v == 1 else {})


def _reduction(moved):
    def cases(v):
        for axes, keep in ((i64([1]), 1), (i64([0, 2]), 0), (None, 1)):
            yield _either(v, moved, (2, 3, 4), [("axes", axes)], {"keepdims": keep})
        if v >= 11:
            yield _either(v, moved, (2, 3, 4), [("axes", i64([-1]))])
        if v >= moved:
            yield Case((2, 3), ("x",), {"noop_with_empty_axes": 1})

    return cases


def _variadic(f):
    def cases(v):
        c, d = grid(2, 3), grid(2, 3)
        yield Case((2, 3), ("x", c, d), {}, 1, lambda x: f(f(x, c), d) if f else (x + c + d) / 3)
        yield Case((2, 3), ("x",), {}, 1, lambda x: x)
        if v >= 8:
            yield Case((2, 3), ("x", grid(3), grid(2, 1)))

    return cases


def _batch_norm(v):
    scale, shift, mean, var = grid(3), grid(3), grid(3), np.abs(grid(3)) + 1
    old = {"is_test": 1} if v < 7 else {}
    old |= {"consumed_inputs": [0, 0, 0, 1, 1]} if v == 1 else {}

    def form(p, x, epsilon=1e-5):
        s, b, m, w = (a.reshape(-1, *[1] * (x.ndim - 2)) if a.ndim == 1 else a for a in p)
        return (x - m) / np.sqrt(w + epsilon) * s + b

    parts = (scale, shift, mean, var)
    for shape in ((2, 3, 2, 2), (2, 3)):
        yield Case(shape, ("x", *parts), old, 1, lambda x: form(parts, x))
    wide = {**old, "epsilon": 0.25}
    yield Case((1, 3, 2), ("x", *parts), wide, 1, lambda x: form(parts, x, 0.25))
    if v < 9:
        whole = tuple(grid(3, 2, 2) for _ in range(3))
        whole = (*whole, np.abs(grid(3, 2, 2)) + 1)
        yield Case((2, 3, 2, 2), ("x", *whole), {**old, "spatial": 0}, 1, lambda x: form(whole, x))


def _prelu(v):
    c = np.abs(grid(3)) / 4
    yield Case((2, 3), ("x", c), {}, 1, lambda x: np.where(x < 0, c * x, x))
    if v < 7:
        for shape in ((2, 3, 4), (1, 3, 1, 3)):
            by = c.reshape(-1, *[1] * (len(shape) - 2))
            yield Case(shape, ("x", c), {}, 1, lambda x, by=by: np.where(x < 0, by * x, x))
        yield Case((2, 4), ("x", c[:1]), {}, 1, lambda x: np.where(x < 0, c[0] * x, x))
    else:
        yield Case((2, 3, 4), ("x", c[:, None]))
        yield Case((2, 4, 3), ("x", c))


def _gemm(v):
    w, b, full = grid(3, 4), grid(4), grid(2, 4)
    turned = {"alpha": 0.5, "beta": 2.0, "transB": 1}
    yield Case((2, 3), ("x", w, full), {}, 1, lambda x: x @ w + full)
    v43 = grid(4, 3)
    yield Case((2, 3), ("x", v43, full), turned, 1, lambda x: x @ v43.T / 2 + 2 * full)
    more = {"broadcast": 1} if v < 7 else {}
    yield Case((2, 3), ("x", w, b), more, 1, lambda x: x @ w + b)
    yield Case((2, 3), ("x", w, b[:1]), {**more, "transA": 0}, 1, lambda x: x @ w + b[0])
    if v >= 11:
        yield Case((2, 3), ("x", w))


def _mean_of_window(x):
    """3 x 3 windows in steps of 2 with padding that does not count."""
    wide = np.pad(x, [(0, 0), (0, 0), (1, 1), (0, 2)], constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(wide, (3, 3), axis=(2, 3))[:, :, ::2, ::2]
    return np.nanmean(windows, axis=(-1, -2))


def _pool(extra=(), padded=None):
    def cases(v):
        yield Case((1, 2, 5, 6), ("x",), {"kernel_shape": [2, 3], "strides": [2, 1]})
        sides = {"kernel_shape": [3, 3], "pads": [1, 0, 1, 2], "strides": [2, 2]}
        yield Case((1, 2, 5, 6), ("x",), sides, 1, padded)
        more = [{"kernel_shape": [2, 2], "auto_pad": "VALID"}]
        more += [{"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER", "strides": [2, 2]}][: v != 1]
        for attributes in (*more, *(attributes for first, attributes in extra if v >= first)):
            yield Case((1, 2, 5, 6), ("x",), dict(attributes))

    return cases


CEIL = {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}
GAPS = {"kernel_shape": [2, 2], "dilations": [2, 1]}
PADDED = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}


def _conv(v):
    yield Case((1, 2, 5, 4), ("x", grid(3, 2, 2, 2)), {"strides": [2, 1]})
    yield Case((1, 2, 5), ("x", grid(4, 1, 2), grid(4)), {"group": 2, "pads": [1, 0]})
    yield Case((1, 1, 5), ("x", grid(1, 1, 3)), {"auto_pad": "SAME_LOWER", "dilations": [1]})


def _conv_transpose(v):
    yield Case((1, 2, 4, 3), ("x", grid(2, 3, 2, 2), grid(3)), {"strides": [2, 1]})
    yield Case((1, 2, 4), ("x", grid(2, 1, 3)), {"strides": [2], "output_shape": [9], "group": 2})


def _clip(v):
    low, high = f32(-0.75), f32(0.5)
    for a, b in ((low, high), (low, None), (None, high), (high, high), (None, None)):
        case = _either(v, 11, (2, 9), [("min", a), ("max", b)])
        x0, x1 = (-np.inf if a is None else a), (np.inf if b is None else b)
        case.meaning = lambda x, lo=x0, hi=x1: np.minimum(np.maximum(x, lo), hi)
        yield case
    if v >= 13:
        yield Case((2, 9), ("x", high, low), {}, 1, lambda x: np.full(x.shape, low))


def _dropout(v):
    mode = {"is_test": 1} if v < 7 else {}
    for case in (_either(v, 12, (2, 3), [("ratio", f32(0.25))], mode), Case((2, 3), ("x",), mode)):
        case.meaning = lambda x: x
        yield case


def _softmax_of_constants(name):
    def f(x, axis):
        e = np.exp(x - x.max(axis, keepdims=True))
        p = e / e.sum(axis, keepdims=True)
        if name == "Hardmax":
            return (np.arange(x.shape[axis]) == x.argmax(axis)[..., None]).astype(f32)
        return np.log(p) if name == "LogSoftmax" else p

    def cases(v):
        c = grid(2, 3, 4) + RNG.permutation(24).reshape(2, 3, 4).astype(f32) / 64
        for attributes in ({}, {"axis": 1}, {"axis": 2}, {"axis": 0}):
            axis = attributes.get("axis", 1 if v < 13 else -1)
            rows = int(np.prod(c.shape[:axis])) if axis >= 0 else 6
            old = f(c.reshape(rows, -1), -1).reshape(c.shape)
            yield Case((1, 1), (c,), attributes, 1, (lambda x, o=old: o) if v < 13 else None)

    return cases


def _upsample(v):
    def rows(x):
        return x.repeat(2, axis=2).repeat(3, axis=3)

    if v == 1:
        yield Case((1, 2, 2, 3), ("x",), {"height_scale": 2.0, "width_scale": 3.0}, 1, rows)
    else:
        yield _either(v, 9, (1, 2, 2, 3), [("scales", f32([1, 1, 2, 3]))])
        yield _either(v, 9, (1, 3), [("scales", f32([1, 1.5]))], {"mode": "nearest"})


def _resize(v):
    shape, scales = (1, 2, 3, 4), f32([1, 1, 2, 0.5])
    if v == 10:
        yield Case(shape, ("x", scales), {"mode": "nearest"}, 1, lambda x: x.repeat(2, 2)[..., ::2])
        yield Case((1, 3), ("x", f32([1, 2.5])))
        return
    none = np.zeros(0, f32)
    yield Case(shape, ("x", none, scales))
    near = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    yield Case(shape, ("x", none, none, i64([1, 2, 5, 7])), near)
    if v < 13:
        yield Case(
            shape,
            ("x", none, f32([1, 1, 2, 3])),
            {"coordinate_transformation_mode": "tf_half_pixel_for_nn"},
        )
    if v >= 18:
        yield Case(shape, ("x", None, scales[2:]), {"axes": [2, 3]})


def _pad(v):
    pads = [0, 1, 2, 0]
    old = "paddings" if v == 1 else "pads"
    if v < 11:
        yield Case((2, 3), ("x",), {old: pads}, 1, lambda x: np.pad(x, [(0, 2), (1, 0)]))
        yield Case((2, 3), ("x",), {old: pads, "value": 1.5})
        yield Case(
            (2, 3),
            ("x",),
            {old: [0, 1, 1, 0], "mode": "reflect"},
            1,
            lambda x: np.pad(x, [(0, 1), (1, 0)], mode="reflect"),
        )
        return
    yield Case((2, 3), ("x", i64(pads)))
    yield Case((2, 3), ("x", i64(pads), f32(1.5)))
    yield Case((2, 3), ("x", i64([0, 1, 1, 0])), {"mode": "edge"})
    if v >= 18:
        yield Case((2, 3), ("x", i64([1, 2]), f32(2), i64([-1])))
    if v >= 19:
        yield Case((2, 3), ("x", i64([0, 1, 1, 0])), {"mode": "wrap"})


def _slice(v):
    start, end, axes = i64([1, 0]), i64([3, -1]), i64([1, 2])
    yield _either(v, 10, (2, 4, 5), [("starts", start), ("ends", end), ("axes", axes)])
    yield _either(v, 10, (2, 4), [("starts", i64([0, 1])), ("ends", i64([9, 2]))])
    if v >= 10:
        yield Case((2, 5), ("x", i64([4]), i64([0]), i64([1]), i64([-2])))


def _split(v):
    if v == 1:
        yield Case((2, 5), ("x", f32([2, 3])), {"axis": 1}, 2, lambda x: x[:, :2])
    if v >= 18:
        yield Case((2, 5), ("x",), {"axis": 1, "num_outputs": 2}, 2)
    else:
        yield Case((2, 6), ("x",), {"axis": 1}, 3, lambda x: x[:, :2])
    sizes = i64([2, 3])
    made = _either(v, 13, (2, 5), [("split", sizes)], {"axis": 1})
    made.outputs, made.meaning = 2, lambda x: x[:, :2]
    yield made


def _tile(v):
    if v == 1:
        yield Case((2, 3), ("x", i64(2), i64(1)), {}, 1, lambda x: np.tile(x, (1, 2)))
    else:
        yield Case((2, 3), ("x", i64([2, 3])))


def _cast(v):
    yield Case((2, 3), ("x",), {"to": "DOUBLE" if v < 6 else TensorProto.DOUBLE}, 1, lambda x: x)
    c, to = grid(3), "INT32" if v < 6 else TensorProto.INT32
    yield Case((1, 1), (c,), {"to": to}, 1, lambda x: np.trunc(c))


def _quantised(v):
    q = RNG.integers(-128, 127, (3, 4)).astype(np.int8)
    yield Case((1, 1), (q, f32(0.5), np.int8(3)), {}, 1, lambda x: (q - 3.0) * 0.5)
    yield Case((1, 1), (q, f32(0.25)), {}, 1, lambda x: q * 0.25)
    if v >= 13:
        s, z = np.abs(grid(4)), np.arange(4, dtype=np.int8)
        yield Case((1, 1), (q, s, z), {}, 1, lambda x: (q - z.astype(float)) * s)
        s, z = np.abs(grid(3)), np.arange(3, dtype=np.int8)
        m = (q - z[:, None].astype(float)) * s[:, None]
        yield Case((1, 1), (q, s, z), {"axis": 0}, 1, lambda x, m=m: m)
    if v >= 21:
        s = np.abs(grid(3, 2))
        yield Case(
            (1, 1), (q, s), {"axis": 1, "block_size": 2}, 1, lambda x, s=s: q * s.repeat(2, 1)
        )


def _quantise(v):
    c = grid(3, 4) * 3 + f32(0.01)
    yield Case((1, 1), (c, f32(0.5), np.int8(3)))
    yield Case((1, 1), (c, f32(0.25), np.uint8(100)))
    if v >= 13:
        yield Case((1, 1), (c, np.abs(grid(4)), np.zeros(4, np.int8)), {"axis": 1})


def _constant(v):
    c = grid(2, 3)
    yield Case((1, 1), (), {"value": numpy_helper.from_array(c)}, 1, lambda x: c)
    if v >= 11:
        sparse = helper.make_sparse_tensor(
            helper.make_tensor("v", 1, [2], [1.5, -2.0]),
            helper.make_tensor("i", 7, [2], [1, 5]),
            [2, 3],
        )
        full = np.array([[0, 1.5, 0], [0, 0, -2.0]])
        yield Case((1, 1), (), {"sparse_value": sparse}, 1, lambda x: full)
    if v >= 12:
        yield Case((1, 1), (), {"value_float": 1.5}, 1, lambda x: np.array(1.5))
        yield Case((1, 1), (), {"value_floats": [1.5, 2.0]}, 1, lambda x: np.array([1.5, 2.0]))
        yield Case((1, 1), (), {"value_int": 3}, 1, lambda x: np.array(3))
        yield Case((1, 1), (), {"value_ints": [3, 4]}, 1, lambda x: np.array([3, 4]))


def _scatter(elements):
    def cases(v):
        data, x = grid(3, 4), "x"
        if elements:
            where = i64([[0, 2], [1, -1]])
            yield Case((3, 4), (x, where, grid(2, 2)), {"axis": 1})
            yield Case((2, 2), (data, i64([[0, 2], [1, 0]]), x), {"axis": 0} if v < 16 else {})
        else:
            where = i64([[0, 2], [1, -1]])
            yield Case((3, 4), (x, where, grid(2)))
            yield Case((2, 4), (data, i64([[2], [0]]), x))
        ways = ["add"] * (v >= 16) + ["max", "min"] * (v >= 18)
        for how in ways:
            again = i64([[0, 1], [0, 1]])
            updates = grid(2, 2) if elements else grid(2)
            yield Case((3, 4), (x, again, updates), {"reduction": how})
            yield Case(updates.shape, (data, again, x), {"reduction": how})

    return cases


def _gather_nd(v):
    yield Case((2, 3, 4), ("x", i64([[0, 1], [1, -1]])))
    if v >= 12:
        yield Case((2, 3, 4), ("x", i64([[1], [0]])), {"batch_dims": 1})


def _lp_pool(v):
    p = 1.0 if v == 1 else 1
    shape = {"kernel_shape": [2, 2], "strides": [2, 1]}

    def pooled(x):
        a = np.abs(x)
        w = np.lib.stride_tricks.sliding_window_view(a, (2, 2), axis=(2, 3))
        return w.sum((-1, -2))[:, :, ::2]

    yield Case((1, 2, 5, 4), ("x",), {**shape, "p": p}, 1, pooled)
    yield Case((1, 2, 4, 4), ("x",), {"kernel_shape": [2, 2], "pads": [1, 0, 1, 0], "p": p})
    if v >= 18:
        yield Case((1, 2, 5, 4), ("x",), {**CEIL, "p": p})


def _global_lp(v):
    yield Case(
        (1, 2, 3, 4),
        ("x",),
        {"p": 1.0 if v == 1 else 1},
        1,
        lambda x: np.abs(x).sum((2, 3), keepdims=True),
    )


def _shape(v):
    yield Case((2, 3, 4), ("x",), {}, 1, lambda x: np.array(x.shape))
    if v >= 15:
        yield Case((2, 3, 4), ("x",), {"start": 1, "end": -1}, 1, lambda x: np.array([3]))


def _topk(v):
    c = RNG.permutation(12).reshape(3, 4).astype(f32)
    made = _either(v, 10, (1, 1), [("k", i64([2]) if v >= 10 else i64(2))], {"axis": 1}, (c,))
    made.outputs, made.meaning = 2, lambda x: -np.sort(-c, axis=1)[:, :2]
    yield made


def _einsum(v):
    w = grid(3, 4)
    for equation, shape, more in (
        ("ij,jk->ik", (2, 3), (w,)),
        ("...j,jk", (2, 2, 3), (w,)),
        ("bij,bjk->bik", (2, 2, 3), (grid(2, 3, 4),)),
        ("ii->i", (3, 3), ()),
        ("ij->", (2, 3), ()),
        ("i,j->ij", (3,), (grid(4),)),
        ("ij,kj->ik", (2, 3), (grid(4, 3),)),
        ("ij,jk,k->i", (2, 3), (w, grid(4))),
        ("a...b,b->...a", (2, 4, 3), (grid(3),)),
    ):
        yield Case(shape, ("x", *more), {"equation": equation})
    yield Case((4, 2), (w, "x"), {"equation": "jk,kb->bj"})


def _matmul(v):
    yield Case((2, 3), ("x", grid(3, 4)))
    yield Case((3,), ("x", grid(3, 4)))
    yield Case((4,), (grid(3, 4), "x"))
    yield Case((2, 5, 3), ("x", grid(2, 3, 4)))
    yield Case((5, 3), ("x", grid(2, 3, 4)))
    yield Case((2, 1, 5, 3), ("x", grid(3, 3, 4)))
    yield Case((2, 3, 4), (grid(2, 5, 3), "x"))
    yield Case((3, 4), (grid(2, 5, 3), "x"))


def _plain(shape, *inputs, **attributes):
    """One case, the same in every version."""
    return lambda v: [Case(shape, inputs or ("x",), attributes)]


def _folded(*inputs, **attributes):
    """An operator of constants alone."""
    return lambda v: [Case((1, 1), inputs, attributes)]


C = grid(2, 3)
SMALL = np.abs(C) / 8  # between 0 and 1
ONES = RNG.integers(0, 2, (2, 3)).astype(bool)
WHOLE = RNG.integers(1, 9, (2, 3))
CASES = {
    **{op: _binary(op) for op in ("Add", "Sub", "Mul", "Div")},
    **{op: _unary() for op in ("Abs", "Neg", "Relu")},
    **{op: _reduction(18) for op in ("ReduceL1", "ReduceMax", "ReduceMean", "ReduceMin")},
    "AveragePool": _pool([(7, PADDED), (10, CEIL), (19, GAPS)], _mean_of_window),
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "CastLike": _plain((2, 3), "x", np.float64(1)),
    "CenterCropPad": lambda v: [
        Case((4, 5), ("x", i64([2, 7]))),
        Case((4, 5), ("x", i64([3])), {"axes": [1]}),
    ],
    "Clip": _clip,
    "Compress": lambda v: [
        Case((2, 3), ("x", np.array([True, False, True])), {"axis": 1}),
        Case((2, 3), ("x", np.array([False, True, True, False, True]))),
    ],
    "Concat": lambda v: [
        Case((2, 3), ("x", grid(2, 2), "x"), {"axis": 1}),
        *(
            [Case((2, 3), ("x", c := grid(2, 2)), {}, 1, lambda x, c=c: np.concatenate([x, c], 1))]
            if v < 4
            else []
        ),
    ],
    "Constant": _constant,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "CumSum": lambda v: [
        Case((2, 3, 4), ("x", np.int64(a)), {"reverse": r, "exclusive": e})
        for a in (1, -1)
        for r in (0, 1)
        for e in (0, 1)
    ],
    "DepthToSpace": lambda v: [
        Case((1, 8, 2, 3), ("x",), {"blocksize": 2}),
        *([Case((1, 8, 2, 3), ("x",), {"blocksize": 2, "mode": "CRD"})] if v >= 11 else []),
    ],
    "DequantizeLinear": _quantised,
    "Dropout": _dropout,
    "Einsum": _einsum,
    "Expand": _plain((3, 1), "x", i64([2, 3, 4])),
    "EyeLike": _plain((2, 3), k=1),
    "Flatten": lambda v: [
        Case((2, 3, 4), ("x",), {"axis": a}) for a in (0, 1, 2, *([-1] if v >= 11 else []))
    ],
    "Gather": lambda v: [
        Case((2, 4), ("x", i64([2, 0])), {"axis": 1}),
        Case((3, 2), ("x", i64([[2], [0]]))),
    ],
    "GatherElements": _plain((2, 3), "x", i64([[0, 2], [1, -1]]), axis=1),
    "GatherND": _gather_nd,
    "Gemm": _gemm,
    "GlobalAveragePool": _plain((1, 2, 3, 4)),
    "GlobalLpPool": _global_lp,
    "GlobalMaxPool": _plain((1, 2, 3, 4)),
    "HardSigmoid": _unary(alpha=0.5, beta=0.25),
    "Identity": _plain((2, 3)),
    "LeakyRelu": _unary(alpha=0.25),
    "LpPool": _lp_pool,
    "MatMul": _matmul,
    "Max": _variadic(np.maximum),
    "MaxPool": _pool([(10, CEIL), (10, GAPS)]),
    "Mean": _variadic(None),
    "Min": _variadic(np.minimum),
    "PRelu": _prelu,
    "Pad": _pad,
    "QuantizeLinear": _quantise,
    "ReduceSum": _reduction(13),
    "Reshape": lambda v: [_either(v, 5, (2, 3, 4), [("shape", i64([0, -1]))])],
    "Resize": _resize,
    "ReverseSequence": _plain((4, 3), "x", i64([4, 2, 1])),
    "Scatter": lambda v: [Case((3, 4), ("x", i64([[0, 2], [1, 3]]), grid(2, 2)), {"axis": 1})],
    "ScatterElements": _scatter(True),
    "ScatterND": _scatter(False),
    "Shape": _shape,
    "Shrink": _plain((2, 3), lambd=0.5, bias=0.5),
    "Size": lambda v: [Case((2, 3), ("x",), {}, 1, lambda x: np.array(6))],
    "Slice": _slice,
    "SpaceToDepth": _plain((1, 2, 4, 6), blocksize=2),
    "Split": _split,
    "Squeeze": lambda v: [_either(v, 13, (1, 3, 1), [("axes", i64([0]))]), Case((1, 3, 1))],
    "Sum": _variadic(np.add),
    "ThresholdedRelu": _plain((2, 3), alpha=0.0),
    "Tile": _tile,
    "Transpose": lambda v: [Case((2, 3, 4), ("x",), {"perm": [1, 2, 0]}), Case((2, 3))],
    "Trilu": lambda v: [
        Case((3, 4), ("x", np.int64(k)), {"upper": u}) for k in (-1, 0, 1) for u in (0, 1)
    ],
    "Unsqueeze": lambda v: [_either(v, 13, (2, 3), [("axes", i64([0, 2]))])],
    "Upsample": _upsample,
    "Where": _plain((2, 3), np.array([True, False, True]), "x", grid(2, 1)),
}


def _selu(v, x):
    alpha, gamma = (
        (1.6732, 1.0507) if v == 1 else (1.67326319217681884765625, 1.05070102214813232421875)
    )
    return gamma * np.where(x > 0, x, alpha * np.expm1(x))


def _of_constants(op):
    """The old forms of binary operators, on constants."""

    def cases(v):
        logic = op in ("And", "Or", "Xor")
        for case in _binary(op)(v):
            a = RNG.integers(0, 2, case.shape).astype(bool) if logic else np.abs(grid(*case.shape))
            b = case.inputs[1]
            b = b > 0 if logic else RNG.integers(1, 4, b.shape).astype(f32)
            if v < 7 and op in ("Equal", "Greater", "Less") and v == 1:
                a, b = ((a * 4).astype(np.int32), b.astype(np.int32)) if op == "Equal" else (a, b)
            if v < 7:
                axis = case.attributes.get("axis")
                rank = a.ndim - (b.ndim if axis is None else b.ndim + axis)
                wide = b if b.size == 1 or axis is None else b.reshape(*b.shape, *[1] * rank)
                result = BINARY[op](a, wide)
                yield Case((1, 1), (a, b), case.attributes, 1, lambda x, y=result: y)
            else:
                if op == "Equal":
                    a, b = (a * 4).astype(np.int64), b.astype(np.int64)
                yield Case((1, 1), (a, b))

    return cases


FOLDED = {
    **{op: _of_constants(op) for op in ("And", "Or", "Xor", "Equal", "Greater", "Less", "Pow")},
    **{op: _softmax_of_constants(op) for op in ("Softmax", "LogSoftmax", "Hardmax")},
    **{
        op: _folded(C)
        for op in [
            "Atan",
            "Asinh",
            "Ceil",
            "Celu",
            "Cos",
            "Cosh",
            "Elu",
            "Erf",
            "Exp",
            "Floor",
            "Gelu",
            "HardSwish",
            "Mish",
            "Reciprocal",
            "Round",
            "Selu",
            "Sigmoid",
            "Sign",
            "Sin",
            "Sinh",
            "Softplus",
            "Softsign",
            "Tan",
            "Tanh",
            "NonZero",
            "ReduceL2",
            "ReduceLogSumExp",
            "ReduceProd",
            "ReduceSumSquare",
            "ArgMax",
            "ArgMin",
            "IsNaN",
            "IsInf",
            "LpNormalization",
        ]
    },
    **{op: _folded(SMALL) for op in ["Acos", "Asin", "Atanh", "Log", "Sqrt", "ReduceLogSum"]},
    "Acosh": _folded(SMALL + 2),
    "Not": _folded(ONES),
    "BitShift": _folded(WHOLE.astype(np.uint8), WHOLE.astype(np.uint8) % 4, direction="LEFT"),
    "BitwiseNot": _folded(WHOLE.astype(np.int32)),
    **{
        f"Bitwise{op}": _folded(WHOLE.astype(np.int32), WHOLE[:1].astype(np.int32))
        for op in ("And", "Or", "Xor")
    },
    "ConstantOfShape": _folded(i64([2, 3]), value=helper.make_tensor("v", 1, [1], [2.5])),
    "Det": _folded(grid(2, 2)),
    "GreaterOrEqual": _folded(C, C[:1]),
    "InstanceNormalization": _folded(grid(1, 2, 3), grid(2), grid(2)),
    "LayerNormalization": _folded(C, grid(3), grid(3)),
    "LessOrEqual": _folded(C, C[:1]),
    "MeanVarianceNormalization": _folded(grid(2, 2, 3, 3)),
    "Mod": _folded(WHOLE, i64([3])),
    "OneHot": _folded(i64([0, 2]), i64(3), f32([-1, 4])),
    "Range": _folded(i64(1), i64(9), i64(3)),
    "Selu": lambda v: [Case((1, 1), (C,), {}, 1, lambda x: _selu(v, C))],
    "TopK": _topk,
    "Unique": _folded(f32([3, 1, 3, 2])),
}
