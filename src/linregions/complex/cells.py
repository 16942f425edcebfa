"""`CellComplex`: all faces of the partition of a low-dimensional domain into regions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..audit import asked
from ..domain.restrict import Restricted
from ..errors import LinregionsError
from ..exact.forms import Exact, InUnits
from ..exact.region import Region
from . import audit
from .engine import Refinement
from .faces import CellFaces
from .levels import LevelSet, level_set, with_outputs
from .maps import distinct


class CellComplex(CellFaces):
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

    @cached_property
    def _rational(self) -> Exact:
        return Exact(InUnits.of(self.problem))

    def region(self, cell: int) -> Region:
        """One cell as a `Region`, with facets, neighbours and maps in input coordinates."""
        (i,) = self._chosen(cell)
        return Region(self.problem, self._rational, self.signs([i])[0], self.interior_points[i])

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
        net = self.problem.network
        if self.dimension > 3:
            raise LinregionsError("level sets are drawn out in 1 to 3 dimensions, not in 4")
        return level_set(complex_of(replace(self.problem, network=with_outputs(net))), net.outputs)

    def layers(self) -> list[CellComplex]:
        """The partitions after one layer, after two, ...; the last is this one."""
        net = self.problem.network
        last = len(net.layers)
        out = [complex_of(replace(self.problem, network=net.upto(n + 1))) for n in range(1, last)]
        return [*out, self]

    def plot(self, **options: Any) -> Any:
        """A figure of the complex: `linregions.draw.draw` with this complex."""
        # by name: pictures stand above complexes, and are loaded where one is asked for
        return import_module("linregions.draw").draw(self, **options)

    def __repr__(self) -> str:
        return (
            f"CellComplex({self.cells:,} cells of dimension {self.dimension}, faces "
            f"{self.face_counts})"
        )


def complex_of(
    problem: Restricted, progress: Callable[[int, float], None] | None = None
) -> CellComplex:
    """The complex of a restricted network; see `subdivide`."""
    engine = Refinement(problem)
    refined = engine.run(progress=progress)
    if not refined.complete:
        raise KeyboardInterrupt
    return CellComplex(problem, engine, refined)
