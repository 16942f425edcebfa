"""Decision boundaries and level sets, exactly, as facets of a finer complex.

The outputs become one more layer: for one output f the row f itself, for several the
differences ``f_i - f_j`` of all pairs. On a cell of the complex refined by these rows the largest
output is the same everywhere (read off the exact signs of the rows), and the boundary is made of
the facets across which it changes. Ties among losers refine cells too, but no such facet is
reported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from ..errors import LinregionsError
from ..network import Layer, Network
from ..units import RELU, Pointwise

if TYPE_CHECKING:
    from .cells import CellComplex

CLASSES = 40  # outputs for which all pairs are still compared


@dataclass(frozen=True, eq=False)
class LevelSet:
    """Where one output changes sign, or where the largest of several outputs changes.

    Attributes
    ----------
    vertices
        (n, k) in domain coordinates.
    ptr, pieces
        Piece i has the vertices ``pieces[ptr[i]:ptr[i + 1]]``: two in the plane (a segment), a
        polygon in order in three dimensions, one point on a line.
    cell
        (m,) a cell of the complex that holds the piece.
    classes
        (m, 2) the largest output on both sides; for one output 0 where it is negative or zero
        and 1 where it is positive.
    sizes
        (m,) length or area of each piece (1 for points).
    """

    vertices: np.ndarray
    ptr: np.ndarray
    pieces: np.ndarray
    cell: np.ndarray
    classes: np.ndarray
    sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.cell)

    @property
    def measure(self) -> float:
        """Total length or area."""
        return float(self.sizes.sum())

    @property
    def segments(self) -> np.ndarray:
        """(m, 2, k) end points, in the plane."""
        return self.vertices[self.pieces.reshape(-1, 2)]


def with_outputs(network: Network) -> Network:
    """The network with a last layer whose rows are the output, or all differences of outputs."""
    m = network.outputs
    if m > CLASSES:
        raise LinregionsError(
            f"a level set compares all pairs of outputs, and this network has {m}; reduce it to "
            f"the {CLASSES} or fewer classes that matter"
        )
    head = network.output
    if m > 1:
        pairs = list(combinations(range(m), 2))
        matrix = np.zeros((len(pairs), m))
        for row, (i, j) in enumerate(pairs):
            matrix[row, i], matrix[row, j] = 1.0, -1.0
        head = head.then(matrix)
    layer = Layer(head, Pointwise.uniform(RELU, head.size))
    return Network(network.inputs, (*network.layers, layer), network.output, network.notes)


def level_set(complex_: CellComplex) -> LevelSet:
    """See `CellComplex.level_set`."""
    from .cells import complex_of

    net, k = complex_.problem.network, complex_.dimension
    if k > 3:
        raise LinregionsError("level sets are drawn out in 1 to 3 dimensions, not in 4")
    fine = complex_of(replace(complex_.problem, network=with_outputs(net)))
    head = fine.signs()[:, complex_._compiled.cuts :] > 0
    winner = _winner(head, net.outputs)
    a, b = fine.facet_cells.T
    chosen = np.flatnonzero((b >= 0) & (winner[a] != winner[b]))
    ptr, vertices = _pieces(fine, chosen)
    used, pieces = np.unique(vertices, return_inverse=True)
    return LevelSet(
        fine.points[used],
        ptr,
        pieces.astype(np.int32),
        fine._refined.parent[a[chosen]],
        np.stack([winner[a[chosen]], winner[b[chosen]]], axis=1),
        fine.facet_volumes[chosen],
    )


def _winner(head: np.ndarray, outputs: int) -> np.ndarray:
    """The largest output of each cell from the signs of all differences (ties: the later)."""
    if outputs == 1:
        return head[:, 0].astype(np.int64)
    wins = np.zeros((len(head), outputs), np.int64)
    for row, (i, j) in enumerate(combinations(range(outputs), 2)):
        wins[:, i] += head[:, row]
        wins[:, j] += ~head[:, row]
    return wins.argmax(axis=1)


def _pieces(fine: CellComplex, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of chosen facets, in order."""
    if fine.dimension == 1:
        return np.arange(len(chosen) + 1), chosen
    if fine.dimension == 2:
        return 2 * np.arange(len(chosen) + 1), fine.edges[chosen].ravel()
    ptr, out = fine.face_polygons()
    lists = [out[ptr[f] : ptr[f + 1]] for f in chosen]
    ends = np.cumsum([0, *(len(p) for p in lists)])
    return ends, np.concatenate(lists) if lists else np.zeros(0, np.int32)
