"""Patterns: the pieces of the units, and the signs of the rows behind them.

The *rows* of a network are the breakpoints of its pointwise units (for ReLU one a unit) and, for a
max unit of m arguments, the m (m - 1) / 2 comparisons of two of them, layer after layer. The sign
of a row is +1 above it (where the later argument is greater), else -1.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from .network import Network
from .units import MaxUnits


class UnitRows:
    """Where the rows of every unit of a network are.

    Attributes
    ----------
    cut
        (layers + 1,) the first row of every layer, and the number of rows.
    unit
        (rows,) the unit that a row belongs to, counted within its layer.
    first
        (rows,) the first row of that unit.
    """

    def __init__(self, network: Network) -> None:
        self.layers = network.layers
        numbers = [np.array([len(w) for w in a.units.row_weights()], int) for a in network.layers]
        ends = np.cumsum([0, *(int(n.sum()) for n in numbers)])
        self.cut = ends.astype(np.int64)
        empty = [np.zeros(0, np.int64)]
        self.unit = np.concatenate(empty + [np.repeat(np.arange(len(n)), n) for n in numbers])
        flat = np.concatenate(empty + numbers)
        self.first = np.repeat(np.cumsum(flat) - flat, flat)

    def is_max(self, layer: int) -> bool:
        """Whether the units of a layer are max units."""
        return isinstance(self.layers[layer].units, MaxUnits)

    @cached_property
    def any_max(self) -> bool:
        """Whether some units are max units."""
        return any(map(self.is_max, range(len(self.layers))))

    def layer_of(self, row: int) -> int:
        """The layer of a row."""
        return int(np.searchsorted(self.cut, row, side="right")) - 1

    def candidates(self, layer: int) -> list[int]:
        """What there is to place in a layer: its rows, or the first row of each max unit."""
        mine = slice(self.cut[layer], self.cut[layer + 1])
        if not self.is_max(layer):
            return list(range(mine.start, mine.stop))
        return np.unique(self.first[mine]).tolist()

    def max_unit(self, row: int) -> int:
        """The number of the max unit of a row, among all max units."""
        layer = self.layer_of(row)
        before = sum(self.layers[i].size for i in range(layer) if self.is_max(i))
        return before + int(self.unit[row])

    def arguments(self, first: int) -> int:
        """Number of arguments of the max unit with this first row."""
        units = self.layers[self.layer_of(first)].units
        return list(units.pieces_per_unit())[self.unit[first]]


def pair(first: int, m: int, i: int, j: int) -> int:
    """The row that compares arguments i and j of a max unit with m of them."""
    i, j = min(i, j), max(i, j)
    return first + i * m - i * (i + 1) // 2 + j - i - 1


def crown(signs: np.ndarray, first: int, m: int, w: int) -> None:
    """Record that argument w of a max unit wins (as in the kernel)."""
    signs[first : first + m * (m - 1) // 2] = -1
    for i in range(w):
        signs[pair(first, m, i, w)] = 1


class AffineMap(NamedTuple):
    """``x -> W x + b``: ``W`` (outputs, n), ``b`` (outputs,)."""

    W: np.ndarray
    b: np.ndarray

    def __call__(self, x: Any) -> np.ndarray:
        """Value at points of shape (..., n)."""
        return np.asarray(x) @ self.W.T + self.b


def pieces(network: Network, signs: np.ndarray) -> np.ndarray:
    """Piece of every unit from the signs of the breakpoints: (..., rows) to (..., units)."""
    weights = [w for layer in network.layers for w in layer.units.row_weights()]
    above = np.asarray(signs) > 0
    if all(w == [1] for w in weights):
        return above.astype(np.uint8)
    counts = [len(w) for w in weights]
    ends = np.cumsum(counts)
    above = above * np.array([x for w in weights for x in w], dtype=np.int64)
    total = np.concatenate([np.zeros((*above.shape[:-1], 1), int), above.cumsum(-1)], axis=-1)
    return (total[..., ends] - total[..., ends - np.array(counts)]).astype(np.uint8)


def signs_of(network: Network, pieces: np.ndarray) -> np.ndarray:
    """Signs of the breakpoints (rows,) from the pieces of the units: `pieces` the other way."""
    out: list[np.ndarray] = []
    at = 0
    for layer in network.layers:
        mine = pieces[at : at + layer.size]
        at += layer.size
        counts = np.array([len(w) for w in layer.units.row_weights()], np.int64)
        signs = np.full(int(counts.sum()), -1, np.int8)
        first = np.cumsum(counts) - counts
        if isinstance(layer.units, MaxUnits):
            for row, m, won in zip(first, layer.units.pieces_per_unit(), mine, strict=True):
                crown(signs, int(row), m, int(won))
        else:
            place = np.arange(len(signs)) - np.repeat(first, counts)
            signs[place < np.repeat(mine.astype(np.int64), counts)] = 1
        out.append(signs)
    return np.concatenate([np.zeros(0, np.int8), *out])
