"""Any network at many points at once, with the bits that rounding cannot have changed.

Two matrix products per layer: the pre-activations, and with absolute values a bound of their
errors, point by point. Written for numpy and for torch alike (`xp`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from ..network.affine import INPUT, ONE, Affine
from ..network.network import Network
from ..network.rational import dense
from ..network.units import MaxUnits, Pointwise
from ..roundoff import ROUNDOFF


class Floats:
    """Bits of patterns at points.

    Parameters
    ----------
    network
        Any `Network`.
    xp, put
        The array library and what moves an array of numpy into it.
    """

    def __init__(self, network: Network, xp: Any = np, put: Callable[[Any], Any] = np.asarray):
        self.network, self.xp, self.put = network, xp, put
        self.layers = [self._layer(i) for i in range(1, len(network.layers) + 1)]

    def _layer(self, number: int) -> dict[str, Any]:
        net, layer = self.network, self.network.layers[number - 1]
        affine, terms, live = layer.affine, {}, np.zeros(layer.affine.size, bool)
        outer = np.zeros(affine.size, bool)
        for source in affine.sources:
            hit = np.diff(affine.reads(source, net.size_of(source)).indptr) > 0
            live |= hit
            if source == INPUT:
                outer |= hit
            terms[source] = self._term(affine, source)
        bias, off = affine.rounded(ONE, 1)
        known = np.zeros_like(bias) if off is None else off
        fixed = _constants(affine, np.flatnonzero(~live))
        steps = 4 + sum(net.size_of(s) for s in affine.sources)
        return {
            "terms": terms, "bias": self.put(bias[:, 0]), "known": self.put(known[:, 0]),
            "rounding": 1.02 * steps * ROUNDOFF, "outer": self.put(outer), "fixed": fixed,
            "units": layer.units,
        }  # fmt: skip

    def _term(self, affine: Affine, source: int) -> tuple[Any, Any, Any]:
        """The weights of a source, their sizes with what they may be off by, and that alone.

        CSR, or transposed and dense; None where the weights are exact.
        """
        W, loose = affine.product(source), affine.product_error(source)
        if self.xp is np and sparse.issparse(W) and (loose is None or sparse.issparse(loose)):
            return W, abs(W) if loose is None else abs(W) + loose, loose
        W, loose = dense(W), None if loose is None else dense(loose)
        size = abs(W) if loose is None else abs(W) + loose
        put = [None if m is None else self.put(np.ascontiguousarray(m.T)) for m in (W, size, loose)]
        return put[0], put[1], put[2]

    def __call__(self, x: Any) -> tuple[Any, Any]:
        """(points, bits) of bool, and (points,) whether one of them is in doubt."""
        xp = self.xp
        values, bits = {INPUT: (x, xp.zeros_like(x))}, []
        doubt = xp.zeros_like(x[:, 0]) > 0
        for number, layer in enumerate(self.layers, start=1):
            z, bound = self._affine(layer, values)
            act = self._winners if isinstance(layer["units"], MaxUnits) else self._pieces
            value, mine, unsure = act(layer, z, bound)
            values[number] = value
            bits += mine
            doubt = doubt | unsure
        return (xp.stack(bits, 1) if bits else xp.zeros_like(x[:, :0]) > 0), doubt

    def _affine(self, layer: dict[str, Any], values: dict[int, Any]) -> tuple[Any, Any]:
        x = values[INPUT][0]
        z = self.xp.zeros_like(x[:, :1]) + layer["bias"]
        rounding = layer["rounding"]
        bound = self.xp.zeros_like(z) + (layer["known"] + rounding * abs(layer["bias"]))
        for source, (W, size, loose) in layer["terms"].items():
            h, e = values[source]
            z = z + _times(h, W)
            bound = bound + _times(1.01 * e + rounding * abs(h), size)
            if loose is not None:
                bound = bound + _times(1.01 * abs(h), loose)
        return z, 1.01 * bound

    def _pieces(self, layer: dict[str, Any], z: Any, bound: Any) -> tuple[Any, list, Any]:
        units = layer["units"]
        assert isinstance(units, Pointwise)
        out, wrong = self.xp.zeros_like(z), self.xp.zeros_like(z)
        doubt, bits = self.xp.zeros_like(z[:, 0]) > 0, [[] for _ in units.which]
        still = (bound == 0) & ~layer["outer"]
        for k, kind in enumerate(units.kinds):
            mine = [i for i, w in enumerate(units.which) if w == k]
            if not mine:
                continue
            y, e, calm = z[:, mine], bound[:, mine], still[:, mine]
            slope, terms = float(kind.slopes[0]), abs(float(kind.slopes[0])) * abs(y)
            h, steepest = slope * y + float(kind.intercepts[0]), abs(slope) + 0.0 * y
            terms = terms + abs(float(kind.intercepts[0]))
            for t, a, b in zip(kind.breaks, kind.slopes, kind.slopes[1:], strict=False):
                d, step = y - float(t), float(b) - float(a)
                above, room = d > 0, e + 4 * ROUNDOFF * (abs(y) + abs(float(t)))
                unsure = (abs(d) <= room) & ~(calm & (d == 0))
                for j, i in enumerate(mine):
                    bit = above[:, j]
                    if i in layer["fixed"]:
                        bit = (bit | True) if layer["fixed"][i] > t else (bit & False)
                        unsure[:, j] = False
                    bits[i].append(bit)
                doubt = doubt | unsure.any(1)
                h, steepest = h + step * d * above, steepest + step * above
                terms = terms + abs(step) * (abs(y) + abs(float(t))) * above
            out[:, mine] = h
            breaks = len(kind.breaks)
            most = abs(steepest) + 8 * ROUNDOFF * breaks * (steepest != 0)
            wrong[:, mine] = 1.01 * (most * e + 8 * (breaks + 1) * ROUNDOFF * terms)
        return (out, wrong), [b for unit in bits for b in unit], doubt

    def _winners(self, layer: dict[str, Any], z: Any, bound: Any) -> tuple[Any, list, Any]:
        units = layer["units"]
        assert isinstance(units, MaxUnits)
        doubt, bits, values, wrong = self.xp.zeros_like(z[:, 0]) > 0, [], [], []
        still = (bound == 0) & ~layer["outer"]
        for group in units.groups:
            mine = list(group)
            y, e = z[:, mine], bound[:, mine]
            best = y[:, 0]
            place = 0 * y[:, 0]
            for p in range(1, len(mine)):
                more = y[:, p] > best
                best = self.xp.where(more, y[:, p], best)
                place = self.xp.where(more, 0.0 * place + p, place)
            top = e.sum(1)  # of all arguments: also the winner's
            near, calm = abs(y - best[:, None]) <= top[:, None], still[:, mine]
            # arguments that are zero all around the point tie for good, and the first one wins
            rivals = (near & ~calm).sum(1) + (near & calm).any(1)
            doubt = doubt | (rivals > 1)
            values.append(best)
            wrong.append(top)
            for b in range((len(mine) - 1).bit_length()):
                bits.append((self.xp.floor(place / 2**b) % 2) > 0)
        return (self.xp.stack(values, 1), self.xp.stack(wrong, 1)), bits, doubt


def _times(h: Any, W: Any) -> Any:
    """``h W^T`` for rows h: W as CSR, or its transpose as a dense array."""
    return (W @ h.T).T if sparse.issparse(W) else h @ W


def _constants(affine: Affine, rows: np.ndarray) -> dict[int, Any]:
    """Exact values of rows that read nothing but the constant."""
    if not len(rows):
        return {}
    values = affine.rows(rows.tolist()).exact(ONE, 1).to_fractions()[:, 0]
    return dict(zip(rows.tolist(), values, strict=True))
