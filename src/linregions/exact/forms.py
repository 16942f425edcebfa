"""Rational decisions: what floats could not settle, and cells that hold no float at all.

Everything here works on integer rows (FLINT integers, one common positive denominator
dropped, since only signs matter) and rational points. It is slow, short and sure. It also
serves as an engine of its own: `Exact.leaves` walks a whole subtree without any float.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import inf, isfinite
from typing import Any

import numpy as np
from flint import fmpq, fmpz, fmpz_mat

from ..domain.restrict import Restricted
from ..errors import LinregionsError
from ..network.affine import ONE, Affine
from ..network.composing import outputs
from ..network.rational import IntMatrix, integers, nearest, to_fmpq
from ..network.units import MaxUnits
from ..progress import check
from ..search.program import Compiled
from .guess import centre, farthest

Row = list[fmpz]  # k coefficients and a constant
Point = list[fmpq]

ZERO = fmpq(0)
GUESSES = 8  # of one decision, at most
PATIENCE = 3000.0  # operations of an exact simplex, after which guesses are tried first


def value(row: Row, x: Point) -> fmpq:
    """The row at a point."""
    total = fmpq(row[-1])
    for a, v in zip(row, x, strict=False):
        if a != 0:
            total += a * v
    return total


def sign(x: Any) -> int:
    """-1, 0 or 1."""
    return (x > 0) - (x < 0)


def constant_side(row: Row) -> int:
    """The side of a row without slope, -1 where it is zero (the lower piece); 0 of any other."""
    if any(a != 0 for a in row[:-1]):
        return 0
    return 1 if row[-1] > 0 else -1


def negative(row: Row) -> Row:
    """The opposite row."""
    return [-a for a in row]


def point_of(x: Sequence[float]) -> Point:
    """A float point as the rational that it is."""
    return [to_fmpq(float(v)) for v in x]


@dataclass
class Minimum:
    """Outcome of `minimise`: the minimum of a row over a closed cell.

    ``value`` is None when the row falls without bound along ``direction``; otherwise
    ``point`` attains it. ``basis``: the rows whose multipliers in the proof are not zero.
    """

    value: fmpq | None
    point: Point | None
    direction: Point | None
    basis: tuple[int, ...] = ()


class Tired(Exception):
    """`minimise` has used up its patience."""


def minimise(
    rows: list[Row], x0: Point, w: Row, stop: fmpq | None = None, patience: float = inf
) -> Minimum:
    """Minimise ``w`` over ``{x : rows >= 0}`` from a strictly interior point, exactly.

    Simplex on a dictionary with free coordinates entering first; Bland's rule, so it ends.
    ``stop``: return as soon as the value is below it. `Tired` is raised after about ``patience``
    operations on short numbers; long numbers count for more.
    """
    k, m = len(x0), len(rows)
    T = [[fmpq(r[c]) for c in range(k)] + [value(r, x0)] for r in rows]
    names = [-1 - c for c in range(k)]  # nonbasic: coordinate c as -1 - c, slack i as i
    basic = list(range(m))
    cost = [fmpq(w[c]) for c in range(k)]
    z = value(w, x0)

    def current(enter: int = -1, step: fmpq = ZERO) -> Point:
        y = [ZERO] * k
        if enter >= 0 and names[enter] < 0:
            y[-1 - names[enter]] = step
        for i in range(m):
            if basic[i] < 0:
                y[-1 - basic[i]] = T[i][k] + (T[i][enter] * step if enter >= 0 else ZERO)
        return [a + b for a, b in zip(x0, y, strict=True)]

    while True:
        check()
        free = [c for c in range(k) if names[c] < 0 and cost[c] != 0]
        enter = free[0] if free else -1
        if enter < 0:
            falling = [c for c in range(k) if names[c] >= 0 and cost[c] < 0]
            if not falling:
                basis = tuple(names[c] for c in range(k) if names[c] >= 0 and cost[c] > 0)
                return Minimum(z, current(), None, basis)
            enter = min(falling, key=lambda c: names[c])
        up = -1 if cost[enter] > 0 else 1
        leave, theta = -1, ZERO
        for i in range(m):
            rate = T[i][enter] * -up
            if basic[i] >= 0 and rate > 0:
                t = T[i][k] / rate
                if leave < 0 or t < theta or (t == theta and basic[i] < basic[leave]):
                    leave, theta = i, t
        if leave < 0:
            y = [ZERO] * k
            if names[enter] < 0:
                y[-1 - names[enter]] = fmpq(up)
            for i in range(m):
                if basic[i] < 0:
                    y[-1 - basic[i]] = T[i][enter] * up
            return Minimum(None, None, y)
        after = z + cost[enter] * up * theta
        if stop is not None and after < stop:
            return Minimum(after, current(enter, up * theta), None)
        pivot_row = T[leave]
        inverse = 1 / pivot_row[enter]
        factors = [v * inverse for v in pivot_row]
        busy = sum(v != 0 for v in factors) * sum(row[enter] != 0 for row in T)
        patience -= busy * (1 + int(inverse.q).bit_length() / 256)
        if patience < 0:
            raise Tired
        for i in range(m):
            f = T[i][enter]
            if i == leave or f == 0:
                continue
            check()
            row = T[i]
            for c in range(k + 1):
                if c != enter and factors[c] != 0:
                    row[c] -= f * factors[c]
            row[enter] = f * inverse
        f = cost[enter]
        for c in range(k):
            if c != enter:
                cost[c] -= f * factors[c]
        z -= f * factors[k]
        cost[enter] = f * inverse
        T[leave] = [-v for v in factors]
        T[leave][enter] = inverse
        names[enter], basic[leave] = basic[leave], names[enter]


def beyond(
    rows: list[Row], x0: Point, w: Row, patience: float = inf
) -> tuple[Point | None, Minimum]:
    """A strictly interior point with ``w < 0``, from an interior point with ``w > 0``, or None."""
    start = value(w, x0)
    best = minimise(rows, x0, w, patience=patience)
    if best.direction is not None:
        slope = sum((a * d for a, d in zip(w, best.direction, strict=False)), ZERO)
        t = -2 * start / slope
        return [a + t * d for a, d in zip(x0, best.direction, strict=True)], best
    assert best.value is not None and best.point is not None
    if best.value >= 0:
        return None, best
    t = (start / (start - best.value) + 1) / 2
    return [a + t * (b - a) for a, b in zip(x0, best.point, strict=True)], best


def guessed(
    rows: list[Row], x0: Point, w: Row
) -> tuple[Point | None, bool, tuple[int, ...]] | None:
    """What guesses in floats prove: an interior point with ``w < 0``, or that there is none.

    With the latter come whether a facet may lie in ``w = 0``, and the rows that prove it; None
    where nothing is proved. From a point near some facets a guess may be rough, so a few more start
    from where the last one led.
    """
    x = x0
    for _ in range(GUESSES):
        check()
        guess = farthest(rows, x, w)
        if guess is None:
            return None
        y = towards(rows, x, guess.point)
        before, after = value(w, x), value(w, y)
        if after < 0:
            return y, False, ()
        tight = verify([rows[i] for i in guess.tight], w)
        if tight is not None:
            return None, tight, tuple(guess.tight)
        if after == 0 or 100 * after > 99 * before:
            return None
        x = y
    return None


def towards(rows: list[Row], x: Point, far: Point) -> Point:
    """Nine tenths of the way from an interior point to another one, or to the boundary."""
    most = fmpq(1)
    for r in rows:
        here, there = value(r, x), value(r, far)
        if there < 0:
            most = min(most, here / (here - there))
    y = [a + fmpq(9, 10) * most * (b - a) for a, b in zip(x, far, strict=True)]
    floats = [nearest(v) for v in y]  # they keep later numbers short
    if not all(map(isfinite, floats)):
        return y
    near = point_of(floats)
    return near if all(value(r, near) > 0 for r in rows) else y


def verify(basis: list[Row], w: Row) -> bool | None:
    """Whether these rows alone prove ``w >= 0``: the exact multipliers, one small solve.

    None: no proof. Otherwise whether a facet may lie in ``w = 0`` (one multiplier, minimum 0).
    """
    r, k = len(basis), len(w) - 1
    if not 0 < r <= k:
        return None
    flat = [row[j] for j in range(k) for row in (*basis, w)]
    echelon, den, rank = fmpz_mat(k, r + 1, flat).rref()
    if rank != r or any(echelon[i, i] == 0 for i in range(r)):
        return None
    if den < 0:
        den = -den
        echelon = -echelon
    weights = [echelon[i, r] for i in range(r)]
    if any(v < 0 for v in weights):
        return None
    least = den * w[k] - sum((v * row[k] for v, row in zip(weights, basis, strict=True)), fmpz(0))
    if least < 0:
        return None
    return bool(least == 0 and sum(v != 0 for v in weights) <= 1)


def interior_point(rows: list[Row], k: int) -> Point | None:
    """A strictly interior rational point of ``{rows >= 0}``, or None when there is none.

    Maximises the common slack t <= 1: a programme with an obvious interior start.
    """
    lifted = [[*r[:k], fmpz(-1), r[k]] for r in rows] + [[fmpz(0)] * k + [fmpz(-1), fmpz(1)]]
    start = [ZERO] * k + [min([fmpq(r[k]) for r in rows] + [fmpq(1)]) - 1]
    goal = [fmpz(0)] * k + [fmpz(-1), fmpz(0)]
    try:
        found = minimise(lifted, start, goal, patience=PATIENCE)
    except Tired:
        x = centre(rows, k)
        if x is not None and all(value(r, x) > 0 for r in rows):
            return x
        found = minimise(lifted, start, goal)
    if found.point is None or found.point[k] <= 0:
        return None
    return found.point[:k]


def inside(rows: list[Row], k: int, name: str) -> Point:
    """`interior_point` of a domain, which must have one."""
    x = interior_point(rows, k)
    if x is None:
        raise LinregionsError(
            f"{name} has no interior: it is empty or flat; a flat domain is a Slice of a "
            "full-dimensional one"
        )
    return x


def is_bounded(rows: list[Row], x: Point) -> bool:
    """Whether ``{rows >= 0}`` is bounded, from an interior point."""
    k = len(x)
    for j in range(k):
        for s in (1, -1):
            goal = [fmpz(s if i == j else 0) for i in range(k + 1)]
            if minimise(rows, x, goal).direction is not None:
                return False
    return True


def exact_domain(problem: Restricted, unit: np.ndarray) -> list[Row]:
    """``b - A y >= 0`` as exact rows in the coordinates ``y / unit``."""
    A = integers(problem.A) @ integers(np.diag(unit))
    b = integers(np.asarray(problem.b)[:, None])
    out = []
    for r in range(len(problem.b)):
        check()
        row = [-(A.num[r, j] * fmpz(b.den)) for j in range(len(unit))]
        out.append(reduced([*row, b.num[r, 0] * fmpz(A.den)]))
    return out


class Exact:
    """Exact rows of a compiled network, and searches with them."""

    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled
        self.k = compiled.k
        self.cut = compiled.program.layers_cut
        self._cache: dict[int, tuple[bytes, list[Row], IntMatrix]] = {}
        self.solves = 0

    def in_kernel(self, point: Sequence[Fraction]) -> Point:
        """A rational point in domain coordinates, in the kernel's scaled ones."""
        unit = self.compiled.unit
        return [to_fmpq(v / Fraction(float(u))) for v, u in zip(point, unit, strict=True)]

    def from_kernel(self, x: Point) -> list[Fraction]:
        """The way back: a point in the kernel's coordinates, in those of the domain."""
        unit = self.compiled.unit
        return [
            Fraction(int(v.p), int(v.q)) * Fraction(float(u)) for v, u in zip(x, unit, strict=True)
        ]

    # -- exact rows -------------------------------------------------------------------

    @cached_property
    def _scaled(self) -> IntMatrix:
        """The input's forms in kernel coordinates."""
        return integers(np.hstack([np.diag(self.compiled.fold), np.zeros((self.k, 1))]))

    def applied(self, affine: Affine, signs: np.ndarray) -> IntMatrix:
        """Exact forms (size, k + 1) of an affine map where earlier units have these signs."""
        values = {ONE: integers(np.eye(1, self.k + 1, self.k))}
        for source in affine.sources:
            values[source] = self.values(source, signs)
        return affine.applied(values, self.k + 1)

    def domain_rows(self) -> list[Row]:
        """``b - A x >= 0`` in kernel coordinates."""
        return list(self._domain)

    @cached_property
    def _domain(self) -> list[Row]:
        return exact_domain(self.compiled.problem, self.compiled.unit)

    def values(self, layer: int, signs: np.ndarray) -> IntMatrix:
        """Exact forms (n, k + 1) of a source: the coordinates, or the outputs of a layer."""
        if layer == 0:
            return self._scaled
        forms = self._forms(layer - 1, signs)
        units = self.compiled.network.layers[layer - 1].units
        if isinstance(units, MaxUnits):
            return outputs(units, forms, self.winners(layer - 1, signs))
        here = slice(self.cut[layer - 1], self.cut[layer])
        owner = self.compiled.program.cut_unit[here] - self.compiled.program.layers[layer - 1, 0]
        return outputs(units, forms, np.bincount(owner[signs[here] > 0], minlength=units.size))

    def _forms(self, layer: int, signs: np.ndarray) -> IntMatrix:
        """Exact pre-activations (n, k + 1) of a layer where earlier units have these signs."""
        key = signs[: self.cut[layer]].tobytes()
        hit = self._cache.get(layer)
        if hit is not None and hit[0] == key:
            return hit[2]
        total = self.applied(self.compiled.network.layers[layer].affine, signs)
        self._cache[layer] = (key, self._rows(layer, total), total)
        return total

    def _rows(self, layer: int, forms: IntMatrix) -> list[Row]:
        rows, k = [], self.k
        where = self.compiled.program.cut_unit
        base = int(self.compiled.program.layers[layer, 0])
        units = self.compiled.network.layers[layer].units
        if isinstance(units, MaxUnits):
            return [
                reduced([forms.num[j, c] - forms.num[i, c] for c in range(k + 1)])
                for g in units.groups
                for n, i in enumerate(g)
                for j in g[n + 1 :]
            ]
        breaks = [Fraction(t) for w in units.which for t in units.kinds[w].breaks]
        for c, t in zip(range(self.cut[layer], self.cut[layer + 1]), breaks, strict=True):
            if not c % 64:
                check()
            i = int(where[c]) - base
            row = [forms.num[i, j] * t.denominator for j in range(k + 1)]
            row[k] -= fmpz(t.numerator) * forms.den
            rows.append(reduced(row))
        return rows

    def rows(self, layer: int, signs: np.ndarray) -> list[Row]:
        """Exact rows of the breakpoints of a layer, each scaled by some positive number."""
        self._forms(layer, signs)
        return self._cache[layer][1]

    def row(self, c: int, signs: np.ndarray) -> Row:
        """Exact row number c (a breakpoint's, or beyond them a domain inequality)."""
        if c >= self.cut[-1]:
            return self.domain_rows()[c - self.cut[-1]]
        layer = int(np.searchsorted(self.cut, c, side="right")) - 1
        return self.rows(layer, signs)[c - self.cut[layer]]

    def cell(self, constraints: Sequence[int], signs: np.ndarray) -> list[Row]:
        """Oriented exact rows of a list of constraints."""
        domain = None
        out = []
        for c in constraints:
            if c >= self.cut[-1]:
                domain = self.domain_rows() if domain is None else domain
                out.append(domain[c - self.cut[-1]])
            else:
                row = self.row(int(c), signs)
                out.append(row if signs[c] > 0 else negative(row))
        return out

    # -- decisions --------------------------------------------------------------------

    def place(
        self, rows: list[Row], x0: Point, g: Row, hint: Sequence[int] = ()
    ) -> tuple[int, Point, Point | None, bool]:
        """Where ``g`` stands to the cell; ``hint``: constraints that may prove "no".

        Returns ``(s, x, other, coincident)``: side s (of the interior point x, which may have
        moved off ``g = 0``; -1 for an identically zero row), a point on the other side if the
        row cuts, and whether a facet of the cell lies in ``g = 0``. Where it does not cut,
        ``self.support`` are the positions of the rows that prove it.
        """
        self.solves += 1
        self.support: tuple[int, ...] = ()
        if side := constant_side(g):
            return side, x0, None, bool(g[-1] == 0)
        s = sign(value(g, x0))
        if s == 0:
            x0 = self.step(rows, x0, [fmpq(a) for a in g[:-1]])
            s = sign(value(g, x0))
        oriented = g if s > 0 else negative(g)
        tight = verify([rows[i] for i in hint], oriented)
        if tight is not None:
            self.support = tuple(hint)
            return s, x0, None, tight
        try:
            other, best = beyond(rows, x0, oriented, PATIENCE)
        except Tired:
            if (found := guessed(rows, x0, oriented)) is not None:
                other, tight, self.support = found
                return s, x0, other, tight
            other, best = beyond(rows, x0, oriented)
        self.support = best.basis
        return s, x0, other, other is None and best.value == 0 and len(best.basis) <= 1

    def step(self, rows: list[Row], x: Point, direction: Point) -> Point:
        """Half-way from an interior point to the boundary along a direction (or by 1)."""
        step = fmpq(1)
        for r in rows:
            rate = sum((a * d for a, d in zip(r, direction, strict=False)), ZERO)
            if rate < 0:
                step = min(step, value(r, x) / -rate / 2)
        return [a + step * d for a, d in zip(x, direction, strict=True)]

    def leaves(
        self, layer: int, rows: list[Row], x: Point, signs: np.ndarray, cand: list[int]
    ) -> Iterator[tuple[np.ndarray, Point, bool]]:
        """All cells of a subtree: ``(signs, interior point, a coincidence was met)``.

        The subtree is that of the cell ``rows`` with interior point x, in which units before
        ``layer`` have their ``signs`` and the candidates of this layer are still to place.
        """
        signs = signs.copy()
        coincident = False
        if cand and self.fans(layer):
            yield from self._fan(layer, rows, x, signs, cand)
            return
        survivors: list[tuple[int, Row, int, Point, Point]] = []
        for c in cand:
            check()
            g = self.row(c, signs)
            s, x, other, tie = self.place(rows, x, g)
            coincident |= tie
            signs[c] = s
            if other is not None:
                survivors.append((c, g, s, x, other))  # x may move on, even to where g is 0
        if survivors:
            u, g, s, near, other = survivors[0]
            rest = [c for c, *_ in survivors[1:]]
            for t, start in ((s, near), (-s, other)):
                signs[u] = t
                cell = [*rows, g if t > 0 else negative(g)]
                for found, y, tie in self.leaves(layer, cell, start, signs, rest):
                    yield found, y, tie or coincident
            return
        if layer + 1 < len(self.cut) - 1:
            after = self.candidates(layer + 1)
            for found, y, tie in self.leaves(layer + 1, rows, x, signs, after):
                yield found, y, tie or coincident
            return
        yield signs, x, coincident

    # -- max units --------------------------------------------------------------------

    def fans(self, layer: int) -> bool:
        """Whether a layer is one of max units."""
        return isinstance(self.compiled.network.layers[layer].units, MaxUnits)

    def candidates(self, layer: int) -> list[int]:
        """What there is to place in a layer: its rows, or the first row of each max unit."""
        first, last = int(self.cut[layer]), int(self.cut[layer + 1])
        if not self.fans(layer):
            return list(range(first, last))
        groups = self.compiled.program.groups
        return sorted({int(groups[g, 0]) for g in self.compiled.program.owner[first:last]})

    def arguments(self, first: int) -> int:
        """Number of arguments of the max unit with this first row."""
        groups, g = self.compiled.program.groups, self.compiled.program.owner[first]
        return int(groups[g + 1, 1] - groups[g, 1])

    def winners(self, layer: int, signs: np.ndarray) -> list[int]:
        """Winning argument of every max unit of a layer."""
        weights = self.compiled.network.layers[layer].units.row_weights()
        out, at = [], int(self.cut[layer])
        for mine in weights:
            out.append(
                sum(w for w, s in zip(mine, signs[at : at + len(mine)], strict=True) if s > 0)
            )
            at += len(mine)
        return out

    def bounding(self, signs: np.ndarray) -> list[int]:
        """Rows that bound a cell: all, but of max units those that compare the winner."""
        if not len(self.compiled.program.args):
            return list(range(self.cut[-1]))
        out: list[int] = []
        for layer in range(len(self.cut) - 1):
            if not self.fans(layer):
                out += range(self.cut[layer], self.cut[layer + 1])
                continue
            at = int(self.cut[layer])
            sizes = self.compiled.network.layers[layer].units.pieces_per_unit()
            for m, w in zip(sizes, self.winners(layer, signs), strict=True):
                out += sorted(pair(at, m, w, j) for j in range(m) if j != w)
                at += m * (m - 1) // 2
        return out

    def crowned(self, layer: int, signs: np.ndarray) -> None:
        """Settle the signs of a layer of max units, given those of all its comparisons."""
        at = int(self.cut[layer])
        for m in self.compiled.network.layers[layer].units.pieces_per_unit():
            w = 0
            for j in range(1, m):
                w = j if signs[pair(at, m, w, j)] > 0 else w
            crown(signs, at, m, w)
            at += m * (m - 1) // 2

    def _fan(
        self, layer: int, rows: list[Row], x: Point, signs: np.ndarray, cand: list[int]
    ) -> Iterator[tuple[np.ndarray, Point, bool]]:
        """`leaves` where the first candidate is a max unit: one child per argument."""
        for w in range(self.arguments(cand[0])):
            yield from self.clipped(layer, rows, x, signs, cand[0], w, 0, cand[1:])

    def clipped(
        self,
        layer: int,
        rows: list[Row],
        x: Point,
        signs: np.ndarray,
        first: int,
        w: int,
        rival: int,
        rest: list[int],
    ) -> Iterator[tuple[np.ndarray, Point, bool]]:
        """Cells where argument w of a max unit wins, from comparison ``rival`` on."""
        m, coincident = self.arguments(first), False
        for j in range(rival, m):
            if j == w:
                continue
            g = self.row(pair(first, m, w, j), signs)
            s, x, other, tie = self.place(rows, x, g)
            coincident |= tie
            t = 1 if w > j else -1
            if other is None and s != t:
                return
            if other is not None:
                x = x if s == t else other
                rows = [*rows, g if t > 0 else negative(g)]
        signs = signs.copy()
        crown(signs, first, m, w)
        for found, y, tie in self.leaves(layer, rows, x, signs, rest):
            yield found, y, tie or coincident


def pair(first: int, m: int, i: int, j: int) -> int:
    """The row that compares arguments i and j of a max unit with m of them."""
    i, j = min(i, j), max(i, j)
    return first + i * m - i * (i + 1) // 2 + j - i - 1


def crown(signs: np.ndarray, first: int, m: int, w: int) -> None:
    """Record that argument w of a max unit wins (as in the kernel)."""
    signs[first : first + m * (m - 1) // 2] = -1
    for i in range(w):
        signs[pair(first, m, i, w)] = 1


def reduced(row: Row) -> Row:
    """The row divided by the greatest common divisor of its entries."""
    common = fmpz(0)
    for a in row:
        common = common.gcd(a)
        if common == 1:
            return row
    return row if common == 0 else [a // common for a in row]
