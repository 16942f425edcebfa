"""Whether a unit matters to the output: the derivatives of the outputs by the units."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..network.affine import INPUT
from ..network.network import Network
from ..network.units import MaxUnits
from .gradients import members

LEAST = 2.0**-960  # what products below the range of floats may lose is far smaller


def matters(network: Network, pieces: np.ndarray, rounding: float) -> np.ndarray:
    """(points, units) whether some output surely changes with a unit, on given pieces.

    Where it does, and no other unit switches at the same place, the affine map differs on both
    sides of the unit's boundary: its gradient changes by the unit's change of slope times this
    derivative times the gradient of the pre-activation. "Surely": beyond rounding.
    """
    layers, points = network.layers, len(pieces)
    pull = [np.zeros((points, network.outputs, m.size)) for m in layers]
    size = [np.zeros((points, network.outputs, m.size)) for m in layers]
    ends = np.cumsum([0, *(m.size for m in layers)])
    for number in range(len(layers), -1, -1):
        if number == len(layers):
            affine = network.output
            z = np.broadcast_to(np.eye(affine.size), (points, affine.size, affine.size))
            s = z
        else:
            affine, units = layers[number].affine, layers[number].units
            mine = pieces[:, ends[number] : ends[number + 1]]
            z, s = (_behind(units, mine, v) for v in (pull[number], size[number]))
        for source in affine.sources:
            if source != INPUT:
                W = affine.rounded(source, network.size_of(source))[0]
                pull[source - 1] += z @ W
                size[source - 1] += abs(s) @ abs(W)
    if not layers:
        return np.zeros((points, 0), bool)
    pulls, sizes = np.concatenate(pull, axis=2), np.concatenate(size, axis=2)
    return np.any((abs(pulls) > rounding * sizes + LEAST) & np.isfinite(sizes), axis=1)


def _behind(units: Any, pieces: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """Derivatives by the pre-activations from those by the units."""
    if not isinstance(units, MaxUnits):
        which = np.asarray(units.which, np.int64)
        slope = np.empty(pieces.shape)
        for k, kind in enumerate(units.kinds):
            mine = which == k
            slope[:, mine] = np.array([float(s) for s in kind.slopes])[pieces[:, mine]]
        return pull * slope[:, None, :]
    best = members(units)[np.arange(units.size), pieces]
    out = np.zeros((*pull.shape[:2], units.fan_in))
    for p in range(len(pieces)):  # two groups may share a winner
        for unit, argument in enumerate(best[p]):
            out[p, :, argument] += pull[p, :, unit]
    return out
