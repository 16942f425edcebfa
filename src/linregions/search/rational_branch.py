"""A branch without a float point: a cell, its rational witness and the units still to be placed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..exact.rows import Point


class RationalBranch(NamedTuple):
    """A cell in which the units before ``layer`` are placed, and ``cand`` of this layer are not.

    ``con`` numbers of the rows that bound the cell; ``sign`` of every row, meaningful where the
    unit is placed; ``point`` an interior point, numerators and denominators.
    """

    layer: int
    con: tuple[int, ...]
    cand: tuple[int, ...]
    sign: np.ndarray
    point: tuple[tuple[int, int], ...]


def rational_branch(layer: int, con: Any, cand: Any, signs: np.ndarray, x: Point) -> RationalBranch:
    """A branch from what `Exact` works with; see `RationalBranch`."""
    point = tuple((int(v.p), int(v.q)) for v in x)
    return RationalBranch(layer, tuple(map(int, con)), tuple(map(int, cand)), signs, point)
