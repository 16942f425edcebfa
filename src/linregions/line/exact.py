"""Breakpoints along a line in rational arithmetic: what the float sweep leaves in doubt.

The same sweep, layer by layer, with FLINT integers: on every interval between the breakpoints
of earlier layers each value is an exact form ``a t + c`` over one common denominator. Slow,
short and sure; it shares nothing with the compiled sweep but the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
from flint import fmpq, fmpz_mat

from ..network.affine import INPUT, ONE, Affine
from ..network.network import Network
from ..network.rational import IntMatrix, fraction_array, integers, simplest
from ..network.units import Activation, Pointwise
from ..progress import check


@dataclass(frozen=True, eq=False)
class ExactBreaks:
    """Breakpoints of one segment or line.

    ``start``: which rows are positive on the first interval; ``t``: the breakpoints, ascending;
    ``rows``: the rows that switch at each.
    """

    start: np.ndarray
    t: list[Fraction]
    rows: list[list[int]]


@dataclass(frozen=True, eq=False)
class _Kind:
    """An activation as integers: pieces over one denominator, breakpoints as ratios."""

    pieces: list[tuple[int, int]]
    den: int
    breaks: list[tuple[int, int]]

    @staticmethod
    def of(kind: Activation, den: int) -> _Kind:
        exact = zip(kind.slopes, kind.intercepts, strict=True)
        pieces = [(int(Fraction(s) * den), int(Fraction(c) * den)) for s, c in exact]
        return _Kind(pieces, den, [Fraction(t).as_integer_ratio() for t in kind.breaks])


class ExactLine:
    """The exact maps of a network, for sweeps along lines."""

    def __init__(self, network: Network) -> None:
        self.maps = [_maps(layer.affine, network) for layer in network.layers]
        self.output = _maps(network.output, network)
        self.units: list[tuple[list[_Kind], tuple[int, ...]]] = []
        for layer in network.layers:
            units = layer.units
            assert isinstance(units, Pointwise)
            numbers = [v for k in units.kinds for v in (*k.slopes, *k.intercepts)]
            den = lcm(*(Fraction(v).denominator for v in numbers))
            self.units.append(([_Kind.of(k, den) for k in units.kinds], units.which))
        readers = [*self.maps, self.output]
        self.last_use = [
            max((i for i, m in enumerate(readers) if source in m), default=-1)
            for source in range(len(network.layers) + 1)
        ]

    def breaks(self, p: Any, direction: Any, lo: int | None, hi: int | None) -> ExactBreaks:
        """All breakpoints of ``t -> f(p + t direction)``, lo < t < hi (None: no bound)."""
        ends: list[tuple[Any, Any]] = [(lo, hi)]  # of the intervals
        found: list[tuple[Any, list[int]]] = []  # breakpoints between them
        values = {INPUT: _pencil(p, direction)}
        start: list[bool] = []
        row = 0
        for layer in range(len(self.maps)):
            forms = _apply(self.maps[layer], values, len(ends))
            table = forms.num.tolist()
            signs, cuts = [], []
            for k, (a, b) in enumerate(ends):
                bits, mine = self._cell(layer, table, forms.den, k, a, b, row)
                signs.append(bits)
                cuts.append(mine)
            start += signs[0]
            parts, ends, found, signs = _split(ends, found, signs, cuts, row)
            values = {s: _repeat(v, parts) for s, v in values.items() if self.last_use[s] > layer}
            values[layer + 1] = self._outputs(layer, table, forms.den, parts, signs)
            row += len(signs[0])
        times = [Fraction(int(t.p), int(t.q)) for t, _ in found]
        return ExactBreaks(np.array(start, np.bool_), times, [rows for _, rows in found])

    def _cell(
        self, layer: int, table: Any, den: int, k: int, lo: Any, hi: Any, row: int
    ) -> tuple[list[bool], dict[Any, list[int]]]:
        """Signs of the rows at the start of interval k, and the rows that cross inside."""
        kinds, which = self.units[layer]
        bits: list[bool] = []
        cuts: dict[Any, list[int]] = {}
        for i, w in enumerate(which):
            if not i % 64:
                check()
            a, c = table[i][2 * k], table[i][2 * k + 1]
            for num, under in kinds[w].breaks:
                rest = c * under - num * den
                if a == 0:
                    bits.append(bool(rest > 0))
                    continue
                root = fmpq(-rest, a * under)
                if hi is not None and root >= hi:
                    bits.append(bool(a < 0))
                elif lo is not None and root <= lo:
                    bits.append(bool(a > 0))
                else:
                    bits.append(bool(a < 0))
                    cuts.setdefault(root, []).append(row + len(bits) - 1)
        return bits, cuts

    def _outputs(
        self, layer: int, table: Any, den: int, parts: list[int], signs: list[list[bool]]
    ) -> IntMatrix:
        """Forms of the units of a layer, two columns per new interval."""
        kinds, which = self.units[layer]
        flat, at = [], 0
        scale = kinds[which[0]].den if which else 1
        for i, w in enumerate(which):
            check()
            n = len(kinds[w].breaks)
            for k, bits in zip(parts, signs, strict=True):
                slope, shift = kinds[w].pieces[sum(bits[at : at + n])]
                flat += [slope * table[i][2 * k], slope * table[i][2 * k + 1] + shift * den]
            at += n
        return IntMatrix(fmpz_mat(len(which), 2 * len(parts), flat), den * scale)

    def maps_of(self, p: Any, direction: Any, signs: np.ndarray) -> list[Any]:
        """The output's exact forms where the rows have given signs (intervals, rows).

        Each is hashable, and equal exactly if the affine maps of t are.
        """
        table = self.forms_of(p, direction, signs).num.tolist()
        count = len(signs)
        return [tuple((int(r[2 * k]), int(r[2 * k + 1])) for r in table) for k in range(count)]

    def forms_of(self, p: Any, direction: Any, signs: np.ndarray) -> IntMatrix:
        """The same as one matrix: for each interval two columns, slope and constant."""
        count = len(signs)
        values = {INPUT: _repeat(_pencil(p, direction), [0] * count)}
        row = 0
        for layer in range(len(self.maps)):
            forms = _apply(self.maps[layer], values, count)
            kinds, which = self.units[layer]
            n = sum(len(kinds[w].breaks) for w in which)
            bits = signs[:, row : row + n].tolist()
            values = {s: v for s, v in values.items() if self.last_use[s] > layer}
            parts = list(range(count))
            values[layer + 1] = self._outputs(layer, forms.num.tolist(), forms.den, parts, bits)
            row += n
        return _apply(self.output, values, count)


def _maps(affine: Affine, network: Network) -> dict[int, IntMatrix]:
    return {s: affine.exact(s, network.size_of(s)) for s in (*affine.sources, ONE)}


def _pencil(p: Any, direction: Any) -> IntMatrix:
    """The input ``p + t direction`` as a form: two columns, slope and constant."""
    return integers(np.column_stack([direction, p]))


def _apply(maps: dict[int, IntMatrix], values: dict[int, IntMatrix], count: int) -> IntMatrix:
    """An affine map of forms, two columns for each of ``count`` intervals."""
    constant = np.zeros((1, 2 * count))
    constant[0, 1::2] = 1.0
    total = maps[ONE] @ integers(constant)
    for source, matrix in maps.items():
        if source != ONE:
            total = total + matrix @ values[source]
    return total


def _repeat(matrix: IntMatrix, parts: list[int]) -> IntMatrix:
    """Pairs of columns repeated: new interval j is a part of old interval parts[j]."""
    table = matrix.num.tolist()
    flat = [r[2 * k + c] for r in table for k in parts for c in (0, 1)]
    return IntMatrix(fmpz_mat(len(table), 2 * len(parts), flat), matrix.den)


def _split(ends: Any, found: Any, signs: Any, cuts: Any, row: int) -> Any:
    """Intervals after a layer: the old one of each, their ends, breakpoints, signs.

    ``found`` lists the breakpoints between the old intervals; a row that changes sign just
    there joins the rows that switch there already.
    """
    parts: list[int] = []
    new_ends: list[Any] = []
    new_found: list[Any] = []
    new_signs: list[Any] = []
    for k, (lo, hi) in enumerate(ends):
        if k:
            before, now = new_signs[-1], signs[k]
            flips = [row + r for r, (u, v) in enumerate(zip(before, now, strict=True)) if u != v]
            t, rows = found[k - 1]
            new_found.append((t, rows + flips))
        bits, left = signs[k], lo
        for root in sorted(cuts[k]):
            parts.append(k)
            new_ends.append((left, root))
            new_signs.append(bits)
            new_found.append((root, cuts[k][root]))
            bits, left = list(bits), root
            for r in cuts[k][root]:
                bits[r - row] = not bits[r - row]
        parts.append(k)
        new_ends.append((left, hi))
        new_signs.append(bits)
    return parts, new_ends, new_found, new_signs


def difference(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """``q - p`` exactly: floats where they hold it, else Fractions."""
    return simplest(fraction_array(q) - fraction_array(p))
