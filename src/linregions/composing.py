"""The exact affine map of a network where its units are on given pieces."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
from flint import fmpz_mat

from .affine import INPUT, ONE
from .network import Network
from .rational import IntMatrix, integers, nearest
from .units import MaxUnits, Units


def outputs(
    units: Units, forms: IntMatrix, pieces: Sequence[Any] | np.ndarray, constant: int = -1
) -> IntMatrix:
    """Forms of the values of units on given pieces; ``constant``: the column of constants."""
    table, columns = forms.num.tolist(), forms.shape[1]
    if isinstance(units, MaxUnits):
        flat = [x for g, p in zip(units.groups, pieces, strict=True) for x in table[g[int(p)]]]
        return IntMatrix(fmpz_mat(len(pieces), columns, flat), forms.den)
    maps = [
        [(Fraction(s), Fraction(c)) for s, c in zip(k.slopes, k.intercepts, strict=True)]
        for k in units.kinds
    ]
    den = lcm(*(v.denominator for kind in maps for pair in kind for v in pair))
    whole = [[(int(s * den), int(c * den) * forms.den) for s, c in kind] for kind in maps]
    flat = []
    for row, w, p in zip(table, units.which, pieces, strict=True):
        slope, shift = whole[w][int(p)]
        values: list[Any] = [slope * x for x in row] if slope != 0 else [0] * columns
        values[constant] += shift
        flat += values
    return IntMatrix(fmpz_mat(len(pieces), columns, flat), forms.den * den)


def exact_map(network: Network, pieces: np.ndarray) -> IntMatrix:
    """(outputs, inputs + 1): coefficients and constant of the affine map on these pieces."""
    n, at = network.inputs, 0
    values = {INPUT: integers(np.eye(n, n + 1)), ONE: integers(np.eye(1, n + 1, n))}
    for number, layer in enumerate(network.layers, start=1):
        mine = pieces[at : at + layer.size]
        values[number] = outputs(layer.units, layer.affine.applied(values, n + 1), mine)
        at += layer.size
    return network.output.applied(values, n + 1)


def nearest_map(network: Network, pieces: np.ndarray) -> np.ndarray:
    """`exact_map` in float64, correctly rounded; infinite beyond the floats."""
    exact = exact_map(network, pieces)
    flat = [nearest(Fraction(int(v), exact.den)) for row in exact.num.tolist() for v in row]
    return np.array(flat).reshape(exact.shape)
