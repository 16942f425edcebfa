"""The size of a restricted domain: powers of two in which its coordinates are measured."""

from __future__ import annotations

import numpy as np

from ..network.rational import is_rational, rounded
from ..roundoff import ROUNDOFF
from .restrict import Restricted

LARGEST = 2.0**1023  # beyond it no power of two is a float


def exponent(x: float) -> int:
    """Smallest e with ``|x| <= 2^e`` (0 for 0)."""
    if x == 0:
        return 0
    mantissa, e = np.frexp(abs(float(x)))
    return int(e) - 1 if mantissa == 0.5 else int(e)


def reach_of(problem: Restricted) -> np.ndarray | None:
    """Largest |y_j| where single-coordinate rows bound every coordinate, else None."""
    k = problem.dimension
    A, b = rounded(problem.A), rounded(problem.b)
    if problem.bounded is False or len(b) < 2 * k:
        return None
    hi, lo = np.full(k, np.inf), np.full(k, np.inf)
    inexact = is_rational(problem.A) or is_rational(problem.b)
    single = np.count_nonzero(A, axis=1) == 1
    for row, value in zip(A[single], b[single], strict=True):
        j = int(np.flatnonzero(row)[0])
        limit = value / abs(row[j])
        if inexact or abs(row[j]) != 1.0:
            limit += 4 * ROUNDOFF * abs(limit)
        if row[j] > 0:
            hi[j] = min(hi[j], limit)
        else:
            lo[j] = min(lo[j], limit)
    reach = np.maximum(np.abs(hi), np.abs(lo))
    return reach if np.isfinite(reach).all() else None


def measurable(reach: np.ndarray | None) -> np.ndarray | None:
    """The reach of a domain, or None where no float is the unit of measurement."""
    return None if reach is None or np.max(reach, initial=0.0) > LARGEST else reach


def exponents(reach: np.ndarray | None, k: int) -> np.ndarray:
    """(k,) powers of two that bring a domain of this reach into [-1, 1]; 0 where there is none."""
    return np.array([0] * k if reach is None else [exponent(r) for r in reach], np.int64)


def grid(values: np.ndarray) -> int:
    """Smallest q >= 0 such that every value is an integer times 2^-q."""
    x = values[values != 0.0]
    if not x.size:
        return 0
    mantissa, e = np.frexp(x)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    low = whole & -whole
    trailing = np.frexp(low.astype(np.float64))[1] - 1
    return max(0, int(np.max(53 - trailing - e)))
