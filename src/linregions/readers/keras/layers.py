"""What each kind of Keras layer does, by the name of its class. Channels come last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np

from ...errors import LinregionsError, UnsupportedNetwork
from ...network.units import RELU, RELU6, Activation, leaky_relu
from ..refusals import CURVED as NOT_LINEAR
from ..refusals import Refusal, first_line, reading
from ..symbolic.builder import Builder
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
from ..symbolic.values import (
    Shape,
    Value,
    beside_behind,
    concatenated,
    constant,
    ended,
    floats,
    inverse,
    stripped,
    words,
)
from ..symbolic.windows import Window, same_padding, spatial

PASSIVE = words(
    "InputLayer Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D AlphaDropout "
    "GaussianDropout GaussianNoise ActivityRegularization Identity"
)
CURVED = words(
    "ELU Embedding LayerNormalization GroupNormalization UnitNormalization LSTM GRU SimpleRNN "
    "MultiHeadAttention Attention AdditiveAttention Multiply Dot"
)
MOVES = words("Flatten Reshape Permute Concatenate")
ENDS = words("softmax sigmoid log_softmax log_sigmoid")


@dataclass
class Context:
    """One layer on its way through the reader, with the questions that its kind asks."""

    builder: Builder
    layer: Any

    @cached_property
    def config(self) -> dict[str, Any]:
        return self.layer.get_config()

    @property
    def kind(self) -> str:
        return type(self.layer).__name__

    @property
    def label(self) -> Refusal:
        return Refusal("layer", self.config.get("name", "without a name"), self.kind, "Keras")

    @cached_property
    def weights(self) -> list[np.ndarray]:
        out = [floats(w, f"{self.label}: a weight") for w in self.layer.get_weights()]
        if not all(np.isfinite(w).all() for w in out):
            raise LinregionsError("a weight holds NaN or infinite values")
        return out

    def weight(self, i: int) -> np.ndarray:
        if i >= len(self.weights):
            raise LinregionsError(f"it has {len(self.weights)} weights; build the model first")
        return self.weights[i]

    def bias(self, i: int = 1) -> np.ndarray | None:
        return self.weight(i) if self.config.get("use_bias", True) else None

    def sizes(self, name: str, n: int, default: Any = 1) -> Shape:
        """A configured number, or one for each of n axes."""
        x = self.config.get(name, default)
        x = default if x is None else x
        return tuple(int(v) for v in x) if isinstance(x, list | tuple) else (int(x),) * n

    @property
    def first(self) -> bool:
        """Whether channels come first."""
        return self.config.get("data_format") == "channels_first"

    def front(self, value: Value) -> Value:
        """The value with its channels in front, as `layers` wants them."""
        return value if self.first else value.select(np.moveaxis(value.grid(), -1, 1))

    def back(self, value: Value) -> Value:
        return value if self.first else value.select(np.moveaxis(value.grid(), 1, -1))

    def window(self, value: Value, kernel: Shape, strides: Shape, dilations: Shape) -> Window:
        """Window of a convolution or pooling with the configured kind of padding."""
        shape, _, _ = spatial(value.shape)
        padding = self.config.get("padding", "valid")
        if padding == "same":
            pads = same_padding(shape, kernel, strides, dilations)
        elif padding == "causal":
            pads = tuple(d * (k - 1) for d, k in zip(dilations, kernel, strict=True)), (0,)
        elif padding == "valid":
            pads = (0,) * len(shape), (0,) * len(shape)
        else:
            raise UnsupportedNetwork(f"padding {padding!r} is not known")
        return Window.of(kernel, strides, dilations, *pads)


def run(c: Context, values: list[Value]) -> Value:
    """The value of a layer; errors name it."""
    if c.kind in PASSIVE:
        return values[0]
    with reading(c.label):
        if c.kind in ("Softmax",) or (_activation_name(c) in ENDS and c.kind == "Activation"):
            return ended(values[0], str(c.label))
        if any(v.dropped for v in values) and c.kind in MOVES:
            return beside_behind(values)
        values = [stripped(v) for v in values]
        if c.kind not in LAYERS:
            known = (
                f"not piecewise linear; {NOT_LINEAR}" if c.kind in CURVED else "not supported yet"
            )
            raise UnsupportedNetwork(known)
        before = len(c.builder.layers)
        try:
            out = LAYERS[c.kind](c, values)
        except (ValueError, IndexError, KeyError) as error:
            if isinstance(error, LinregionsError):
                raise
            shape = values[0].shape[1:]
            raise LinregionsError(
                f"does not fit a value of shape {shape} ({first_line(error)}); give shape=, the "
                "sizes of one input without the batch dimension"
            ) from error
        c.builder.count(c.kind, before)
        return out if c.kind == "Activation" else _activated(c, out)


def _activation_name(c: Context) -> str:
    given = c.config.get("activation")
    if isinstance(given, dict):  # Keras 3 writes some as {"class_name": ..., "config": ...}
        given = given.get("config") if isinstance(given.get("config"), str) else given["class_name"]
    return given if isinstance(given, str) else getattr(given, "__name__", "linear")


def _activated(c: Context, value: Value) -> Value:
    name = _activation_name(c)
    known = {"relu": RELU, "relu6": RELU6, "leaky_relu": leaky_relu(0.2)}
    if name == "linear":
        return value
    if name in ENDS:
        return ended(value, str(c.label))
    if name not in known:
        more = (
            "means different functions in Keras 2 and 3; write it with a ReLU layer and max_value"
            if name == "hard_sigmoid"
            else "is not piecewise linear or not known; use relu, relu6 or leaky_relu"
        )
        raise UnsupportedNetwork(f"activation {name!r} {more}")
    return c.builder.pointwise(value, known[name])


def _dense(c: Context, values: list[Value]) -> Value:
    bias, out = c.bias(), values[0].times(c.weight(0))
    return out if bias is None else out + constant(bias)


def _conv(c: Context, values: list[Value]) -> Value:
    value, kernel = c.front(values[0]), c.weight(0)
    n = kernel.ndim - 2
    window = c.window(
        value, kernel.shape[:n], c.sizes("strides", n), c.sizes("dilation_rate", n)
    )  # fmt: skip
    weight = np.moveaxis(kernel, (-1, -2), (0, 1))
    return c.back(convolved(value, weight, c.bias(), window, int(c.config.get("groups", 1))))


def _depthwise_kernel(kernel: np.ndarray) -> np.ndarray:
    """(kernel ..., channels, multiplier) to (channels x multiplier, 1, kernel ...)."""
    turned = np.moveaxis(kernel, (-2, -1), (0, 1))
    return turned.reshape(-1, 1, *kernel.shape[:-2])


def _depthwise(c: Context, values: list[Value], bias: int | None = 1) -> Value:
    value, kernel = c.front(values[0]), c.weight(0)
    n = kernel.ndim - 2
    window = c.window(
        value, kernel.shape[:n], c.sizes("strides", n), c.sizes("dilation_rate", n)
    )  # fmt: skip
    shift = None if bias is None else c.bias(bias)
    return c.back(convolved(value, _depthwise_kernel(kernel), shift, window, kernel.shape[-2]))


def _separable(c: Context, values: list[Value]) -> Value:
    value, point = c.front(_depthwise(c, values, None)), c.weight(1)
    weight = np.moveaxis(point, (-1, -2), (0, 1))
    return c.back(convolved(value, weight, c.bias(2), Window.of(point.shape[:-2])))


def _conv_transpose(c: Context, values: list[Value]) -> Value:
    """Output sizes as Keras chooses them: n x stride for 'same', and never fewer for 'valid'."""
    value, kernel = c.front(values[0]), c.weight(0)
    shape, n = spatial(value.shape)[0], kernel.ndim - 2
    if c.config.get("output_padding") is not None:
        raise UnsupportedNetwork("output_padding is not supported; leave it at None")
    strides, dilations = c.sizes("strides", n), c.sizes("dilation_rate", n)
    window = Window.of(kernel.shape[:n], strides, dilations)
    extra = tuple(max(s - span, 0) for s, span in zip(strides, window.spans, strict=True))
    if c.config.get("padding") == "same":
        whole = tuple(d * s for d, s in zip(shape, strides, strict=True))
        pads = same_padding(whole, window.kernel, strides, dilations)
        window = Window.of(window.kernel, strides, dilations, *pads)
    weight = np.moveaxis(kernel, (-1, -2), (0, 1))
    return c.back(deconvolved(value, weight, c.bias(), window, extra))


def _pool(average: bool) -> Callable[[Context, list[Value]], Value]:
    def pool(c: Context, values: list[Value]) -> Value:
        value = c.front(values[0])
        n = len(value.shape) - 2
        kernel = c.sizes("pool_size", n, 2)
        strides = c.sizes("strides", n, kernel)
        window = c.window(value, kernel, strides, (1,) * n)
        pooled = (
            average_pool(value, window, False) if average else max_pool(c.builder, value, window)
        )
        return c.back(pooled)

    return pool


def _global(average: bool) -> Callable[[Context, list[Value]], Value]:
    def pool(c: Context, values: list[Value]) -> Value:
        value = c.front(values[0])
        ones = (1,) * (len(value.shape) - 2)
        out = (
            adaptive_average_pool(value, ones)
            if average
            else adaptive_max_pool(c.builder, value, ones)
        )
        return c.back(out) if c.config.get("keepdims") else out.reshaped(out.shape[:2])

    return pool


def _batch_norm(c: Context, values: list[Value]) -> Value:
    axis = c.config.get("axis", -1)
    axis = (axis[0] if isinstance(axis, list | tuple) else axis) % len(values[0].shape)
    parts = list(range(len(c.weights)))
    scale = c.weight(parts.pop(0)) if c.config.get("scale", True) else None
    shift = c.weight(parts.pop(0)) if c.config.get("center", True) else None
    if len(parts) != 2:
        raise LinregionsError(f"it has {len(c.weights)} weights; build the model first")
    mean, variance = (c.weight(i) for i in parts)
    epsilon = float(c.config.get("epsilon", 1e-3))
    return normalised(
        c.builder, str(c.label), values[0], mean, variance, scale, shift, epsilon, axis
    )  # fmt: skip


def _relu(c: Context, values: list[Value]) -> Value:
    top, slope = c.config.get("max_value"), c.config.get("negative_slope")
    if float(c.config.get("threshold") or 0):
        raise UnsupportedNetwork("a threshold other than 0 jumps")
    low = leaky_relu(float(np.float64(slope or 0)))
    if top is None:
        return c.builder.pointwise(values[0], low)
    if float(top) == 6 and low is RELU:
        return c.builder.pointwise(values[0], RELU6)
    kind = Activation((0, float(top)), (low.slopes[0], 1, 0), 0, "relu with a maximum")
    return c.builder.pointwise(values[0], kind)


def _leaky(c: Context, values: list[Value]) -> Value:
    slope = c.config.get("negative_slope", c.config.get("alpha", 0.3))
    return c.builder.pointwise(values[0], leaky_relu(float(np.float64(slope))))


def _prelu(c: Context, values: list[Value]) -> Value:
    slopes = np.broadcast_to(c.weight(0)[None], values[0].shape).ravel().tolist()
    return c.builder.pointwise(values[0], [leaky_relu(s) for s in slopes])


def _flatten(c: Context, values: list[Value]) -> Value:
    value = values[0]
    if c.first and len(value.shape) > 2:  # Keras moves channels to the end before it flattens
        value = value.select(np.moveaxis(value.grid(), 1, -1))
    grid = value.grid()
    return value.select(grid.reshape(len(grid), -1))


def _reshape(c: Context, values: list[Value]) -> Value:
    target = tuple(c.config["target_shape"])
    return values[0].select(values[0].grid().reshape(values[0].shape[0], *target))


def _permute(c: Context, values: list[Value]) -> Value:
    return values[0].select(values[0].grid().transpose(0, *c.config["dims"]))


def _repeat(c: Context, values: list[Value]) -> Value:
    return values[0].select(
        np.repeat(np.expand_dims(values[0].grid(), 1), int(c.config["n"]), axis=1)
    )


def _ends(c: Context, name: str, value: Value, sign: int) -> Value:
    """Zeros added to (sign 1) or entries cut off from (-1) the spatial axes."""
    n = len(value.shape) - 2
    given = c.config[name]
    if n == 1:
        pairs = [tuple(given) if isinstance(given, list | tuple) else (given, given)]
    elif isinstance(given, list | tuple):
        pairs = [tuple(p) if isinstance(p, list | tuple) else (p, p) for p in given]
    else:
        pairs = [(given, given)] * n
    whole = [(0, 0), (0, 0), *((sign * int(a), sign * int(b)) for a, b in pairs)]
    return c.back(padded(c.front(value), whole, "constant"))


def _upsample(c: Context, values: list[Value]) -> Value:
    how = c.config.get("interpolation", "nearest")
    if how != "nearest":
        raise UnsupportedNetwork(f"interpolation {how!r} is not supported yet; use nearest")
    value = c.front(values[0])
    grid = value.grid()
    for axis, size in enumerate(c.sizes("size", grid.ndim - 2, 2), start=2):
        grid = np.repeat(grid, size, axis=axis)
    return c.back(value.select(grid))


def _rescale(c: Context, values: list[Value]) -> Value:
    scale, offset = (
        np.asarray(c.config.get(k, d), float) for k, d in (("scale", 1), ("offset", 0))
    )
    return values[0].scaled(scale) + constant(np.broadcast_to(offset, values[0].shape))


def _total(c: Context, values: list[Value]) -> Value:
    return reduce(lambda a, b: a + b, values)


def _average(c: Context, values: list[Value]) -> Value:
    return _total(c, values).scaled(inverse(np.array(float(len(values)))))


def _concatenate(c: Context, values: list[Value]) -> Value:
    return concatenated(values, int(c.config.get("axis", -1)))


LAYERS: dict[str, Callable[[Context, list[Value]], Value]] = {
    "Activation": lambda c, v: _activated(c, v[0]),
    "Add": _total,
    "Average": _average,
    "BatchNormalization": _batch_norm,
    "Concatenate": _concatenate,
    "Dense": _dense,
    "DepthwiseConv1D": _depthwise,
    "DepthwiseConv2D": _depthwise,
    "Flatten": _flatten,
    "LeakyReLU": _leaky,
    "Maximum": lambda c, v: c.builder.largest(v),
    "Minimum": lambda c, v: c.builder.smallest(v),
    "PReLU": _prelu,
    "Permute": _permute,
    "ReLU": _relu,
    "RepeatVector": _repeat,
    "Rescaling": _rescale,
    "Reshape": _reshape,
    "SeparableConv1D": _separable,
    "SeparableConv2D": _separable,
    "Subtract": lambda c, v: v[0] + -v[1],
}
for _n in (1, 2, 3):
    LAYERS |= {
        f"Conv{_n}D": _conv,
        f"Conv{_n}DTranspose": _conv_transpose,
        f"MaxPooling{_n}D": _pool(average=False),
        f"AveragePooling{_n}D": _pool(average=True),
        f"GlobalMaxPooling{_n}D": _global(average=False),
        f"GlobalAveragePooling{_n}D": _global(average=True),
        f"ZeroPadding{_n}D": lambda c, v: _ends(c, "padding", v[0], 1),
        f"Cropping{_n}D": lambda c, v: _ends(c, "cropping", v[0], -1),
        f"UpSampling{_n}D": _upsample,
    }
