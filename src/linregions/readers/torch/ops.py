"""Torch operators that are affine or piecewise linear, by their ATen names.

Each takes the arguments by the names of the operator's schema; tensors that depend on the
input are `Value` s, all others torch tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from ...errors import LinregionsError, UnsupportedNetwork
from ...network.units import ABS, RELU, RELU6, Activation, leaky_relu
from ..symbolic.activations import between, hard_sigmoid, soft_shrink, threshold
from ..symbolic.builder import Builder
from ..symbolic.contraction import product
from ..symbolic.layers import (
    adaptive_average_pool,
    adaptive_max_pool,
    average_pool,
    convolved,
    deconvolved,
    max_pool,
    normalised,
)
from ..symbolic.values import Value, chosen, concatenated, constant, floats, inverse, moved_behind
from ..symbolic.windows import Window, same_padding, spatial

Named = dict[str, Any]


class Positions:
    """Stands for a result that cannot be read, such as the positions of maxima."""


POSITIONS = Positions()


def weights(tensor: Any, what: str) -> np.ndarray:
    array = floats(tensor, what)
    if not np.isfinite(array).all():
        raise LinregionsError(f"{what} holds NaN or infinite values")
    return array


def _numbers(x: Any, label: str) -> np.ndarray:
    if isinstance(x, Value):
        raise UnsupportedNetwork("two arguments depend on the input: their product is quadratic")
    return weights(x, label)


def _value(x: Any, label: str) -> Value:
    return x if isinstance(x, Value) else constant(weights(x, label))


def moved(value: Value, move: Callable[[torch.Tensor], Any]) -> Any:
    """A function that only moves entries about, run on their positions.

    Positions travel as float64, which holds them exactly: resizing and padding know no
    whole numbers. Behind a dropped function see `moved_behind`.
    """
    grid = np.arange(int(np.prod(value.now))).reshape(value.now)

    def chosen(part: Any) -> Any:
        if isinstance(part, list | tuple):
            return [chosen(p) for p in part]
        index = part.numpy().astype(np.int64)
        return moved_behind(value, [index], grid)[0] if value.dropped else value.select(index)

    return chosen(move(torch.from_numpy(grid).double()))


def affine(value: Value, weight: Any, bias: Any, label: str) -> Value:
    out = value.times(weights(weight, f"{label}: the weight").T)
    return out if bias is None else out + constant(weights(bias, f"{label}: the bias"))


def prelu(builder: Builder, value: Value, weight: Any, label: str) -> Value:
    slopes = weights(weight, f"{label}: the slope")
    if slopes.size > 1:
        slopes = slopes.reshape(-1, *[1] * (len(value.shape) - 2))
    each = np.broadcast_to(slopes, value.shape).ravel().tolist()
    return builder.pointwise(value, [leaky_relu(s) for s in each])


def _sum(sign: int, builder: Builder, label: str, a: Named) -> Value:
    factor = np.float64(a.get("alpha", 1)) * sign
    return _value(a["self"], label) + _value(a["other"], label).scaled(factor)


def _rsub(builder: Builder, label: str, a: Named) -> Value:
    return _sum(-1, builder, label, {**a, "self": a["other"], "other": a["self"]})


def _mul(builder: Builder, label: str, a: Named) -> Value:
    x, y = a["self"], a["other"]
    return x.scaled(_numbers(y, label)) if isinstance(x, Value) else y.scaled(_numbers(x, label))


def _div(builder: Builder, label: str, a: Named) -> Value:
    if a.get("rounding_mode") is not None:
        raise UnsupportedNetwork("a division that rounds jumps")
    return a["self"].scaled(inverse(_numbers(a["other"], label)))


def _product(x: Any, y: Any, label: str) -> Value:
    left, right = (v if isinstance(v, Value) else _numbers(v, label) for v in (x, y))
    return product(left, right)


def _matmul(builder: Builder, label: str, a: Named) -> Value:
    return _product(a["self"], a["mat2"] if "mat2" in a else a["other"], label)


def _addmm(builder: Builder, label: str, a: Named) -> Value:
    out = _product(a["mat1"], a["mat2"], label)
    shift = _value(a["self"], label).scaled(np.float64(a["beta"]))
    return out.scaled(np.float64(a["alpha"])) + shift


def _clamp(builder: Builder, label: str, a: Named) -> Value:
    low, high = a.get("min"), a.get("max")
    if any(b is not None and np.size(b) != 1 for b in (low, high)):
        raise UnsupportedNetwork("bounds must be single numbers")
    low = None if low is None else float(low)
    high = None if high is None else float(high)
    kind = between(low, high)
    return a["self"] if kind is None else builder.pointwise(a["self"], kind)


def _cat(builder: Builder, label: str, a: Named) -> Value:
    return concatenated([_value(v, label) for v in a["tensors"]], int(a["dim"]))


def _stack(builder: Builder, label: str, a: Named) -> Value:
    values = [_value(v, label) for v in a["tensors"]]
    axis = int(a["dim"]) % (len(values[0].shape) + 1)
    return concatenated([v.reshaped((*v.shape[:axis], 1, *v.shape[axis:])) for v in values], axis)


def _reduce(builder: Builder, label: str, a: Named) -> Value:
    dims = a.get("dim")
    dims = [dims] if isinstance(dims, int) else dims
    return a["self"].summed(dims or None, bool(a.get("keepdim", False)))


def _mean(builder: Builder, label: str, a: Named) -> Value:
    total = _reduce(builder, label, a)
    return total.scaled(np.array(Fraction(total.size, a["self"].size), dtype=object))


def _cast(builder: Builder, label: str, a: Named) -> Value:
    kind = a.get("dtype")
    if kind is not None and not kind.is_floating_point:
        raise UnsupportedNetwork(f"a cast to {kind} of a value that depends on the input jumps")
    if kind is not None:
        builder.note(f"{label}: a cast to {kind} is read as the identity")
    return a["self"]


def _units(make: Callable[[Named], Activation]) -> Callable[..., Value]:
    return lambda builder, label, a: builder.pointwise(a["self"], make(a))


def _tuple(x: Any, n: int) -> tuple[int, ...]:
    """A number for every axis from one for all, from one each, or from none."""
    out = tuple(int(v) for v in x) if isinstance(x, list | tuple) else (int(x),)
    return out * n if len(out) == 1 else out


def _convolution(builder: Builder, label: str, a: Named) -> Value:
    value, weight = _value(a["input"], label), _numbers(a["weight"], label)
    bias = None if a["bias"] is None else _numbers(a["bias"], label)
    shape, _, _ = spatial(value.shape)
    n, kernel = len(shape), weight.shape[2:]
    strides, dilations = _tuple(a["stride"], n), _tuple(a["dilation"], n)
    groups, padding = int(a["groups"]), a["padding"]
    if padding == "same":
        before, after = same_padding(shape, kernel, strides, dilations)
    else:
        before = after = (0,) * n if padding == "valid" else _tuple(padding, n)
    window = Window.of(kernel, strides, dilations, before, after)
    if a.get("transposed", False):
        extra = _tuple(a["output_padding"], n)
        return deconvolved(value, weight, bias, window, extra, groups)
    return convolved(value, weight, bias, window, groups)


def _transposed(builder: Builder, label: str, a: Named) -> Value:
    return _convolution(builder, label, {**a, "transposed": True})


def _batch_norm(builder: Builder, label: str, a: Named) -> Value:
    mean, variance = a["running_mean"], a["running_var"]
    if mean is None or variance is None or a.get("training", False):
        raise UnsupportedNetwork(
            "it keeps no running statistics, so its output depends on the batch; use "
            "track_running_stats=True"
        )
    scale, shift = (None if a[k] is None else _numbers(a[k], label) for k in ("weight", "bias"))
    rest = (_numbers(mean, label), _numbers(variance, label), scale, shift, float(a["eps"]))
    return normalised(builder, label, a["input"], *rest)


def _pool_window(a: Named) -> Window:
    n = len(spatial(a["self"].shape)[0])
    kernel, pads = _tuple(a["kernel_size"], n), _tuple(a["padding"], n)
    strides = kernel if a["stride"] in (None, [], ()) else _tuple(a["stride"], n)
    dilations = _tuple(a.get("dilation", 1), n)
    return Window.of(kernel, strides, dilations, pads, ceil=bool(a["ceil_mode"]))


def _max_pool(builder: Builder, label: str, a: Named) -> Value:
    return max_pool(builder, a["self"], _pool_window(a))


def _average_pool(builder: Builder, label: str, a: Named) -> Value:
    divisor = a.get("divisor_override")
    return average_pool(a["self"], _pool_window(a), bool(a["count_include_pad"]), divisor)


def _sizes(a: Named) -> tuple[int, ...]:
    """Output sizes of adaptive pooling; None keeps that of the input."""
    shape, _, _ = spatial(a["self"].shape)
    wanted = a["output_size"]
    if not isinstance(wanted, list | tuple):
        wanted = (wanted,) * len(shape)
    return tuple(n if m is None else int(m) for n, m in zip(shape, wanted, strict=True))


def _adaptive_average(builder: Builder, label: str, a: Named) -> Value:
    return adaptive_average_pool(a["self"], _sizes(a))


def _adaptive_max(builder: Builder, label: str, a: Named) -> Value:
    return adaptive_max_pool(builder, a["self"], _sizes(a))


def _with_positions(run: Callable[..., Value]) -> Callable[..., Any]:
    """An operator that also gives the positions of its maxima, which cannot be read."""
    return lambda builder, label, a: (run(builder, label, a), POSITIONS)


def _extreme(lowest: bool, positions: bool = False) -> Callable[..., Any]:
    """amax and amin; max and min over everything, over an axis or of two tensors."""

    def run(builder: Builder, label: str, a: Named) -> Any:
        if "other" in a:
            both = [_tensor(a[k], label) for k in ("self", "other")]
            values = [v for v in both if isinstance(v, Value)]
            levels = [v for v in both if not isinstance(v, Value)]
            return builder.extremum(values, levels, lowest)
        dims = a.get("dim")
        axes = [dims] if isinstance(dims, int) else dims
        out = builder.extreme(a["self"], axes or None, bool(a.get("keepdim", False)), lowest)
        return (out, POSITIONS) if isinstance(dims, int) and positions else out

    return run


def _tensor(x: Any, label: str) -> Value | np.ndarray:
    return x if isinstance(x, Value) else weights(x, label)


def _pad(builder: Builder, label: str, a: Named) -> Value:
    pads, value = list(a["pad"]), a["self"]
    if a.get("mode", "constant") != "constant":
        return moved(value, lambda grid: torch.nn.functional.pad(grid, pads, a["mode"]))
    index = torch.nn.functional.pad(torch.from_numpy(value.grid()), pads, "constant", -1).numpy()
    level = float(a.get("value") or 0)
    out = value.select(index)
    return out if level == 0 else out + constant(np.where(index < 0, level, 0.0))


def _where(builder: Builder, label: str, a: Named) -> Value:
    mask = a["condition"]
    if isinstance(mask, Value):
        raise UnsupportedNetwork("a choice that depends on the input may jump; write it with max")
    return chosen(np.asarray(mask), _value(a["self"], label), _value(a["other"], label))


def _softshrink(builder: Builder, label: str, a: Named) -> Value:
    level = float(a["lambd"])
    return builder.pointwise(a["self"], soft_shrink(level, level))


OPERATORS: dict[str, Callable[..., Any]] = {
    "linear": lambda b, label, a: affine(_value(a["input"], label), a["weight"], a["bias"], label),
    "addmm": _addmm,
    "mm": _matmul,
    "matmul": _matmul,
    "bmm": _matmul,
    "add": lambda b, label, a: _sum(1, b, label, a),
    "sub": lambda b, label, a: _sum(-1, b, label, a),
    "rsub": _rsub,
    "mul": _mul,
    "div": _div,
    "neg": lambda b, label, a: -a["self"],
    "relu": _units(lambda a: RELU),
    "relu6": _units(lambda a: RELU6),
    "leaky_relu": _units(lambda a: leaky_relu(float(a["negative_slope"]))),
    "hardtanh": lambda b, label, a: _clamp(
        b, label, {"self": a["self"], "min": a["min_val"], "max": a["max_val"]}
    ),
    "abs": _units(lambda a: ABS),
    "clamp": _clamp,
    "clamp_min": _clamp,
    "clamp_max": _clamp,
    "prelu": lambda b, label, a: prelu(b, a["self"], a["weight"], label),
    "hardsigmoid": _units(lambda a: hard_sigmoid(Fraction(1, 6), Fraction(1, 2))),
    "threshold": _units(lambda a: threshold(float(a["threshold"]), float(a["value"]))),
    "softshrink": _softshrink,
    "maximum": _extreme(lowest=False),
    "minimum": _extreme(lowest=True),
    "max": _extreme(lowest=False, positions=True),
    "min": _extreme(lowest=True, positions=True),
    "amax": _extreme(lowest=False),
    "amin": _extreme(lowest=True),
    "pad": _pad,
    "constant_pad_nd": _pad,
    "where": _where,
    "batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": lambda b, label, a: (
        *(_batch_norm(b, label, a), POSITIONS, POSITIONS),
    ),
    "convolution": _convolution,
    "cat": _cat,
    "concat": _cat,
    "stack": _stack,
    "sum": _reduce,
    "mean": _mean,
    "to": _cast,
    "_to_copy": _cast,
}
for _n in (1, 2, 3):
    OPERATORS |= {
        f"conv{_n}d": _convolution,
        f"conv_transpose{_n}d": _transposed,
        f"max_pool{_n}d": _max_pool,
        f"max_pool{_n}d_with_indices": _with_positions(_max_pool),
        f"avg_pool{_n}d": _average_pool,
        f"adaptive_avg_pool{_n}d": _adaptive_average,
        f"_adaptive_avg_pool{_n}d": _adaptive_average,
        f"adaptive_max_pool{_n}d": _with_positions(_adaptive_max),
    }
