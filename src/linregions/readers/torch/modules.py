"""Torch modules that the walk of an ``nn.Sequential`` knows, by way of the operator each calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from ...errors import UnsupportedNetwork
from ..refusals import CURVED
from ..symbolic.builder import Builder
from ..symbolic.values import Value, words
from .ops import OPERATORS, Named, moved

Make = Callable[[Any], Named]


def _by(operator: str, arguments: Make | None = None, name: str = "self") -> Callable[..., Value]:
    """A module as the call of an operator on its value."""

    def run(builder: Builder, value: Value, module: Any, label: str) -> Value:
        given = {} if arguments is None else arguments(module)
        out = OPERATORS[operator](builder, label, {name: value, **given})
        return out[0] if isinstance(out, tuple) else out

    return run


def _of(*names: str) -> Make:
    """Arguments that the module keeps under the operator's names."""
    return lambda module: {n: getattr(module, n) for n in names if hasattr(module, n)}


def _conv(operator: str) -> Callable[..., Value]:
    names = ["weight", "bias", "stride", "padding", "dilation", "groups"]
    names += ["output_padding"] if "transpose" in operator else []
    plain = _by(operator, _of(*names), "input")

    def run(builder: Builder, value: Value, module: Any, label: str) -> Value:
        if module.padding_mode == "zeros":
            return plain(builder, value, module, label)
        mode, pads = module.padding_mode, list(module._reversed_padding_repeated_twice)
        value = OPERATORS["pad"](builder, label, {"self": value, "pad": pads, "mode": mode})
        named = {**_of(*names)(module), "input": value, "padding": 0}
        return OPERATORS[operator](builder, label, named)

    return run


def _norm(builder: Builder, value: Value, module: Any, label: str) -> Value:
    if len(value.shape) < 2:
        raise UnsupportedNetwork(f"a value of shape {value.shape} has no channels")
    names = ("weight", "bias", "running_mean", "running_var", "eps")
    return OPERATORS["batch_norm"](builder, label, {**_of(*names)(module), "input": value})


def _constant_pad(builder: Builder, value: Value, module: Any, label: str) -> Value:
    named = {"self": value, "pad": module.padding, "value": getattr(module, "value", 0)}
    return OPERATORS["pad"](builder, label, named)


def _move(builder: Builder, value: Value, module: Any, label: str) -> Value:
    return moved(value, module)


def _upsample(builder: Builder, value: Value, module: Any, label: str) -> Value:
    if not module.mode.startswith("nearest"):
        raise UnsupportedNetwork(f"mode {module.mode!r} is not supported yet; use nearest")
    return moved(value, module)


def _identity(builder: Builder, value: Value, module: Any, label: str) -> Value:
    return value


def _dropout(builder: Builder, value: Value, module: Any, label: str) -> Value:
    builder.note(f"{label}: identity at inference")
    return value


_pool = _of("kernel_size", "stride", "padding", "dilation", "ceil_mode")
_mean = _of(
    "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"
)

LEAVES: dict[Any, Callable[..., Value]] = {
    nn.Linear: _by("linear", _of("weight", "bias"), "input"),
    nn.ReLU: _by("relu"),
    nn.LeakyReLU: _by("leaky_relu", _of("negative_slope")),
    nn.PReLU: _by("prelu", _of("weight")),
    nn.ReLU6: _by("relu6"),
    nn.Hardtanh: _by("hardtanh", _of("min_val", "max_val")),
    nn.Hardsigmoid: _by("hardsigmoid"),
    nn.Threshold: _by("threshold", _of("threshold", "value")),
    nn.Softshrink: _by("softshrink", _of("lambd")),
    nn.Identity: _identity,
    nn.Dropout: _dropout,
    nn.Dropout1d: _dropout,
    nn.Dropout2d: _dropout,
    nn.Dropout3d: _dropout,
    nn.AlphaDropout: _dropout,
    nn.Flatten: _move,
    nn.Unflatten: _move,
    nn.PixelShuffle: _move,
    nn.PixelUnshuffle: _move,
    nn.ChannelShuffle: _move,
    nn.Upsample: _upsample,
    nn.UpsamplingNearest2d: _upsample,
}
for _n in (1, 2, 3):
    LEAVES |= {
        getattr(nn, f"Conv{_n}d"): _conv(f"conv{_n}d"),
        getattr(nn, f"ConvTranspose{_n}d"): _conv(f"conv_transpose{_n}d"),
        getattr(nn, f"BatchNorm{_n}d"): _norm,
        getattr(nn, f"MaxPool{_n}d"): _by(f"max_pool{_n}d", _pool),
        getattr(nn, f"AvgPool{_n}d"): _by(f"avg_pool{_n}d", _mean),
        getattr(nn, f"AdaptiveAvgPool{_n}d"): _by(f"adaptive_avg_pool{_n}d", _of("output_size")),
        getattr(nn, f"AdaptiveMaxPool{_n}d"): _by(f"adaptive_max_pool{_n}d", _of("output_size")),
        getattr(nn, f"ZeroPad{_n}d"): _constant_pad,
        getattr(nn, f"ConstantPad{_n}d"): _constant_pad,
        getattr(nn, f"ReflectionPad{_n}d"): _move,
        getattr(nn, f"ReplicationPad{_n}d"): _move,
        getattr(nn, f"CircularPad{_n}d"): _move,
    }
PASSIVE = (
    *(nn.Identity, nn.Flatten, nn.Unflatten, nn.Dropout, nn.PixelShuffle, nn.PixelUnshuffle),
    nn.ChannelShuffle,
)
AT_THE_END = (nn.Softmax, nn.LogSoftmax, nn.Sigmoid, nn.LogSigmoid)
CURVED_NAMES = words(
    "Tanh GELU SiLU ELU SELU CELU Softplus Softsign Mish Hardswish LayerNorm GroupNorm RMSNorm "
    "InstanceNorm1d InstanceNorm2d InstanceNorm3d LocalResponseNorm CrossMapLRN2d "
    "MultiheadAttention Transformer TransformerEncoder TransformerDecoder TransformerEncoderLayer "
    "TransformerDecoderLayer LSTM GRU LSTMCell GRUCell Softmin GLU Tanhshrink Bilinear LPPool1d "
    "LPPool2d LPPool3d CosineSimilarity PairwiseDistance Softmax2d Softmax LogSoftmax Sigmoid "
    "LogSigmoid AdaptiveLogSoftmaxWithLoss"
)
JUMPING = words("Hardshrink Embedding EmbeddingBag MaxUnpool1d MaxUnpool2d MaxUnpool3d")
RANDOM = words("FractionalMaxPool2d FractionalMaxPool3d")


def curved(module: nn.Module) -> str:
    """Why a module of torch cannot be read, where that is known; else nothing."""
    kinds = {kind.__name__ for kind in type(module).__mro__}
    recurrent = kinds & {"RNN", "RNNCell"}
    if kinds & CURVED_NAMES or (recurrent and getattr(module, "nonlinearity", "") == "tanh"):
        return f"not piecewise linear; {CURVED}"
    if kinds & JUMPING:
        return "not a continuous piecewise-linear function; cut the model before or behind it"
    if kinds & RANDOM:
        return "its windows are random; use MaxPool2d"
    return ""
