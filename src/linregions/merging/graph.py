"""The dual graph: which cells share a facet.

Cells of a network form a polyhedral complex, so a facet inside the domain belongs to exactly two
cells. Where no two rows coincide on a cell, these differ in the row of the facet alone: such
pairs are found by hashing and decided by one small linear program each. Where rows do coincide
(duplicated units, units that vanish on a whole cell), neighbours differ in several rows; which
ones vanish together is found in rational arithmetic, and the rest is the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..audit import asked
from ..domain.restrict import Restricted
from ..errors import LinregionsError
from ..exact.cell import facets, neighbour
from ..exact.rows import negative
from ..network.units import MaxUnits
from ..progress import check
from ..search.search import Search
from . import audit as audit_cells
from .adjacent import APART, SHARED, UNSURE, CellRows, Pairs, flips, shared_facets
from .compile import compile_for
from .maps import Merger

Key = tuple[Any, ...]  # a row: it has no common factor, so that equal hyperplanes are equal


def cells_of(problem: Restricted) -> Merger:
    """All cells of a restricted network, in the order of the search."""
    compile_for(problem, merge=True)
    search, batches, more = Search(problem, emit=4096, audit=True), [], True
    while more:
        check()
        more = search.run(1 << 16)
        batches.append(search.take())
    return Merger(search, batches)


def neighbours(cells: Merger) -> np.ndarray:
    """Pairs of cells that share a (k - 1)-dimensional facet: (pairs, 2), each pair once, sorted.

    Parameters
    ----------
    cells
        The cells of a finished search. Every pair is decided exactly.
    """
    if not len(cells.signs):
        return np.zeros((0, 2), np.int64)
    if any(isinstance(layer.units, MaxUnits) for layer in cells.compiled.network.layers):
        pairs = _by_walls(cells)
    else:
        pairs = _by_flips(cells) if cells.search.coincidences == 0 else _by_classes(cells)
    return pairs[np.lexsort(pairs.T[::-1])]


def _by_flips(cells: Merger) -> np.ndarray:
    """All pairs that differ in one row, and of these the ones that share a facet."""
    first, second, rows = _flips(cells)
    return _decide(cells, first, second, rows, np.zeros((0, cells.signs.shape[1]), bool))


def _decide(cells: Merger, first: Any, second: Any, rows: Any, masks: np.ndarray) -> np.ndarray:
    """Of possible pairs, sorted by the first cell, those with a facet in that row."""
    verdict = np.zeros(len(first), np.int8)
    work = cells.search.cursor  # its path is no longer needed; its arrays are
    if work is None:
        work = cells.compiled.cursor(np.zeros(cells.compiled.k))
    everyone = np.zeros(0, np.int64)  # no forest: every pair is decided
    shared_facets(
        cells.compiled.program, work, CellRows(cells.signs, cells.points, everyone),
        Pairs(first, second, rows, verdict, masks), False,
    )  # fmt: skip
    if asked():
        audit_cells.pairs(cells, first, second, rows, verdict, np.zeros(len(first), bool))
    for i in np.flatnonzero(verdict == UNSURE):
        check()
        verdict[i] = SHARED if _has_facet(cells, int(first[i]), int(rows[i])) else APART
    shared = verdict == SHARED
    return np.sort(np.column_stack([first[shared], second[shared]]), axis=1)


def _flips(cells: Merger) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of cells that differ in exactly one row, and that row, sorted by the first cell."""
    n, rows = cells.signs.shape
    codes = np.random.default_rng(11).integers(0, 1 << 63, rows, dtype=np.uint64)
    key = np.zeros(n, np.uint64)
    for c in range(rows):
        key ^= np.where(cells.signs[:, c] > 0, codes[c], np.uint64(0))
    order = np.argsort(key)
    first, second, row = flips(cells.signs, np.zeros(n, np.int64), key, order, codes)
    by = np.argsort(first, kind="stable")
    return first[by], second[by], row[by]


def _has_facet(cells: Merger, cell: int, row: int) -> bool:
    signs = cells.signs[cell].astype(np.int8) * 2 - 1
    return bool(facets(cells.exact, signs, cells.point(cell), {row}))


def _by_classes(cells: Merger) -> np.ndarray:
    """All pairs that differ only in rows that vanish together, and of these the neighbours.

    On both sides of a facet the same rows vanish on it (they are continuous): those
    proportional to its own and those that are zero on all of the cell. So a neighbour has the
    same list of such rows, and the same signs in all others.
    """
    buckets: dict[tuple[tuple[int, ...], bytes], list[tuple[int, int]]] = {}
    domain = {tuple(row) for row in cells.exact.domain_rows()}
    for i in range(len(cells.signs)):
        check()
        for row, vanish in _classes(cells, i, domain):
            rest = cells.signs[i].copy()
            rest[list(vanish)] = 0
            buckets.setdefault((vanish, rest.tobytes()), []).append((i, row))
    single, several = [], []
    for (vanish, _), members in buckets.items():
        if len(members) == 2:
            (i, row), (j, _) = members
            single.append((i, j, row, vanish))
        elif len(members) > 2:
            several += members
    single.sort(key=lambda pair: pair[0])
    masks = np.zeros((len(single), cells.signs.shape[1]), bool)
    for mask, (*_, vanish) in zip(masks, single, strict=True):
        mask[list(vanish)] = True
    first, second, rows = np.array([s[:3] for s in single], np.int64).reshape(-1, 3).T.copy()
    found = _decide(cells, first, second, rows, masks)
    return np.unique(np.concatenate([found, _by_crossing(cells, several)]), axis=0)


def _classes(cells: Merger, i: int, domain: set[Key]) -> list[tuple[int, tuple[int, ...]]]:
    """Rows of a cell, one of each that coincide, and all rows that vanish where it does.

    Rows in which the domain ends are left out: nothing lies behind them.
    """
    signs, exact = cells.signs[i].astype(np.int8) * 2 - 1, cells.exact
    above = (signs > 0).tolist()
    same: dict[Key, list[int]] = {}
    zero, c = [], 0
    for layer in range(len(exact.cut) - 1):
        for row in exact.rows(layer, signs):  # without a common factor: equal where they coincide
            if any(row[:-1]):
                key = tuple(row if above[c] else negative(row))
                same.setdefault(key, []).append(c)
            elif row[-1] == 0:
                zero.append(c)
            c += 1
    return [(cs[0], tuple(sorted(cs + zero))) for key, cs in same.items() if key not in domain]


def _by_walls(cells: Merger) -> np.ndarray:
    """Neighbours across every facet of every cell, in rational arithmetic.

    Where max units are, two neighbours may differ in all comparisons of two arguments.
    """
    every = [(i, -1) for i in range(len(cells.signs))]
    return np.unique(_by_crossing(cells, every), axis=0)


def _by_crossing(cells: Merger, rows: list[tuple[int, int]]) -> np.ndarray:
    """Neighbours across some rows of some cells (-1: all rows), crossed in rationals."""
    pairs: list[tuple[int, int]] = []
    index = {s.tobytes(): i for i, s in enumerate(cells.signs)} if rows else {}
    for i, row in rows:
        check()
        signs, x = cells.signs[i].astype(np.int8) * 2 - 1, cells.point(i)
        for facet in facets(cells.exact, signs, x, None if row < 0 else {row}):
            if facet.domain:
                continue
            other = (neighbour(cells.exact, signs, x, facet) > 0).astype(np.uint8)
            j = index[other.tobytes()]
            pairs.append((min(i, j), max(i, j)))
    return np.array(pairs, np.int64).reshape(-1, 2)


def adjacency(cells: Merger, as_networkx: bool = False) -> Any:
    """The symmetric adjacency matrix of `neighbours`, or a ``networkx.Graph``."""
    from scipy.sparse import coo_array

    n = len(cells.signs)
    i, j = neighbours(cells).T
    ones = np.ones(2 * len(i), bool)
    matrix = coo_array((ones, (np.r_[i, j], np.r_[j, i])), shape=(n, n)).tocsr()
    if not as_networkx:
        return matrix
    networkx = _networkx()
    graph = networkx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(zip(i.tolist(), j.tolist(), strict=True))
    return graph


def _networkx() -> Any:
    """The optional package, or what to do without it."""
    try:
        import networkx
    except ImportError:
        raise LinregionsError(
            "graph(as_networkx=True) needs the package networkx, which is not installed; "
            "install it, or take the scipy matrix that graph() returns"
        ) from None
    return networkx
