"""What floats could not tell about one cell, in rational arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..exact.rows import Point, Row, sign, value
from .domain_faces import meet, rounded
from .exact import Forms, difference
from .lattice import FACE, FIRST, OLD, Answers, Contest, Faces, Local, P, Q
from .program import PRE


class Corners:
    """The exact vertices of one cell: where its facets meet.

    ``bits`` (bits,) is the pattern of the cell, as far as it is known.
    """

    def __init__(self, forms: Forms, X: Faces, cell: int, bits: np.ndarray) -> None:
        self.forms, self.k = forms, X.k
        self.pieces = forms.pieces(bits)
        k = X.k

        def vertices(g: int) -> set[int]:
            if g < X.at[1]:
                return {g}
            below = X.idx[X.ptr[g] : X.ptr[g + 1]].tolist()
            return set(below) if g < X.at[min(2, k)] else set().union(*map(vertices, below))

        top = int(X.at[k]) + cell
        facets = X.idx[X.ptr[top] : X.ptr[top + 1]].tolist()
        self.facets = [(int(X.own[g - X.at[k - 1]]), vertices(g)) for g in facets]

    def at(self, g: int) -> Point:
        """The exact place of vertex g of the complex."""
        found = meet([self.forms.wall(c, self.pieces) for c, on in self.facets if g in on], self.k)
        if found is None:
            raise ArithmeticError("no facets meet in a vertex; report this network")
        return found


class Referee:
    """Exact signs of the rows of a layer at the vertices of one cell and of its pieces.

    An old vertex is where facets of the cell meet; a new one lies between two others, where a
    row of the layer vanishes.
    """

    def __init__(
        self, forms: Forms, X: Faces, cell: int, bits: np.ndarray, layer: int, first: int
    ) -> None:
        self.X, self.forms, self.layer, self.first = X, forms, layer, first
        self.corners = Corners(forms, X, cell, bits)
        self.pre = int(forms.plan.table[layer, PRE])
        self.rows: dict[tuple[int, int], Row] = {}
        self.points: dict[int, Point] = {}
        self.told: dict[tuple[int, int], int] = {}
        self.moved: dict[int, tuple[np.ndarray, float]] = {}

    def _row(self, a: int, b: int) -> Row:
        """Row a of the round, or (b >= 0) the difference of pre-activations a and b."""
        if (a, b) not in self.rows:
            pieces = self.corners.pieces
            if b < 0:
                found = self.forms.test(self.layer, self.first + a, pieces)
            else:
                found = difference(self.forms.layer(self.layer, pieces), a - self.pre, b - self.pre)
            self.rows[a, b] = found
        return self.rows[a, b]

    def _point(self, v: int, L: Local, C: Contest | None) -> Point:
        """The exact place of a local vertex."""
        if v in self.points:
            return self.points[v]
        p, q, n = (int(a) for a in L.F[0, v, [P, Q, FIRST]])
        if p < 0:
            found = self.corners.at(int(L.old[L.F[0, v, OLD], FACE]))
        else:
            a, b = self._point(p, L, C), self._point(q, L, C)
            row = self._row(n, -1) if C is None else self._row(*C.pair_of[:, n].tolist())
            va, vb = value(row, a), value(row, b)
            t = va / (va - vb)
            found = [x + t * (y - x) for x, y in zip(a, b, strict=True)]
        self.points[v] = found
        return found

    def settle(self, L: Local, C: Contest | None, asked: int) -> None:
        """Answer what is open, and put the vertices asked about where they are."""
        for n, v, a, b in L.doubt[:asked].tolist():
            place = self._point(v, L, C)
            row = self._row(n, -1) if C is None else self._row(a, b)
            self.told[n, v] = sign(value(row, place))
            x, r = rounded(place)
            if L.F[0, v, P] < 0 and C is not None:
                continue  # in the next attempt the same arguments must be compared
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
