"""How the partition grows: the cells after each layer and after each single unit.

The cells of the first u units are unions of final cells: two final cells that share a facet lie
in the same one exactly when the unit that made the facet comes later. So the number after u
units is 1 + the number of edges with a unit among the first u in a spanning tree of the dual
graph that prefers late units: one tree gives all the counts.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import coo_array


class Growth:
    """The stages of a complex.

    Attributes
    ----------
    units
        Number of hidden units; stage u has the first u of them, stage 0 none.
    layer_ends
        Stage at the end of each layer.
    facet_unit
        (F,) unit that made each facet, counted from 1 over the whole network; 0 on the rim.
    """

    def __init__(self, cells: Any) -> None:
        self.cells = cells.cells
        sizes = [layer.size for layer in cells.problem.network.layers]
        self.units = sum(sizes)
        self.layer_ends = np.cumsum(sizes).astype(int)
        self.facet_unit = np.asarray(cells.facet_unit)
        inside = self.facet_unit > 0
        self._pairs = np.asarray(cells.facet_cells)[inside].astype(np.int64)
        self._unit = self.facet_unit[inside]

    @cached_property
    def counts(self) -> np.ndarray:
        """(units + 1,) cells at every stage."""
        from scipy.sparse.csgraph import minimum_spanning_tree

        shape = (self.cells, self.cells)
        weight = (self.units + 1 - self._unit).astype(float)  # late units are cheap
        tree = minimum_spanning_tree(coo_array((weight, self._pairs.T), shape).tocsr())
        made = (self.units + 1 - tree.data).astype(int)
        return 1 + np.cumsum(np.bincount(made, minlength=self.units + 1))

    def labels(self, stage: int) -> np.ndarray:
        """(cells,) number of the stage's cell that holds each final cell."""
        from scipy.sparse.csgraph import connected_components

        joined = self._pairs[self._unit > stage]
        graph = coo_array((np.ones(len(joined)), joined.T), (self.cells, self.cells))
        return connected_components(graph, directed=False)[1]
