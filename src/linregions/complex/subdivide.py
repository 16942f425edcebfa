"""`subdivide`: all faces of the partition of a low-dimensional domain, and its kernels compiled."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..domain.domains import Box, Domain
from ..domain.restrict import restrict
from ..errors import LinregionsError
from ..network.affine import Affine
from ..network.network import Layer, Network
from ..network.units import RELU, MaxUnits, Pointwise
from ..progress import Status, announced
from ..readers import load
from ..watching import watchful
from .cells import CellComplex, complex_of


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


_compiled: set[bool] = set()


def compile_complex(network: Network | None = None) -> float:
    """Compile (once per machine, then cached); returns the seconds taken.

    Those for max units only where ``network`` has some.
    """
    took = _compile(False)

    if network is not None and network.has_max:
        took += _compile(True)
    return took


def _compile(largest: bool) -> float:
    if largest in _compiled:
        return 0.0
    first = Affine.dense(np.eye(2), None, 0)
    units = MaxUnits(((0, 1),), 2) if largest else Pointwise.uniform(RELU, 2)
    second = Affine.dense(np.ones((1, units.size)), -np.ones(1), 1)
    layers = Layer(first, units), Layer(second, Pointwise.uniform(RELU, 1))
    tiny = Network(2, layers, Affine.identity(1, 2))
    with announced() as t:
        cells = complex_of(restrict(tiny, Box(-1.0, 1.0)))
        _ = cells.facet_cells, cells.polygons()
    _compiled.add(largest)
    return t()
