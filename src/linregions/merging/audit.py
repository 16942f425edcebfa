"""Audit of what is said of the cells of a search: equal maps, shared facets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from ..audit import AuditError
from ..exact.cell import facets, neighbour
from ..exact.forms import Exact
from ..exact.rows import Point
from .adjacent import APART, SHARED, UNSURE


class WithPoints(Protocol):
    """Cells with their signs (cells, rows) and a rational point in each."""

    exact: Exact
    signs: np.ndarray

    def point(self, cell: int) -> Point:
        """A point inside a cell."""
        ...


def maps(groups: Sequence[int], map_of: Callable[[int], object]) -> None:
    """Cells must be in one group exactly if they have one affine map: all are composed exactly."""
    group: dict[object, int] = {}
    for i, mine in enumerate(groups):
        if group.setdefault(map_of(i), mine) != mine:
            raise AuditError(f"audit: cell {i} has the map of group {group[map_of(i)]}")
    if len(set(group.values())) < len(group):
        raise AuditError("audit: two affine maps in one group")


def pairs(
    cells: WithPoints, first: Sequence[int], second: Sequence[int], rows: Sequence[int],
    verdict: np.ndarray, joined: np.ndarray,
) -> None:  # fmt: skip
    """Verdicts of `shared_facets` must be true: each facet is crossed in rational arithmetic.

    Of pairs in ``joined`` APART says nothing but that they were passed over.
    """
    for n, (i, j, c) in enumerate(zip(first, second, rows, strict=True)):
        said = int(verdict[n])
        if said == UNSURE or (said == APART and joined[n]):
            continue
        signs, other = (cells.signs[p].astype(np.int8) * 2 - 1 for p in (i, j))
        x = cells.point(i)
        behind = (neighbour(cells.exact, signs, x, f) for f in facets(cells.exact, signs, x, {c}))
        if any((s == other).all() for s in behind) != (said == SHARED):
            what = "no facet" if said == SHARED else "a facet"
            raise AuditError(f"audit: cells {i} and {j} share {what} in row {c}")
