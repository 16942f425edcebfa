"""The pattern at one point in rational arithmetic, or the finding that the point has none."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from ..network.affine import INPUT, ONE, Affine
from ..network.network import Network
from ..network.units import Pointwise

GRID = 1 << 62


class Exactly:
    """Patterns of the cells that hold given points.

    A value that sits on a breakpoint is either there all around the point, and then on the lower
    piece, or only at the point, which then lies on a boundary. The derivative along one random
    direction tells: it vanishes by chance with probability below 2^-60.
    """

    def __init__(self, network: Network, seed: int = 0) -> None:
        self.network = network
        rng = np.random.default_rng(seed)
        self.direction = np.empty(network.inputs, dtype=object)
        self.direction[:] = [Fraction(int(v)) for v in rng.integers(1, GRID, network.inputs)]
        self.linear = [
            Affine(m.affine.size, tuple(t for t in m.affine.terms if t.source != ONE))
            for m in network.layers
        ]

    def __call__(self, point: Sequence[float | Fraction]) -> list[int] | None:
        """Pieces of all units in the cell around the point; None where it is on a boundary."""
        x = np.empty(self.network.inputs, dtype=object)
        x[:] = [Fraction(v) for v in point]
        values, rates = {INPUT: x}, {INPUT: self.direction}
        out: list[int] = []
        for i, layer in enumerate(self.network.layers, start=1):
            z, dz = layer.affine.at(values), self.linear[i - 1].at(rates)
            units = layer.units
            values[i], mine = units.at(z)
            if isinstance(units, Pointwise):
                kinds = [units.kinds[w] for w in units.which]
                for kind, v, rate in zip(kinds, z, dz, strict=True):
                    if rate and any(v == Fraction(t) for t in kind.breaks):
                        return None
                slopes = [Fraction(k.slopes[p]) for k, p in zip(kinds, mine, strict=True)]
                rate = np.array(slopes, dtype=object) * dz if slopes else dz
            else:
                rate = np.empty(units.size, dtype=object)
                for u, (group, p) in enumerate(zip(units.groups, mine, strict=True)):
                    rate[u] = dz[group[p]]
                    if any(z[j] == z[group[p]] and dz[j] != rate[u] for j in group):
                        return None
            rates[i] = rate
            out += mine
        return out
