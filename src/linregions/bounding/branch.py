"""What is certain of an output on a branch of a search, where some units are placed."""

from __future__ import annotations

from fractions import Fraction
from weakref import WeakKeyDictionary

import numpy as np

from ..exact.forms import Exact, InUnits
from ..exact.lp import minimise
from ..exact.rows import Point, Row, reduced, value
from ..network.affine import INPUT, ONE, Affine
from ..network.rational import IntMatrix, integers, nearest
from ..network.units import MaxUnits, Units
from ..roundoff import ROUNDOFF
from ..search import kernel as K
from ..search.branch import Branch
from ..search.rational_branch import RationalBranch
from ..search.search import Search
from .interval import Interval, through
from .stability import coordinates_of_box, units_of

GRID = 1024  # slopes of bounding functions are multiples of 1 / GRID: short numbers are quick


class Ground:
    """What all branches of a search share: exact forms, and the box around the domain.

    The forms are those of the problem's own network, whose output is not scaled.
    """

    def __init__(self, search: Search) -> None:
        self.exact = Exact(InUnits.of(search.problem))
        self.around = coordinates_of_box(search.problem)
        unit = self.exact.unit
        self.box = Interval(self.around.low / unit, self.around.high / unit)


_grounds: WeakKeyDictionary[Search, Ground] = WeakKeyDictionary()


def ground_of(search: Search) -> Ground:
    """Made once for each search."""
    if search not in _grounds:
        _grounds[search] = Ground(search)
    return _grounds[search]


class OnBranch:
    """Bounds of the outputs over the cell of a branch.

    Layers whose units are all placed are affine there, and so is the next one before its units:
    their forms are exact, and bounded over the box around the domain. What follows is bounded by
    intervals, rounded outwards.
    """

    def __init__(self, search: Search, branch: Branch | RationalBranch) -> None:
        self.search, self.branch, self.signs = search, branch, branch.sign
        ground = ground_of(search)
        self.exact, self.box, self.net = ground.exact, ground.box, search.problem.network
        rational = isinstance(branch, RationalBranch)
        self.layer = branch.layer if rational else int(branch.frame[K.LAYER])
        self.values = {ONE: Interval(np.ones(1), np.ones(1)), INPUT: ground.around}
        for s in range(1, self.layer + 1):
            self.values[s] = _over_box(self.exact.values(s, self.signs), self.box)
        self.z: dict[int, Interval] = {}  # pre-activations of the layers that are still open
        for i, here in enumerate(self.net.layers[self.layer :], start=self.layer):
            z = through(here.affine, self.values)
            if i == self.layer:
                z = z.sharpen(_over_box(self.exact.applied(here.affine, self.signs), self.box))
            self.z[i], self.values[i + 1] = z, units_of(here, z)[1]

    def interval(self, output: int) -> tuple[float, float]:
        """A certain interval of an output."""
        found = through(self.net.output, self.values)
        if not self.z:
            form = self.exact.applied(self.net.output, self.signs)
            found = found.sharpen(_over_box(form, self.box))
        return float(found.low[output]), float(found.high[output])

    def least(self, output: int, sign: int) -> Fraction | None:
        """A certain lower bound of ``sign`` times an output; None where there is none.

        From the output back, every unit that is open is replaced by an affine function below it
        (or above, where its weight is negative). What remains is affine in x, and its least value
        over the cell that the placed units leave is that of one exact linear programme.
        """
        cell = self._cell()
        if cell is None:
            return None
        pick = np.zeros((1, self.net.outputs))
        pick[0, output] = sign
        weights: dict[int, IntMatrix] = {}
        self._read(weights, self.net.output, integers(pick))
        for i in range(len(self.net.layers) - 1, self.layer - 1, -1):
            mine = weights.pop(i + 1, None)
            if mine is None:
                continue
            layer, z = self.net.layers[i], np.full((1, self.net.layers[i].affine.size), Fraction(0))
            shift = Fraction(0)
            for j, weight in enumerate(mine.to_fractions()[0]):
                below = _below(layer.units, j, weight, self.z[i])
                if below is None:
                    return None
                at, slope, constant = below
                z[0, at] += slope
                shift += constant
            self._read(weights, layer.affine, integers(z))
            _add(weights, ONE, integers(np.array([[shift]])))
        k = self.exact.k
        total = weights.pop(ONE, integers(np.zeros((1, 1)))) @ integers(np.eye(1, k + 1, k))
        for source, weight in weights.items():
            total = total + weight @ self.exact.values(source, self.signs)
        low = minimise(*cell, [total.num[0, c] for c in range(k + 1)]).value
        return None if low is None else Fraction(int(low.p), int(low.q) * int(total.den))

    def _read(self, weights: dict[int, IntMatrix], affine: Affine, of: IntMatrix) -> None:
        """Add what an affine map with these weights (1, rows) reads."""
        for source in (*affine.sources, ONE):
            columns = 1 if source == ONE else self.net.size_of(source)
            _add(weights, source, of @ affine.exact(source, columns))

    def _cell(self) -> tuple[list[Row], Point] | None:
        """The exact rows of the branch's cell and a point inside; None where none is at hand."""
        exact, branch = self.exact, self.branch
        if isinstance(branch, RationalBranch):
            unit, x = self.search.rational.unit, [Fraction(p, q) for p, q in branch.point]
        elif branch.frame[K.NIN] > 0:
            unit, x = self.search.compiled.unit, [Fraction(float(v)) for v in branch.pts[0]]
        else:
            return None
        inner = exact.in_kernel([v * Fraction(float(u)) for v, u in zip(x, unit, strict=True)])
        full = np.concatenate([self.signs, np.ones(len(self.search.problem.b), np.int8)])
        rows = [reduced(r) for r in exact.cell([int(c) for c in branch.con], full)]
        return (rows, inner) if all(value(r, inner) > 0 for r in rows) else None


def _add(weights: dict[int, IntMatrix], source: int, more: IntMatrix) -> None:
    weights[source] = weights[source] + more if source in weights else more


def _below(
    units: Units, j: int, weight: Fraction, z: Interval
) -> tuple[int, Fraction, Fraction] | None:
    """``weight * value of unit j >= slope * z_i + shift`` where z lies in its interval.

    ``(i, slope, shift)``; None where nothing is certain. Any slope will do: the shift follows from
    the ends and the breakpoints, since the unit is affine between them.
    """
    if isinstance(units, MaxUnits):
        group = list(units.groups[j])
        if weight >= 0:  # the maximum is at least any argument
            return group[int(np.argmax(z.low[group]))], weight, Fraction(0)
        top = float(z.high[group].max())
        return (group[0], Fraction(0), weight * Fraction(top)) if np.isfinite(top) else None
    if weight == 0:
        return j, Fraction(0), Fraction(0)
    kind, low, high = units.kinds[units.which[j]], float(z.low[j]), float(z.high[j])
    if not (np.isfinite(low) and np.isfinite(high)):
        return None
    ends = [Fraction(low), *(Fraction(t) for t in kind.breaks if low < t < high), Fraction(high)]
    values = [weight * kind(t) for t in ends]
    rise = (values[-1] - values[0]) / (ends[-1] - ends[0]) if high > low else Fraction(0)
    slope = Fraction(round(rise * GRID), GRID)
    return j, slope, min(v - slope * t for v, t in zip(values, ends, strict=True))


def _over_box(forms: IntMatrix, box: Interval) -> Interval:
    """Affine forms (n, k + 1) over a box, rounded outwards."""
    table = np.array([[nearest(Fraction(int(a), int(forms.den))) for a in row]
                      for row in forms.num.tolist()]).reshape(forms.shape)  # fmt: skip
    a, shift = table[:, :-1], table[:, -1]
    with np.errstate(invalid="ignore", over="ignore"):
        low = np.where(a == 0, 0.0, np.where(a > 0, a * box.low, a * box.high)).sum(axis=1) + shift
        high = np.where(a == 0, 0.0, np.where(a > 0, a * box.high, a * box.low)).sum(axis=1) + shift
        size = np.where(a == 0, 0.0, abs(a) * np.maximum(abs(box.low), abs(box.high))).sum(axis=1)
        slop = 2 * (len(box.low) + 4) * ROUNDOFF * (size + abs(shift)) + 2.0**-1070
        low, high = low - slop, high + slop
    return Interval(np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high))
