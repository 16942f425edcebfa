"""Rows of a whole network from the pieces of its units."""

from __future__ import annotations

import numpy as np

from ..network.network import Network
from ..network.units import MaxUnits, Pointwise, Units


def whole_signs(network: Network, pattern: np.ndarray) -> np.ndarray:
    """(rows,) whether each row is positive, from the pieces of all units.

    Breakpoints below the piece; of max units the rows (i, j), i < j, in which j is the winner.
    """
    out, at = [np.zeros(0, bool)], 0
    for layer in network.layers:
        mine = pattern[at : at + layer.size].astype(np.int64)
        at += layer.size
        if isinstance(layer.units, MaxUnits):
            sizes = np.array(list(map(len, layer.units.groups)))
            first = _first(layer.units)
            signs = np.zeros(int(first[-1]), bool)
            for m in np.unique(sizes).tolist():
                later = np.triu_indices(m, 1)[1]
                units = np.flatnonzero(sizes == m)
                rows = first[units][:, None] + np.arange(len(later))
                signs[rows] = mine[units][:, None] == later
            out.append(signs)
        else:
            counts = np.diff(_first(layer.units))
            below = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
            out.append(np.repeat(mine, counts) > below)
    return np.concatenate(out)


def _first(units: Units) -> np.ndarray:
    """First row of each unit, within the layer, and their number."""
    if isinstance(units, Pointwise):
        counts = np.array([len(k.breaks) for k in units.kinds], np.int64)[np.asarray(units.which)]
    else:
        m = np.array(list(map(len, units.groups)), np.int64)
        counts = m * (m - 1) // 2
    return np.concatenate([[0], np.cumsum(counts)])


class Places:
    """Rows of some units of a network (numbers from 0, ascending)."""

    def __init__(self, network: Network, numbers: np.ndarray) -> None:
        self.rows: list[int] = []
        self.args: list[int] = []  # of max units
        unit = row = 0
        for layer in network.layers:
            first = _first(layer.units)
            mine = numbers[(numbers >= unit) & (numbers < unit + layer.size)] - unit
            self.rows += (row + first[mine]).tolist()
            groups = layer.units.groups if isinstance(layer.units, MaxUnits) else None
            self.args += [len(groups[u]) if groups else 0 for u in mine.tolist()]
            unit, row = unit + layer.size, row + int(first[-1])

    def between(self, u: int, before: int, after: int) -> np.ndarray:
        """Rows that switch when the u-th of the units goes from one piece to another."""
        if not self.args[u]:
            low, high = sorted((before, after))
            return self.rows[u] + np.arange(low, high)
        later = np.triu_indices(self.args[u], 1)[1]
        return self.rows[u] + np.flatnonzero((later == before) != (later == after))
