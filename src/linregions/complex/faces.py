"""The faces of a partition of a low-dimensional domain, and what floats say of them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from ..domain.restrict import Restricted
from ..errors import LinregionsError
from ..network.composing import compose, nearest_map
from ..network.network import Network
from . import geometry
from .bits import unpack
from .certain import undecided
from .engine import Refinement
from .lattice import Faces
from .maps import output_forms
from .program import SPARSE, TEST, WALL, WIDE
from .refined import Refined

KEEP = 1 << 26  # bytes of maps that are kept once all have been asked for
CHUNK = 1 << 21  # entries of forms that are held at once while maps are composed


class CellFaces:
    """The faces of a partition into cells: how they hang together, where they lie, their signs.

    `CellComplex` has more, and says what the attributes are.
    """

    def __init__(self, problem: Restricted, engine: Refinement, refined: Refined) -> None:
        assert refined.faces is not None
        self.problem = problem
        self.dimension = problem.dimension
        self.cells = refined.cells
        self.exact = True
        self.in_doubt = 0
        self.complete = refined.complete
        self.seconds = refined.seconds
        self.stats = dict(refined.stats)
        self._plan, self._forms, self._engine = engine.plan, engine.forms, engine.kernel_data()
        self._refined = refined.without_faces()
        faces = refined.faces
        self._at = faces.at
        self._lists = [_list(faces, d) for d in range(1, self.dimension + 1)]
        self.facet_row = faces.own
        self.points = faces.x
        with np.errstate(over="ignore", under="ignore"):
            self.points *= engine.plan.unit  # powers of two: exact, and no copy
        error = faces.r * float(np.max(engine.plan.unit, initial=1.0))
        with np.errstate(over="ignore", under="ignore"):
            self.vertex_error = np.nextafter(error.astype(np.float32), np.float32(np.inf))
        self.vertex_error[error == 0.0] = 0.0
        self._maps: tuple[np.ndarray, np.ndarray] | None = None
        if self.euler != 1:
            raise ArithmeticError(
                f"the faces {self.face_counts} have Euler characteristic {self.euler}, not 1; "
                "report this network"
            )
        if problem.reduced is not None:
            self.in_doubt = self.stats["undecided"] = len(undecided(self))
            self.exact = self.in_doubt == 0

    # -- faces --------------------------------------------------------------------------

    @property
    def network(self) -> Network:
        """The network as it was given."""
        return self.problem.source

    @property
    def face_counts(self) -> tuple[int, ...]:
        """Numbers of faces of dimension 0, ..., k."""
        return tuple(int(n) for n in np.diff(self._at))

    @property
    def euler(self) -> int:
        """``sum (-1)^d f_d``: 1 for a convex domain."""
        return sum(n if d % 2 == 0 else -n for d, n in enumerate(self.face_counts))

    def faces(self, d: int) -> tuple[np.ndarray, np.ndarray]:
        """Facets of the faces of dimension d: ``idx[ptr[i]:ptr[i + 1]]`` are those of face i."""
        if not 1 <= d <= self.dimension:
            raise LinregionsError(f"faces({d}) of a complex of dimension {self.dimension}")
        ptr, idx = self._lists[d - 1]
        if ptr is None:
            ptr = np.arange(0, len(idx) + 1, 2, dtype=np.int32)
        return ptr, idx

    @property
    def lattice(self) -> Faces:
        """Faces of dimension k, their facets and the rows behind those, for exact corners."""
        k, at = self.dimension, self._at
        ptr = np.zeros(int(at[-1]) + 1, np.int64)
        lists = []
        for d in range(1, k + 1):
            mine, idx = self.faces(d)
            ptr[at[d] : at[d + 1] + 1] = ptr[at[d]] + mine
            lists.append(idx + np.int32(at[d - 1]))
        none = np.zeros(0)
        return Faces(k, at, ptr, np.concatenate(lists), self.facet_row, none, none, none, none)

    @cached_property
    def edges(self) -> np.ndarray:
        """(E, 2) vertices of each edge."""
        return self.faces(1)[1].reshape(-1, 2)

    @cached_property
    def facet_layer(self) -> np.ndarray:
        """(F,) layer, from 1, of the unit that made each facet; 0 for the domain."""
        ends = self._plan.table[1:, WALL]
        layer = np.searchsorted(ends, self.facet_row, side="right") + 1
        return np.where(self.facet_row < 0, 0, layer).astype(np.int32)

    @cached_property
    def facet_unit(self) -> np.ndarray:
        """(F,) unit that made each facet, numbered from 1 through the network; 0 for the domain."""
        layers = self._plan.layers
        inside = self.facet_row >= 0
        wall = self.facet_row[inside]
        value = np.empty(len(wall), np.int64)
        test = layers.wall_test[wall]
        pairs = layers.wall_b[wall] >= 0
        n = np.searchsorted(self._plan.table[:, TEST], test, side="right") - 1
        before = np.cumsum([0, *self.problem.network.widths])[n]
        value[pairs] = (before + test - self._plan.table[n, TEST])[pairs]
        pre = layers.wall_a[wall] - self._plan.table[n, 0]
        value[~pairs] = (before + pre)[~pairs]
        out = np.zeros(len(self.facet_row), np.int64)
        out[inside] = value + 1
        return out

    @cached_property
    def facet_cells(self) -> np.ndarray:
        """(F, 2) the cells on both sides of each facet; -1 beyond the domain."""
        ptr, idx = self.faces(self.dimension)
        out = np.empty((len(self.facet_row), 2), np.int32)
        geometry.sides(len(out), ptr, idx, out)
        return out

    def polygons(self) -> tuple[np.ndarray, np.ndarray]:
        """k = 2: the vertices of each cell, counter-clockwise, as ``(ptr, vertices)``."""
        if self.dimension != 2:
            raise LinregionsError(
                f"polygons() of a complex of dimension {self.dimension}; it is for the plane, and "
                "face_polygons() gives the 2-faces of a solid"
            )
        ptr, out = self.face_polygons()
        geometry.orient(ptr, out, self.points)
        return ptr, out

    def face_polygons(self) -> tuple[np.ndarray, np.ndarray]:
        """The vertices of each 2-face in order around it, as ``(ptr, vertices)``."""
        ptr, idx = self.faces(2)
        out = np.empty(len(idx), np.int32)
        geometry.trace(ptr, idx, self.edges, out)
        return ptr, out

    # -- measures -----------------------------------------------------------------------

    @cached_property
    def _measures(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        k = self.dimension
        empty = np.zeros(0, np.int32)
        lists = [(empty, empty), *(self.faces(d) for d in range(1, k + 1))]
        return geometry.measures(k, lists, self.points)

    def face_volumes(self, d: int) -> np.ndarray:
        """d-volume of each face of dimension d: 1 for vertices, lengths of edges, and so on."""
        if not 0 <= d <= self.dimension:
            raise LinregionsError(f"face_volumes({d}) of a complex of dimension {self.dimension}")
        return self._measures[0][d]

    @property
    def volumes(self) -> np.ndarray:
        """(cells,) length, area or volume of each cell, in domain coordinates."""
        return self._measures[0][-1]

    @property
    def facet_volumes(self) -> np.ndarray:
        """(F,) (k - 1)-volume of each facet: 1 for points, lengths for edges, areas."""
        return self._measures[0][-2]

    @property
    def interior_points(self) -> np.ndarray:
        """(cells, k) a point inside each cell, in domain coordinates."""
        return self._measures[1][-1]

    @cached_property
    def surfaces(self) -> np.ndarray:
        """(cells,) perimeter or surface of each cell."""
        ptr, idx = self.faces(self.dimension)
        owner = np.repeat(np.arange(self.cells), np.diff(ptr))
        return np.bincount(owner, self.facet_volumes[idx], self.cells)

    @property
    def boundary_volume(self) -> float:
        """Total (k - 1)-volume of the facets inside the domain (Hanin and Rolnick 2019)."""
        return float(self.facet_volumes[self.facet_row >= 0].sum())

    # -- patterns and maps --------------------------------------------------------------

    def _chosen(self, cells: Any) -> np.ndarray:
        if cells is None:
            return np.arange(self.cells)
        chosen = np.atleast_1d(np.asarray(cells))
        if chosen.dtype == bool:
            chosen = np.flatnonzero(chosen)
        if chosen.size and (chosen.min() < -self.cells or chosen.max() >= self.cells):
            raise LinregionsError(f"cell {int(chosen.max())} of a complex of {self.cells} cells")
        return chosen

    def _bits(self, cells: np.ndarray) -> np.ndarray:
        """Patterns as they are stored, (n, bits)."""
        return self._refined.bits_of(cells)

    def signs(self, cells: Any = None) -> np.ndarray:
        """(n, rows) int8 signs of all rows.

        Of a breakpoint: +1 above, -1 at or below. Of arguments i < j of a max unit: +1 where j
        wins, else -1.
        """
        return self._plan.signs(self._bits(self._chosen(cells)))

    def patterns(self, cells: Any = None) -> np.ndarray:
        """(n, units) pieces of all units: for ReLU 1 where it is active, for max units the winner.

        uint8; uint16 where a unit has more than 256 pieces.
        """
        return self._plan.pieces(self._bits(self._chosen(cells)))

    def whole_patterns(self, cells: Any = None) -> np.ndarray:
        """(n, units) `patterns` of all units of the network as it was given."""
        mine = self.patterns(cells)
        return mine if self.problem.reduced is None else self.problem.reduced.whole(mine)

    def last_pieces(self, units: int = 1) -> np.ndarray:
        """(cells, units) pieces of the last units, of one layer and kind.

        Each must have one breakpoint, or be a max unit of as many arguments as the others.
        """
        last, wide = self._refined, max(1, int(self._plan.table[-3, WIDE]))
        bits = unpack(last.bits)[:, last.count - wide * units : last.count]
        return bits.reshape(-1, units, wide).astype(np.int64) @ (1 << np.arange(wide))

    def affine_maps(self, cells: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Affine maps in domain coordinates: ``W`` (n, outputs, k) and ``b`` (n, outputs)."""
        if cells is None and self._maps is not None:
            return self._maps
        chosen, net, k = self._chosen(cells), self.problem.network, self.dimension
        if self._plan.network is not net:  # scaled, and small weights are not in its floats
            maps = [nearest_map(net, p) for p in self.patterns(chosen)]
            out = np.array(maps).reshape(len(chosen), net.outputs, k + 1)
            return out[:, :, :k], out[:, :, k]
        if self._plan.table[:, SPARSE].any():
            forms = output_forms(self._plan, self._refined, self._engine, chosen)
            forms[:, :, :k] /= self._plan.unit
            return forms[:, :, :k], forms[:, :, k]
        W = np.empty((len(chosen), net.outputs, k))
        b = np.empty((len(chosen), net.outputs))
        widest = max([k, net.outputs, *net.widths])
        step = max(1, CHUNK // (widest * (k + 1)))
        for at in range(0, len(chosen), step):
            out = compose(net, self.patterns(chosen[at : at + step]))
            W[at : at + step], b[at : at + step] = out[:, :, :k], out[:, :, k]
        if cells is None and W.nbytes < KEEP:
            W.flags.writeable = b.flags.writeable = False
            self._maps = W, b
        return W, b

    def embed(self, y: np.ndarray) -> np.ndarray:
        """Input coordinates of points in domain coordinates, (..., k) to (..., n)."""
        return self.problem.embed(np.asarray(y))

    @cached_property
    def outputs(self) -> np.ndarray:
        """(V, outputs) the network at the vertices."""
        return self.problem.network.evaluate(self.points)


def _list(faces: Faces, d: int) -> tuple[np.ndarray | None, np.ndarray]:
    """Facets of the d-faces, numbered within their dimension; edges need no ``ptr``."""
    low, high = faces.ptr[faces.at[d]], faces.ptr[faces.at[d + 1]]
    idx = faces.idx[low:high]
    idx -= np.int32(faces.at[d - 1])
    if d == 1:
        return None, idx
    ptr = faces.ptr[faces.at[d] : faces.at[d + 1] + 1] - low
    return ptr.astype(np.int32 if len(idx) < 2**31 else np.int64), idx
