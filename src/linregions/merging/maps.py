"""From activation cells to affine maps and linear regions.

Two cells surely carry the same affine map when the units that matter to the output have the
same pieces (`Merger.affine` starts there). Different such patterns are compared by a
fingerprint modulo 2^61 - 1, and equal fingerprints are confirmed in rational arithmetic.
CellRows of one map are then joined through shared facets (`Merger.linear`).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ..audit import asked
from ..exact.cell import facets, neighbour
from ..exact.rows import point_of
from ..network.rank import PRIME
from ..network.rational import IntMatrix, nearest
from ..network.units import MaxUnits
from ..progress import check, current
from ..search.search import Leaves, Search
from . import audit as audit_cells
from .adjacent import UNSURE, CellRows, Pairs, flips, shared_facets
from .fingerprint import evaluate, tables

AT_ONCE = 1 << 25  # products of one task, in about a tenth of a second


class Merger:
    """All cells of a finished search, grouped.

    Memory grows with the number of cells (one byte per row and cell, and the points).
    """

    def __init__(self, search: Search, batches: list[Leaves]) -> None:
        self.search = search
        self.exact = search.rational
        self.compiled = search.compiled
        rows, k = self.compiled.cuts, self.compiled.k
        self.signs = np.concatenate([np.zeros((0, rows), np.uint8), *(b.signs for b in batches)])
        points = np.concatenate([np.zeros((0, k)), *(b.points for b in batches)])
        with np.errstate(all="ignore"):
            self.points = np.ascontiguousarray(points / self.compiled.unit)
        self.rational: dict[int, list[Any]] = {}
        at = 0
        for batch in batches:
            self.rational.update({at + i: x for i, x in batch.exact.items()})
            at += len(batch.signs)
        for i, x in self.rational.items() if self.compiled.zonotope is None else ():
            self.points[i] = [nearest(v) for v in self.exact.in_kernel(x)]
        self.group = np.zeros(len(self.signs), np.int64)

    # -- affine maps ------------------------------------------------------------------

    def affine(self) -> int:
        """Number of distinct affine maps; sets ``group``, the map of each cell."""
        keys = self.effective()
        packed = np.ascontiguousarray(keys).view(np.dtype((np.void, max(keys.shape[1], 1))))
        _, first, inverse = np.unique(packed.ravel(), return_index=True, return_inverse=True)
        prints = self.fingerprints(self.signs[first])
        _, start, same = np.unique(prints, return_index=True, return_inverse=True)
        label = same.copy()
        if len(start) < len(first):
            label = self._confirm(first, same)
        self.group = label[inverse]
        if asked():
            audit_cells.maps(self.group.tolist(), self._map)
        return int(label.max(initial=-1)) + 1

    def effective(self) -> np.ndarray:
        """Pieces of the units that matter to the output; 255 for those that do not."""
        net = self.compiled.network
        cells = len(self.signs)
        pieces, slopes = self._pieces()
        need = [np.zeros((cells, layer.size), bool) for layer in net.layers]

        def mark(affine: Any, live: np.ndarray | None) -> None:
            for source in affine.sources:
                if source < 1:
                    continue
                used = affine.reads(source, net.size_of(source)).astype(np.float32)
                if live is None:
                    need[source - 1] |= used.sum(axis=0) > 0
                else:
                    need[source - 1] |= (used.T @ live.T.astype(np.float32)).T > 0

        mark(net.output, None)
        for i in range(len(net.layers) - 1, -1, -1):
            mark(net.layers[i].affine, self._live(i, need[i], pieces[i], slopes[i]))
        out = [np.where(n, p, 255).astype(np.uint8) for n, p in zip(need, pieces, strict=True)]
        return np.concatenate([np.zeros((cells, 1), np.uint8), *out], axis=1)

    def _live(self, i: int, need: np.ndarray, piece: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Which pre-activations of a layer matter where its units in ``need`` do."""
        units = self.compiled.network.layers[i].units
        if not isinstance(units, MaxUnits):
            return need & (slope != 0.0)
        live = np.zeros((len(need), units.fan_in), bool)
        for u, group in enumerate(units.groups):
            won = np.array(group)[piece[:, u]]
            cells = np.flatnonzero(need[:, u])
            live[cells, won[cells]] = True
        return live

    def _pieces(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Piece and slope of every unit in every cell, per layer."""
        P = self.compiled.program
        pieces, slopes = [], []
        for n, layer in enumerate(self.compiled.network.layers):
            lo, hi = P.layers_cut[n], P.layers_cut[n + 1]
            base, end = P.layers[n, 0], P.layers[n + 1, 0]
            if isinstance(layer.units, MaxUnits):
                weights = layer.units.row_weights()
                owner = np.zeros((hi - lo, len(weights)), np.int64)
                owner[range(hi - lo), np.repeat(range(len(weights)), list(map(len, weights)))] = [
                    x for w in weights for x in w
                ]
                pieces.append(self.signs[:, lo:hi].astype(np.int64) @ owner)
                slopes.append(np.ones(pieces[-1].shape))
                continue
            if hi - lo == end - base and (np.diff(P.cut_unit[lo:hi]) == 1).all():
                piece = self.signs[:, lo:hi]
            else:
                owner = np.zeros((hi - lo, end - base), np.int64)
                owner[range(hi - lo), P.cut_unit[lo:hi] - base] = 1
                piece = self.signs[:, lo:hi].astype(np.int64) @ owner
            pieces.append(piece)
            if len(layer.units.kinds) == 1 and len(layer.units.kinds[0].slopes) == 2:
                slopes.append(np.where(piece > 0, *map(float, layer.units.kinds[0].slopes[::-1])))
            else:
                slopes.append(P.pieces[P.first_piece[base:end] + piece, 0])
        return pieces, slopes

    def fingerprints(self, signs: np.ndarray) -> np.ndarray:
        """The map of each pattern at one random point, combined over outputs, mod 2^61 - 1."""
        rng = np.random.default_rng(20221)
        v = rng.integers(1, PRIME, self.compiled.k + 1, dtype=np.int64)
        mix = rng.integers(1, PRIME, self.compiled.network.outputs, dtype=np.int64)
        point, mix = v.astype(np.uint64), mix.astype(np.uint64)
        known, clock = tables(self.compiled), current()

        def some(part: np.ndarray) -> np.ndarray:
            clock.check()
            return np.asarray(evaluate(known, point, mix, part))

        if len(signs) < 4096:
            return some(signs)
        work = len(signs) * len(self.compiled.program.W)
        parts = np.array_split(signs, min(len(signs), max(8, work // AT_ONCE)))
        with ThreadPoolExecutor() as pool:  # the kernel holds no lock
            return np.concatenate(list(pool.map(some, parts)))

    def _confirm(self, first: np.ndarray, same: np.ndarray) -> np.ndarray:
        """Labels after comparing, in rationals, the patterns whose fingerprints agree."""
        order = np.argsort(same, kind="stable")
        label = np.full(len(first), -1, np.int64)
        count, at = 0, 0
        while at < len(order):
            end = at
            while end < len(order) and same[order[end]] == same[order[at]]:
                end += 1
            seen: list[tuple[Any, int]] = []
            for i in order[at:end]:
                check()
                exact = None if end - at == 1 else self._map(int(first[i]))
                mine = next((n for other, n in seen if other == exact), None)
                if mine is None:
                    mine = count
                    count += 1
                    seen.append((exact, mine))
                label[i] = mine
            at = end
        return label

    def _map(self, cell: int) -> tuple[Any, int]:
        """The exact affine map of a cell in kernel coordinates, in a normal form."""
        signs = self.signs[cell].astype(np.int8) * 2 - 1
        return _normal(self.exact.applied(self.compiled.network.output, signs))

    # -- linear regions ---------------------------------------------------------------

    def linear(self) -> int:
        """Number of linear regions: cells of one map, joined through shared facets."""
        cells = len(self.signs)
        parent = np.arange(cells, dtype=np.int64)
        size = np.bincount(self.group)
        crowded = np.flatnonzero(size[self.group] > 1)
        generic = self.search.coincidences == 0
        if len(crowded):
            first, second, rows = self._pairs(crowded)
            self._join(first, second, rows, parent, generic)
            if not generic:
                self._join_around(crowded, parent)
        return int(np.count_nonzero(parent == np.arange(cells)))

    def _pairs(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pairs of cells of one map that differ in exactly one row, sorted by the first."""
        rows = self.signs.shape[1]
        rng = np.random.default_rng(7)
        codes = rng.integers(0, 1 << 63, rows, dtype=np.uint64)
        salt = rng.integers(0, 1 << 63, int(self.group.max()) + 1, dtype=np.uint64)
        signs = self.signs[cells]
        key = np.bitwise_xor.reduce(np.where(signs > 0, codes, np.uint64(0)), axis=1)
        key ^= salt[self.group[cells]]
        order = np.argsort(key)
        first, second, row = flips(signs, self.group[cells], key, order, codes)
        first, second = cells[first], cells[second]
        by = np.lexsort((-row, first))  # late rows first: they are facets for certain
        return first[by], second[by], row[by]

    def _join(self, first, second, rows, parent, generic: bool) -> None:
        """Join neighbours among the pairs; exact where floats do not tell."""
        work = self.search.cursor  # its path is no longer needed; its arrays are
        if work is None:
            work = self.compiled.cursor(np.zeros(self.compiled.k))
        verdict = np.zeros(len(first), np.int8)
        none = np.zeros((0, self.signs.shape[1]), bool)
        shared_facets(
            self.compiled.program, work, CellRows(self.signs, self.points, parent),
            Pairs(first, second, rows, verdict, none), not generic,
        )  # fmt: skip
        if asked():
            pairs = zip(first.tolist(), second.tolist(), strict=True)
            joined = [self._root(parent, i) == self._root(parent, j) for i, j in pairs]
            passed = np.array(joined, bool) | (not generic)
            audit_cells.pairs(self, first, second, rows, verdict, passed)
        if not generic:
            return
        for i in np.flatnonzero(verdict == UNSURE):
            check()
            if self._root(parent, first[i]) != self._root(parent, second[i]):
                self._join_exactly(int(first[i]), parent, {int(rows[i])})

    def _join_around(self, cells: np.ndarray, parent: np.ndarray) -> None:
        """Join cells to their neighbours of the same map, exactly, wherever still apart.

        Where rows coincide, neighbours differ in several rows, so each facet is crossed.
        """
        index = {self.signs[i].tobytes(): int(i) for i in cells}
        pieces: dict[int, set[int]] = {}
        for i in cells:
            pieces.setdefault(int(self.group[i]), set()).add(self._root(parent, int(i)))
        for i in cells:
            mine = int(self.group[i])
            if len(pieces[mine]) > 1:
                self._join_exactly(int(i), parent, None, index)
                roots = {self._root(parent, r) for r in pieces[mine]}
                pieces[mine] = roots

    def _join_exactly(self, cell: int, parent, only: set[int] | None, index=None) -> None:
        signs = self.signs[cell].astype(np.int8) * 2 - 1
        x = self.point(cell)
        for facet in facets(self.exact, signs, x, only):
            if facet.domain:
                continue
            other = (neighbour(self.exact, signs, x, facet) > 0).astype(np.uint8)
            if index is not None:
                at = index.get(other.tobytes())
            else:
                hits = np.flatnonzero((self.signs == other).all(axis=1))
                at = int(hits[0]) if len(hits) else None
            if at is not None and self.group[at] == self.group[cell]:
                parent[self._root(parent, cell)] = self._root(parent, at)

    def point(self, cell: int) -> list[Any]:
        if cell in self.rational:
            return self.exact.in_kernel(self.rational[cell])
        return point_of(self.points[cell])

    @staticmethod
    def _root(parent: np.ndarray, i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i


def _normal(matrix: IntMatrix) -> tuple[tuple[int, ...], int]:
    """Numerators and denominator without a common factor."""
    from math import gcd

    flat = [int(x) for row in matrix.num.tolist() for x in row]
    common = gcd(matrix.den, *flat)
    return tuple(x // common for x in flat), matrix.den // common
