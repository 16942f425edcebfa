"""Linear programs over the triangle relaxation; their bounds are made rigorous by duality.

A program only proposes multipliers y >= 0; the bound is then recomputed from weak duality,

    max c v over {A v <= b, L <= v <= U}  <=  y b + sum_i max(r_i L_i, r_i U_i),  r = c - A^T y,

which holds for any y, and rounded outwards.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..domain.restrict import Restricted
from ..network.affine import INPUT, ONE, Affine
from ..network.network import Layer
from ..network.rational import is_rational, rounded
from ..network.units import Pointwise
from ..progress import check, current
from ..roundoff import ROUNDOFF
from .interval import Interval, value_at


class Relaxation:
    """The triangle relaxation of the layers so far: ``A v <= b`` over input and outputs."""

    def __init__(self, problem: Restricted, box: Interval) -> None:
        self.low, self.high = box.low, box.high
        self.start = {INPUT: 0}
        self.A = rounded(problem.A).copy()
        self.b = rounded(problem.b).copy()
        self.slack = 4 * ROUNDOFF if is_rational(problem.A) or is_rational(problem.b) else 0.0
        self.usable = bool(np.isfinite(box.low).all() and np.isfinite(box.high).all())

    def bounds(self, layer: Layer, z: Interval) -> Interval:
        """Sharper pre-activations of the units that a breakpoint still divides."""
        low, high = z.low.copy(), z.high.copy()
        if not isinstance(layer.units, Pointwise) or len(self.b) == 0:
            return Interval(low, high)
        C, shift, error = self._rows(layer.affine)
        for i, which in enumerate(layer.units.which):
            check()
            if any(low[i] <= float(t) < high[i] for t in layer.units.kinds[which].breaks):
                high[i] = min(high[i], self._maximum(C[i]) + shift[i] + error[i])
                low[i] = max(low[i], shift[i] - self._maximum(-C[i]) - error[i])
        return Interval(low, np.maximum(low, high))

    def _rows(self, affine: Affine) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The affine map as rows over v, its constant, and what rounding may add."""
        C, error = np.zeros((affine.size, len(self.low))), np.zeros(affine.size)
        span = np.maximum(np.abs(self.low), np.abs(self.high))
        for source in affine.sources:
            at = self.start[source]
            W, off = affine.rounded(source, self._size(source))
            C[:, at : at + W.shape[1]] += W
            if off is not None:
                error += off @ span[at : at + W.shape[1]]
        shift, off = affine.rounded(ONE, 1)
        error += 0.0 if off is None else off[:, 0]
        return C, shift[:, 0], error + 8 * ROUNDOFF * np.abs(shift[:, 0])

    def _size(self, source: int) -> int:
        later = [s for s in self.start.values() if s > self.start[source]]
        return (min(later) if later else len(self.low)) - self.start[source]

    def _maximum(self, c: np.ndarray) -> float:
        """A rigorous upper bound of ``c v``, from the multipliers of a linear program."""
        from scipy.optimize import linprog

        if not all(np.isfinite(v).all() for v in (c, self.A, self.b)):
            return np.inf  # beyond floats nothing is known
        sides, left = np.stack([self.low, self.high], axis=1), max(current().left, 1e-3)
        found = linprog(-c, A_ub=self.A, b_ub=self.b, bounds=sides, options={"time_limit": left})
        if found.status == 0:
            y = np.maximum(-found.ineqlin.marginals, 0.0)
        else:
            y = np.zeros(len(self.b))
        r = c - self.A.T @ y
        span = np.maximum(np.abs(self.low), np.abs(self.high))
        size = (np.abs(c) + np.abs(self.A).T @ y) @ span + np.abs(self.b) @ y
        steps = sum(self.A.shape) + 8
        value = y @ self.b + np.maximum(r * self.low, r * self.high).sum()
        return float(value + (2 * steps * ROUNDOFF + self.slack) * size)

    def add(self, number: int, layer: Layer, z: Interval, h: Interval) -> None:
        """Outputs of a layer as new variables; convex hull rows for ReLU-like units."""
        at, size = len(self.low), layer.size
        self.start[number] = at
        C, shift, error = self._rows(layer.affine)
        self.low, self.high = np.r_[self.low, h.low], np.r_[self.high, h.high]
        self.A = np.hstack([self.A, np.zeros((len(self.b), size))])
        if not isinstance(layer.units, Pointwise):
            return
        rows, values = [], []
        for i, which in enumerate(layer.units.which):
            for slope, offset, sign in _hull(layer.units.kinds[which], z.low[i], z.high[i]):
                # sign (h - slope (C v + shift) - offset) <= 0
                row = np.zeros(at + size)
                row[:at], row[at + i] = -sign * slope * C[i], sign
                slop = abs(slope) * error[i] + 16 * ROUNDOFF * (abs(offset) + abs(slope * shift[i]))
                slop += 4 * ROUNDOFF * abs(slope) * (np.abs(C[i]) @ np.abs(self.high[:at]))
                slop += 4 * ROUNDOFF * abs(slope) * (np.abs(C[i]) @ np.abs(self.low[:at]))
                rows.append(row)
                values.append(sign * (offset + slope * shift[i]) + slop)
        if rows:
            self.A, self.b = np.vstack([self.A, rows]), np.r_[self.b, values]


def _hull(kind: Any, low: float, high: float) -> list[tuple[float, float, int]]:
    """Lines (slope, offset, side) around the graph over [low, high]; side 1: h is below."""
    breaks = [float(t) for t in kind.breaks]
    first, last = sum(low > t for t in breaks), sum(high > t for t in breaks)
    lines = [(float(s), float(c)) for s, c in zip(kind.slopes, kind.intercepts, strict=True)]
    if first == last:
        return [(*lines[first], 1), (*lines[first], -1)]
    used = [s for s, _ in lines[first : last + 1]]
    if used == sorted(used):  # convex: above each piece, below the chord
        return [(s, c, -1) for s, c in lines[first : last + 1]] + _chord(kind, low, high, 1)
    if used == sorted(used, reverse=True):
        return [(s, c, 1) for s, c in lines[first : last + 1]] + _chord(kind, low, high, -1)
    return []


def _chord(kind: Any, low: float, high: float, side: int) -> list[tuple[float, float, int]]:
    breaks = [float(t) for t in kind.breaks]
    a, slop_a = value_at(kind, low, sum(low > t for t in breaks))
    b, slop_b = value_at(kind, high, sum(high > t for t in breaks))
    slope = (b - a) / (high - low)
    offset = a - slope * low
    slop = 32 * ROUNDOFF * (abs(a) + abs(b) + abs(slope) * (abs(low) + abs(high)))
    slop += 2 * (slop_a + slop_b)
    return [(slope, offset + side * slop, side)]
