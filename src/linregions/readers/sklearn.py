"""Fitted multi-layer perceptrons of scikit-learn, by duck typing: the package is not imported."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..errors import LinregionsError, UnsupportedNetwork
from ..network.network import Network
from ..network.units import RELU
from .symbolic.builder import Builder
from .symbolic.values import constant, floats


def is_perceptron(source: Any) -> bool:
    """True for a MLPClassifier or MLPRegressor (fitted or not) and what looks like one."""
    return hasattr(source, "activation") and (
        (hasattr(source, "coefs_") and hasattr(source, "intercepts_"))
        or hasattr(source, "hidden_layer_sizes")
    )


def read(model: Any) -> Network:
    """Read a fitted MLPClassifier or MLPRegressor.

    Parameters
    ----------
    model
        Anything with ``coefs_`` (inputs x outputs of each layer), ``intercepts_`` and
        ``activation``: 'relu', or 'identity' (then the layers are kept as exact factors of
        one affine map). The softmax or logistic output is dropped with a warning.
    """
    name = type(model).__name__
    if not hasattr(model, "coefs_"):
        raise LinregionsError(f"{name} is not fitted; call its fit method first")
    if model.activation not in ("relu", "identity"):
        raise UnsupportedNetwork(
            f"{name}: activation {model.activation!r} is not piecewise linear; train with "
            "activation='relu'"
        )
    coefs, shifts = list(model.coefs_), list(model.intercepts_)
    if not coefs or len(coefs) != len(shifts):
        raise LinregionsError(f"{name}: {len(coefs)} coefs_ for {len(shifts)} intercepts_")
    builder = Builder()
    value = None
    for i, (coef, shift) in enumerate(zip(coefs, shifts, strict=True)):
        weight, bias = floats(coef, f"coefs_[{i}]"), floats(shift, f"intercepts_[{i}]")
        if weight.ndim != 2 or bias.shape != (weight.shape[1],):
            raise LinregionsError(
                f"{name}: coefs_[{i}] has shape {weight.shape}, intercepts_[{i}] {bias.shape}"
            )
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise LinregionsError(f"{name}: layer {i + 1} holds NaN or infinite weights")
        value = builder.input((len(weight),)) if value is None else value
        if value.size != len(weight):
            raise LinregionsError(
                f"{name}: coefs_[{i}] has {len(weight)} rows for {value.size} values"
            )
        value = value.mapped(weight.T, bias.shape) + constant(bias)
        if i + 1 < len(coefs) and model.activation == "relu":
            value = builder.pointwise(value, RELU)
    assert value is not None
    last = getattr(model, "out_activation_", "identity")
    if last not in ("identity", "softmax", "logistic"):
        raise UnsupportedNetwork(f"{name}: output activation {last!r} is not supported")
    if last != "identity":
        text = f"output activation {last!r}: dropped, it is no part of the linear regions"
        warnings.warn(text, stacklevel=3)
        builder.note(text)
    return builder.network(len(floats(coefs[0], "coefs_[0]")), value)
