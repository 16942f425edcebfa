"""Decision boundaries and level sets, exactly, as facets of a finer complex.

On a cell on which no two outputs cross, let S be the set of its largest outputs: one, or several
where they are equal on the whole cell. A single output f counts as two, 0 and f, so S says whether
f is negative, positive or zero. The boundary is made of the facets across which S changes. So
a plateau on which f is zero is bounded on either side, whatever the sign there: f and -f have one
level set, and no order of the outputs changes the boundary.

The outputs become one more layer, whose units put these facets into the cells: for one output
rectifiers of f and -f, for several their maximum, once with ties to the first and once to the last.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..network.affine import Affine
from ..network.network import Layer, Network
from ..network.units import RELU, MaxUnits, Pointwise
from .faces import CellFaces


@dataclass(frozen=True, eq=False)
class LevelSet:
    """Where the sign (-1, 0, 1) of one output, or the set of the largest of several, changes.

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
        (m, 2) the largest output on both sides; for one output 0 where it is negative and 1 where
        it is positive. On a plateau, where several are largest (or the output is zero), the first
        of them that is not also largest on the other side, if there is one.
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
    """The network with last units that bend where its output does what `LevelSet` says."""
    m, head = network.outputs, network.output
    if m == 1:
        head, units = head.then(np.array([[1.0], [-1.0]])), Pointwise.uniform(RELU, 2)
    else:
        first = tuple(range(m))
        units = MaxUnits((first, first[::-1]), m)
    layers = (*network.layers, Layer(head, units))
    output = Affine.dense(np.zeros((1, 2)), None, len(layers))
    return Network(network.inputs, layers, output, network.notes)


def level_set(fine: CellFaces, outputs: int) -> LevelSet:
    """See `CellComplex.level_set`; ``fine`` is the complex of the network `with_outputs`."""
    label, sets = _largest(fine, outputs)
    a, b = fine.facet_cells.T
    chosen = np.flatnonzero((b >= 0) & (label[a] != label[b]))
    ptr, vertices = _pieces(fine, chosen)
    used, pieces = np.unique(vertices, return_inverse=True)
    sides = zip(label[a[chosen]].tolist(), label[b[chosen]].tolist(), strict=True)
    classes = [(_first(sets[i], sets[j]), _first(sets[j], sets[i])) for i, j in sides]
    return LevelSet(
        fine.points[used],
        ptr,
        pieces.astype(np.int32),
        fine._refined.parent[a[chosen]],
        np.array(classes, np.int64).reshape(-1, 2),
        fine.facet_volumes[chosen],
    )


def _largest(fine: CellFaces, outputs: int) -> tuple[np.ndarray, list[frozenset[int]]]:
    """A number for the set of largest outputs of every cell, and these sets."""
    pieces = fine.last_pieces(2)
    if outputs == 1:
        first, last = pieces[:, 0], 1 - pieces[:, 1]
    else:
        first, last = pieces[:, 0], outputs - 1 - pieces[:, 1]
    number = {frozenset([i]): i for i in range(max(outputs, 2))}
    label = first.copy()
    for cell in np.flatnonzero(first != last):  # plateaus: equal forms, in rationals
        which = {int(first[cell]), int(last[cell])}
        if outputs > 2:
            pattern = fine.patterns([cell])[0]
            forms = fine._forms.layer(len(fine.problem.network.layers) - 1, pattern).num.tolist()
            which = {j for j, form in enumerate(forms) if form == forms[first[cell]]}
        label[cell] = number.setdefault(frozenset(which), len(number))
    return label, list(number)


def _first(mine: frozenset[int], other: frozenset[int]) -> int:
    """The first of a set that is not in the other one, if there is one."""
    return min(mine - other or mine)


def _pieces(fine: CellFaces, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of chosen facets, in order."""
    if fine.dimension == 1:
        return np.arange(len(chosen) + 1), chosen
    if fine.dimension == 2:
        return 2 * np.arange(len(chosen) + 1), fine.edges[chosen].ravel()
    ptr, out = fine.face_polygons()
    lists = [out[ptr[f] : ptr[f + 1]] for f in chosen]
    ends = np.cumsum([0, *(len(p) for p in lists)])
    return ends, np.concatenate(lists) if lists else np.zeros(0, np.int32)
