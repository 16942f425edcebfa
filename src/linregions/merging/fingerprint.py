"""Fingerprints of affine maps modulo the prime 2^61 - 1.

A float64 is ``m 2^e``; modulo 2^61 - 1 multiplication by 2 is a rotation of 61 bits, so a
weight matrix is reduced without any big integer. The map of a cell, taken at one random
point of the field, differs for different maps except with probability about 4e-19.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from ..held import held
from ..jit import inner, kernel
from ..network.affine import INPUT, ONE, Affine
from ..network.rank import PRIME, exactly_modulo, residue, residues
from ..network.rational import integers
from ..network.units import Activation, Pointwise
from ..search.forms import (
    ARGS,
    B_ERR,
    BIAS,
    CUT,
    FIRST,
    GROUP,
    HI,
    KIND,
    LO,
    PRE,
    SPARSE,
    VAL,
    VALUE,
    W_ERR,
)
from ..search.program import Compiled


class Tables(NamedTuple):
    """A network modulo the prime, in kernel coordinates; the first seven as in a `Program`."""

    layers: np.ndarray
    cut_unit: np.ndarray
    first_piece: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    groups: np.ndarray
    args: np.ndarray
    W: np.ndarray
    bias: np.ndarray
    pieces: np.ndarray
    out: np.ndarray
    out_bias: np.ndarray


@cache
def _kind(kind: Activation) -> list[tuple[int, int]]:
    return [(residue(s), residue(c)) for s, c in zip(kind.slopes, kind.intercepts, strict=True)]


def tables(compiled: Compiled) -> Tables:
    """Weights, biases, pieces and output of a network modulo the prime, in kernel coordinates."""
    net, P = compiled.network, compiled.program
    sizes = [compiled.k, *net.widths]
    start = np.concatenate([[0], np.cumsum(sizes)])
    weights, biases, pieces = residues(P.W), residues(P.units[:, BIAS]), []
    scale = integers(np.diag(compiled.fold))

    def exact(affine: Affine, source: int) -> np.ndarray:
        matrix = affine.exact(source, net.size_of(source))
        return exactly_modulo(matrix @ scale if source == INPUT else matrix)

    for n, layer in enumerate(net.layers):
        pre, lo, hi = P.layers[n, PRE], P.layers[n, LO], P.layers[n, HI]
        end = pre + layer.affine.size  # differences, which max units add, are not evaluated
        if P.units[pre:end, W_ERR].any():  # the float product was rounded
            block = np.zeros((end - pre, hi - lo), np.uint64)
            for source in layer.affine.sources:
                at = start[source] - lo
                block[:, at : at + sizes[source]] = exact(layer.affine, source)
            first, last = P.rows[pre], P.rows[end]
            if P.layers[n, SPARSE]:
                where = np.repeat(np.arange(end - pre), np.diff(P.rows[pre : end + 1]))
                weights[first:last] = block[where, P.cols[first:last] - lo]
            else:
                weights[first:last] = block.ravel()
        if P.units[pre:end, B_ERR].any():
            biases[pre:end] = exact(layer.affine, ONE)[:, 0]
        if isinstance(layer.units, Pointwise):
            kinds = [_kind(k) for k in layer.units.kinds]
            for which in layer.units.which:
                pieces += kinds[which]
    out = np.zeros((net.outputs, start[-1]), np.uint64)
    for source in net.output.sources:
        value, error = net.output.rounded(source, sizes[source])
        value = value * compiled.fold if source == INPUT else value
        block = residues(value) if error is None else exact(net.output, source)
        out[:, start[source] : start[source] + sizes[source]] = block
    offset, error = net.output.rounded(ONE, 1)
    return Tables(
        P.layers,
        P.cut_unit,
        P.first_piece,
        P.rows,
        P.cols,
        P.groups,
        P.args,
        weights,
        biases,
        np.array(pieces, dtype=np.uint64).reshape(-1, 2),
        out,
        (residues(offset) if error is None else exact(net.output, ONE))[:, 0],
    )


@inner(error_model="python")
def times(a, b):
    """``a b`` modulo 2^61 - 1 for residues, in 64-bit arithmetic."""
    low = np.uint64((1 << 31) - 1)
    a1, a0 = a >> np.uint64(31), a & low
    b1, b0 = b >> np.uint64(31), b & low
    cross = a0 * b1 + a1 * b0
    # 2^62 = 2 and 2^31 cross = (cross >> 30) + ((cross mod 2^30) << 31), modulo 2^61 - 1
    total = a1 * b1 * np.uint64(2) + (cross >> np.uint64(30)) + a0 * b0
    total += (cross & np.uint64((1 << 30) - 1)) << np.uint64(31)
    return reduce(total)


@inner(error_model="python")
def reduce(x):
    """A number below 2^64 modulo 2^61 - 1."""
    p = np.uint64(PRIME)
    x = (x >> np.uint64(61)) + (x & p)
    return x - p if x >= p else x


@inner(error_model="python")
def _form(N, layer, i, values, one):
    """Pre-activation i at the point."""
    total = times(N.bias[i], one)
    few, first = N.layers[layer, SPARSE] > 0, N.rows[i]
    for at in range(first, N.rows[i + 1]):
        j = N.cols[at] if few else N.layers[layer, LO] + at - first
        if values[j] != 0:
            total = reduce(total + times(N.W[at], values[j]))
    return total


@inner(error_model="python")
def _largest(N, layer, signs, values, one):
    """Values of a layer of max units."""
    groups = N.groups
    for u in range(N.layers[layer, GROUP], N.layers[layer + 1, GROUP]):
        first, won = groups[u, ARGS], 0
        for j in range(1, groups[u + 1, ARGS] - first):
            if signs[groups[u, FIRST] + j - 1] > 0:
                won = j
        values[groups[u, VALUE]] = _form(N, layer, N.args[first + won], values, one)


@inner(error_model="python")
def _pointwise(N, layer, signs, values, one):
    """Values of a layer of other units."""
    layers, pre, cut = N.layers, N.layers[layer, PRE], N.layers[layer, CUT]
    for i in range(pre, layers[layer + 1, PRE]):
        piece = N.first_piece[i]
        while cut < layers[layer + 1, CUT] and N.cut_unit[cut] == i:
            piece += signs[cut]
            cut += 1
        slope, shift = N.pieces[piece, 0], N.pieces[piece, 1]
        total = np.uint64(0)
        if slope != 0:
            total = times(slope, _form(N, layer, i, values, one))
        values[layers[layer, VAL] + i - pre] = reduce(total + times(shift, one))


@kernel("fingerprints of maps", _nrt=True, error_model="python")
def evaluate(N, v, mix, signs):
    """One residue per pattern: the output at the point v (last entry: the constant), mixed."""
    N = held(N)
    out, one = N.out, v[len(v) - 1]
    values = np.zeros(out.shape[1], np.uint64)
    prints = np.zeros(len(signs), np.uint64)
    for j in range(len(v) - 1):
        values[j] = v[j]
    for cell in range(len(signs)):
        for layer in range(len(N.layers) - 1):
            if N.layers[layer, KIND] > 0:
                _largest(N, layer, signs[cell], values, one)
            else:
                _pointwise(N, layer, signs[cell], values, one)
        mixed = np.uint64(0)
        for o in range(len(mix)):
            total = times(N.out_bias[o], one)
            for j in range(out.shape[1]):
                if values[j] != 0:
                    total = reduce(total + times(out[o, j], values[j]))
            mixed = reduce(mixed + times(mix[o], total))
        prints[cell] = mixed
    return prints
