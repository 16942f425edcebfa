"""A small network as flat arrays for the kernel, with bounds of its rounding errors.

Values are numbered: first the inputs, then the units in layer order. The bound of the error of a
value holds for every point with ``max |x_i| <= m`` and has the form ``alpha + beta m``, found by
walking once through the network with absolute values; the kernel compares pre-activations
with it, so that signs outside the bound are those of exact arithmetic.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from ..network.affine import INPUT, ONE
from ..network.network import Network
from ..network.units import Activation, Pointwise
from ..roundoff import ROUNDOFF
from .layout import Layout

EDGES = 1 << 14  # weights beyond which matrix products of many points at once are faster
BITS = 128


class SamplingProgram(NamedTuple):
    """Arrays of the kernel.

    ``ptr`` (units + 1), ``source``, ``weight``, ``loose`` (edges): rows and their error bounds;
    ``unit`` (units, 4): bias, its error bound, slope left of all breakpoints, constant there;
    ``cut`` (units + 1): the breakpoints of each unit; ``breaks`` (breakpoints, 5): where the
    bit changes, where the slope does, by how much, and alpha, beta of the bound; ``used``
    (units): whether a later unit reads it; ``outer`` (units): whether it reads an input.
    """

    ptr: np.ndarray
    source: np.ndarray
    weight: np.ndarray
    loose: np.ndarray
    unit: np.ndarray
    cut: np.ndarray
    breaks: np.ndarray
    used: np.ndarray
    outer: np.ndarray


def program(network: Network) -> SamplingProgram | None:
    """The arrays of a network, or None where the kernel is not for it."""
    if not all(isinstance(m.units, Pointwise) for m in network.layers):
        return None
    if Layout.of(network).bits > BITS:
        return None
    writer = _Writer(network)
    for number in range(1, len(network.layers) + 1):
        if not writer.layer(number):
            return None
    return writer.finish()


class _Writer:
    """The walk through a network: rows so far, and bounds of sizes and errors of all values."""

    def __init__(self, network: Network) -> None:
        self.network, k = network, network.inputs
        self.first = {INPUT: 0}
        # columns: a constant and a multiple of m
        self.size, self.error = [(0.0, 1.0)] * k, [(0.0, 0.0)] * k
        self.ptr, self.cut = [0], [0]
        self.source: list[int] = []
        self.weight: list[float] = []
        self.loose: list[float] = []
        self.unit: list[tuple[float, float, float, float]] = []
        self.breaks: list[tuple[float, float, float, float, float]] = []
        self.outer: list[bool] = []

    def layer(self, number: int) -> bool:
        """Append the rows of a layer; False where there are too many weights."""
        affine = self.network.layers[number - 1].affine
        units = self.network.layers[number - 1].units
        assert isinstance(units, Pointwise)
        self.first[number] = len(self.size)
        maps = [(s, *affine.rounded(s, self.network.size_of(s))) for s in affine.sources]
        if len(self.source) + sum(int(np.count_nonzero(m[1])) for m in maps) > EDGES:
            return False
        bias, off = affine.rounded(ONE, 1)
        rows = []
        for i, which in enumerate(units.which):
            edges = []
            for source, W, loose in maps:
                wrong = np.zeros(W.shape[1]) if loose is None else loose[i]
                hit = np.flatnonzero((W[i] != 0) | (wrong != 0))
                edges += [(self.first[source] + j, W[i, j], wrong[j]) for j in hit]
            known = 0.0 if off is None else float(off[i, 0])
            exact = None
            if not edges:
                exact = affine.rows([i]).exact(ONE, 1).to_fractions()[0, 0]
            rows.append((edges, float(bias[i, 0]), known, units.kinds[which], exact))
        for row in rows:  # after the layer was read: its units do not see each other
            self._row(*row)
        return True

    def _row(
        self,
        edges: list[tuple[int, float, float]],
        bias: float,
        known: float,
        kind: Activation,
        exact: Fraction | None,
    ) -> None:
        k = self.network.inputs
        size, error = np.array(self.size), np.array(self.error)
        at = np.array([e[0] for e in edges], np.int64)
        w = np.abs(np.array([e[1] for e in edges]))[:, None]
        wrong = np.array([e[2] for e in edges])[:, None]
        constant = np.array([1.0, 0.0])
        total = abs(bias) * constant + (w * (size[at] + error[at])).sum(axis=0)
        e = known * constant + (wrong * (size[at] + error[at]) + w * error[at]).sum(axis=0)
        e = 1.01 * (e + (len(edges) + 3) * ROUNDOFF * total)
        z = total + e
        slopes, intercept = [float(s) for s in kind.slopes], float(kind.intercepts[0])
        steps = [
            float(Fraction(b) - Fraction(a))
            for a, b in zip(kind.slopes, kind.slopes[1:], strict=False)
        ]
        terms = abs(slopes[0]) * z + abs(intercept) * constant
        for t, step in zip(kind.breaks, steps, strict=True):
            where = float(t)
            if exact is None:
                room = e + 4 * ROUNDOFF * (z + abs(where) * constant)
                self.breaks.append((where, where, step, *room))
            else:  # the same on every point, decided here; no bound to compare with
                side = -np.inf if exact > Fraction(t) else np.inf
                self.breaks.append((side, where, step, -1.0, 0.0))
            terms = terms + abs(step) * (z + abs(where) * constant)
        steepest = max(abs(s) for s in slopes)
        self.error.append(tuple(1.01 * (steepest * e + 8 * (len(steps) + 1) * ROUNDOFF * terms)))
        self.size.append(tuple(1.01 * terms))
        self.source += [e[0] for e in edges]
        self.weight += [e[1] for e in edges]
        self.loose += [e[2] for e in edges]
        self.ptr.append(len(self.source))
        self.cut.append(len(self.breaks))
        self.unit.append((bias, known, slopes[0], intercept))
        self.outer.append(any(e[0] < k for e in edges))

    def finish(self) -> SamplingProgram:
        """The arrays."""
        k, units = self.network.inputs, len(self.unit)
        used = np.zeros(k + units, bool)
        used[self.source] = True
        return SamplingProgram(
            np.array(self.ptr, np.int64),
            np.array(self.source, np.int64),
            np.array(self.weight, np.float64),
            np.array(self.loose, np.float64),
            np.array(self.unit, np.float64).reshape(units, 4),
            np.array(self.cut, np.int64),
            np.array(self.breaks, np.float64).reshape(-1, 5),
            used[k:],
            np.array(self.outer, bool),
        )
