"""Rational decisions: what floats could not settle, and cells that hold no float at all.

Everything here works on integer rows (FLINT integers, one common positive denominator
dropped, since only signs matter) and rational points. It is slow, short and sure. It also
serves as an engine of its own: `Exact.leaves` walks a whole subtree without any float.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from flint import fmpq, fmpz

from ..domain.restrict import Restricted
from ..domain.scaling import exponents, measurable, reach_of
from ..network.affine import ONE, Affine
from ..network.composing import outputs
from ..network.network import Network
from ..network.pattern import UnitRows, crown, pair
from ..network.rational import IntMatrix, integers, to_fmpq
from ..network.units import MaxUnits
from ..progress import check
from .lp import PATIENCE, Tired, beyond, guessed, verify
from .rows import ZERO, Point, Row, constant_side, negative, reduced, sign, value


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


class Measured(Protocol):
    """A restricted network in coordinates ``y / unit``, whose first layers read ``y / fold``."""

    @property
    def problem(self) -> Restricted: ...
    @property
    def network(self) -> Network: ...
    @property
    def unit(self) -> np.ndarray: ...
    @property
    def fold(self) -> np.ndarray: ...


class InUnits(NamedTuple):
    """A restricted network as it is, its coordinates in powers of two of about their size."""

    problem: Restricted
    network: Network
    unit: np.ndarray
    fold: np.ndarray

    @staticmethod
    def of(problem: Restricted) -> InUnits:
        """Coordinates in [-1, 1] where the domain is a box; else those of the problem."""
        reach = measurable(reach_of(problem))
        unit = np.ldexp(1.0, exponents(reach, problem.dimension))
        return InUnits(problem, problem.network, unit, unit)


class Exact:
    """Exact rows of a network, and searches with them.

    All points and rows are in coordinates ``y / unit``.
    """

    def __init__(self, measured: Measured) -> None:
        self.problem, self.network = measured.problem, measured.network
        self.unit, self.fold = measured.unit, measured.fold
        self.k = self.network.inputs
        self.layout = UnitRows(self.network)
        self.cut = self.layout.cut
        self._cache: dict[int, tuple[bytes, list[Row], IntMatrix]] = {}
        self.solves = 0

    def in_kernel(self, point: Sequence[Fraction]) -> Point:
        """A rational point in domain coordinates, in the kernel's scaled ones."""
        return [to_fmpq(v / Fraction(float(u))) for v, u in zip(point, self.unit, strict=True)]

    def from_kernel(self, x: Point) -> list[Fraction]:
        """The way back: a point in the kernel's coordinates, in those of the domain."""
        return [
            Fraction(int(v.p), int(v.q)) * Fraction(float(u))
            for v, u in zip(x, self.unit, strict=True)
        ]

    # -- exact rows -------------------------------------------------------------------

    @cached_property
    def _scaled(self) -> IntMatrix:
        """The input's forms in kernel coordinates."""
        return integers(np.hstack([np.diag(self.fold), np.zeros((self.k, 1))]))

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
        return exact_domain(self.problem, self.unit)

    def values(self, layer: int, signs: np.ndarray) -> IntMatrix:
        """Exact forms (n, k + 1) of a source: the coordinates, or the outputs of a layer."""
        if layer == 0:
            return self._scaled
        forms = self._forms(layer - 1, signs)
        units = self.network.layers[layer - 1].units
        if isinstance(units, MaxUnits):
            return outputs(units, forms, self.winners(layer - 1, signs))
        here = slice(self.cut[layer - 1], self.cut[layer])
        above = self.layout.unit[here][signs[here] > 0]
        return outputs(units, forms, np.bincount(above, minlength=units.size))

    def _forms(self, layer: int, signs: np.ndarray) -> IntMatrix:
        """Exact pre-activations (n, k + 1) of a layer where earlier units have these signs."""
        key = signs[: self.cut[layer]].tobytes()
        hit = self._cache.get(layer)
        if hit is not None and hit[0] == key:
            return hit[2]
        total = self.applied(self.network.layers[layer].affine, signs)
        self._cache[layer] = (key, self._rows(layer, total), total)
        return total

    def _rows(self, layer: int, forms: IntMatrix) -> list[Row]:
        rows, k = [], self.k
        units = self.network.layers[layer].units
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
            i = int(self.layout.unit[c])
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
        layer = self.layout.layer_of(c)
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
        if cand and self.layout.is_max(layer):
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
            after = self.layout.candidates(layer + 1)
            for found, y, tie in self.leaves(layer + 1, rows, x, signs, after):
                yield found, y, tie or coincident
            return
        yield signs, x, coincident

    # -- max units --------------------------------------------------------------------

    def winners(self, layer: int, signs: np.ndarray) -> list[int]:
        """Winning argument of every max unit of a layer."""
        weights = self.network.layers[layer].units.row_weights()
        out, at = [], int(self.cut[layer])
        for mine in weights:
            out.append(
                sum(w for w, s in zip(mine, signs[at : at + len(mine)], strict=True) if s > 0)
            )
            at += len(mine)
        return out

    def bounding(self, signs: np.ndarray) -> list[int]:
        """UnitRows that bound a cell: all, but of max units those that compare the winner."""
        if not self.layout.any_max:
            return list(range(self.cut[-1]))
        out: list[int] = []
        for layer in range(len(self.cut) - 1):
            if not self.layout.is_max(layer):
                out += range(self.cut[layer], self.cut[layer + 1])
                continue
            at = int(self.cut[layer])
            sizes = self.network.layers[layer].units.pieces_per_unit()
            for m, w in zip(sizes, self.winners(layer, signs), strict=True):
                out += sorted(pair(at, m, w, j) for j in range(m) if j != w)
                at += m * (m - 1) // 2
        return out

    def crowned(self, layer: int, signs: np.ndarray) -> None:
        """Settle the signs of a layer of max units, given those of all its comparisons."""
        at = int(self.cut[layer])
        for m in self.network.layers[layer].units.pieces_per_unit():
            w = 0
            for j in range(1, m):
                w = j if signs[pair(at, m, w, j)] > 0 else w
            crown(signs, at, m, w)
            at += m * (m - 1) // 2

    def _fan(
        self, layer: int, rows: list[Row], x: Point, signs: np.ndarray, cand: list[int]
    ) -> Iterator[tuple[np.ndarray, Point, bool]]:
        """`leaves` where the first candidate is a max unit: one child per argument."""
        for w in range(self.layout.arguments(cand[0])):
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
        m, coincident = self.layout.arguments(first), False
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
