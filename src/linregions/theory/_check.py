"""What every function here asks of its arguments: numbers in range, and answers within reach."""

from __future__ import annotations

from fractions import Fraction
from math import isfinite
from operator import index
from typing import Any

from ..errors import LinregionsError

BITS = 10**8  # of one number
WORK = 10**11  # numbers times their bits: about ten seconds


class OutOfReach(LinregionsError):
    """The exact number would take more work than was allowed; the message says what is known."""


def whole(value: Any, name: str, least: int = 0) -> int:
    """``value`` as a Python integer, at least ``least``."""
    try:
        number = index(value)
    except TypeError:
        raise LinregionsError(f"{name} must be a whole number, got {shown(value)}") from None
    if number < least:
        raise LinregionsError(f"{name} must be at least {least}, got {shown(number)}")
    return number


def wholes(values: Any, name: str, least: int = 1) -> tuple[int, ...]:
    """A non-empty sequence of whole numbers."""
    out = tuple(whole(v, name, least) for v in listed(values, name, "whole numbers"))
    if not out:
        raise LinregionsError(f"{name} must not be empty")
    return out


def listed(values: Any, name: str, what: str) -> list[Any]:
    """A list of what was given, whatever sequence it is."""
    try:
        if not isinstance(values, str):
            return list(values)
    except TypeError:
        pass
    raise LinregionsError(f"{name} must be a list of {what}, got {shown(values)}")


def positive(value: Any, name: str, zero: bool = False) -> Fraction:
    """``value``, a finite number above 0 (or 0 itself), as the rational that it is."""
    number: Any = value
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:  # a number of numpy's
        number = value.item()
    ok = isinstance(number, int | float | Fraction)
    ok = ok and (not isinstance(number, float) or isfinite(number))
    if not ok or number < 0 or (number == 0 and not zero):
        what = "zero or a positive number" if zero else "a positive number"
        raise LinregionsError(f"{name} must be {what}, got {shown(value)}")
    return Fraction(number)


def rounded(value: Fraction | int, what: str) -> float:
    """The nearest float."""
    try:
        return float(value)
    except OverflowError:
        raise OutOfReach(f"{what} is beyond floating-point numbers (about 1e308)") from None


def within_reach(numbers: int, bits: int, what: str) -> None:
    """Raise where so many numbers of so many bits would take more than seconds, or the memory."""
    if bits > BITS or numbers * bits > WORK:
        raise OutOfReach(
            f"{what} is out of reach: {shown(numbers)} numbers of up to {shown(bits)} bits"
        )


def shown(value: Any) -> str:
    """``repr``, or how long it would be."""
    if isinstance(value, int) and value.bit_length() > 100:
        return f"a {'negative ' if value < 0 else ''}number of {value.bit_length()} bits"
    try:
        text = repr(value)
    except ValueError:  # a container of integers with too many digits for Python to print
        return f"a {type(value).__name__} of huge numbers"
    return text if len(text) <= 200 else text[:200] + " ..."
