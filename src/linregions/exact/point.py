"""Rows of one cell in rational arithmetic: what floats could not tell, and steps over walls.

A network is walked with a few columns: the value at a point, and derivatives along directions. A
row is oriented, at least 0 in its cell, and scaled by some positive number: distances, signs
and the place where a line meets it do not depend on the scale.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

import numpy as np
from flint import fmpq, fmpz, fmpz_mat

from ..network.affine import INPUT, ONE, Affine
from ..network.composing import chosen, outputs
from ..network.network import Network
from ..network.rational import IntMatrix, integers
from ..network.units import MaxUnits, Units
from .rows import Point, Row, negative, reduced

Sides = tuple[np.ndarray, np.ndarray]


class OwnRow(NamedTuple):
    """A row of a cell: the unit (of all layers), which breakpoint or loser, the side, the numbers.

    ``side`` is -1 for a breakpoint right of the piece, whose row is ``t - z``.
    """

    unit: int
    partner: int
    side: int
    row: Row


class Crossing(NamedTuple):
    """A wall crossed: the point on it, the way out, the pieces behind, whether the map changes."""

    point: Point
    way: np.ndarray
    behind: np.ndarray
    changes: bool


class Sure:
    """Exact rows of a network, cell by cell."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._last: tuple[bytes, list[OwnRow]] | None = None

    # -- a walk through the layers ----------------------------------------------------------

    def _layers(
        self, values: dict[int, IntMatrix], pieces: np.ndarray | None
    ) -> Iterator[tuple[IntMatrix, np.ndarray]]:
        """Forms and pieces of every layer, then the output's form with no pieces.

        Without ``pieces`` each unit takes the one on which its columns lie, the first one first:
        a value on a breakpoint goes by the derivative, and one that stays there is below.
        """
        columns, at = values[ONE].shape[1], 0
        constant = 0 if INPUT in values else -1  # of a point and a direction the first
        for number, layer in enumerate(self.network.layers, start=1):
            form = self._applied(layer.affine, values, columns)
            here = slice(at, at + layer.size)
            mine = chosen(layer.units, form) if pieces is None else pieces[here]
            at += layer.size
            values[number] = outputs(layer.units, form, mine, constant)
            yield form, mine
        yield self._applied(self.network.output, values, columns), np.zeros(0, np.int32)

    def _applied(self, affine: Affine, values: dict[int, IntMatrix], columns: int) -> IntMatrix:
        if INPUT in values or INPUT not in affine.sources:
            return affine.applied(values, columns)
        # all coordinates of the input: the weights themselves, not their product with the identity
        n = self.network.inputs
        own = self._exact(affine)
        rest = Affine(affine.size, tuple(t for t in affine.terms if t.source != INPUT))
        wide = fmpz_mat(affine.size, columns, [
            x for row in own.num.tolist() for x in (*row, *[0] * (columns - n))
        ])  # fmt: skip
        return rest.applied(values, columns) + IntMatrix(wide, own.den)

    def _exact(self, affine: Affine) -> IntMatrix:
        known = self._weights
        if id(affine) not in known:
            known[id(affine)] = affine.exact(INPUT, self.network.inputs)
        return known[id(affine)]

    @cached_property
    def _weights(self) -> dict[int, IntMatrix]:
        return {}

    def _along(self, x: Point, way: np.ndarray) -> dict[int, IntMatrix]:
        """Two columns: a point, and a direction."""
        num, den = [], fmpz(1)
        for v in x:
            den = den * v.q // den.gcd(v.q)
        slope = integers(way[:, None])
        for v, d in zip(x, slope.num.tolist(), strict=True):
            num += [v.p * (den // v.q) * slope.den, d[0] * den]
        whole = int(den) * slope.den
        return {
            INPUT: IntMatrix(fmpz_mat(len(x), 2, num), whole),
            ONE: integers(np.array([[1.0, 0.0]])),
        }

    # -- cells ------------------------------------------------------------------------------

    def cell(self, x: Point, way: np.ndarray) -> np.ndarray:
        """Pieces of the cell that holds ``x + e way`` for all small e > 0 (for a generic way)."""
        found = [pieces for _, pieces in self._layers(self._along(x, way), None)]
        return np.concatenate(found).astype(np.int32)

    def rows(self, pieces: np.ndarray) -> list[OwnRow]:
        """All rows of a cell, in the coordinates of the input, the constant last."""
        key = pieces.tobytes()
        if self._last is None or self._last[0] != key:
            n = self.network.inputs
            values = {ONE: integers(np.eye(1, n + 1, n))}
            out = [r for r in self._rows(values, pieces) if isinstance(r, OwnRow)]
            self._last = key, out
        return self._last[1]

    def _rows(
        self, values: dict[int, IntMatrix], pieces: np.ndarray | None
    ) -> Iterator[OwnRow | IntMatrix]:
        """Rows of all layers, then the output's form."""
        at = 0
        for number, (form, mine) in enumerate(self._layers(values, pieces)):
            if number == len(self.network.layers):
                yield form
                return
            units = self.network.layers[number].units
            yield from rows_of(units, form, values[ONE], mine, at)
            at += units.size

    def inside(self, x: Point, way: np.ndarray, pieces: np.ndarray, box: Sides | None) -> Point:
        """A point inside the cell that holds ``x + e way`` for all small e > 0."""
        step = fmpq(1)
        for r in self._rows(self._along(x, way), pieces):
            if isinstance(r, OwnRow) and r.row[1] < 0:
                step = min(step, fmpq(r.row[0]) / -r.row[1] / 2)
        for j, d in enumerate(way.tolist()):
            side = None if box is None or d == 0 else box[int(d > 0)][j]
            if side is not None and np.isfinite(side):
                step = min(step, (_q(side) - x[j]) / _q(d) / 2)
        return [v + step * _q(d) for v, d in zip(x, way.tolist(), strict=True)]

    def cross(
        self,
        x: Point,
        way: np.ndarray,
        pieces: np.ndarray,
        wall: tuple[int, int],
        live: set[tuple[int, int]],
        box: Sides | None,
    ) -> Crossing | None:
        """Over the wall of a cell where the line ``x + t way`` meets it.

        None unless that point lies inside a facet (and inside the box): every other live row of the
        cell is positive there, or vanishes on the whole wall. Behind it every unit goes by its
        value or, where that is on a breakpoint, by its derivative along the way out. By continuity
        the maps on both sides agree on the wall, so they are equal exactly where the
        derivatives of the outputs along one way across it are.
        """
        rows, output = [], None
        for r in self._rows(self._along(x, way), pieces):
            if isinstance(r, IntMatrix):
                output = r
            elif (r.unit, r.partner) in live:
                rows.append(r)
        mine = next(r for r in rows if (r.unit, r.partner) == wall)
        value, rate = mine.row
        if rate == 0:
            return None
        t = -fmpq(value) / rate
        point = [v + t * _q(d) for v, d in zip(x, way.tolist(), strict=True)]
        if box is not None and not _within(point, box):
            return None
        others = set()
        for r in rows:
            there = r.row[0] + t * r.row[1]
            if there < 0:
                return None
            if there == 0 and r is not mine:
                others.add((r.unit, r.partner))
        if others and not self._share(pieces, wall, others):
            return None
        out = -way if rate > 0 else way
        found: list[np.ndarray] = []
        after = None
        for form, here in self._layers(self._along(point, out), None):
            found.append(here)
            after = form
        assert output is not None and after is not None
        sign = -1 if rate > 0 else 1
        before = [sign * fmpq(row[1]) / output.den for row in output.num.tolist()]
        behind = [fmpq(row[1]) / after.den for row in after.num.tolist()]
        return Crossing(point, out, np.concatenate(found).astype(np.int32), before != behind)

    def _share(
        self, pieces: np.ndarray, wall: tuple[int, int], others: set[tuple[int, int]]
    ) -> bool:
        """Whether these rows of a cell all vanish on the hyperplane of a wall."""
        known = {(r.unit, r.partner): reduced(r.row) for r in self.rows(pieces)}
        own = known[wall]
        return all(known[o] == own or known[o] == negative(own) for o in others)


TINY = 2.0**-1074
LARGEST = float(np.finfo(float).max)


def rows_of(
    units: Units, form: IntMatrix, one: IntMatrix, pieces: np.ndarray, at: int
) -> Iterator[OwnRow]:
    """The rows of a layer's units on given pieces; ``one``: the form of the constant 1."""
    table = form.num.tolist()
    if isinstance(units, MaxUnits):
        for u, (group, p) in enumerate(zip(units.groups, pieces.tolist(), strict=True)):
            best = table[group[p]]
            for j, other in enumerate(group):
                if j != p:
                    row = [a - b for a, b in zip(best, table[other], strict=True)]
                    yield OwnRow(at + u, j, 1, row)
        return
    unit = [v * form.den for v in one.num.tolist()[0]]  # the constant, over den * one.den
    for u, (w, p) in enumerate(zip(units.which, pieces.tolist(), strict=True)):
        breaks = units.kinds[w].breaks
        for q, side in ((p - 1, 1), (p, -1)):
            if 0 <= q < len(breaks):
                t = Fraction(breaks[q])
                z = [v * one.den * t.denominator for v in table[u]]
                row = [side * (a - t.numerator * b) for a, b in zip(z, unit, strict=True)]
                yield OwnRow(at + u, q, side, row)


def exact_point(x: np.ndarray) -> Point:
    """Floats as the rationals that they are."""
    return [_q(v) for v in x.tolist()]


def _q(v: float) -> fmpq:
    return fmpq(*v.as_integer_ratio())


def nearest(v: fmpq) -> float:
    """The nearest float; away from zero where that would be 0, infinite beyond the range."""
    try:
        found = int(v.p) / int(v.q)
    except OverflowError:
        return np.inf if v > 0 else -np.inf
    return found if found or v == 0 else (TINY if v > 0 else -TINY)


def generic(x: np.ndarray, box: Sides | None, seed: int = 0) -> np.ndarray:
    """A direction of random bits, from a point of a box into it."""
    way = np.random.default_rng(seed).uniform(0.5, 1.0, len(x))
    way *= np.random.default_rng(seed + 1).choice([-1.0, 1.0], len(x))
    if box is None:
        return way
    size = abs(way)
    way = np.where(x <= box[0], size, np.where(x >= box[1], -size, way))
    return np.where(box[0] == box[1], 0.0, way)


def divides(row: Row, box: Sides) -> bool:
    """Whether a row is negative somewhere in a box."""
    total = fmpq(row[-1])
    for a, low, high in zip(row[:-1], *(s.tolist() for s in box), strict=True):
        side = low if a > 0 else high
        if a == 0:
            continue
        if not np.isfinite(side):
            return True
        total += a * _q(side)
    return total < 0


def _within(point: Point, box: Sides) -> bool:
    """Strictly inside a box, where it has a width."""
    for v, low, high in zip(point, *(s.tolist() for s in box), strict=True):
        if low == high:
            continue
        if (low != -np.inf and v <= _q(low)) or (high != np.inf and v >= _q(high)):
            return False
    return True
