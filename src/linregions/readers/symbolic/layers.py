"""Convolution, pooling and batch normalisation as exact factors and max units.

Shared by the graph readers. Values have shape (batch, channels, spatial axes ...).
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

import numpy as np
from scipy import sparse

from ...errors import LinregionsError, UnsupportedNetwork
from ...network.operators import LAZY, Convolution, kernel_matrix
from ...network.rational import simplest
from .builder import Builder
from .values import Shape, Value, constant, inverse
from .windows import Window, adaptive_axes, combined, over_channels, spatial


def _checked(weight: np.ndarray, channels: int, expected: int, groups: int) -> None:
    made = weight.shape[0]
    if channels != expected or groups < 1 or made % groups or 0 in weight.shape:
        raise LinregionsError(
            f"weights of shape {weight.shape} in {groups} groups for a value of {channels} channels"
        )


def _per_sample(value: Value, matrix: sparse.csr_array, shape: Shape) -> Value:
    lead = value.shape[0]
    whole = matrix if lead == 1 else sparse.csr_array(sparse.kron(sparse.eye_array(lead), matrix))
    return value.mapped(sparse.csr_array(whole), shape)


def _shifted(value: Value, bias: np.ndarray | None) -> Value:
    if bias is None:
        return value
    if bias.size != value.shape[1]:
        raise LinregionsError(f"a bias of {bias.size} entries for {value.shape[1]} channels")
    return value + constant(bias.reshape(-1, *[1] * (len(value.shape) - 2)))


def convolved(
    value: Value, weight: np.ndarray, bias: np.ndarray | None, window: Window, groups: int = 1
) -> Value:
    """A convolution (cross-correlation, as everywhere in deep learning)."""
    shape, _, _ = spatial(value.shape)
    _checked(weight, value.shape[1], weight.shape[1] * groups, groups)
    outputs = window.outputs(shape)
    sizes = (value.shape[0], weight.shape[0], *outputs)
    map_ = Convolution(weight, groups, shape, outputs, window)
    if value.shape[0] == 1 and map_.multiplications > LAZY:
        return _shifted(value.mapped(map_, sizes), bias)
    return _shifted(_per_sample(value, map_.matrix(), sizes), bias)


def deconvolved(
    value: Value,
    weight: np.ndarray,
    bias: np.ndarray | None,
    window: Window,
    extra: Shape,
    groups: int = 1,
) -> Value:
    """A transposed convolution; ``weight`` has shape (input channels, outputs / groups, ...).

    The transpose of the convolution from its output to its input. ``extra`` is the output
    padding: rows at the end that the sizes alone do not determine.
    """
    shape, _, _ = spatial(value.shape)
    _checked(weight, value.shape[1], weight.shape[0], groups)
    rest = (window.strides, window.spans, window.before, window.after, extra)
    outputs = tuple(
        (n - 1) * s + span - b - a + e for n, s, span, b, a, e in zip(shape, *rest, strict=True)
    )
    if min(outputs) < 1 or min(extra) < 0:
        raise LinregionsError(f"an output of shape {outputs} with output padding {extra}")
    matrix = kernel_matrix(weight, groups, outputs, window, shape)
    channels = weight.shape[1] * groups
    out = _per_sample(
        value, sparse.csr_array(matrix.T), (value.shape[0], channels, *outputs)
    )  # fmt: skip
    return _shifted(out, bias)


def _averaged(value: Value, table: np.ndarray, counts: np.ndarray, outputs: Shape) -> Value:
    _, planes, positions = spatial(value.shape)
    groups = over_channels(table, planes, positions)
    rows, place = np.nonzero(groups >= 0)
    entries = (np.ones(len(rows)), (rows, groups[rows, place]))
    matrix = sparse.csr_array(entries, shape=(len(groups), value.size))
    out = value.mapped(matrix, (*value.shape[:2], *outputs))
    if not np.all(counts):
        raise LinregionsError("a pooling window lies wholly in the padding")
    return out.scaled(inverse(counts.reshape(outputs)))


def average_pool(
    value: Value, window: Window, include_padding: bool, divisor: int | None = None
) -> Value:
    """The mean over each window, padding counted or not, or the sum over a given divisor."""
    shape, _, _ = spatial(value.shape)
    table = window.table(shape)
    counts = window.covered(shape) if include_padding else (table >= 0).sum(axis=1)
    if divisor is not None:
        counts = np.full(len(table), divisor)
    return _averaged(value, table, counts, window.outputs(shape))


def max_pool(builder: Builder, value: Value, window: Window) -> Value:
    """The maximum over each window: one max unit each. Padding never wins."""
    shape, planes, positions = spatial(value.shape)
    groups = over_channels(window.table(shape), planes, positions)
    return builder.winners(value, groups, (*value.shape[:2], *window.outputs(shape)))


def _adaptive_table(value: Value, sizes: Shape) -> np.ndarray:
    shape, _, _ = spatial(value.shape)
    return combined(adaptive_axes(shape, sizes), shape)


def adaptive_average_pool(value: Value, sizes: Shape) -> Value:
    """The mean over windows that divide the input into ``sizes`` parts."""
    table = _adaptive_table(value, sizes)
    return _averaged(value, table, (table >= 0).sum(axis=1), sizes)


def adaptive_max_pool(builder: Builder, value: Value, sizes: Shape) -> Value:
    """The maximum over windows that divide the input into ``sizes`` parts."""
    _, planes, positions = spatial(value.shape)
    groups = over_channels(_adaptive_table(value, sizes), planes, positions)
    return builder.winners(value, groups, (*value.shape[:2], *sizes))


def padded(value: Value, pads: list[tuple[int, int]], mode: str, level: float = 0.0) -> Value:
    """The value with entries added at (or cut off from) both ends of every axis."""
    if mode not in ("constant", "reflect", "edge", "wrap"):
        raise UnsupportedNetwork(f"padding mode {mode!r} is not known")
    grid = value.grid()
    cut = tuple(
        slice(max(-b, 0), max(n - max(-a, 0), 0))
        for n, (b, a) in zip(grid.shape, pads, strict=True)
    )
    more = [(max(b, 0), max(a, 0)) for b, a in pads]
    options = {"constant_values": -1} if mode == "constant" else {}
    index = np.pad(grid[cut], more, mode=mode, **options)  # type: ignore
    out = value.select(index)
    return out if level == 0 else out + constant(np.where(index < 0, level, 0.0))


def normalised(
    builder: Builder,
    label: str,
    value: Value,
    mean: np.ndarray,
    variance: np.ndarray,
    scale: np.ndarray | None,
    shift: np.ndarray | None,
    epsilon: float,
    axis: int = 1,
) -> Value:
    """Batch normalisation at inference: ``(x - mean) / sqrt(variance + epsilon) * scale + shift``.

    The inverse square root is rounded once to float64 for each channel, unless it is exact;
    everything else stays an exact factor.
    """
    arrays = {"mean": mean, "variance": variance, "scale": scale, "shift": shift}
    for what, array in arrays.items():
        if array is not None and array.size != value.shape[axis]:
            raise LinregionsError(
                f"the {what} has {array.size} entries for {value.shape[axis]} channels"
            )

    def along(array: np.ndarray) -> np.ndarray:
        return array.reshape(-1, *[1] * (len(value.shape) - 1 - axis))

    roots, exact = inverse_roots(variance.ravel(), epsilon)
    if not exact:
        builder.rounding(
            f"{label}: 1 / sqrt(variance + epsilon), once for each channel, in float64"
        )
    factors = roots if scale is None else roots * np.array([Fraction(s) for s in scale.ravel()])
    offset = -factors * np.array([Fraction(m) for m in mean.ravel()])
    if shift is not None:
        offset = offset + np.array([Fraction(s) for s in shift.ravel()])
    if scale is not None:  # first, since weights of float32 take it up without rounding
        value = value.scaled(along(scale))
    return value.scaled(along(roots)) + constant_of(along(offset))


def constant_of(array: np.ndarray) -> Value:
    """A constant value of Fractions, as floats where that is exact."""
    return constant(simplest(array))


def inverse_roots(variance: np.ndarray, epsilon: float) -> tuple[np.ndarray, bool]:
    """``1 / sqrt(variance + epsilon)``, correctly rounded (as Fractions), and whether exact."""
    out, exact = np.empty(len(variance), dtype=object), True
    for i, v in enumerate(variance.tolist()):
        x = Fraction(v) + Fraction(epsilon)
        if x <= 0:
            raise LinregionsError(f"variance + epsilon = {float(x):g} is not positive")
        shift = max(0, 128 + (x.numerator.bit_length() - x.denominator.bit_length()) // 2 + 1)
        root = isqrt((x.denominator << 2 * shift) // x.numerator)
        sticky = root * root * x.numerator != x.denominator << 2 * shift
        out[i] = Fraction(float(Fraction(2 * root + sticky, 2 << shift)))
        exact = exact and out[i] * out[i] * x == 1
    return out, exact
