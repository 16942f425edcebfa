"""Which pieces a unit can be on, over a domain: intervals, sharpened by linear programs.

Both are rigorous. Intervals are rounded outwards by the error of a float dot product. A
linear program only proposes multipliers y >= 0; its bound is then recomputed from weak duality,

    max c v over {A v <= b, L <= v <= U}  <=  y b + sum_i max(r_i L_i, r_i U_i),  r = c - A^T y,

which holds for any y, and rounded outwards as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..affine import INPUT, ONE, Affine
from ..domain import Restricted
from ..network import Layer
from ..rational import is_rational, rounded
from ..units import MaxUnits, Pointwise

UNIT = 2.0**-53


@dataclass(frozen=True)
class Interval:
    """Entrywise ``low <= value <= high``; entries may be infinite."""

    low: np.ndarray
    high: np.ndarray

    def sharpen(self, other: Interval) -> Interval:
        """The intersection."""
        return Interval(np.maximum(self.low, other.low), np.minimum(self.high, other.high))


@dataclass(frozen=True)
class Reach:
    """What the units of a layer can do.

    Attributes
    ----------
    z
        Pre-activations.
    pieces
        (units,) number of pieces that a unit may be on.
    active
        (units,) whether a unit may be on a piece where it is not constant.
    """

    z: Interval
    pieces: np.ndarray
    active: np.ndarray


def reaches(problem: Restricted, lp: bool = False) -> list[Reach]:
    """`Reach` of every layer of a restricted network.

    Parameters
    ----------
    problem
        From `restrict`: intervals start from the rows of its polytope that bound one
        coordinate. Over all of R^n they are infinite, and what remains are the sign rules
        (a unit can be on only if its bias is positive or a positive weight reads a unit that
        can be on).
    lp
        Sharpen the pre-activations of undecided units by linear programs over the triangle
        relaxation of the layers before; for bounded domains. Two programs per unit.
    """
    values = {INPUT: _coordinates(problem), ONE: Interval(np.ones(1), np.ones(1))}
    relaxation = _Relaxation(problem, values[INPUT]) if lp else None
    out = []
    for i, layer in enumerate(problem.network.layers, start=1):
        z = _through(layer.affine, values)
        if relaxation is not None and relaxation.usable:
            z = z.sharpen(relaxation.bounds(layer, z))
        reach, values[i] = _units(layer, z)
        if relaxation is not None and relaxation.usable:
            relaxation.add(i, layer, z, values[i])
        out.append(reach)
    return out


def _coordinates(problem: Restricted) -> Interval:
    k = problem.dimension
    low, high = np.full(k, -np.inf), np.full(k, np.inf)
    A, b = rounded(problem.A), rounded(problem.b)
    slack = 4 * UNIT if is_rational(problem.A) or is_rational(problem.b) else 0.0
    for row, value in zip(A, b, strict=True):
        at = np.flatnonzero(row)
        if len(at) == 1:
            j = int(at[0])
            limit = value / row[j]
            limit = limit if abs(row[j]) == 1 and not slack else _out(limit, row[j] > 0)
            if row[j] > 0:
                high[j] = min(high[j], limit)
            else:
                low[j] = max(low[j], limit)
    return Interval(low, high)


def _out(x: float, up: bool) -> float:
    return float(x + (8 * UNIT * abs(x) if up else -8 * UNIT * abs(x)))


def _through(affine: Affine, values: dict[int, Interval]) -> Interval:
    """An affine map of intervals, rounded outwards."""
    low, high, size = np.zeros(affine.size), np.zeros(affine.size), np.zeros(affine.size)
    steps = 2
    for source in (*affine.sources, ONE):
        h = values[source]
        W, error = affine.rounded(source, len(h.low))
        up, down = np.maximum(W, 0), np.minimum(W, 0)
        low = low + _dot(up, h.low) + _dot(down, h.high)
        high = high + _dot(up, h.high) + _dot(down, h.low)
        span = np.maximum(np.abs(h.low), np.abs(h.high))
        size = size + _dot(np.abs(W), span)
        if error is not None:
            extra = _dot(error, span)
            low, high = low - extra, high + extra
        steps += W.shape[1] + 3
    slop = np.where(np.isfinite(size), 2 * steps * UNIT * size, 0.0)
    return Interval(low - slop, high + slop)


def _dot(W: np.ndarray, h: np.ndarray) -> np.ndarray:
    """``W @ h`` where zero times infinity is zero."""
    finite = np.isfinite(h)
    out = W @ np.where(finite, h, 0.0)
    if not finite.all():
        with np.errstate(invalid="ignore"):
            signs = np.sign(W[:, ~finite]) * np.sign(h[~finite])
        out = np.where((signs > 0).any(axis=1), np.inf, out)
        out = np.where((signs < 0).any(axis=1), -np.inf, out)
    return out


def _units(layer: Layer, z: Interval) -> tuple[Reach, Interval]:
    if isinstance(layer.units, MaxUnits):
        groups = [list(g) for g in layer.units.groups]
        low = np.array([z.low[g].max() for g in groups])
        high = np.array([z.high[g].max() for g in groups])
        pieces = np.array([int((z.high[g] >= z.low[g].max()).sum()) for g in groups])
        return Reach(z, pieces, np.ones(len(groups), bool)), Interval(low, high)
    pieces, active = np.ones(layer.size, int), np.ones(layer.size, bool)
    low, high = np.empty(layer.size), np.empty(layer.size)
    for i, which in enumerate(layer.units.which):
        kind = layer.units.kinds[which]
        breaks = kind.breaks  # compared exactly, also where they are Fractions
        first = sum(float(z.low[i]) > t for t in breaks)
        last = max(first, sum(float(z.high[i]) > t for t in breaks))
        slopes = [float(s) for s in kind.slopes[first : last + 1]]
        pieces[i], active[i] = last - first + 1, any(slopes)
        ends = [(z.low[i], first), (z.high[i], last)]
        ends += [(float(t), p) for p, t in enumerate(breaks) if first <= p < last]
        found = [_value(kind, t, p) for t, p in ends]
        low[i] = min(v - slop for v, slop in found)
        high[i] = max(v + slop for v, slop in found)
    return Reach(z, pieces, active), Interval(low, high)


def _value(kind: Any, t: float, piece: int) -> tuple[float, float]:
    """The value of one piece at t, and how far rounding may have moved it."""
    slope, shift = float(kind.slopes[piece]), float(kind.intercepts[piece])
    if slope == 0:
        return shift, 2 * UNIT * abs(shift)
    value = float(slope * t + shift)
    exact = shift == 0 and slope in (1, -1)
    return value, 0.0 if exact or np.isinf(value) else 8 * UNIT * (abs(slope * t) + abs(shift))


class _Relaxation:
    """The triangle relaxation of the layers so far: ``A v <= b`` over input and outputs."""

    def __init__(self, problem: Restricted, box: Interval) -> None:
        self.low, self.high = box.low, box.high
        self.start = {INPUT: 0}
        self.A = rounded(problem.A).copy()
        self.b = rounded(problem.b).copy()
        self.slack = 4 * UNIT if is_rational(problem.A) or is_rational(problem.b) else 0.0
        self.usable = bool(np.isfinite(box.low).all() and np.isfinite(box.high).all())

    def bounds(self, layer: Layer, z: Interval) -> Interval:
        """Sharper pre-activations of the units that a breakpoint still divides."""
        low, high = z.low.copy(), z.high.copy()
        if not isinstance(layer.units, Pointwise) or len(self.b) == 0:
            return Interval(low, high)
        C, shift, error = self._rows(layer.affine)
        for i, which in enumerate(layer.units.which):
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
        return C, shift[:, 0], error + 8 * UNIT * np.abs(shift[:, 0])

    def _size(self, source: int) -> int:
        later = [s for s in self.start.values() if s > self.start[source]]
        return (min(later) if later else len(self.low)) - self.start[source]

    def _maximum(self, c: np.ndarray) -> float:
        """A rigorous upper bound of ``c v``, from the multipliers of a linear program."""
        from scipy.optimize import linprog

        found = linprog(
            -c, A_ub=self.A, b_ub=self.b, bounds=np.stack([self.low, self.high], axis=1)
        )
        if found.status == 0:
            y = np.maximum(-found.ineqlin.marginals, 0.0)
        else:
            y = np.zeros(len(self.b))
        r = c - self.A.T @ y
        span = np.maximum(np.abs(self.low), np.abs(self.high))
        size = (np.abs(c) + np.abs(self.A).T @ y) @ span + np.abs(self.b) @ y
        steps = sum(self.A.shape) + 8
        value = y @ self.b + np.maximum(r * self.low, r * self.high).sum()
        return float(value + (2 * steps * UNIT + self.slack) * size)

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
                slop = abs(slope) * error[i] + 16 * UNIT * (abs(offset) + abs(slope * shift[i]))
                slop += 4 * UNIT * abs(slope) * (np.abs(C[i]) @ np.abs(self.high[:at]))
                slop += 4 * UNIT * abs(slope) * (np.abs(C[i]) @ np.abs(self.low[:at]))
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
    a, slop_a = _value(kind, low, sum(low > t for t in breaks))
    b, slop_b = _value(kind, high, sum(high > t for t in breaks))
    slope = (b - a) / (high - low)
    offset = a - slope * low
    slop = 32 * UNIT * (abs(a) + abs(b) + abs(slope) * (abs(low) + abs(high)))
    slop += 2 * (slop_a + slop_b)
    return [(slope, offset + side * slop, side)]
