"""Intervals with outward rounding: through affine maps and piecewise-linear functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from ..network.affine import ONE, Affine
from ..network.rational import Matrix
from ..roundoff import ROUNDOFF


@dataclass(frozen=True)
class Interval:
    """Entrywise ``low <= value <= high``; entries may be infinite."""

    low: np.ndarray
    high: np.ndarray

    def sharpen(self, other: Interval) -> Interval:
        """The intersection."""
        return Interval(np.maximum(self.low, other.low), np.minimum(self.high, other.high))


def through(affine: Affine, values: dict[int, Interval]) -> Interval:
    """An affine map of intervals, rounded outwards."""
    low, high, size = np.zeros(affine.size), np.zeros(affine.size), np.zeros(affine.size)
    steps = 2
    for source in (*affine.sources, ONE):
        h = values[source]
        W, error = _matrix(affine, source, len(h.low))
        up, down = (W.maximum(0), W.minimum(0)) if sparse.issparse(W) else (
            np.maximum(W, 0), np.minimum(W, 0))  # fmt: skip
        low = low + _dot(up, h.low) + _dot(down, h.high)
        high = high + _dot(up, h.high) + _dot(down, h.low)
        span = np.maximum(np.abs(h.low), np.abs(h.high))
        size = size + _dot(abs(W), span)
        if error is not None:
            extra = _dot(error, span)
            low, high = low - extra, high + extra
        steps += W.shape[1] + 3
    slop = np.where(np.isfinite(size), 2 * steps * ROUNDOFF * size, 0.0)
    return Interval(low - slop, high + slop)


def _matrix(affine: Affine, source: int, columns: int) -> tuple[Matrix, Matrix | None]:
    """The matrix for a source and the bound of its error, CSR where it is kept so."""
    if affine.is_sparse(source):
        return affine.csr(source, columns)
    return affine.rounded(source, columns)


def _dot(W: Matrix, h: np.ndarray) -> np.ndarray:
    """``W @ h`` where zero times infinity is zero."""
    finite = np.isfinite(h)
    out = W @ np.where(finite, h, 0.0)
    if not finite.all():
        far = np.where(finite, 0.0, np.sign(h))
        size = abs(far)
        with np.errstate(invalid="ignore"):
            signs = W.sign() if sparse.issparse(W) else np.sign(W)
            total, count = signs @ far, abs(signs) @ size
        # of ``count`` infinities (total + count) / 2 are positive, the others negative
        out = np.where(total + count > 0, np.inf, out)
        out = np.where(count - total > 0, -np.inf, out)
    return out


def outward(x: float, up: bool) -> float:
    return float(x + (8 * ROUNDOFF * abs(x) if up else -8 * ROUNDOFF * abs(x)))


def value_at(kind: Any, t: float, piece: int) -> tuple[float, float]:
    """The value of one piece at t, and how far rounding may have moved it."""
    slope, shift = float(kind.slopes[piece]), float(kind.intercepts[piece])
    if slope == 0:
        return shift, 2 * ROUNDOFF * abs(shift)
    value = float(slope * t + shift)
    exact = shift == 0 and slope in (1, -1)
    return value, 0.0 if exact or np.isinf(value) else 8 * ROUNDOFF * (abs(slope * t) + abs(shift))
