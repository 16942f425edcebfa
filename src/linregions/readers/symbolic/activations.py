"""Piecewise-linear functions of one number under the parameters that frameworks give them."""

from __future__ import annotations

from fractions import Fraction

from ...errors import UnsupportedNetwork
from ...network.units import HARDTANH, RELU, Activation, clip


def at_least(level: float) -> Activation:
    """``max(z, level)``."""
    return RELU if level == 0 else Activation((level,), (0, 1), level, "max")


def at_most(level: float) -> Activation:
    """``min(z, level)``."""
    return Activation((level,), (1, 0), level, "min")


def between(low: float | None, high: float | None) -> Activation | None:
    """``min(max(z, low), high)`` with either bound absent; None where both are.

    Where the range is empty or one number the result is ``high`` throughout: a unit of one
    piece with slope zero.
    """
    if low is None or high is None:
        if low is not None:
            return at_least(low)
        return None if high is None else at_most(high)
    if low >= high:
        return level(high)
    return HARDTANH if (low, high) == (-1, 1) else clip(low, high)


def level(height: float) -> Activation:
    """The constant ``height``, as a unit without a breakpoint."""
    return Activation((), (0,), height, "constant")


def hard_sigmoid(slope: float | Fraction, offset: float | Fraction) -> Activation:
    """``min(max(slope z + offset, 0), 1)``."""
    if slope <= 0:
        raise UnsupportedNetwork(f"alpha = {slope} is not positive")
    a, b = Fraction(slope), Fraction(offset)
    return Activation((-b / a, (1 - b) / a), (0, a, 0), 0, "hard_sigmoid")


def threshold(level: float, value: float) -> Activation:
    """z above ``level``, ``value`` below: continuous only where the two are equal."""
    if level != value:
        raise UnsupportedNetwork(
            f"it jumps from {value:g} to {level:g} at {level:g}; it is not a continuous "
            "piecewise-linear function"
        )
    return at_least(level)


def soft_shrink(level: float, bias: float) -> Activation:
    """0 within ``level`` of 0, else z moved by ``bias`` towards 0; jumps unless both are equal."""
    if level != bias or level < 0:
        raise UnsupportedNetwork(
            f"it jumps at {level:g}; it is not a continuous piecewise-linear function"
        )
    if level == 0:
        return Activation((), (1,), 0, "identity")
    return Activation((-level, level), (1, 0, 1), 0, "softshrink")
