"""Numbers of many digits as arrays of floats, for products that lose nothing.

A number is ``sum_d X[d] 2^(-20 (d - TOP))`` with whole digits ``|X[d]| <= 2^19``, one float array
a digit. The product of two digits fits into 38 bits, so a float64 matrix product adds up to 2^15
of them exactly: a convolution of fixed-point numbers is a few ordinary ones, at the speed of BLAS.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import LinregionsError
from ..network.rational import is_rational, nearest

BITS = 20
BASE = 2.0**BITS
HALF = 2.0 ** (BITS - 1)
TOP = 2  # digits before the point
SUMS = 1 << (53 - 2 * (BITS - 1))  # products of digits that may be added up
FURTHEST = 9  # digits of a weight that are looked at; what is beyond is counted as an error


class TooWide(LinregionsError):
    """A value does not fit in front of the point."""


def ulp(digits: int) -> float:
    """Value of the last digit of numbers of so many."""
    return 2.0 ** (-BITS * (digits - 1 - TOP))


def carry(Y: np.ndarray) -> None:
    """Bring whole digits of any size up to 2^52 (digits first) into range, in place."""
    for d in range(len(Y) - 1, -1, -1):
        over = np.multiply(Y[d], 1.0 / BASE)
        np.rint(over, out=over)
        if not over.any():
            continue
        if d == 0:
            raise TooWide(
                f"a value of the network beyond 2^{BITS * (TOP + 1) - 1} on the slice; "
                "scale the inputs or the weights"
            )
        Y[d - 1] += over
        over *= BASE
        Y[d] -= over


def shortened(Y: np.ndarray, digits: int) -> np.ndarray:
    """The first so many digits, rounded: at most half an ulp is lost."""
    extra = Y[digits:]
    if len(extra) and extra[0].any():
        Y[digits - 1] += np.rint(extra[0] / BASE)
        carry(Y[:digits])
    return Y[:digits]


def to_float(X: np.ndarray) -> np.ndarray:
    """The numbers in float64, off by at most two units in the last place."""
    out = X[-1].copy()
    for d in range(len(X) - 2, -1, -1):
        out *= 1.0 / BASE
        out += X[d]
    return out * 2.0 ** (BITS * TOP)


def to_ints(X: np.ndarray) -> list[int]:
    """The numbers of a few columns as whole multiples of the `ulp`."""
    out = [0] * X.shape[1]
    for digit in X.tolist():
        out = [(n << BITS) + int(x) for n, x in zip(out, digit, strict=True)]
    return out


def split(values: Any, first: int, last: int) -> tuple[dict[int, np.ndarray], float]:
    """Digits of weight ``2^(-20 d)``, first <= d <= last, and the largest thing left out.

    Digits that are zero everywhere are not listed.
    """
    if is_rational(values):
        return _split_rational(values, first, last)
    rest, out = np.array(values, np.float64), {}
    with np.errstate(over="ignore"):
        for d in range(first, last + 1):
            if not rest.any():
                break
            part = np.rint(rest * 2.0 ** (BITS * d))
            if d == first and np.abs(part).max(initial=0.0) > HALF:
                raise TooWide(f"a number of size {np.abs(values).max():g} is too large")
            if part.any():
                out[d] = part
                rest -= part * 2.0 ** (-BITS * d)
    return out, float(np.abs(rest).max(initial=0.0))


def in_floats(values: Any) -> np.ndarray:
    """The nearest floats."""
    if not is_rational(values):
        return values
    known, where = _distinct(values)
    return np.array([nearest(x) for x in known])[where].reshape(values.shape)


def _distinct(values: np.ndarray) -> tuple[list[Any], np.ndarray]:
    """The objects in an array, and which one each entry is: biases repeat for all positions."""
    flat = values.ravel()
    _, first, where = np.unique(
        np.array(list(map(id, flat.tolist())), np.uint64), return_index=True, return_inverse=True
    )
    return flat[first].tolist(), where.ravel()


def _split_rational(values: np.ndarray, first: int, last: int) -> tuple[dict, float]:
    known, where = _distinct(values)
    scale = BITS * last
    whole = [round(Fraction(x) * (1 << scale)) for x in known]
    exact = all(Fraction(n, 1 << scale) == x for n, x in zip(whole, known, strict=True))
    out = {}
    for d in range(last, first - 1, -1):
        digits = []
        for i, n in enumerate(whole):
            low = ((n + (1 << (BITS - 1))) & ((1 << BITS) - 1)) - (1 << (BITS - 1))
            digits.append(float(low))
            whole[i] = (n - low) >> BITS
        part = np.array(digits)[where].reshape(values.shape)
        if part.any():
            out[d] = part
    if any(whole):
        raise TooWide(f"a number of size {float(max(map(abs, known))):g} is too large")
    return out, 0.0 if exact else 2.0**-scale
