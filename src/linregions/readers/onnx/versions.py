"""What an ONNX operator means in the opset that a file names: one table, read in one place.

Operators change between opsets: attributes become inputs, defaults move, and a few change
their meaning (``Add`` broadcast otherwise before opset 7). `modern` brings every node to the
form of one opset, `MODERN`, so that the readings know that form alone. The table says, for
each operator and each version of it, how:

* versions in `SAME` differ from the modern one in element types, in attributes that became
  inputs of the same name, and in defaults; the schemas of the onnx package hold all of it;
* versions in `CHANGED` have an adapter, which is given the call and the way onward.

A version that stands in neither is refused, and so is an attribute that the version does not
have: a file is read by the meaning that it names, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import defs, numpy_helper

from ...errors import LinregionsError, UnsupportedNetwork
from ..symbolic.values import Value
from .call import MODERN, Call, Tensor, default_of, schema_of
from .refusals import JUMPS, ROUNDS, SMOOTH, reason

Onward = Callable[[Call], Sequence[Tensor]]
Adapter = Callable[[Call, Onward], Sequence[Tensor]]
UPGRADE = "convert the file with onnx.version_converter, or export it with opset 13 to 21"

SAME = """
Abs 1 6 13
Acos 7 22
Acosh 9 22
Add 7 13 14
And 7
ArgMax 1 11 12 13
ArgMin 1 11 12 13
Asin 7 22
Asinh 9 22
Atan 7 22
Atanh 9 22
AveragePool 1 7 10 11 19 22
BatchNormalization 9 14 15
BitShift 11
BitwiseAnd 18
BitwiseNot 18
BitwiseOr 18
BitwiseXor 18
Cast 6 9 13 19 21 23 24 25
CastLike 15 19 21 23 24 25
Ceil 1 6 13
Celu 12
CenterCropPad 18
Clip 13
Compress 9 11
Concat 4 11 13
Constant 1 9
ConstantOfShape 9 20 21 23 24 25
Conv 1 11 22
ConvTranspose 11 22
Cos 7 22
Cosh 9 22
CumSum 11 14
DepthToSpace 1 11 13
DequantizeLinear 10 13 19 21
Det 11 22
Div 7 13 14
Dropout 7 10 12 13 22
Einsum 12
Elu 1 6 22
Equal 7 11 13 19
Erf 9 13
Exp 1 6 13
Expand 8 13
EyeLike 9 22
Flatten 1 9 11 13 21 23 24 25
Floor 1 6 13
Gather 1 11 13
GatherElements 11 13
GatherND 11 12 13
Gelu 20
Gemm 7 9 11 13
GlobalAveragePool 1 22
GlobalLpPool 1 2 22
GlobalMaxPool 1 22
Greater 7 9 13
GreaterOrEqual 12 16
HardSigmoid 1 6 22
HardSwish 14 22
Hardmax 13
Identity 1 13 14 16 19 21 23 24 25
InstanceNormalization 1 6 22
IsInf 10 20
IsNaN 9 13 20
LayerNormalization 17
LeakyRelu 1 6 16
Less 7 9 13
LessOrEqual 12 16
Log 1 6 13
LogSoftmax 13
LpNormalization 1 22
LpPool 1 2 11 18 22
MatMul 1 9 13
Max 8 12 13
MaxPool 1 8 10 11 12 22
Mean 8 13
MeanVarianceNormalization 9 13
Min 8 12 13
Mish 18 22
Mod 10 13
Mul 7 13 14
Neg 1 6 13
NonZero 9 13
Not 1
OneHot 9 11
Or 7
PRelu 7 9 16
Pad 2 11 13 18 19 21 23 24 25
Pow 7 12 13 15
QuantizeLinear 10 13 19 21
Range 11
Reciprocal 1 6 13
ReduceL1 1 11 13 18
ReduceL2 1 11 13 18
ReduceLogSum 1 11 13 18
ReduceLogSumExp 1 11 13 18
ReduceMax 1 11 12 13 18 20
ReduceMean 1 11 13 18
ReduceMin 1 11 12 13 18 20
ReduceProd 1 11 13 18
ReduceSum 1 11 13
ReduceSumSquare 1 11 13 18
Relu 1 6 13 14
Reshape 1 5 13 14 19 21 23 24 25
Resize 11 13 18 19
ReverseSequence 10
Round 11 22
ScatterElements 11 13 16 18
ScatterND 11 13 16 18
Selu 1 6 22
Shape 1 13 15 19 21 23 24 25
Shrink 9
Sigmoid 1 6 13
Sign 9 13
Sin 7 22
Sinh 9 22
Size 1 13 19 21 23 24 25
Slice 1 10 11 13
Softmax 13
Softplus 1 22
Softsign 1 22
SpaceToDepth 1 13
Split 18
Sqrt 1 6 13
Squeeze 1 11 13 21 23 24 25
Sub 7 13 14
Sum 8 13
Tan 7 22
Tanh 1 6 13
ThresholdedRelu 10 22
Tile 6 13
TopK 10 11 24
Transpose 1 13 21 23 24 25
Trilu 14
Unique 11
Unsqueeze 1 11 13 21 23 24 25
Where 9 16
Xor 7
"""
NEVER_LINEAR = SMOOTH | JUMPS | ROUNDS
IGNORED = ("consumed_inputs",)  # which buffers may be overwritten: says nothing of the function
RENAMED = {("Pad", "value"): "constant_value"}  # when it became an input


def shaped(x: Tensor, shape: Sequence[int]) -> Tensor:
    """The same entries in another shape."""
    return x.reshaped(shape) if isinstance(x, Value) else x.reshape(tuple(shape))


def _spread(b: Tensor, shape: Sequence[int], axis: int | None, why: str) -> Tensor:
    """An operand beside one of ``shape`` by the rules before opset 7, in today's form.

    One number goes everywhere; else the axes of ``b`` are those from ``axis`` on, the last
    ones if it is not given, each of equal size.
    """
    shape = tuple(shape)
    if b.shape == shape:
        return b
    if int(np.prod(b.shape)) == 1 and len(b.shape) <= len(shape):
        return shaped(b, ())
    start = len(shape) - len(b.shape) if axis is None else axis
    if start < 0 or shape[start : start + len(b.shape)] != b.shape:
        raise LinregionsError(f"shape {b.shape} beside {shape}{why}")
    return shaped(b, (*b.shape, *[1] * (len(shape) - start - len(b.shape))))


def _aligned(c: Call, onward: Onward) -> Sequence[Tensor]:
    """Binary operators before opset 7: ``axis`` says which axes the second operand has."""
    spread, axis = c.pop("broadcast", 0), c.pop("axis")
    a, b = c.given(0), c.given(1)
    if not spread and a.shape != b.shape:
        raise LinregionsError(f"shapes {a.shape} and {b.shape}, and broadcast=1 is not set")
    return onward(c.with_arguments({1: _spread(b, a.shape, axis, f" with axis={axis}")}))


def _alike(c: Call, onward: Onward) -> Sequence[Tensor]:
    """Sum, Max, Min and Mean before opset 8 take arguments of one shape."""
    shapes = {c.given(i).shape for i in range(len(c.arguments))}
    if len(shapes) > 1:
        raise LinregionsError(f"arguments of shapes {sorted(shapes)}; opset 8 is the first to mix")
    return onward(c)


def _gemm(c: Call, onward: Onward) -> Sequence[Tensor]:
    """Gemm before opset 7 spreads its summand only where ``broadcast`` is set."""
    spread = c.pop("broadcast", 0)
    a, b, summand = c.given(0), c.given(1), c.given(2)
    rows = a.shape[-1 if c.attribute("transA") else 0]
    columns = b.shape[0 if c.attribute("transB") else -1]
    if not spread and summand.shape != (rows, columns):
        raise LinregionsError(
            f"a summand of shape {summand.shape} for a product of shape {(rows, columns)}, and "
            "broadcast=1 is not set"
        )
    return onward(c.with_arguments({2: _spread(summand, (rows, columns), None, "")}))


def _channels(c: Call, onward: Onward) -> Sequence[Tensor]:
    """PRelu before opset 7: one slope, or one for each channel (axis 1)."""
    x, slope = c.given(0), c.given(1)
    if slope.shape == x.shape:
        return onward(c)
    if int(np.prod(slope.shape)) == 1:
        return onward(c.with_arguments({1: shaped(slope, ())}))
    if len(slope.shape) != 1 or len(x.shape) < 2 or slope.shape[0] != x.shape[1]:
        raise LinregionsError(f"slopes of shape {slope.shape} for a value of shape {x.shape}")
    return onward(c.with_arguments({1: shaped(slope, (-1, *[1] * (len(x.shape) - 2)))}))


def _inference(c: Call) -> None:
    """``is_test`` of the first opsets; where it is not said, one output means inference."""
    if "is_test" in c.attributes and not c.pop("is_test"):
        raise UnsupportedNetwork("is_test=0 is the training mode; export the model for inference")
    if len([o for o in c.outputs if o]) > 1:
        raise UnsupportedNetwork("outputs of the training mode; export the model for inference")


def _dropout(c: Call, onward: Onward) -> Sequence[Tensor]:
    _inference(c)
    return onward(c)


def _batch_norm(c: Call, onward: Onward) -> Sequence[Tensor]:
    """Before opset 9 ``spatial=0`` normalises every entry of a sample by itself."""
    _inference(c)
    if c.pop("spatial", 1):
        return onward(c)
    x = c.given(0)
    flat = {i: shaped(c.given(i), (-1,)) for i in range(1, 5)}
    size = int(np.prod(x.shape[1:]))
    (out, *_) = onward(c.with_arguments({0: shaped(x, (x.shape[0], size)), **flat}))
    return [shaped(out, x.shape)]


def _flattened(c: Call, onward: Onward) -> Sequence[Tensor]:
    """Softmax and the like before opset 13 take all axes from ``axis`` on as one."""
    x = c.given(0)
    if isinstance(x, Value):  # dropped at the output, or refused: the axes do not matter
        return onward(c)
    axis = c.pop("axis", 1) % max(len(x.shape), 1)
    c.attributes = {**c.attributes, "axis": 1}
    rows = int(np.prod(x.shape[:axis]))
    (out,) = onward(c.with_arguments({0: shaped(x, (rows, -1))}))
    return [shaped(out, x.shape)]


def _ordered(c: Call, onward: Onward) -> Sequence[Tensor]:
    """Clip before opset 13 says nothing of an empty range."""
    low, high = (
        c.attribute(name) if c.argument(i) is None else c.argument(i)
        for i, name in ((1, "min"), (2, "max"))
    )
    known = not any(x is None or isinstance(x, Value) or np.size(x) != 1 for x in (low, high))
    if known and np.all(np.asarray(low) > np.asarray(high)):
        raise LinregionsError(f"the range [{low}, {high}] is empty; opset 13 gives it a meaning")
    return onward(c)


def _split(c: Call, onward: Onward) -> Sequence[Tensor]:
    """Split before opset 18: equal parts, as many as the node has outputs."""
    if c.attribute("axis") is None:
        raise LinregionsError("it names no axis, and opset 1 has no default for it")
    if isinstance(sizes := c.argument(1), np.ndarray):  # of the type of the value in opset 1
        c = c.with_arguments({1: sizes.astype(np.int64)})
    elif not c.attributes.get("split"):
        size, parts = c.given(0).shape[c.attribute("axis")], len(c.outputs)
        if size % parts:
            raise LinregionsError(f"{size} entries in {parts} equal parts")
        c = c.with_arguments({1: np.full(parts, size // parts, np.int64)})
        c.pop("split")
    return onward(c)


def _tile(c: Call, onward: Onward) -> Sequence[Tensor]:
    """Tile in opset 1 repeats along one axis."""
    repeats = np.ones(len(c.given(0).shape), np.int64)
    repeats[int(c.numbers(2).item())] = int(c.numbers(1).item())
    short = replace(c, arguments=c.arguments[:1], names=c.names[:1])
    return onward(short.with_arguments({1: repeats}))


def _concat(c: Call, onward: Onward) -> Sequence[Tensor]:
    c.attributes = {"axis": 1, **c.attributes}  # written out from opset 4 on
    return onward(c)


def _cast(c: Call, onward: Onward) -> Sequence[Tensor]:
    """Cast in opset 1 names the type by a word."""
    word = c.text("to").upper()
    if word not in list(onnx.TensorProto.DataType.keys()):
        raise LinregionsError(f"the element type {word!r} is not known")
    c.attributes = {"to": onnx.TensorProto.DataType.Value(word)}
    return onward(c)


def _pad(c: Call, onward: Onward) -> Sequence[Tensor]:
    c.attributes = {**c.attributes, "pads": c.attribute("paddings")}
    c.pop("paddings")
    return onward(c)


def _constant(c: Call, onward: Onward) -> Sequence[Tensor]:
    sparse = c.attributes.get("sparse_value")
    return onward(c) if sparse is None else [dense_of(sparse)]


def _top(c: Call, onward: Onward) -> Sequence[Tensor]:
    return onward(c.with_arguments({1: np.array([c.pop("k")], np.int64)}))


def _scatter(c: Call, onward: Onward) -> Sequence[Tensor]:
    return onward(replace(c, op="ScatterElements"))


def _upsample(c: Call, onward: Onward) -> Sequence[Tensor]:
    """Upsample, and Resize in opset 10: entry i of the output is entry floor(i / scale)."""
    rank = len(c.given(0).shape)
    if "height_scale" in c.attributes:
        if rank != 4:
            raise LinregionsError(f"opset 1 resizes values of 4 axes, not of {rank}")
        scales = [1.0, 1.0, c.pop("height_scale"), c.pop("width_scale")]
    else:
        scales = c.pop("scales") or c.numbers(1).ravel().tolist()
    whole = np.asarray(scales, np.float32)
    between = whole[(whole < 1) & (np.float32(1) / whole % 1 != 0)]
    if between.size or (c.op == "Upsample" and np.any(whole < 1)):
        raise UnsupportedNetwork(
            f"the scale {(*between, *whole)[0]} samples down, which opsets up to 10 leave open; "
            "export the model with opset 11 or later"
        )
    mode = "linear" if c.text("mode").endswith("linear") else c.text("mode")
    ways = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    out = replace(c, op="Resize", attributes={"mode": mode, **ways}, names=c.names[:1])
    out.arguments = c.arguments[:1]
    return onward(out.with_arguments({2: whole}))


def _conv_transpose(c: Call, onward: Onward) -> Sequence[Tensor]:
    """Opset 1 puts an odd padding at the other end than opset 11 and the runtimes do."""
    asked = c.attributes.get("output_shape") or c.text("auto_pad").startswith("SAME")
    if asked and any(total % 2 for total in _total_padding(c)):
        raise UnsupportedNetwork(
            "the padding for output_shape is odd, and opset 1 and runtimes put it at different "
            "ends; write pads out, or export the model with opset 11 or later"
        )
    return onward(c)


def _total_padding(c: Call) -> list[int]:
    shape, kernel = c.given(0).shape[2:], c.given(1).shape[2:]
    n = len(shape)
    steps, gaps = (c.attributes.get(k) or [1] * n for k in ("strides", "dilations"))
    extra = c.attributes.get("output_padding") or [0] * n
    wanted = c.attributes.get("output_shape") or [d * s for d, s in zip(shape, steps, strict=True)]
    sizes = zip(shape, steps, kernel, gaps, extra, wanted[-n:], strict=True)
    return [s * (d - 1) + (k - 1) * g + 1 + e - w for d, s, k, g, e, w in sizes]


def _same_type(name: str) -> Adapter:
    """QuantizeLinear and DequantizeLinear from opset 23 may compute in another type."""

    def run(c: Call, onward: Onward) -> Sequence[Tensor]:
        scale = c.given(1)
        given = c.pop(name, 0)
        own = (
            None if isinstance(scale, Value) else onnx.helper.np_dtype_to_tensor_dtype(scale.dtype)
        )
        if given not in (0, own):
            raise UnsupportedNetwork(f"{name}={given} is not the type of its scale; store it so")
        return onward(c)

    return run


def _fused_product(c: Call, onward: Onward) -> Sequence[Tensor]:
    """FusedMatMul of onnxruntime: ``alpha * A' @ B'``, each turned if so asked."""
    if c.pop("transBatchA", 0) or c.pop("transBatchB", 0):
        raise UnsupportedNetwork("transBatchA and transBatchB; save the model before it is fused")
    turned: dict[int, Tensor | None] = {}
    for i, name in enumerate(("transA", "transB")):
        x = c.given(i)
        if c.pop(name, 0) and len(x.shape) > 1:
            turned[i] = (
                x.select(np.swapaxes(x.grid(), -1, -2))
                if isinstance(x, Value)
                else np.swapaxes(x, -1, -2)
            )
    alpha = np.float32(c.pop("alpha", 1.0))
    plain = replace(c, op="MatMul", domain="", opset=MODERN, attributes={})
    (out, *_) = onward(plain.with_arguments(turned))
    return [out.scaled(np.float64(alpha)) if isinstance(out, Value) else out * alpha]


def _rows(operators: str, versions: str, adapter: Adapter) -> dict[str, dict[str, Adapter]]:
    return {op: {versions: adapter} for op in operators.split()}


CHANGED: dict[str, dict[str, Adapter]] = {
    **_rows("Add Sub Mul Div", "1 6", _aligned),
    **_rows("And Or Xor Equal Greater Less Pow", "1", _aligned),
    **_rows("Sum Max Min Mean", "1 6", _alike),
    **_rows("Softmax LogSoftmax Hardmax", "1 11", _flattened),
    "BatchNormalization": {"1 6 7": _batch_norm},
    "Cast": {"1": _cast},
    "Clip": {"1 6 11 12": _ordered},
    "Concat": {"1": _concat},
    "Constant": {"11 12 13 19 21 23 24 25": _constant},
    "ConvTranspose": {"1": _conv_transpose},
    "DequantizeLinear": {"23 24 25": _same_type("output_dtype")},
    "Dropout": {"1 6": _dropout},
    "Gemm": {"1 6": _gemm},
    "Pad": {"1": _pad},
    "PRelu": {"1 6": _channels},
    "QuantizeLinear": {"23 24 25": _same_type("precision")},
    "Resize": {"10": _upsample},
    "Scatter": {"9": _scatter},
    "Split": {"1 2 11 13": _split},
    "Tile": {"1": _tile},
    "TopK": {"1": _top},
    "Upsample": {"1 7 9": _upsample},
}
CONTRIBUTED: dict[tuple[str, str], tuple[frozenset[str], Adapter]] = {
    ("com.microsoft", "FusedMatMul"): (
        frozenset({"alpha", "transA", "transB", "transBatchA", "transBatchB"}),
        _fused_product,
    ),
}


def _plain(c: Call, onward: Onward) -> Sequence[Tensor]:
    return onward(c)


def _table() -> dict[str, dict[int, Adapter]]:
    rows: dict[str, dict[int, Adapter]] = {}
    for line in SAME.split("\n"):
        if line:
            op, *versions = line.split()
            rows[op] = {int(v): _plain for v in versions}
    for op, changes in CHANGED.items():
        for versions, adapter in changes.items():
            rows.setdefault(op, {}).update({int(v): adapter for v in versions.split()})
    return rows


VERSIONS = _table()


def modern(c: Call, onward: Onward) -> Sequence[Tensor]:
    """The results of a node, read by ``onward`` in the form of opset `MODERN`."""
    if (c.domain, c.op) in CONTRIBUTED:
        known, adapter = CONTRIBUTED[c.domain, c.op]
        _known_attributes(c, known)
        return adapter(c, onward)
    schema = schema_of(c.op, c.opset)
    if schema is None or schema.deprecated:
        raise UnsupportedNetwork(_no_operator(c, schema))
    adapter = VERSIONS.get(c.op, {}).get(schema.since_version)
    if adapter is None and (c.op not in VERSIONS or (c.values() and c.op in NEVER_LINEAR)):
        raise UnsupportedNetwork(reason(c.op))  # whatever the version
    if adapter is None:
        known = ", ".join(str(v) for v in sorted(VERSIONS.get(c.op, {})))
        raise UnsupportedNetwork(
            f"its version {schema.since_version} is not read (known: {known or 'none'}); {UPGRADE}"
        )
    _known_attributes(c, schema.attributes)
    _known_arguments(c, schema)
    return adapter(c, lambda changed: onward(_by_name(changed, schema)))


def _known_arguments(c: Call, schema: defs.OpSchema) -> None:
    for i in range(schema.min_input):
        if c.argument(i) is None:
            raise LinregionsError(f"argument {i} is missing")
    if len(c.arguments) > schema.max_input:
        raise LinregionsError(
            f"{len(c.arguments)} arguments, where opset {c.opset} has at most {schema.max_input}"
        )


def _known_attributes(c: Call, known: Any) -> None:
    for name in c.attributes:
        if name not in known:
            raise LinregionsError(
                f"the attribute '{name}' is none of this operator in opset {c.opset}; {UPGRADE}"
            )


def _no_operator(c: Call, schema: defs.OpSchema | None) -> str:
    if schema is not None:
        instead = {"Upsample": "Resize", "Scatter": "ScatterElements"}.get(c.op, "its successor")
        return f"no longer an operator of opset {c.opset}; export the model with {instead}"
    newest = schema_of(c.op, defs.onnx_opset_version())
    if newest is None:
        return "no operator of ONNX; register it as a function of the model, or rewrite it"
    return f"no operator of opset {c.opset}, but of a later one; {UPGRADE}"


def _by_name(c: Call, old: defs.OpSchema) -> Call:
    """Attributes that became inputs moved there, and defaults that changed written out."""
    new = schema_of(c.op, MODERN)
    if new is None:
        raise UnsupportedNetwork(f"not in opset {MODERN}; {UPGRADE}")
    inputs = [i.name for i in new.inputs]
    given = {k: v for k, v in c.attributes.items() if k not in IGNORED}
    if c.op == old.name:  # else an adapter has written out what it needs
        defaults = {k: default_of(a) for k, a in old.attributes.items()}
        given = {**{k: d for k, d in defaults.items() if d is not None}, **given}
    attributes, moved = {}, {}
    for name, value in given.items():
        place = RENAMED.get((c.op, name), name)
        if name in new.attributes:
            if new.attributes[name].type == defs.OpSchema.AttrType.INT and value == int(value):
                value = int(value)
            if name in c.attributes or default_of(new.attributes[name]) != value:
                attributes[name] = value
        elif place in inputs:
            if c.argument(inputs.index(place)) is None:
                moved[inputs.index(place)] = _array(value)
        elif name in c.attributes and default_of(old.attributes[name]) != value:
            raise UnsupportedNetwork(f"{name}={value} is not supported; leave it at its default")
    changed = c.with_arguments(moved)
    return replace(changed, opset=MODERN, attributes=attributes)


def _array(value: Any) -> np.ndarray:
    """An attribute as the tensor that it became: whole numbers, or floats of the attribute."""
    out = np.asarray(value)
    return out.astype(np.float32 if out.dtype.kind == "f" else np.int64)


def dense_of(sparse: onnx.SparseTensorProto) -> np.ndarray:
    """The array that a sparse tensor stands for."""
    values, indices = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
    out = np.zeros(tuple(sparse.dims), values.dtype)
    if indices.ndim == 1:
        out.reshape(-1)[indices] = values
    else:
        out[tuple(indices.T)] = values
    return out
