"""Patterns of many points, decided: floats with bounds of their errors, rationals for the rest.

A pre-activation is known to within ``e`` by a sum of products in floats and a bound of their
rounding; it lies on one side of a breakpoint for certain where it is farther than that from it.
Only rows that are nearer are asked in rational arithmetic, and only at those points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from ..roundoff import ROUNDOFF
from .affine import INPUT, ONE, Affine
from .composing import chosen, outputs
from .network import Network
from .rational import integers, nearest
from .units import MaxUnits, Pointwise, Units

NUMBERS = 1 << 22  # values of a layer at a chunk of points
TINY = 2.0**-1074
SAFE = 2.0**-1000  # products of numbers whose product is above lose nothing to underflow


class Decided(NamedTuple):
    """Patterns of points.

    ``pieces`` (points, units), a tie on the lowest piece; ``asked`` (points,): units that floats
    could not decide; ``inside`` (points,): whether floats tell that the point is in the interior
    of the cell of its pattern (None where that was not asked).
    """

    pieces: np.ndarray
    asked: np.ndarray
    inside: np.ndarray | None


@dataclass
class _Values:
    """A source at points: (points, size) values, bounds of their errors, and whether a value may
    change near the point (None: not looked at)."""

    value: np.ndarray
    error: np.ndarray
    moves: np.ndarray | None


def decide(network: Network, points: np.ndarray, interior: bool = False) -> Decided:
    """The piece of every unit at points (m, n), as `Network.exactly` gives it.

    Examples
    --------
    >>> net = Network.from_layers([([[1.0], [3.0]], [0.0, -0.3]), ([[1.0, 1.0]], [0.0])])
    >>> decide(net, np.array([[0.5], [0.0], [0.1]])).pieces.tolist()
    [[1, 1], [0, 0], [1, 1]]
    """
    m = len(points)
    most = max((k for layer in network.layers for k in layer.units.pieces_per_unit()), default=1)
    pieces = np.zeros((m, network.units), np.uint8 if most <= 256 else np.int32)
    asked, inside = np.zeros(m, np.int64), np.ones(m, bool) if interior else None
    wide = max((network.inputs, *(m.affine.size for m in network.layers)), default=1)
    step = max(1, NUMBERS // max(wide, 1))
    for a in range(0, m, step):
        here = slice(a, min(a + step, m))
        with np.errstate(all="ignore"):  # what leaves the floats is told by the bounds
            doubt, ties = _in_floats(network, points[here], pieces[here], interior)
        if inside is not None:
            inside[here] = ~(doubt | ties).any(axis=1)
        asked[here] = doubt.sum(axis=1)
        for i in np.flatnonzero(asked[here]).tolist():
            _exactly(network, points[a + i], pieces[a + i], doubt[i])
    return Decided(pieces, asked, inside)


def _in_floats(
    network: Network, x: np.ndarray, pieces: np.ndarray, interior: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Fill in pieces; which units stay open, and which may be on a boundary: (points, units)."""
    doubt, tie = np.zeros(pieces.shape, bool), np.zeros(pieces.shape, bool)
    moves = np.ones(x.shape, bool) if interior else None
    values, at = {INPUT: _Values(x, np.zeros_like(x), moves)}, 0
    for number, layer in enumerate(network.layers, start=1):
        here = slice(at, at + layer.size)
        at += layer.size
        z = _affine(layer.affine, network, values)
        rule = _max_units if isinstance(layer.units, MaxUnits) else _pointwise
        pieces[:, here], doubt[:, here], tie[:, here], values[number] = rule(layer.units, z)
    return doubt, tie


def _affine(affine: Affine, network: Network, values: dict[int, _Values]) -> _Values:
    """Pre-activations with bounds of their errors."""
    m = len(values[INPUT].value)
    bias, off = affine.rounded(ONE, 1)
    z = np.tile(bias[:, 0], (m, 1))
    longest = 2 + len(affine.sources) + sum(_longest(affine.product(s)) for s in affine.sources)
    gamma = 0.0 if _selects(affine) else 1.01 * longest * ROUNDOFF
    error = np.tile(gamma * abs(bias[:, 0]) + (0.0 if off is None else off[:, 0]), (m, 1))
    moves = None if values[INPUT].moves is None else np.zeros(z.shape, bool)
    lost = 0.0
    for source in affine.sources:
        W, loose, h = affine.product(source), affine.product_error(source), values[source]
        slack, least = h.error + gamma * abs(h.value), min(_least(h.value), _least(h.error))
        z += times(h.value, W)
        error += times(slack, abs(W))
        low = min(least, _least(slack)) * _least(W)
        some = W != 0
        if loose is not None:
            error += 1.01 * times(abs(h.value) + h.error, loose)
            low, some = min(low, least * _least(loose)), some + (loose > 0)
        if not low > SAFE:  # products may be lost
            lost += 4.0 * longest * TINY
        if moves is not None and h.moves is not None:
            moves |= times(h.moves.astype(np.float64), some.astype(np.float64)) > 0
    return _Values(z, 1.01 * error + lost, moves)


def times(h: np.ndarray, W: Any) -> np.ndarray:
    """``h W^T`` for rows h, dense or CSR."""
    return (W @ h.T).T if sparse.issparse(W) else h @ W.T


def _least(matrix: Any) -> float:
    """The smallest absolute value but 0, at most 1."""
    size = abs(matrix.data if sparse.issparse(matrix) else matrix)
    return float(np.min(size, where=size > 0, initial=1.0)) if size.size else 1.0


def _longest(W: Any) -> int:
    return int(np.diff(W.indptr).max(initial=0)) if sparse.issparse(W) else W.shape[1]


def _selects(affine: Affine) -> bool:
    """Whether every row is a value times a power of two: nothing rounds."""
    if len(affine.sources) != 1 or affine.rounded(ONE, 1)[0].any():
        return False
    W = affine.product(affine.sources[0])
    if not sparse.issparse(W) or _longest(W) > 1:
        return False
    return bool((abs(np.frexp(W.data)[0]) == 0.5).all())


def _pointwise(units: Units, z: _Values) -> tuple[Any, Any, Any, _Values]:
    assert isinstance(units, Pointwise)
    pieces, doubt = np.zeros(z.value.shape, np.int32), np.zeros(z.value.shape, bool)
    tie, which = np.zeros(z.value.shape, bool), np.asarray(units.which, np.int64)
    value, error = np.empty_like(z.value), np.empty_like(z.value)
    moves = None if z.moves is None else z.moves.copy()
    for k, kind in enumerate(units.kinds):
        mine = slice(None) if len(units.kinds) == 1 else np.flatnonzero(which == k)
        v, e = z.value[:, mine], z.error[:, mine]
        piece, open_ = np.zeros(v.shape, np.int32), np.zeros(v.shape, bool)
        for t in kind.breaks:
            near = nearest(t)
            gap = v - near
            slack = e if near == t else e + 2 * ROUNDOFF * abs(near) + TINY
            sure = (abs(gap) > 1.01 * slack + 2 * ROUNDOFF * abs(gap)) & np.isfinite(gap)
            known = (slack == 0) & np.isfinite(gap)
            piece += gap > 0
            open_ |= ~(sure | known)
            tie[:, mine] |= known & (gap == 0) & (z.moves is None or z.moves[:, mine])
        pieces[:, mine], doubt[:, mine] = piece, open_
        slopes = np.array([nearest(s) for s in kind.slopes])
        shifts = np.array([nearest(c) for c in kind.intercepts])
        slope, shift = slopes[piece], shifts[piece]
        plain = all(s in (0, 1, -1) for s in kind.slopes) and not any(kind.intercepts)
        product = np.where(slope == 0, 0.0, slope * v)
        steep = np.where(open_, abs(slopes).max(), abs(slope))
        wrong = np.where(steep == 0, 0.0, steep * e)
        if not plain:
            wrong = 1.01 * wrong + 5 * ROUNDOFF * (abs(product) + abs(shift)) + TINY * (2 + abs(v))
        value[:, mine], error[:, mine] = product + shift, 1.01 * wrong
        if moves is not None:
            bent = np.array([s != 0 for s in kind.slopes])[piece]
            moves[:, mine] &= bent | open_ | tie[:, mine]
    return pieces, doubt, tie, _Values(value, error, moves)


def _max_units(units: Units, z: _Values) -> tuple[Any, Any, Any, _Values]:
    assert isinstance(units, MaxUnits)
    pieces = units.pieces(z.value)
    table, rows = units.members, np.arange(units.size)
    best = table[rows, pieces]

    def pick(a: np.ndarray, index: np.ndarray) -> np.ndarray:
        return np.take_along_axis(a, index, axis=1)

    top, slack = pick(z.value, best), pick(z.error, best)
    moves, most = None if z.moves is None else pick(z.moves, best), slack
    doubt, tie = np.zeros(top.shape, bool), np.zeros(top.shape, bool)
    for column in table.T:
        other, e = z.value[:, column], z.error[:, column]
        gap, room = top - other, slack + e
        same = column[None, :] == best
        sure = (gap > 1.02 * room + 2 * ROUNDOFF * abs(gap)) & np.isfinite(gap)
        known = (room == 0) & np.isfinite(gap)
        doubt |= ~(sure | known | same)
        either = moves is None or z.moves is None or moves | z.moves[:, column]
        tie |= known & (gap == 0) & ~same & either
        most = np.maximum(most, e)
    if moves is not None and z.moves is not None:
        for column in table.T:
            moves = moves | (z.moves[:, column] & (doubt | tie))
    return pieces, doubt, tie, _Values(top, np.where(doubt, most, slack), moves)


def _exactly(network: Network, x: np.ndarray, pieces: np.ndarray, doubt: np.ndarray) -> None:
    """Fill in the pieces of doubtful units at one point, layer by layer."""
    values = {INPUT: integers(x[:, None]), ONE: integers(np.ones((1, 1)))}
    at, last = 0, int(np.flatnonzero(doubt)[-1])
    for number, layer in enumerate(network.layers, start=1):
        form = layer.affine.applied(values, 1)
        mine, open_ = pieces[at : at + layer.size], doubt[at : at + layer.size]
        if open_.any():
            mine[open_] = chosen(layer.units, form, np.flatnonzero(open_))
        at += layer.size
        if at > last:
            return
        values[number] = outputs(layer.units, form, mine)
