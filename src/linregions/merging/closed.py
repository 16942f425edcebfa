"""Closed regions: for each affine map g, components of the set {f = g} that hold an open set.

The set {f = g} meets each closed cell in a convex slice (all of the cell where g is its map).
Two slices that meet in a point x are joined through facets that hold x: the cells around x are
connected through such facets, since the domain is convex, and all of their slices hold x. So it
suffices to walk over the dual graph, from the cells whose map is g, through every facet that the
set {f = g} meets; whether it does is decided by rational linear programs.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq, fmpz
from scipy.sparse import coo_array

from ..exact.cell import cell_rows, facets, neighbour
from ..exact.lp import minimise
from ..exact.rows import Point, Row, negative, reduced, value
from ..progress import check
from .graph import neighbours
from .maps import Merger


class Closed(NamedTuple):
    """Numbers of closed and of linear regions, and of the rational programs that it took."""

    closed: int
    linear: int
    solves: int


def closed(cells: Merger) -> Closed:
    """Count the closed regions of a finished search whose affine maps are grouped.

    Source: definition R5 of Stargalla et al. (closed connected sets with one affine map).
    """
    return _Closed(cells).count()


class _Closed:
    def __init__(self, cells: Merger) -> None:
        from scipy.sparse.csgraph import connected_components

        self.cells, self.solves = cells, 0
        self.n = len(cells.signs)
        i, j = neighbours(cells).T
        self.graph = _matrix(i, j, self.n)
        same = cells.group[i] == cells.group[j]
        _, self.linear = connected_components(_matrix(i[same], j[same], self.n), directed=False)
        self._rows: dict[int, list[Row]] = {}
        self._facets: dict[tuple[int, int], tuple[Row, Point]] = {}
        self._maps: dict[int, tuple[list[fmpz], fmpz]] = {}

    def count(self) -> Closed:
        linear = int(self.linear.max(initial=-1)) + 1
        total = 0
        order = np.argsort(self.cells.group, kind="stable")
        for members in np.split(order, np.flatnonzero(np.diff(self.cells.group[order])) + 1):
            if len(members):
                parts = len(np.unique(self.linear[members]))
                total += 1 if parts == 1 else self._components(members, parts)
        return Closed(total, linear, self.solves)

    def _components(self, members: np.ndarray, parts: int) -> int:
        """Closed regions of one map with several linear regions; ``members`` are its cells."""
        g = int(members[0])
        parent = {int(i): int(self.linear[i]) - self.n for i in members}  # parts are below 0
        parent.update({int(p) - self.n: int(p) - self.n for p in np.unique(self.linear[members])})

        def root(i: int) -> int:
            while parent[i] != i:
                parent[i] = parent[parent[i]]
                i = parent[i]
            return i

        mine = {int(i) for i in members}
        fresh = deque(sorted(mine))
        while fresh and parts > 1:
            check()
            i = fresh.popleft()
            for j in self._beside(i):
                known = j in parent
                if known and root(i) == root(j):
                    continue
                if i in mine or j in mine or self._meets(i, j, g):
                    if known:
                        parent[root(i)] = root(j)
                        parts -= 1
                    else:
                        parent[j] = root(i)
                        fresh.append(j)
        return len({root(i) for i in mine})

    def _beside(self, i: int) -> list[int]:
        return self.graph.indices[self.graph.indptr[i] : self.graph.indptr[i + 1]].tolist()

    # -- one facet ----------------------------------------------------------------------

    def _map(self, cell: int) -> tuple[list[fmpz], fmpz]:
        """The affine map of a cell: numerators, output after output, and their denominator."""
        if cell not in self._maps:
            flat, den = self.cells._map(cell)
            self._maps[cell] = [fmpz(v) for v in flat], fmpz(den)
        return self._maps[cell]

    def _meets(self, i: int, j: int, g: int) -> bool:
        """Whether {f = the map of cell g} meets the facet between cells i and j."""
        row, x = self._facet(i, j)
        rows = [*self._cell(i), negative(row)]  # row >= 0 is among those of the cell
        (mine, below), (other, under) = self._map(i), self._map(g)
        width = len(row)
        flat = [a * under - b * below for a, b in zip(mine, other, strict=True)]
        for at in range(0, len(flat), width):
            d = reduced(flat[at : at + width])
            here = value(d, x)
            if here != 0:
                found = self._zero(rows, x, d if here > 0 else negative(d))
                if found is None:
                    return False
                x = found
            rows += [d, negative(d)]
        return True

    def _zero(self, rows: list[Row], x: Point, d: Row) -> Point | None:
        """A point of the closed set where the row d, positive at x, is zero."""
        if all(a == 0 for a in d[:-1]):
            return None
        self.solves += 1
        start, best = value(d, x), minimise(rows, x, d)
        if best.direction is not None:
            slope = sum((a * b for a, b in zip(d, best.direction, strict=False)), fmpq(0))
            return [a - start / slope * b for a, b in zip(x, best.direction, strict=True)]
        assert best.value is not None and best.point is not None
        if best.value > 0:
            return None
        t = start / (start - best.value)
        return [a + t * (b - a) for a, b in zip(x, best.point, strict=True)]

    def _facet(self, i: int, j: int) -> tuple[Row, Point]:
        """Row (of cell i) and a point of the facet between two neighbours."""
        if (i, j) not in self._facets:
            one, two = (self.cells.signs[c].astype(np.int8) * 2 - 1 for c in (i, j))
            differ = {int(c) for c in np.flatnonzero(one != two)}  # all of them vanish there
            found = facets(self.cells.exact, one, self.cells.point(i), differ)
            if len(found) > 1:  # rows of max units differ that do not vanish there
                exact, x = self.cells.exact, self.cells.point(i)
                found = [f for f in found if (neighbour(exact, one, x, f) == two).all()]
            (facet,) = found
            self._facets[i, j] = facet.row, facet.point
        return self._facets[i, j]

    def _cell(self, i: int) -> list[Row]:
        if i not in self._rows:
            rows = cell_rows(self.cells.exact, self.cells.signs[i].astype(np.int8) * 2 - 1)[0]
            distinct = {tuple(int(a) for a in reduced(r)): r for r in rows}
            self._rows[i] = list(distinct.values())
        return self._rows[i]


def _matrix(i: np.ndarray, j: np.ndarray, n: int) -> Any:
    ones = np.ones(2 * len(i), bool)
    return coo_array((ones, (np.r_[i, j], np.r_[j, i])), shape=(n, n)).tocsr()
