"""The table of ONNX operators that are affine or piecewise linear."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from onnx.helper import np_dtype_to_tensor_dtype

from ...errors import LinregionsError, UnsupportedNetwork
from ...network.units import ABS, RELU, Activation, leaky_relu
from ..symbolic.activations import between, hard_sigmoid, soft_shrink, threshold
from ..symbolic.contraction import product
from ..symbolic.values import Value, chosen, inverse
from .call import FLOAT_TYPES, Call, Tensor, type_name
from .movement import MOVES
from .windows import WINDOWS

LARGEST = float(np.finfo(np.float32).max)


def _sum(c: Call) -> Value:
    total = c.value(0)
    for i in range(1, len(c.arguments)):
        total = total + c.value(i)
    return total


def _multiply(c: Call) -> Value:
    a, b = c.given(0), c.given(1)
    if isinstance(a, Value) and isinstance(b, Value):
        raise UnsupportedNetwork("a product of two values that depend on the input is quadratic")
    if isinstance(a, Value):
        return a.scaled(c.numbers(1))
    return c.value(1).scaled(c.numbers(0))


def _divide(c: Call) -> Value:
    if isinstance(c.given(1), Value):
        raise UnsupportedNetwork(
            "division by a value that depends on the input is not piecewise linear; cut the model "
            "before it"
        )
    return c.value(0).scaled(inverse(c.numbers(1)))


def _matmul(c: Call) -> Value:
    a, b = c.given(0), c.given(1)
    left = a if isinstance(a, Value) else c.numbers(0)
    return product(left, b if isinstance(b, Value) else c.numbers(1))


def _gemm(c: Call) -> Value:
    pair: list[Tensor] = []
    for i, name in enumerate(("transA", "transB")):
        x = c.given(i)
        if len(x.shape) != 2:
            raise LinregionsError(f"argument {i} has shape {x.shape}; Gemm multiplies matrices")
        turned = bool(c.attribute(name, 0))
        if isinstance(x, Value):
            pair.append(x.select(x.grid().T) if turned else x)
        else:
            pair.append(c.numbers(i).T if turned else c.numbers(i))
    if not any(isinstance(x, Value) for x in pair):
        raise UnsupportedNetwork("only the summand depends on the input")
    out = product(pair[0], pair[1]).scaled(np.float64(c.attribute("alpha", 1.0)))
    if c.argument(2) is None:
        return out
    return out + c.value(2).scaled(np.float64(c.attribute("beta", 1.0)))


def _clip(c: Call) -> Value:
    bounds = []
    for i, name in ((1, "min"), (2, "max")):
        array = c.argument(i)
        if isinstance(array, Value) or (array is not None and array.size != 1):
            raise UnsupportedNetwork(f"{name} must be one constant number; use Min and Max")
        bound = None if array is None else float(array.ravel()[0])  # an infinite one is none
        bounds.append(None if bound is None or abs(bound) >= LARGEST else bound)
    kind = between(*bounds)
    return c.value() if kind is None else c.builder.pointwise(c.value(), kind)


def _prelu(c: Call) -> Value:
    slopes = np.broadcast_to(c.numbers(1), c.value().shape).ravel().tolist()
    return c.builder.pointwise(c.value(), [leaky_relu(s) for s in slopes])


def _hard_sigmoid(c: Call) -> Value:
    return c.builder.pointwise(c.value(), hard_sigmoid(c.attribute("alpha"), c.attribute("beta")))


def _thresholded(c: Call) -> Value:
    return c.builder.pointwise(c.value(), threshold(c.attribute("alpha"), 0.0))


def _shrink(c: Call) -> Value:
    return c.builder.pointwise(c.value(), soft_shrink(c.attribute("lambd"), c.attribute("bias")))


def _extremum(lowest: bool) -> Callable[[Call], Value]:
    """Max and Min; arguments keep their order unless constants make a pointwise unit."""

    def run(c: Call) -> Value:
        places = range(len(c.arguments))
        values = [c.value(i) for i in places if isinstance(c.given(i), Value)]
        if len(values) > 1:
            return c.builder.extremum([c.value(i) for i in places], [], lowest)
        levels = [c.numbers(i) for i in places if not isinstance(c.given(i), Value)]
        return c.builder.extremum(values, levels, lowest)

    return run


def _where(c: Call) -> Value:
    mask = c.given(0)
    if isinstance(mask, Value):
        raise UnsupportedNetwork("a choice that depends on the input may jump; write it with Max")
    return chosen(mask, c.value(1), c.value(2))


def _as_type(c: Call, kind: Any) -> Value:
    if kind not in FLOAT_TYPES:
        raise UnsupportedNetwork(
            f"a cast to {type_name(kind)} of a value that depends on the input jumps; leave it out"
        )
    c.builder.note(f"{c.label}: a cast to {FLOAT_TYPES[kind]} is read as the identity")
    return c.value()


def _cast(c: Call) -> Value:
    return _as_type(c, c.attribute("to"))


def _cast_like(c: Call) -> Value:
    like = c.given(1)
    if isinstance(like, Value):  # what depends on the input is of the float type of the input
        return c.value()
    return _as_type(c, np_dtype_to_tensor_dtype(like.dtype))


def _dropout(c: Call) -> Value:
    ratio = 0.5 if c.argument(1) is None else float(c.numbers(1).ravel()[0])
    if c.argument(2) is not None and np.any(c.numbers(2)) and ratio > 0:
        raise UnsupportedNetwork("in training mode it is random; export the model for inference")
    c.builder.note(f"{c.label}: identity at inference")
    return c.value()


def _axes(c: Call) -> list[int] | None:
    """The axes of a reduction; None is all of them."""
    axes = c.whole(1) if c.argument(1) is not None else []
    return axes or ([] if c.attribute("noop_with_empty_axes") else None)


def _total(c: Call, value: Value) -> Value:
    axes = _axes(c)
    return value if axes == [] else value.summed(axes, bool(c.attribute("keepdims")))


def _mean(c: Call) -> Value:
    total = _total(c, c.value())
    return total.scaled(np.array(Fraction(total.size, c.value().size), dtype=object))


def _reduced_extreme(lowest: bool) -> Callable[[Call], Value]:
    def run(c: Call) -> Value:
        axes = _axes(c)
        if axes == []:
            return c.value()
        return c.builder.extreme(c.value(), axes, bool(c.attribute("keepdims")), lowest)

    return run


def _magnitude(c: Call) -> Value:
    return c.builder.pointwise(c.value(), ABS)


def _activation(kind: Activation) -> Callable[[Call], Value]:
    return lambda c: c.builder.pointwise(c.value(), kind)


def _leaky(c: Call) -> Value:
    return c.builder.pointwise(c.value(), leaky_relu(c.attribute("alpha")))


def _average(c: Call) -> Value:
    return _sum(c).scaled(np.array(Fraction(1, len(c.arguments)), dtype=object))


TABLE: dict[str, Callable[[Call], Value]] = {
    "Abs": _magnitude,
    "Add": _sum,
    "Cast": _cast,
    "CastLike": _cast_like,
    "Clip": _clip,
    "Div": _divide,
    "Dropout": _dropout,
    "Gemm": _gemm,
    "HardSigmoid": _hard_sigmoid,
    "Identity": lambda c: c.value(),
    "LeakyRelu": _leaky,
    "MatMul": _matmul,
    "Max": _extremum(lowest=False),
    "Mean": _average,
    "Min": _extremum(lowest=True),
    "Mul": _multiply,
    "Neg": lambda c: -c.value(),
    "PRelu": _prelu,
    "ReduceL1": lambda c: _total(c, _magnitude(c)),
    "ReduceMean": _mean,
    "ReduceMax": _reduced_extreme(lowest=False),
    "ReduceMin": _reduced_extreme(lowest=True),
    "ReduceSum": lambda c: _total(c, c.value()),
    "Relu": _activation(RELU),
    "Sub": lambda c: c.value(0) + -c.value(1),
    "Sum": _sum,
    "Shrink": _shrink,
    "ThresholdedRelu": _thresholded,
    "Where": _where,
    **MOVES,
    **WINDOWS,
}
