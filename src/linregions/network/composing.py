"""The exact affine map of a network where its units are on given pieces."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
from flint import fmpz, fmpz_mat
from scipy import sparse

from .affine import INPUT, ONE, Affine
from .network import Network
from .rational import IntMatrix, SparseIntMatrix, integers, nearest
from .units import MaxUnits, Pointwise, Units


def outputs(
    units: Units, forms: IntMatrix, pieces: Sequence[Any] | np.ndarray, constant: int = -1
) -> IntMatrix:
    """Forms of the values of units on given pieces; ``constant``: the column of constants."""
    if isinstance(units, MaxUnits):
        return _picked(forms, [g[int(p)] for g, p in zip(units.groups, pieces, strict=True)])
    whole, den = _lines(units)
    mine = [whole[w][int(p)] for w, p in zip(units.which, pieces, strict=True)]
    slopes = np.array([s for s, _ in mine], dtype=object)
    if forms.in_digits and not any(c for _, c in mine) and ((slopes == 0) | (slopes == 1)).all():
        return IntMatrix(None, forms.den * den, forms.digits.masked(slopes == 1))
    columns, flat = forms.shape[1], []
    for row, (slope, shift) in zip(forms.num.tolist(), mine, strict=True):
        values: list[Any] = [slope * x for x in row] if slope != 0 else [0] * columns
        values[constant] += shift * forms.den
        flat += values
    return IntMatrix(fmpz_mat(len(mine), columns, flat), forms.den * den)


def _picked(forms: IntMatrix, rows: list[int]) -> IntMatrix:
    """Some rows of a matrix."""
    if forms.in_digits:
        return IntMatrix(None, forms.den, forms.digits.rows(rows))
    table = forms.num.tolist()
    flat = [x for i in rows for x in table[i]]
    return IntMatrix(fmpz_mat(len(rows), forms.shape[1], flat), forms.den)


def _lines(units: Pointwise) -> tuple[list[list[tuple[int, int]]], int]:
    """Slope and constant of every piece of every kind, as integers over one denominator."""
    maps = [
        [(Fraction(s), Fraction(c)) for s, c in zip(k.slopes, k.intercepts, strict=True)]
        for k in units.kinds
    ]
    den = lcm(*(v.denominator for kind in maps for pair in kind for v in pair))
    return [[(int(s * den), int(c * den)) for s, c in kind] for kind in maps], den


def chosen(units: Units, form: IntMatrix, index: np.ndarray | None = None) -> np.ndarray:
    """Pieces of units (all, or some) by the columns of a form, lexicographically.

    The first column is a value; on a breakpoint the next one, its derivative along some way,
    tells, and where all are there too the unit is below. The first of equal arguments wins.
    """
    some = range(units.size) if index is None else index.tolist()
    if isinstance(units, MaxUnits):
        table = form.num.tolist()
        groups = [units.groups[u] for u in some]
        best = [max(range(len(g)), key=lambda p, g=g: (table[g[p]], -p)) for g in groups]
        return np.array(best, np.int32)
    table, den = (form.num if index is None else _picked(form, list(some)).num).tolist(), form.den
    out = np.zeros(len(some), np.int32)
    breaks = [[Fraction(t).as_integer_ratio() for t in kind.breaks] for kind in units.kinds]
    for i, (row, u) in enumerate(zip(table, some, strict=True)):
        for num, under in breaks[units.which[u]]:
            gap = row[0] * under - num * den
            out[i] += gap > 0 or (gap == 0 and next((v for v in row[1:] if v != 0), 0) > 0)
    return out


def exact_map(network: Network, pieces: np.ndarray) -> IntMatrix:
    """(outputs, inputs + 1): coefficients and constant of the affine map on these pieces.

    Composed from whichever side has fewer columns: the outputs back to the input, or onwards.
    """
    return (_backward if network.outputs <= network.inputs else _forward)(network, pieces)


def _forward(network: Network, pieces: np.ndarray) -> IntMatrix:
    n, at = network.inputs, 0
    values = {INPUT: integers(np.eye(n, n + 1)), ONE: integers(np.eye(1, n + 1, n))}
    for number, layer in enumerate(network.layers, start=1):
        mine = pieces[at : at + layer.size]
        values[number] = outputs(layer.units, layer.affine.applied(values, n + 1), mine)
        at += layer.size
    return network.output.applied(values, n + 1)


def _backward(network: Network, pieces: np.ndarray) -> IntMatrix:
    """Rows over the values of a layer, from the output down; each layer passes on what it reads."""
    owed: dict[int, IntMatrix] = {}

    def pass_on(affine: Affine, rows: IntMatrix) -> None:
        for term in affine.terms:
            part = term.pulled(rows)
            owed[term.source] = owed[term.source] + part if term.source in owed else part

    pass_on(network.output, integers(np.eye(network.outputs)))
    ends = np.cumsum([0, *network.widths])
    for number in range(len(network.layers), 0, -1):
        rows = owed.pop(number, None)
        if rows is None:
            continue
        layer = network.layers[number - 1]
        rows, constant = _before(layer.units, rows, pieces[ends[number - 1] : ends[number]])
        pass_on(layer.affine, rows)
        if constant is not None:
            owed[ONE] = owed[ONE] + constant if ONE in owed else constant
    m, n = network.outputs, network.inputs
    left, right = owed.get(INPUT), owed.get(ONE)
    left = integers(np.zeros((m, n))) if left is None else left
    right = integers(np.zeros((m, 1))) if right is None else right
    den = lcm(left.den, right.den)
    parts = [x.num * fmpz(den // x.den) for x in (left, right)]
    flat = [v for a, b in zip(*(x.tolist() for x in parts), strict=True) for v in (*a, *b)]
    return IntMatrix(fmpz_mat(m, n + 1, flat), den)


def _before(
    units: Units, rows: IntMatrix, pieces: np.ndarray
) -> tuple[IntMatrix, IntMatrix | None]:
    """Rows over values as rows over pre-activations, and the column of constants (None: 0)."""
    size = units.size
    if isinstance(units, MaxUnits):
        won = [g[int(p)] for g, p in zip(units.groups, pieces, strict=True)]
        entries = np.ones(size), (np.arange(size), won)
        return rows @ SparseIntMatrix(sparse.csr_array(entries, (size, units.fan_in))), None
    whole, den = _lines(units)
    mine = [whole[w][int(p)] for w, p in zip(units.which, pieces, strict=True)]
    slopes, shifts = zip(*mine, strict=True) if mine else ((), ())
    constant = None
    if any(shifts):
        column = IntMatrix(fmpz_mat(size, 1, list(shifts)), den)
        constant = rows @ column
    some = np.array([nearest(s) for s in slopes])
    if all(np.isfinite(f) and int(f) == s for f, s in zip(some, slopes, strict=True)):
        diagonal = sparse.csr_array(sparse.diags_array(some))
        out = rows @ SparseIntMatrix(diagonal)
        return IntMatrix(None, out.den * den, out.digits), constant
    flat = [s * v for row in rows.num.tolist() for s, v in zip(slopes, row, strict=True)]
    return IntMatrix(fmpz_mat(rows.shape[0], size, flat), rows.den * den), constant


def nearest_map(network: Network, pieces: np.ndarray) -> np.ndarray:
    """`exact_map` in float64, correctly rounded; infinite beyond the floats."""
    exact = exact_map(network, pieces)
    flat = [nearest(Fraction(int(v), exact.den)) for row in exact.num.tolist() for v in row]
    return np.array(flat).reshape(exact.shape)


def compose(network: Network, patterns: np.ndarray) -> np.ndarray:
    """The network's affine maps on many patterns, (n, outputs, inputs + 1), in float64."""
    n, k = len(patterns), network.inputs
    # (entries, n, k + 1): one large matrix product per layer, with the cells in the columns
    values = {INPUT: np.repeat(np.eye(k, k + 1)[:, None, :], n, axis=1)}
    at = 0

    def apply(affine: Any) -> np.ndarray:
        out = np.zeros((affine.size, n, k + 1))
        out[:, :, k] = affine.rounded(ONE, 1)[0]
        for source in affine.sources:
            matrix = affine.rounded(source, network.size_of(source))[0]
            out += (matrix @ values[source].reshape(len(values[source]), -1)).reshape(out.shape)
        return out

    for i, layer in enumerate(network.layers, start=1):
        units = layer.units
        mine = patterns[:, at : at + layer.size].T.astype(np.int64)
        at += layer.size
        if isinstance(units, MaxUnits):
            z, first = apply(layer.affine), np.cumsum([0, *map(len, units.groups)])[:-1]
            flat = np.array([a for g in units.groups for a in g], np.int64)
            values[i] = np.take_along_axis(z, flat[first[:, None] + mine][:, :, None], axis=0)
            continue
        first = np.cumsum([0, *(len(a.slopes) for a in units.kinds)])[list(units.which)][:, None]
        slopes = np.array([float(s) for a in units.kinds for s in a.slopes])
        shifts = np.array([float(c) for a in units.kinds for c in a.intercepts])
        z = apply(layer.affine) * slopes[first + mine][:, :, None]
        z[:, :, k] += shifts[first + mine]
        values[i] = z
    return apply(network.output).transpose(1, 0, 2)
