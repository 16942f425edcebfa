"""Compile the kernels of the complex once."""

from __future__ import annotations

import numpy as np

from ..domain.domains import Box
from ..domain.restrict import restrict
from ..network.affine import Affine
from ..network.network import Layer, Network
from ..network.units import RELU, MaxUnits, Pointwise

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
    from ..progress import announced
    from .cells import complex_of

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
