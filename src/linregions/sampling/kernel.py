"""The compiled path: draw points by tiles, evaluate small networks, count patterns in a table.

A tile of 128 points is evaluated unit by unit, all points at once, so that the inner loops run
over points and become vector instructions. A point whose every pre-activation is farther from
its breakpoints than the bound of the program has the pattern of exact arithmetic. The others are
evaluated once more with a running error bound (`_careful`), which also knows where a value is
zero without rounding; what is in doubt still goes back to the caller.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..held import held
from ..jit import inner, kernel, raised
from ..roundoff import ROUNDOFF
from .draws import TILE, fill
from .table import put


class Tile(NamedTuple):
    """Work space for 128 points of k coordinates.

    ``H`` (k + units, points) values, of which ``flat`` are the points; ``acc`` the pre-activation
    at hand; ``words`` (2, points) patterns; ``room`` how far the nearest bit is from doubt, ``top``
    the largest coordinates; ``d``, ``raw`` distances and their bits; ``value`` and ``wrong``
    those of one point and their errors.
    """

    k: int
    H: np.ndarray
    flat: np.ndarray
    acc: np.ndarray
    words: np.ndarray
    room: np.ndarray
    top: np.ndarray
    d: np.ndarray
    raw: np.ndarray
    value: np.ndarray
    wrong: np.ndarray


class Met(NamedTuple):
    """What a block is counted into.

    ``table`` patterns; ``tally``: patterns in the table, points outside the ``gates`` (rows A, b,
    and their error), points skipped, points handed back in ``doubtful``; the trip wire.
    """

    table: np.ndarray
    tally: np.ndarray
    doubtful: np.ndarray
    gates: np.ndarray
    trip: np.ndarray


def work(k: int, units: int) -> Tile:
    """Work space for a network."""
    H, d = np.empty((k + units, TILE)), np.empty(TILE)
    return Tile(
        k, H, H[:k].reshape(k * TILE), np.empty(TILE), np.empty((2, TILE), np.uint64),
        np.empty(TILE), np.empty(TILE), d, d.view(np.uint64), np.empty(k + units),
        np.empty(k + units),
    )  # fmt: skip


@inner(fastmath={"contract"})
def _evaluate(N, T):
    """Pre-activations and bits of a tile; ``room`` is how far the nearest bit is from doubt."""
    words, room, top = T.words, T.room, T.top
    for p in range(TILE):
        words[0, p] = words[1, p] = np.uint64(0)
        room[p], top[p] = np.inf, 0.0
    for i in range(T.k):
        x = T.H[i]
        for p in range(TILE):
            size = abs(x[p])
            top[p] = size if size > top[p] else top[p]
    acc = T.acc
    for u in range(len(N.unit)):
        _row(N, T, u)
        row, reads = T.H[T.k + u], N.used[u]
        if reads:
            slope, shift = N.unit[u, 2], N.unit[u, 3]
            for p in range(TILE):
                row[p] = slope * acc[p] + shift
        for q in range(N.cut[u], N.cut[u + 1]):
            _bit(N, T, q)
            if reads:
                where, step = N.breaks[q, 1], N.breaks[q, 2]
                for p in range(TILE):
                    above = acc[p] - where
                    row[p] += step * (above if above > 0.0 else 0.0)


@inner(fastmath={"contract"})
def _row(N, T, u):
    """Pre-activation u of a tile."""
    H, acc = T.H, T.acc
    source, weight = N.source, N.weight
    bias = N.unit[u, 0]
    for p in range(TILE):
        acc[p] = bias
    i, b = N.ptr[u], N.ptr[u + 1]
    while i + 3 < b:
        h0, w0 = H[source[i]], weight[i]
        h1, w1 = H[source[i + 1]], weight[i + 1]
        h2, w2 = H[source[i + 2]], weight[i + 2]
        h3, w3 = H[source[i + 3]], weight[i + 3]
        for p in range(TILE):
            acc[p] += w0 * h0[p] + w1 * h1[p] + w2 * h2[p] + w3 * h3[p]
        i += 4
    while i < b:
        h0, w0 = H[source[i]], weight[i]
        for p in range(TILE):
            acc[p] += w0 * h0[p]
        i += 1


@inner()
def _bit(N, T, q):
    """``raw`` are the bits of ``d``: a sign bit is moved faster than a comparison is."""
    acc, top, room = T.acc, T.top, T.room
    d, raw, word = T.d, T.raw, T.words[q >> 6]
    where, place = N.breaks[q, 0], np.uint64(q & 63)
    alpha, beta = N.breaks[q, 3], N.breaks[q, 4]
    for p in range(TILE):
        d[p] = acc[p] - where
    for p in range(TILE):
        word[p] |= ((raw[p] >> np.uint64(63)) ^ np.uint64(1)) << place
    for p in range(TILE):
        free = abs(d[p]) - (alpha + beta * top[p])
        room[p] = free if free < room[p] else room[p]


@inner()
def _careful(N, T, p):
    """The pattern of one point of a tile with a running error bound; False: in doubt."""
    H, k, words = T.H, T.k, T.words
    value, wrong = T.value, T.wrong
    ptr, source, weight = N.ptr, N.source, N.weight
    unit, cut, breaks = N.unit, N.cut, N.breaks
    words[0, p], words[1, p] = np.uint64(0), np.uint64(0)
    for i in range(k):
        value[i], wrong[i] = H[i, p], 0.0
    for u in range(len(unit)):
        z, known = unit[u, 0], unit[u, 1]
        total = abs(z)
        for i in range(ptr[u], ptr[u + 1]):
            h, e = value[source[i]], wrong[source[i]]
            z += weight[i] * h
            total += abs(weight[i] * h)
            known += abs(weight[i]) * e + N.loose[i] * (abs(h) + e)
        known = 1.01 * (known + (ptr[u + 1] - ptr[u] + 3) * ROUNDOFF * total)
        # All that is read is zero around the point, and so is this value.
        still = total == 0.0 and known == 0.0 and not N.outer[u]
        slope, h = unit[u, 2], unit[u, 2] * z + unit[u, 3]
        terms = abs(unit[u, 2] * z) + abs(unit[u, 3])
        for q in range(cut[u], cut[u + 1]):
            d = z - breaks[q, 0]
            near = abs(d) <= known + 4.0 * ROUNDOFF * (abs(z) + abs(breaks[q, 0]))
            if breaks[q, 3] >= 0.0 and near and not (still and d == 0.0):
                return False
            if d > 0.0:
                words[q >> 6, p] |= np.uint64(1) << np.uint64(q & 63)
                slope += breaks[q, 2]
                h += breaks[q, 2] * (z - breaks[q, 1])
                terms += abs(breaks[q, 2]) * (abs(z) + abs(breaks[q, 1]))
        value[k + u] = h
        wide = abs(slope) + (8.0 * ROUNDOFF * (cut[u + 1] - cut[u]) if slope != 0.0 else 0.0)
        wrong[k + u] = 1.01 * (wide * known + 8.0 * (cut[u + 1] - cut[u] + 1) * ROUNDOFF * terms)
    return True


@inner()
def _inside(T, p, gates):
    """1 inside the half-spaces ``gates`` (rows A, b), 0 outside, -1 in doubt."""
    H, k = T.H, T.k
    for r in range(len(gates)):
        total, room = abs(gates[r, k]), gates[r, k]
        for i in range(k):
            room -= gates[r, i] * H[i, p]
            total += abs(gates[r, i] * H[i, p])
        bound = (k + 4.0) * ROUNDOFF * total * 1.01 + gates[r, k + 1]
        if room < -bound:
            return 0
        if room <= bound:
            return -1
    return 1


@kernel("samples")
def advance(N, stream, T, met, at, first, last):
    """Draw the points ``at .. last - 1`` of a block and count those from ``first`` on.

    Returns how far it came: it stops early where the table is half full or the trip wire is
    raised.
    """
    N, stream, T, met = held(N), held(stream), held(T), held(met)
    table, tally, gates = met.table, met.tally, met.gates
    room, words = T.room, T.words
    limit = len(table) // 2 - TILE
    fresh = tally[0]
    while at < last and fresh < limit and not raised(met.trip, 0):
        fill(T.flat, stream)
        if at + TILE <= first:
            at += TILE
            continue
        _evaluate(N, T)
        for p in range(max(first - at, 0), min(last - at, TILE)):
            where = _inside(T, p, gates) if len(gates) > 0 else 1
            if where == 0:
                tally[1] += 1
            elif where < 0:
                tally[2] += 1
            elif room[p] > 0.0 or _careful(N, T, p):
                fresh += put(table, words[0, p], words[1, p])
            elif tally[3] < len(met.doubtful):
                for i in range(T.k):
                    met.doubtful[tally[3], i] = T.H[i, p]
                tally[3] += 1
            else:
                tally[2] += 1
        at += TILE
    tally[0] = fresh
    return min(at, last)
