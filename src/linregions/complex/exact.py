"""Exact forms of a network on one cell, and the exact hyperplanes behind its walls.

Sparse layers are applied as they are, factor by factor; a form is integers over one common
denominator. Slow and sure: only what floats leave open is asked here.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property

import numpy as np
from flint import fmpz

from ..exact.forms import exact_domain
from ..exact.rows import Row, reduced
from ..network.affine import INPUT, ONE
from ..network.composing import outputs
from ..network.rational import IntMatrix, integers
from ..network.units import MaxUnits
from .program import PRE, TEST, Plan


class Forms:
    """Exact forms in kernel coordinates; patterns are given by their bits, as far as known."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.k = plan, plan.k
        self._start = {
            INPUT: integers(np.hstack([np.diag(plan.fold), np.zeros((self.k, 1))])),
            ONE: integers(np.eye(1, self.k + 1, self.k)),
        }
        self._known: dict[int, tuple[bytes, IntMatrix, dict[int, IntMatrix]]] = {}

    @cached_property
    def domain_rows(self) -> list[Row]:
        """``b - A x >= 0`` in kernel coordinates."""
        return exact_domain(self.plan.problem, self.plan.unit)

    def layer(self, n: int, pieces: np.ndarray) -> IntMatrix:
        """Forms of the pre-activations of layer n (from 0; the output last).

        ``pieces``: of all units of earlier layers.
        """
        return self._upto(n, pieces)[1]

    def _upto(self, n: int, pieces: np.ndarray) -> tuple[bytes, IntMatrix, dict[int, IntMatrix]]:
        net = self.plan.network
        before = int(sum(net.widths[:n]))
        key = np.ascontiguousarray(pieces[:before]).tobytes()
        hit = self._known.get(n)
        if hit is not None and hit[0] == key:
            return hit
        values = dict(self._start)
        if n:
            _, forms, earlier = self._upto(n - 1, pieces)
            values = dict(earlier)
            mine = pieces[before - net.widths[n - 1] : before]
            values[n] = outputs(net.layers[n - 1].units, forms, mine)
        affine = net.layers[n].affine if n < len(net.layers) else net.output
        hit = key, affine.applied(values, self.k + 1), values
        self._known[n] = hit
        return hit

    def wall(self, wall: int, pieces: np.ndarray) -> Row:
        """The row of a wall, or of inequality ``-1 - wall`` of the domain; any positive scale."""
        if wall < 0:
            return self.domain_rows[-1 - wall]
        L, table = self.plan.layers, self.plan.table
        test = int(L.wall_test[wall])
        n = int(np.searchsorted(table[:, TEST], test, side="right")) - 1
        forms, base = self.layer(n, pieces), int(table[n, PRE])
        a, b = int(L.wall_a[wall]) - base, int(L.wall_b[wall])
        if b >= 0:
            return difference(forms, b - base, a)
        return self._breakpoint(n, test, forms, a)

    def test(self, n: int, test: int, pieces: np.ndarray) -> Row:
        """The row of a breakpoint of layer n."""
        at = int(self.plan.layers.row_unit[test] - self.plan.table[n, PRE])
        return self._breakpoint(n, test, self.layer(n, pieces), at)

    def _breakpoint(self, n: int, test: int, forms: IntMatrix, unit: int) -> Row:
        units = self.plan.network.layers[n].units
        assert not isinstance(units, MaxUnits)
        first = int(self.plan.layers.first_row[self.plan.table[n, PRE] + unit])
        t = Fraction(units.kinds[units.which[unit]].breaks[test - first])
        row = [forms.num[unit, c] * t.denominator for c in range(self.k + 1)]
        row[self.k] -= fmpz(t.numerator) * forms.den
        return reduced(row)

    def pieces(self, bits: np.ndarray) -> np.ndarray:
        """Pieces of all units from the first bits of a pattern; those to come count as 0."""
        every = np.zeros((1, self.plan.bits), np.uint8)
        every[0, : len(bits)] = bits
        return self.plan.pieces(every)[0]

    def output(self, pieces: np.ndarray) -> tuple[tuple[int, ...], int]:
        """The affine map of the network on a whole pattern, in a normal form."""
        forms = self.layer(len(self.plan.network.layers), pieces)
        flat = [x for row in forms.num.tolist() for x in row]
        common = fmpz(forms.den)
        for x in flat:
            common = common.gcd(x)
        return tuple(int(x // common) for x in flat), int(fmpz(forms.den) // common)


def difference(forms: IntMatrix, a: int, b: int) -> Row:
    """Form a minus form b, scaled."""
    return reduced([forms.num[a, c] - forms.num[b, c] for c in range(forms.shape[1])])
