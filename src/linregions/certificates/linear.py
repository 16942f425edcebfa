"""The member `linear` of a proof: which cells of one affine map share facets, and which do not.

Everything here is exact, over all pairs of cells of one map: for the networks whose linear regions
one would want to see proved, which are small.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from flint import fmpq, fmpz

from ..domain.restrict import Restricted
from ..exact.forms import Exact
from ..exact.lp import interior_point, minimise
from ..exact.rows import Point, Row, reduced, value
from ..search import records as R
from ..search.program import Compiled
from ..search.replay import Replay

Name = tuple[int, int]  # place of the part among all (the root: 0), and of the leaf in it


class Leaf(NamedTuple):
    """A cell of a proof: its name, the sign of every row, and an affine map as a key."""

    name: Name
    signs: np.ndarray
    map: tuple[tuple[int, ...], int]


def leaves(problem: Restricted, folder: Path, numbers: list[int]) -> list[Leaf]:
    """All cells of the parts of a proof, in their order."""
    compiled = Compiled(problem)
    exact, out = Exact(compiled), []
    for part, number in enumerate(sorted(numbers)):
        index = 0
        replay = Replay(compiled.program, compiled.k)
        blocks = _blocks(folder / f"{number:06d}")
        if number:
            replay.enter(next(blocks)[0])
        for ints, reals, text in blocks:
            for event in replay.feed(ints, reals, text):
                if event.code == R.SLOPELESS:
                    replay.settle(event.row, _sign(exact, event.row, replay.signs))
                elif event.code in (R.LEAF, R.POINT):
                    signs = replay.signs.copy()
                    out.append(Leaf((part, index), signs, _map(exact, signs)))
                    index += 1
    return out


def _blocks(path: Path) -> Iterator[tuple[np.ndarray, np.ndarray, str]]:
    data, at = zlib.decompress(path.read_bytes(), wbits=-15), 0
    while at < len(data):
        ints, reals, text = np.frombuffer(data, "<u4", 3, at).tolist()
        at += 12
        whole = np.frombuffer(data, "<i4", ints, at)
        at += 4 * ints
        floats = np.frombuffer(data, "<f8", reals, at)
        at += 8 * reals
        yield whole, floats, data[at : at + text].decode("ascii")
        at += text


def _sign(exact: Exact, row: int, signs: np.ndarray) -> int:
    """The sign of a row without slope."""
    return 1 if exact.row(row, np.where(signs == 0, -1, signs).astype(np.int8))[-1] > 0 else -1


def _map(exact: Exact, signs: np.ndarray) -> tuple[tuple[int, ...], int]:
    form = exact.applied(exact.network.output, signs)
    common = fmpz(form.den)
    entries = [v for row in form.num.tolist() for v in row]
    for v in entries:
        common = common.gcd(v)
    return tuple(int(v // common) for v in entries), int(fmpz(form.den) // common)


class Joins:
    """Decides which cells of one map share a facet, and says why."""

    def __init__(self, problem: Restricted, cells: list[Leaf]) -> None:
        self.exact = Exact(Compiled(problem))
        self.cells = cells
        self.domain = self.exact.domain_rows()
        self._rows: dict[Name, dict[int, Row]] = {}

    def rows(self, cell: Leaf) -> dict[int, Row]:
        """The oriented rows of a cell that bound it or might."""
        if cell.name not in self._rows:
            names = self.exact.bounding(cell.signs)
            found = self.exact.cell(names, cell.signs)
            self._rows[cell.name] = dict(zip(names, found, strict=True))
        return self._rows[cell.name]

    def lines(self) -> tuple[list[str], int]:
        """The lines of the member, and the number of components."""
        parent = list(range(len(self.cells)))

        def root(i: int) -> int:
            while parent[i] != i:
                parent[i] = parent[parent[i]]
                i = parent[i]
            return i

        same: dict[tuple[tuple[int, ...], int], list[int]] = {}
        for i, cell in enumerate(self.cells):
            same.setdefault(cell.map, []).append(i)
        joins, apart = [], []
        for i, j in (pair for group in same.values() for pair in combinations(group, 2)):
            if root(i) == root(j):
                continue
            found = self._facet(self.cells[i], self.cells[j])
            if isinstance(found, list):
                parent[root(i)] = root(j)
                joins.append(self._line("J", i, j, map(str, self.exact.from_kernel(found))))
            elif found:
                apart.append((i, j, found))
        parts = [self._line("S", i, j, why) for i, j, why in apart if root(i) != root(j)]
        return joins + parts, len({root(i) for i in range(len(parent))})

    def _line(self, kind: str, i: int, j: int, rest: Iterable[str]) -> str:
        names = (f"{part}:{leaf}" for part, leaf in (self.cells[i].name, self.cells[j].name))
        return " ".join([kind, *names, *rest])

    def _facet(self, a: Leaf, b: Leaf) -> Point | tuple[str, ...]:
        """A point of the common facet; or why there is none (empty: plain from the signs)."""
        mine, theirs = self.rows(a), self.rows(b)
        cut = self.exact.cut
        same = [c for c in mine if c in theirs]
        unlike = [c for c in same if a.signs[c] != b.signs[c]]
        layer = int(np.searchsorted(cut, unlike[0], side="right"))
        unlike = [c for c in unlike if c < cut[layer]]
        wall = mine[unlike[0]]
        if any(_parallel(wall, mine[c]) <= 0 for c in unlike):
            return ()
        named = [
            (f"{who}{c}", row)
            for who, rows in (("a", mine), ("b", theirs))
            for c, row in rows.items()
            if any(row) and _parallel(wall, row) == 0
        ]
        named += [(f"d{i}", row) for i, row in enumerate(self.domain)]
        return self._inside(unlike[0], wall, named)

    def _inside(self, h: int, wall: Row, named: list[tuple[str, Row]]) -> Point | tuple[str, ...]:
        """A point of the wall where all rows are positive, or the rows that forbid it."""
        k = self.exact.k
        j = next(j for j in range(k) if wall[j] != 0)
        flat = [_without(row, wall, j) for _, row in named]
        point = interior_point(flat, k - 1)
        if point is not None:
            rest = [*wall[:j], *wall[j + 1 :]]
            return [*point[:j], -value(rest, point) / wall[j], *point[j:]]
        return (str(h), *(named[i][0] for i in _contradiction(flat, k - 1)))


def _parallel(f: Row, g: Row) -> int:
    """1 or -1 where g is a positive or negative multiple of f, else 0."""
    i = next(i for i, v in enumerate(f) if v != 0)
    if g[i] == 0 or any(f[i] * y != g[i] * x for x, y in zip(f, g, strict=True)):
        return 0
    return 1 if f[i] * g[i] > 0 else -1


def _without(row: Row, wall: Row, j: int) -> Row:
    """The row on the hyperplane ``wall = 0``, in the coordinates but j; a positive multiple."""
    f = abs(wall[j])
    s = 1 if wall[j] > 0 else -1
    left = [f * a - s * row[j] * b for a, b in zip(row, wall, strict=True)]
    return reduced([*left[:j], *left[j + 1 :]])


def _contradiction(rows: list[Row], k: int) -> list[int]:
    """Rows with positive multipliers whose sum has no slope and is nowhere positive."""
    for i, row in enumerate(rows):
        if not any(row[:k]) and row[k] <= 0:
            return [i]
    lifted = [[*r[:k], fmpz(-1), r[k]] for r in rows]
    start = [*([0] * k), min(r[k] for r in rows) - 1]
    goal = [fmpz(0)] * k + [fmpz(-1), fmpz(0)]
    return list(minimise(lifted, [fmpq(v) for v in start], goal).basis)
