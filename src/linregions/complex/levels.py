"""Decision boundaries and level sets, exactly, as facets of a finer complex.

The outputs become one more layer: for one output f a unit that bends where f is zero, for several
a unit that is their maximum. The boundary is made of the facets that this unit puts into the
cells of the complex, across which its piece, the largest output, changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import LinregionsError
from ..network import Layer, Network
from ..units import RELU, MaxUnits, Pointwise

if TYPE_CHECKING:
    from .cells import CellComplex


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
    """The network with a last unit that bends where its output does what `LevelSet` says."""
    m, head = network.outputs, network.output
    units = Pointwise.uniform(RELU, 1) if m == 1 else MaxUnits((tuple(range(m)),), m)
    layers = (*network.layers, Layer(head, units))
    return Network(network.inputs, layers, network.output, network.notes)


def level_set(complex_: CellComplex) -> LevelSet:
    """See `CellComplex.level_set`."""
    from .cells import complex_of

    net, k = complex_.problem.network, complex_.dimension
    if k > 3:
        raise LinregionsError("level sets are drawn out in 1 to 3 dimensions, not in 4")
    fine = complex_of(replace(complex_.problem, network=with_outputs(net)))
    winner = fine.last_pieces()
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
