"""Compile the kernels of the complex once, with a line about it when it takes long."""

from __future__ import annotations

import numpy as np

_compiled: list[bool] = []


def compile_complex() -> float:
    """Compile (once per machine, then cached); returns the seconds taken."""
    if _compiled:
        return 0.0
    from ..counting import announced
    from ..domain import Box, restrict
    from ..network import Network
    from .cells import complex_of

    _compiled.append(True)
    tiny = Network.from_layers(
        [(np.eye(2), np.zeros(2)), (np.ones((1, 2)), -np.ones(1)), (np.ones((1, 1)), None)]
    )
    with announced("linregions: compiling the kernels of the complex (once per machine) ...") as t:
        cells = complex_of(restrict(tiny, Box(-1.0, 1.0)))
        _ = cells.facet_cells, cells.polygons()
    return t()
