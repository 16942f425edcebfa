"""Every pattern that some point of the domain has, lower-dimensional sets included. Exact.

A pattern is a set of strict and weak linear inequalities: a breakpoint t below the
pre-activation is ``z > t``, one at or above it ``z <= t``; argument a of a max unit wins where
it exceeds the earlier arguments and is no less than the later ones. So the sets of all patterns
are disjoint and cover the closed domain, and each is decided here by rational linear programs.

Nothing is shared with the search for full-dimensional cells but the simplex method.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq, fmpz, fmpz_mat

from ..domain.restrict import Restricted
from ..exact.lp import Minimum, inside, minimise
from ..exact.rows import ZERO, Point, Row, negative, reduced, value
from ..network.affine import ONE
from ..network.rational import IntMatrix, integers
from ..network.units import MaxUnits
from ..progress import check


class OpenCell(NamedTuple):
    """The points where ``weak`` rows are >= 0 and ``strict`` rows > 0, of which x is one."""

    weak: list[Row]
    strict: list[Row]
    x: Point


Condition = tuple[Row, bool]  # row > 0 (True) or row >= 0
Choice = dict[int, list[Condition]]  # the pieces of a unit, and what each of them asks for


class PatternSearch:
    """The non-empty patterns of a restricted network, one after the other.

    Attributes
    ----------
    solves
        Rational linear programs so far.
    """

    def __init__(self, problem: Restricted) -> None:
        self.network, self.k = problem.network, problem.dimension
        self.solves = 0
        A, b = integers(problem.A), integers(np.asarray(problem.b)[:, None])
        self.domain = [
            reduced([*(-A.num[r, j] * b.den for j in range(self.k)), b.num[r, 0] * fmpz(A.den)])
            for r in range(len(problem.b))
        ]
        self.start = inside(self.domain, self.k, problem.domain.describe())
        self._maps: list[dict[int, IntMatrix]] = []
        for layer in self.network.layers:
            sources = (*layer.affine.sources, ONE)
            size = self.network.size_of
            self._maps.append({s: layer.affine.exact(s, size(s)) for s in sources})

    def __iter__(self) -> Iterator[tuple[tuple[int, ...], Point]]:
        """Piece of every unit, and a point (in domain coordinates) that has this pattern."""
        yield from self._enter(
            OpenCell(self.domain, [], self.start), [integers(_identity(self.k))], ()
        )

    # -- the tree -----------------------------------------------------------------------

    def _enter(
        self, part: OpenCell, values: list[IntMatrix], done: tuple[int, ...]
    ) -> Iterator[Any]:
        """Everything below a part on which the units of the first layers have their pieces."""
        layer = len(values) - 1
        if layer == len(self.network.layers):
            yield done, part.x
            return
        forms = self._forms(layer, values)
        units = self.network.layers[layer].units
        choices = _arguments(units, forms) if isinstance(units, MaxUnits) else _steps(units, forms)
        for found, pieces in self._split(part, dict(enumerate(choices)), {}):
            chosen = [pieces[i] for i in range(len(choices))]
            after = _values(units, forms, chosen)
            yield from self._enter(found, [*values, after], (*done, *chosen))

    def _split(
        self, part: OpenCell, open_units: dict[int, Choice], pieces: dict[int, int]
    ) -> Iterator[tuple[OpenCell, dict[int, int]]]:
        """The parts of one layer. A unit with one piece on a part has it on all of its parts."""
        pieces = dict(pieces)
        parts: dict[int, dict[int, OpenCell]] = {}
        left: dict[int, Choice] = {}
        for i, choice in open_units.items():
            check()
            found = {p: self._meet(part, conditions) for p, conditions in choice.items()}
            here = {p: sub for p, sub in found.items() if sub is not None}
            if len(here) == 1:
                (pieces[i],) = here
            else:
                parts[i], left[i] = here, {p: choice[p] for p in here}
        if not left:
            yield part, pieces
            return
        first = next(iter(left))
        del left[first]
        for p, sub in parts[first].items():
            yield from self._split(sub, left, {**pieces, first: p})

    # -- forms --------------------------------------------------------------------------

    def _forms(self, layer: int, values: list[IntMatrix]) -> IntMatrix:
        """Exact pre-activations, (n, k + 1)."""
        maps = self._maps[layer]
        total = maps[ONE] @ integers(np.eye(1, self.k + 1, self.k))
        for source, matrix in maps.items():
            if source != ONE:
                total = total + matrix @ values[source]
        return total

    # -- decisions ----------------------------------------------------------------------

    def _meet(self, part: OpenCell, conditions: list[Condition]) -> OpenCell | None:
        """The part where the conditions hold too, or None if no point is left."""
        now: OpenCell | None = part
        for row, strict in conditions:
            now = self._narrow(now, row, strict)
            if now is None:
                return None
        return now

    def _narrow(self, part: OpenCell, row: Row, strict: bool) -> OpenCell | None:
        here = value(row, part.x)
        if all(a == 0 for a in row[:-1]):
            return part if here > 0 or (here == 0 and not strict) else None
        x: Point | None = part.x
        if here < 0 or (here == 0 and strict):
            x = self._reach(part, row, here, strict)
        if x is None:
            return None
        if strict:
            return OpenCell(part.weak, [*part.strict, row], x)
        return OpenCell([*part.weak, row], part.strict, x)

    def _reach(self, part: OpenCell, row: Row, here: fmpq, strict: bool) -> Point | None:
        """A point of the part where the row is > 0, or, unless ``strict``, 0; else None.

        The part is dense in its closure, so a row that is positive somewhere on the closure is
        positive on the part. A maximum of 0 is attained on a face of the closure, which may or
        may not hold a point with all strict rows positive.
        """
        self.solves += 1
        best = minimise([*part.weak, *part.strict], part.x, negative(row), ZERO)
        if best.direction is not None:
            rise = sum((a * d for a, d in zip(row, best.direction, strict=False)), ZERO)
            return _along(part.x, best.direction, (1 - here) / rise)
        assert best.value is not None and best.point is not None
        if best.value < 0:  # of the opposite row
            top = -best.value
            step = [b - a for a, b in zip(part.x, best.point, strict=True)]
            # half-way between where the row vanishes and its large value
            return _along(part.x, step, (top / 2 - here) / (top - here))
        return None if strict or best.value > 0 else self._on_face(part, row, best)

    def _on_face(self, part: OpenCell, row: Row, best: Minimum) -> Point | None:
        """A point of the part with ``row = 0``, where that is the row's maximum."""
        assert best.point is not None
        x = best.point
        if all(value(r, x) > 0 for r in part.strict):
            return x
        self.solves += 1
        zero, one = fmpz(0), fmpz(1)

        def lifted(rows: list[Row], slack: fmpz) -> list[Row]:
            return [[*r[:-1], slack, r[-1]] for r in rows]

        rows = lifted([*part.weak, row, negative(row)], zero) + lifted(part.strict, -one)
        rows.append([zero] * self.k + [-one, one])  # the common slack is at most 1
        goal = [zero] * self.k + [-one, zero]
        found = minimise(rows, [*x, ZERO], goal, ZERO)
        point = found.point
        return point[:-1] if point is not None and point[-1] > 0 else None


def _identity(k: int) -> np.ndarray:
    return np.eye(k, k + 1)


def _along(x: Point, step: Point, t: fmpq) -> Point:
    return [a + t * d for a, d in zip(x, step, strict=True)]


def _row(forms: IntMatrix, i: int) -> Row:
    return [forms.num[i, j] for j in range(forms.num.ncols())]


def _steps(units: Any, forms: IntMatrix) -> list[Choice]:
    """Pointwise units: above the breakpoint before the piece, not above the one after."""
    out = []
    for i, which in enumerate(units.which):
        above = []
        for t in units.kinds[which].breaks:
            n, d = t.as_integer_ratio()
            row = [a * d for a in _row(forms, i)]
            row[-1] -= fmpz(n) * forms.den
            above.append(reduced(row))
        choice: Choice = {}
        for p in range(len(above) + 1):
            choice[p] = [(above[p - 1], True)] if p > 0 else []
            if p < len(above):
                choice[p].append((negative(above[p]), False))
        out.append(choice)
    return out


def _arguments(units: MaxUnits, forms: IntMatrix) -> list[Choice]:
    """Max units: argument a beats the earlier ones and is not beaten by the later ones."""
    out = []
    for group in units.groups:
        rows = [_row(forms, i) for i in group]
        out.append(
            {
                a: [
                    (reduced([u - v for u, v in zip(rows[a], rows[b], strict=True)]), b < a)
                    for b in range(len(rows))
                    if b != a
                ]
                for a in range(len(rows))
            }
        )
    return out


def _values(units: Any, forms: IntMatrix, pieces: list[int]) -> IntMatrix:
    """Exact outputs of a layer, (units, k + 1), where its units have these pieces."""
    width = forms.num.ncols()
    if isinstance(units, MaxUnits):
        flat = [a for g, p in zip(units.groups, pieces, strict=True) for a in _row(forms, g[p])]
        return IntMatrix(fmpz_mat(len(pieces), width, flat), forms.den)
    kinds = [units.kinds[w] for w in units.which]
    lines = [
        (k.slopes[p].as_integer_ratio(), k.intercepts[p].as_integer_ratio())
        for k, p in zip(kinds, pieces, strict=True)
    ]
    common = int(np.lcm.reduce([s[1] * c[1] for s, c in lines], dtype=object)) if lines else 1
    flat = []
    for i, ((slope, below), (shift, under)) in enumerate(lines):
        row = [a * (slope * (common // below)) for a in _row(forms, i)]
        row[-1] += fmpz(shift * (common // under)) * forms.den
        flat += row
    return IntMatrix(fmpz_mat(len(lines), width, flat), forms.den * common)
