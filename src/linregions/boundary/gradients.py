"""Pre-activations and their gradients at many points, in coordinates that keep lengths.

The gradients of all units lie in the span of the rows that read the input. Where these are
fewer than the inputs, an orthonormal basis Q of that span (QR of the rows) shortens every
gradient to as many numbers, with the same Euclidean norm; ``expand`` gives the full one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..network.affine import INPUT, ONE
from ..network.network import Network
from ..network.units import MaxUnits, Pointwise
from ..roundoff import ROUNDOFF
from .steps import lengths_of

SMALLEST = 2.0**-1074
FLOOR = 2.0**-1020  # times `rounding`: more than what products below the range of floats lose
SAFE = -900.0  # binary exponent above which no product of weights falls below that range


@dataclass
class AtLayer:
    """A layer at a batch of points; gradients are (points or 1, r, pre-activations).

    ``z``, ``error`` and ``size`` are (points, pre-activations): values, bounds of their rounding
    errors, and sums of absolute values that bound the gradients' norms; ``pieces`` are (points,
    units).
    """

    number: int
    z: np.ndarray
    error: np.ndarray
    gradient: np.ndarray
    size: np.ndarray
    pieces: np.ndarray


class Gradients:
    """Walks through a network with values and gradients."""

    def __init__(self, network: Network) -> None:
        self.network = network
        maps = [m.affine for m in network.layers] + [network.output]
        n = network.inputs
        rows = [a.rounded(INPUT, n)[0] for a in maps if INPUT in a.sources]
        stacked = np.concatenate(rows) if rows else np.zeros((0, n))
        # (the span alone matters: rows of any size, at most 1)
        stacked = np.ldexp(stacked, -np.frexp(abs(stacked).max(axis=1, initial=0.0))[1][:, None])
        self.basis = np.linalg.qr(stacked.T)[0] if len(stacked) < n else None
        self.rank = n if self.basis is None else self.basis.shape[1]
        #: relative rounding error of a gradient, in terms of its ``size``
        self.rounding = 4.0 * ROUNDOFF * (n + 4 + sum(m.affine.size + 4 for m in network.layers))
        self.weights = [self._weights(a) for a in maps]
        self.tame = sum(_lowest(a, network) for a in maps) + _flattest(network) > SAFE

    def _weights(self, affine: Any) -> dict[str, Any]:
        net, terms, first = self.network, {}, None
        for source in affine.sources:
            W, loose = affine.rounded(source, net.size_of(source))
            size = abs(W) if loose is None else abs(W) + loose
            steps = (W.shape[1] + 4) * ROUNDOFF
            wrong = steps * abs(W) + (W != 0) * SMALLEST + (0.0 if loose is None else loose)
            terms[source] = [np.ascontiguousarray(m.T) for m in (W, size, wrong)]
            if source == INPUT:
                inner = W if self.basis is None else W @ self.basis
                first = np.ascontiguousarray(inner.T)[None], lengths_of(W, 2.0)[None]
        bias, off = affine.rounded(ONE, 1)
        error = 4 * ROUNDOFF * abs(bias) + (0 if off is None else off)
        steps = 8.0 + 4.0 * sum(len(m[0]) for m in terms.values())
        return {
            "terms": terms, "first": first, "bias": bias[:, 0], "error": error[:, 0],
            "steps": steps,
        }  # fmt: skip

    def expand(self, g: np.ndarray) -> np.ndarray:
        """(m, r) gradients in the coordinates of the basis to (m, n)."""
        return g if self.basis is None else g @ self.basis.T

    def shorten(self, d: np.ndarray) -> np.ndarray:
        """(m, n) directions to (m, r)."""
        return d if self.basis is None else d @ self.basis

    def layers(self, x: np.ndarray, pieces: Any = None) -> Iterator[AtLayer]:
        """Every layer, then the output (which has no pieces), at points (points, n).

        ``pieces`` (points, units) forces the units onto these pieces: values and gradients are
        then those of the affine maps that the network has there, extended to x. It may be a
        function that chooses them from the units and the layer.
        """
        values: dict[int, tuple[np.ndarray, ...]] = {INPUT: (x, np.zeros_like(x))}
        at = 0
        for number in range(1, len(self.weights) + 1):
            here = self._affine(number, values)
            if number <= len(self.network.layers):
                units = self.network.layers[number - 1].units
                if pieces is None:
                    here.pieces = units.pieces(here.z)
                elif not isinstance(pieces, np.ndarray):
                    here.pieces = pieces(units, here)
                else:
                    here.pieces = pieces[:, at : at + units.size]
                at += units.size
                if isinstance(units, MaxUnits):
                    values[number] = _winners(units, here)
                else:
                    values[number] = _slopes(units, here)
            yield here

    def _affine(self, number: int, values: dict[int, tuple[np.ndarray, ...]]) -> AtLayer:
        w = self.weights[number - 1]
        points, size = len(values[INPUT][0]), len(w["bias"])
        z, error = np.tile(w["bias"], (points, 1)), np.tile(w["error"], (points, 1))
        gradient, norm = np.zeros((1, self.rank, size)), np.zeros((1, size))
        for source, (W, absolute, wrong) in w["terms"].items():
            h, e = values[source][:2]
            z += h @ W
            error += e @ absolute + abs(h) @ wrong
            if source == INPUT:
                gradient, norm = gradient + w["first"][0], norm + w["first"][1]
                continue
            G, S = values[source][2:]
            gradient = gradient + (G.reshape(-1, G.shape[2]) @ W).reshape(len(G), -1, size)
            norm = norm + S @ absolute
            if not self.tame:  # zero only where it is by structure
                some = (S > 0).astype(np.float64) @ (absolute > 0) > 0
                norm = np.where(some, np.maximum(norm, FLOOR), norm)
        if not self.tame:
            norm = np.where(norm > 0, np.maximum(norm, FLOOR), norm)
        norm = np.broadcast_to(norm, z.shape)
        error += SMALLEST * w["steps"]
        return AtLayer(number, z, 1.01 * error, gradient, norm, np.zeros((points, 0), np.int32))


def _lowest(affine: Any, network: Network) -> float:
    """Binary logarithm of the smallest weight, at most 0."""
    low = 0.0
    for source in affine.sources:
        W = abs(affine.rounded(source, network.size_of(source))[0])
        low = min(low, float(np.log2(W[W > 0].min(initial=1.0))))
    return low


def _flattest(network: Network) -> float:
    """The same of the slopes of the units, summed over the layers."""
    kinds = [m.units.kinds for m in network.layers if isinstance(m.units, Pointwise)]
    slopes = [[abs(float(s)) for k in layer for s in k.slopes if s] for layer in kinds]
    return sum(min(0.0, float(np.log2(min(s, default=1.0)))) for s in slopes)


def _slopes(units: Pointwise, here: AtLayer) -> tuple[np.ndarray, ...]:
    slope, shift = np.empty_like(here.z), np.empty_like(here.z)
    which = np.asarray(units.which, np.int64)
    for k, kind in enumerate(units.kinds):
        mine = which == k
        slope[:, mine] = np.array([float(s) for s in kind.slopes])[here.pieces[:, mine]]
        shift[:, mine] = np.array([float(c) for c in kind.intercepts])[here.pieces[:, mine]]
    value = slope * here.z + shift
    error = abs(slope) * here.error + 4 * ROUNDOFF * (abs(slope * here.z) + abs(shift))
    return value, error, here.gradient * slope[:, None, :], here.size * abs(slope)


def _winners(units: MaxUnits, here: AtLayer) -> tuple[np.ndarray, ...]:
    table = members(units)
    best = table[np.arange(units.size), here.pieces]

    def pick(a: np.ndarray) -> np.ndarray:
        return np.take_along_axis(a, best, axis=1)

    full = np.broadcast_to(here.gradient, (len(best), *here.gradient.shape[1:]))
    gradient = np.take_along_axis(full, best[:, None, :], axis=2)
    return pick(here.z), pick(here.error), gradient, pick(here.size)


def members(units: MaxUnits) -> np.ndarray:
    """(units, largest group) pre-activations of each group, filled up with the first one."""
    widest = max((len(g) for g in units.groups), default=1)
    rows = [(*g, *(g[0] for _ in range(widest - len(g)))) for g in units.groups]
    return np.array(rows, np.int64).reshape(len(rows), widest)
