"""Patterns: the pieces of the units, and the signs of the rows behind them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .network import Network
from .units import MaxUnits


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
    from ..network.pattern import crown

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
