"""What floats could not tell about one cell, in rational arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import fmpq

from ..affine import UNIT
from ..search.exact import Exact, Point, Row, sign, value
from .lattice import FACE, FIRST, OLD, Answers, Faces, Local, P, Q
from .start import meet


class Referee:
    """Exact signs of the rows of a layer at the vertices of one cell and of its pieces.

    An old vertex is where facets of the cell meet; a new one lies between two others, where a
    row of the layer vanishes.
    """

    def __init__(self, exact: Exact, X: Faces, cell: int, layer: int, first: int) -> None:
        self.exact, self.X, self.layer, self.first = exact, X, layer, first
        rows = exact.cut[-1]
        bits = np.unpackbits(X.bits[cell].view(np.uint8), bitorder="little")[:rows]
        self.signs = np.full(rows, -1, np.int8)
        self.signs[: len(bits)] = bits.astype(np.int8) * 2 - 1
        self.rows: list[Row] = exact.rows(layer, self.signs)
        self.shift = first - int(exact.cut[layer])
        self.facets = self._facets(cell)
        self.points: dict[int, Point] = {}
        self.told: dict[tuple[int, int], int] = {}
        self.moved: dict[int, tuple[np.ndarray, float]] = {}

    def _facets(self, cell: int) -> list[tuple[int, set[int]]]:
        """Rows behind the facets of the cell, with their vertices."""
        X, k = self.X, self.X.k

        def corners(g: int) -> set[int]:
            if g < X.at[1]:
                return {g}
            below = X.idx[X.ptr[g] : X.ptr[g + 1]].tolist()
            return set(below) if g < X.at[min(2, k)] else set().union(*map(corners, below))

        top = int(X.at[k]) + cell
        facets = X.idx[X.ptr[top] : X.ptr[top + 1]].tolist()
        return [(int(X.own[g - X.at[k - 1]]), corners(g)) for g in facets]

    def _row(self, n: int) -> Row:
        return self.rows[self.shift + n]

    def _owner(self, c: int) -> Row:
        if c < 0:
            return self.exact.domain_rows()[-1 - c]
        return self.exact.row(c, self.signs)

    def _point(self, v: int, L: Local) -> Point:
        """The exact place of a local vertex."""
        if v in self.points:
            return self.points[v]
        p, q, n = (int(a) for a in L.F[0, v, [P, Q, FIRST]])
        if p < 0:
            g = int(L.old[L.F[0, v, OLD], FACE])
            found = meet([self._owner(c) for c, on in self.facets if g in on], self.X.k)
            if found is None:
                raise ArithmeticError("no facets meet in a vertex; report this network")
        else:
            a, b = self._point(p, L), self._point(q, L)
            va, vb = value(self._row(n), a), value(self._row(n), b)
            t = va / (va - vb)
            found = [x + t * (y - x) for x, y in zip(a, b, strict=True)]
        self.points[v] = found
        return found

    def settle(self, L: Local, asked: int) -> None:
        """Answer what is open, and put the vertices asked about where they are."""
        for n, v in L.doubt[:asked].tolist():
            place = self._point(v, L)
            row = self._row(n)
            self.told[n, v] = sign(value(row, place))
            x = np.array([float(c) for c in place])
            known = all(
                fmpq(*float(f).as_integer_ratio()) == c for f, c in zip(x, place, strict=True)
            )
            r = 0.0 if known else 2.0 * UNIT * float(np.max(np.abs(x)))
            if L.F[0, v, P] < 0:
                g = int(L.old[L.F[0, v, OLD], FACE])
                self.X.x[g], self.X.r[g] = x, r
            else:
                self.moved[v] = x, r

    def answers(self) -> Answers:
        """All that is settled so far, in the order in which the kernel asks."""
        keys = sorted(self.told)
        row = np.array([n for n, _ in keys], np.int32)
        vertex = np.array([v for _, v in keys], np.int32)
        signs = np.array([self.told[key] for key in keys], np.int8)
        names = sorted(self.moved)
        k: Any = self.X.k
        x = np.array([self.moved[v][0] for v in names]).reshape(len(names), k)
        r = np.array([self.moved[v][1] for v in names], float)
        return Answers(row, vertex, signs, np.array(names, np.int32), x, r)
