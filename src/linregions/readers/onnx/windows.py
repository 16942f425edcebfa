"""ONNX operators with windows: convolution, pooling, normalisation, padding, resizing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...errors import LinregionsError, UnsupportedNetwork
from ...network.units import ABS
from ..symbolic.layers import (
    adaptive_average_pool,
    adaptive_max_pool,
    average_pool,
    convolved,
    deconvolved,
    max_pool,
    normalised,
    padded,
)
from ..symbolic.values import Shape, Value
from ..symbolic.windows import Window, nearest, same_padding, spatial
from .call import Call


def _window(c: Call, kernel: Shape, shape: Shape) -> Window:
    """Kernel, strides, dilations and padding of a node on spatial axes of given sizes."""
    n = len(shape)
    strides = tuple(c.attribute("strides") or (1,) * n)
    dilations = tuple(c.attribute("dilations") or (1,) * n)
    pads = tuple(c.attribute("pads") or (0,) * 2 * n)
    if len(pads) != 2 * n or len(kernel) != n or len(strides) != n or len(dilations) != n:
        raise LinregionsError(
            f"kernel {kernel}, strides {strides}, dilations {dilations} and pads {pads} on "
            f"{n} spatial axes"
        )
    before, after = pads[:n], pads[n:]
    how = c.text("auto_pad", "NOTSET")
    if how in ("SAME_UPPER", "SAME_LOWER"):
        before, after = same_padding(shape, kernel, strides, dilations, how == "SAME_UPPER")
    elif how == "VALID":
        before = after = (0,) * n
    elif how != "NOTSET":
        raise UnsupportedNetwork(f"auto_pad {how!r} is not known")
    return Window.of(kernel, strides, dilations, before, after, bool(c.attribute("ceil_mode", 0)))


def _weight(c: Call) -> np.ndarray:
    weight = c.numbers(1)
    if (given := c.attribute("kernel_shape")) and tuple(given) != weight.shape[2:]:
        raise LinregionsError(f"kernel_shape {tuple(given)} for weights of shape {weight.shape}")
    return weight


def _bias(c: Call) -> np.ndarray | None:
    return None if c.argument(2) is None else c.numbers(2)


def _conv(c: Call) -> Value:
    value, weight = c.value(), _weight(c)
    window = _window(c, weight.shape[2:], spatial(value.shape)[0])
    return convolved(value, weight, _bias(c), window, int(c.attribute("group", 1)))


def _conv_transpose(c: Call) -> Value:
    value, weight = c.value(), _weight(c)
    shape, _, _ = spatial(value.shape)
    n, how = len(shape), c.text("auto_pad", "NOTSET")
    extra = tuple(c.attribute("output_padding") or (0,) * n)
    window = _window(c, weight.shape[2:], shape)
    wanted = c.attribute("output_shape")
    if wanted or how.startswith("SAME"):
        wanted = tuple(wanted or (d * s for d, s in zip(shape, window.strides, strict=True)))[-n:]
        full = zip(shape, window.strides, window.spans, extra, wanted, strict=True)
        totals = [(d - 1) * s + span + e - w for d, s, span, e, w in full]
        if min(totals) < 0:
            raise UnsupportedNetwork(
                f"output_shape {wanted} is larger than what the kernel reaches; use output_padding"
            )
        small = tuple(t // 2 for t in totals)
        large = tuple(t - t // 2 for t in totals)
        pads = (small, large) if how == "SAME_UPPER" else (large, small)
        window = Window.of(window.kernel, window.strides, window.dilations, *pads)
    return deconvolved(value, weight, _bias(c), window, extra, int(c.attribute("group", 1)))


def _max_pool(c: Call) -> Value:
    value = c.value()
    window = _window(c, tuple(c.attribute("kernel_shape")), spatial(value.shape)[0])
    return max_pool(c.builder, value, window)


def _average_pool(c: Call) -> Value:
    value = c.value()
    window = _window(c, tuple(c.attribute("kernel_shape")), spatial(value.shape)[0])
    return average_pool(value, window, bool(c.attribute("count_include_pad", 0)))


def _ones(value: Value) -> Shape:
    return (1,) * len(spatial(value.shape)[0])


def _batch_norm(c: Call) -> Value:
    if c.attribute("training_mode", 0) or len([o for o in c.outputs if o]) > 1:
        raise UnsupportedNetwork("in training mode it is not affine; export for inference")
    scale, shift, mean, variance = (c.numbers(i) for i in (1, 2, 3, 4))
    epsilon = float(c.attribute("epsilon", float(np.float32(1e-5))))
    return normalised(c.builder, str(c.label), c.value(), mean, variance, scale, shift, epsilon)


def _pad(c: Call) -> Value:
    value, mode = c.value(), c.text("mode", "constant")
    rank = len(value.shape)
    pads, level = c.whole(1), 0.0
    if c.argument(2) is not None and c.numbers(2).size:
        level = float(c.numbers(2).ravel()[0])
    axes = [a % rank for a in c.whole(3)] if c.argument(3) is not None else list(range(rank))
    if len(pads) != 2 * len(axes):
        raise LinregionsError(f"pads {pads} for the axes {axes}")
    whole = [(0, 0)] * rank
    for a, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        whole[a] = (before, after)
    return padded(value, whole, mode, level)


def _resize(c: Call) -> Value:
    """Resize by the nearest entry."""
    value, mode = c.value(), c.text("mode", "nearest")
    if mode != "nearest":
        raise UnsupportedNetwork(f"mode {mode!r} is not read; use nearest")
    at = c.attribute("axes")
    axes = [a % len(value.shape) for a in at] if at else list(range(len(value.shape)))
    scales, sizes = _scales(c, value, axes)
    where, rounding = c.text("coordinate_transformation_mode"), c.text("nearest_mode")
    chosen = [np.arange(n) for n in value.shape]
    for a, scale, size in zip(axes, scales, sizes, strict=True):
        if size != value.shape[a] or scale != 1:
            chosen[a] = _nearest_axis(value.shape[a], size, scale, where, rounding)
    return value.select(nearest(value.shape, chosen))


def _scales(c: Call, value: Value, axes: list[int]) -> tuple[list[float], list[int]]:
    """Scale and new size of the given axes."""
    if c.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise UnsupportedNetwork("a keep_aspect_ratio_policy is not supported; give all sizes")
    before = [value.shape[a] for a in axes]
    scales = None
    if c.argument(2) is not None and np.size(c.numbers(2)):
        scales = c.numbers(2).ravel().tolist()
    if scales is None and c.argument(3) is not None:
        sizes = c.whole(3)
        return [s / n for s, n in zip(sizes, before, strict=True)], sizes
    if scales is None or len(scales) != len(axes):
        raise LinregionsError(f"scales {scales} for {len(axes)} axes")
    # in float32, as the scales are stored and as runtimes multiply
    sizes = [
        int(np.floor(np.float32(n) * np.float32(s))) for n, s in zip(before, scales, strict=True)
    ]
    return [float(s) for s in scales], sizes


def _nearest_axis(n: int, m: int, scale: float, where: str, rounding: str) -> np.ndarray:
    """Which of n entries each of m new ones takes."""
    i = np.arange(m, dtype=np.float64)
    if where == "align_corners":
        x = i * ((n - 1) / (m - 1)) if m > 1 else 0 * i
    elif where == "asymmetric":
        x = i / scale
    elif where == "tf_half_pixel_for_nn":
        x = (i + 0.5) / scale
    elif where in ("half_pixel", "half_pixel_symmetric") or (
        where == "pytorch_half_pixel" and m > 1
    ):
        x = (i + 0.5) / scale - 0.5
        if where == "half_pixel_symmetric":
            x = x + n / 2 * (1 - m / (n * scale))
    elif where == "pytorch_half_pixel":
        x = 0 * i
    else:
        raise UnsupportedNetwork(f"coordinate_transformation_mode {where!r} is not supported")
    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "floor": np.floor,
        "ceil": np.ceil,
        "round_prefer_floor": lambda v: np.ceil(v - 0.5),
        "round_prefer_ceil": lambda v: np.floor(v + 0.5),
    }
    if rounding not in ways:
        raise UnsupportedNetwork(f"nearest_mode {rounding!r} is not known")
    return np.clip(ways[rounding](x), 0, n - 1).astype(np.int64)


def _absolute(c: Call, value: Value) -> Value:
    """The magnitudes that an L1 norm adds up."""
    if int(c.attribute("p")) != 1 or c.attribute("p") % 1:
        raise UnsupportedNetwork(
            f"the {c.attribute('p')}-norm is not piecewise linear; only p = 1 is, and p = infinity "
            "is Abs with MaxPool"
        )
    return c.builder.pointwise(value, ABS)


def _norm_pool(c: Call) -> Value:
    value = c.value()
    window = _window(c, tuple(c.attribute("kernel_shape")), spatial(value.shape)[0])
    return average_pool(_absolute(c, value), window, False, 1)


def _flat_norm(c: Call) -> Value:
    value = _absolute(c, c.value())
    return value.summed(range(2, len(value.shape)), True)


def _flat_mean(c: Call) -> Value:
    return adaptive_average_pool(c.value(), _ones(c.value()))


WINDOWS: dict[str, Callable[[Call], Value]] = {
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _flat_mean,
    "GlobalMaxPool": lambda c: adaptive_max_pool(c.builder, c.value(), _ones(c.value())),
    "GlobalLpPool": _flat_norm,
    "LpPool": _norm_pool,
    "MaxPool": _max_pool,
    "Pad": _pad,
    "Resize": _resize,
    "Upsample": _resize,
}
