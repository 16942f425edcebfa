"""The finished cell complex, and the verb that makes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..audit import asked
from ..domain.domains import Domain
from ..domain.restrict import Restricted, restrict
from ..errors import LinregionsError
from ..network.affine import INPUT, ONE
from ..network.composing import nearest_map
from ..network.network import Network
from ..network.units import MaxUnits
from ..readers import load
from ..watching import watchful
from . import audit, geometry
from .bits import unpack
from .certain import undecided
from .engine import Refined, Refinement
from .lattice import Faces
from .maps import distinct, output_forms
from .program import SPARSE, TEST, WALL, WIDE

if TYPE_CHECKING:
    from ..exact.region import Region
    from .levels import LevelSet

KEEP = 1 << 26  # bytes of maps that are kept once all have been asked for
CHUNK = 1 << 21  # entries of forms that are held at once while maps are composed


class CellComplex:
    """All faces of the partition of a low-dimensional domain into activation cells.

    For a domain of dimension k (1 to 4) the complex holds faces of dimension 0 to k. Each is
    convex, and a face of dimension d lists its facets, faces of dimension d - 1. Numbers of
    faces, adjacency and patterns are exact; coordinates are floats, off by at most
    ``vertex_error``.

    Attributes
    ----------
    dimension, cells
        k, and the number of cells of dimension k: the activation regions.
    problem
        The network on R^k and the domain, as `restrict` gave them. Of a large convolutional
        network on a slice it holds the units that may switch there: rows, units, layers and
        patterns are theirs (``problem.reduced.numbers``, `whole_patterns`: of the whole network).
    points
        (V, k) vertices in domain coordinates; `embed` takes them to input coordinates.
    vertex_error
        (V,) how far, in the largest coordinate, a vertex may be from the exact one.
    face_counts
        Numbers of faces of dimension 0, ..., k.
    facet_row
        (F,) which row made each face of dimension k - 1: a breakpoint, numbered through the network
        (for ReLU: the unit), or -1 - i for inequality i of the domain. A max unit has a row for
        each pair of arguments (`MaxUnits.row_weights`). Where several units bend on a face, it is
        a row of the first.
    exact, in_doubt
        Whether all decisions are proved; how many cells (of a large network: vertices) are not
        decided (0 when exact).
    seconds, stats
        Time of the work; how many cells needed rational arithmetic, and how many signs.

    Examples
    --------
    >>> import linregions as lr
    >>> net = [([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])]
    >>> cells = lr.subdivide(net, lr.Box(-1, 1))
    >>> cells.cells, cells.face_counts, cells.volumes.tolist()
    (4, (9, 12, 4), [1.0, 1.0, 1.0, 1.0])
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
        self._exact: Any = None
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

    def region(self, cell: int) -> Region:
        """One cell as a `Region`, with facets, neighbours and maps in input coordinates."""
        from ..exact.forms import Exact
        from ..exact.region import Region
        from ..search.program import Compiled

        (i,) = self._chosen(cell)
        if self._exact is None:
            self._exact = Exact(Compiled(self.problem))
        return Region(self.problem, self._exact, self.signs([i])[0], self.interior_points[i])

    # -- linear regions -----------------------------------------------------------------

    @cached_property
    def affine(self) -> np.ndarray:
        """(cells,) a number for each distinct affine map (equality decided in rationals)."""
        label = distinct(self._plan, self._forms, self._refined, self._engine)
        if asked():
            audit.maps(self._forms, self._refined, label)
        return label

    @cached_property
    def linear(self) -> np.ndarray:
        """(cells,) a number for each linear region: cells of one map, joined through facets."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        a, b = self.facet_cells[self.facet_cells[:, 1] >= 0].T
        same = self.affine[a] == self.affine[b]
        ones = np.ones(int(same.sum()), np.int8)
        graph = coo_array((ones, (a[same], b[same])), shape=(self.cells, self.cells))
        return connected_components(graph, directed=False)[1].astype(np.int64)

    def count(self, kind: str = "activation") -> int:
        """Number of regions: ``activation``, ``linear`` or ``affine``."""
        if kind == "activation":
            return self.cells
        if kind in ("linear", "affine"):
            return int(getattr(self, kind).max(initial=-1)) + 1
        raise LinregionsError(f"unknown kind {kind!r}; give activation, linear or affine")

    # -- derived ------------------------------------------------------------------------

    def level_set(self) -> LevelSet:
        """Where the sign of a single output, or the set of the largest ones of several, changes."""
        from .levels import level_set

        return level_set(self)

    def layers(self) -> list[CellComplex]:
        """The partitions after one layer, after two, ...; the last is this one."""
        net = self.problem.network
        last = len(net.layers)
        out = [complex_of(replace(self.problem, network=net.upto(n + 1))) for n in range(1, last)]
        return [*out, self]

    def plot(self, **options: Any) -> Any:
        """A figure of the complex: `linregions.draw.draw` with this complex."""
        from ..draw import draw

        return draw(self, **options)

    def __repr__(self) -> str:
        return (
            f"CellComplex({self.cells:,} cells of dimension {self.dimension}, faces "
            f"{self.face_counts})"
        )


def _list(faces: Faces, d: int) -> tuple[np.ndarray | None, np.ndarray]:
    """Facets of the d-faces, numbered within their dimension; edges need no ``ptr``."""
    low, high = faces.ptr[faces.at[d]], faces.ptr[faces.at[d + 1]]
    idx = faces.idx[low:high]
    idx -= np.int32(faces.at[d - 1])
    if d == 1:
        return None, idx
    ptr = faces.ptr[faces.at[d] : faces.at[d + 1] + 1] - low
    return ptr.astype(np.int32 if len(idx) < 2**31 else np.int64), idx


def compose(network: Network, patterns: np.ndarray) -> np.ndarray:
    """The network's affine maps on many patterns, (n, outputs, inputs + 1), in float64."""
    n, k = len(patterns), network.inputs
    # (entries, n, k + 1): one large matrix product per layer, with the cells in the columns
    values = {INPUT: np.repeat(np.eye(k, k + 1)[:, None, :], n, axis=1)}
    at = 0

    def apply(affine: Any) -> np.ndarray:
        out = np.zeros((affine.size, n, k + 1))
        out[:, :, k] = affine.rounded(ONE, 1)[0]
        for source in affine.sources:
            matrix = affine.rounded(source, network.size_of(source))[0]
            out += (matrix @ values[source].reshape(len(values[source]), -1)).reshape(out.shape)
        return out

    for i, layer in enumerate(network.layers, start=1):
        units = layer.units
        mine = patterns[:, at : at + layer.size].T.astype(np.int64)
        at += layer.size
        if isinstance(units, MaxUnits):
            z, first = apply(layer.affine), np.cumsum([0, *map(len, units.groups)])[:-1]
            flat = np.array([a for g in units.groups for a in g], np.int64)
            values[i] = np.take_along_axis(z, flat[first[:, None] + mine][:, :, None], axis=0)
            continue
        first = np.cumsum([0, *(len(a.slopes) for a in units.kinds)])[list(units.which)][:, None]
        slopes = np.array([float(s) for a in units.kinds for s in a.slopes])
        shifts = np.array([float(c) for a in units.kinds for c in a.intercepts])
        z = apply(layer.affine) * slopes[first + mine][:, :, None]
        z[:, :, k] += shifts[first + mine]
        values[i] = z
    return apply(network.output).transpose(1, 0, 2)


def complex_of(
    problem: Restricted, progress: Callable[[int, float], None] | None = None
) -> CellComplex:
    """The complex of a restricted network; see `subdivide`."""
    engine = Refinement(problem)
    refined = engine.run(progress=progress)
    if not refined.complete:
        raise KeyboardInterrupt
    return CellComplex(problem, engine, refined)


@watchful
def subdivide(
    network: Any,
    domain: Domain,
    *,
    seconds: float | None = None,
    progress: Callable[[Any], None] | None = None,
    shape: Sequence[int] | None = None,
) -> CellComplex:
    """The whole cell complex of a network over a bounded domain of dimension 1 to 4.

    Vertices, edges, ..., cells, adjacency, patterns, affine maps, volumes. All signs are decided
    exactly (floats with error bounds, else rational arithmetic), so that ties (duplicated units,
    hyperplanes through one point, units that vanish on a whole cell) need no tolerance.

    Parameters
    ----------
    network
        A `Network`, or anything that `load` takes.
    domain
        Bounded, of dimension 1 to 4: a `Box`, `Polytope`, `Plane`, `Segment` or `Slice`.
    seconds
        Give up after so much time: a part of a complex is none.
    progress
        Called with a `Status` after each layer.
    shape
        Shape of one input without the batch dimension, for a module that does not say it; see
        `load`.

    Raises
    ------
    LinregionsError
        For an unbounded domain, more than four dimensions, a bad network, and where time ended.
    Interrupted
        After Ctrl-C, within a second.

    Examples
    --------
    >>> import linregions as lr
    >>> tent = [([[1.0], [1.0], [1.0]], [0.0, -1.0, -2.0]), ([[1.0, -2.0, 1.0]], [0.0])]
    >>> lr.subdivide(tent, lr.Box(-1, 3)).volumes.tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    from ..progress import Status
    from .compiling import compile_complex

    if not isinstance(domain, Domain):
        raise LinregionsError(
            f"{domain!r} is no domain; give Box(lo, hi), Plane.through(a, b, c), ..."
        )
    net = load(network, shape=shape)
    problem = restrict(net, domain, switching=True)
    compile_complex(net)
    start = time.perf_counter()

    def report(cells: int, _: float) -> None:
        if progress is not None:
            progress(Status(cells, time.perf_counter() - start, "subdivide"))

    return complex_of(problem, report)
