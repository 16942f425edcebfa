"""The compiled path: draw points by tiles, evaluate small networks, count patterns in a table.

A tile of 128 points is evaluated unit by unit, all points at once, so that the inner loops run
over points and become vector instructions. A point whose every pre-activation is farther from
its breakpoints than the bound of the program has the pattern of exact arithmetic. The others are
evaluated once more with a running error bound (`_careful`), which also knows where a value is
zero without rounding; what is in doubt still goes back to the caller.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..jit import inner, kernel, raised
from .draws import TILE, tile
from .table import put

U = 2.0**-53


@inner(fastmath={"contract"})
def _evaluate(H, k, ptr, source, weight, unit, cut, breaks, used, acc, words, room, top, d, raw):
    """Pre-activations and bits of a tile; ``room`` is how far the nearest bit is from doubt."""
    words[:] = np.uint64(0)
    room[:] = np.inf
    top[:] = 0.0
    for i in range(k):
        x = H[i]
        for p in range(TILE):
            size = abs(x[p])
            top[p] = size if size > top[p] else top[p]
    for u in range(len(unit)):
        _row(H, ptr[u], ptr[u + 1], source, weight, unit[u, 0], acc)
        row = H[k + u]
        reads = used[u]
        if reads:
            slope, shift = unit[u, 2], unit[u, 3]
            for p in range(TILE):
                row[p] = slope * acc[p] + shift
        for q in range(cut[u], cut[u + 1]):
            alpha, beta = breaks[q, 3], breaks[q, 4]
            place = np.uint64(q & 63)
            _bit(acc, breaks[q, 0], alpha, beta, top, words[q >> 6], place, room, d, raw)
            if reads:
                where, step = breaks[q, 1], breaks[q, 2]
                for p in range(TILE):
                    above = acc[p] - where
                    row[p] += step * (above if above > 0.0 else 0.0)


@njit(nogil=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _row(H, a, b, source, weight, bias, acc):
    for p in range(TILE):
        acc[p] = bias
    i = a
    while i + 3 < b:
        h0, h1, h2, h3 = H[source[i]], H[source[i + 1]], H[source[i + 2]], H[source[i + 3]]
        w0, w1, w2, w3 = weight[i], weight[i + 1], weight[i + 2], weight[i + 3]
        for p in range(TILE):
            acc[p] += w0 * h0[p] + w1 * h1[p] + w2 * h2[p] + w3 * h3[p]
        i += 4
    while i < b:
        h0, w0 = H[source[i]], weight[i]
        for p in range(TILE):
            acc[p] += w0 * h0[p]
        i += 1


@njit(nogil=True, error_model="numpy", inline="always")
def _bit(acc, where, alpha, beta, top, word, place, room, d, raw):
    """``raw`` are the bits of ``d``: a sign bit is moved faster than a comparison is."""
    for p in range(TILE):
        d[p] = acc[p] - where
    for p in range(TILE):
        word[p] |= ((raw[p] >> np.uint64(63)) ^ np.uint64(1)) << place
    for p in range(TILE):
        free = abs(d[p]) - (alpha + beta * top[p])
        room[p] = free if free < room[p] else room[p]


@inner()
def _careful(H, k, p, ptr, source, weight, loose, unit, cut, breaks, outer, value, wrong, words):
    """The pattern of one point of a tile with a running error bound; False: in doubt."""
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
            known += abs(weight[i]) * e + loose[i] * (abs(h) + e)
        known = 1.01 * (known + (ptr[u + 1] - ptr[u] + 3) * U * total)
        # All that is read is zero around the point, and so is this value.
        still = total == 0.0 and known == 0.0 and not outer[u]
        slope, h = unit[u, 2], unit[u, 2] * z + unit[u, 3]
        terms = abs(unit[u, 2] * z) + abs(unit[u, 3])
        for q in range(cut[u], cut[u + 1]):
            d = z - breaks[q, 0]
            near = abs(d) <= known + 4.0 * U * (abs(z) + abs(breaks[q, 0]))
            if breaks[q, 3] >= 0.0 and near and not (still and d == 0.0):
                return False
            if d > 0.0:
                words[q >> 6, p] |= np.uint64(1) << np.uint64(q & 63)
                slope += breaks[q, 2]
                h += breaks[q, 2] * (z - breaks[q, 1])
                terms += abs(breaks[q, 2]) * (abs(z) + abs(breaks[q, 1]))
        value[k + u] = h
        wide = abs(slope) + (8.0 * U * (cut[u + 1] - cut[u]) if slope != 0.0 else 0.0)
        wrong[k + u] = 1.01 * (wide * known + 8.0 * (cut[u + 1] - cut[u] + 1) * U * terms)
    return True


@inner()
def _inside(H, k, p, gates):
    """1 inside the half-spaces ``gates`` (rows A, b), 0 outside, -1 in doubt."""
    for r in range(len(gates)):
        total, room = abs(gates[r, k]), gates[r, k]
        for i in range(k):
            room -= gates[r, i] * H[i, p]
            total += abs(gates[r, i] * H[i, p])
        bound = (k + 4.0) * U * total * 1.01 + gates[r, k + 1]
        if room < -bound:
            return 0
        if room <= bound:
            return -1
    return 1


@kernel("samples", _nrt=True)
def advance(
    at, first, last, scale, k, state, width, inside, step,
    ptr, source, weight, loose, unit, cut, breaks, used, outer, gates,
    table, tally, doubtful, trip,
):  # fmt: skip
    """Draw the points ``at .. last - 1`` of a block and count those from ``first`` on.

    Returns how far it came: it stops early where the table is half full or the trip wire is
    raised. ``tally``: patterns in the table, points outside the gates, points skipped, points
    handed back in ``doubtful``.
    """
    H = np.empty((k + len(unit), TILE))
    flat = H[:k].reshape(k * TILE)
    acc, room, top, d = np.empty(TILE), np.empty(TILE), np.empty(TILE), np.empty(TILE)
    raw = d.view(np.uint64)
    words = np.empty((2, TILE), np.uint64)
    value, wrong = np.empty(k + len(unit)), np.empty(k + len(unit))
    limit = len(table) // 2 - TILE
    gated = len(gates) > 0
    fresh = tally[0]
    while at < last and fresh < limit and not raised(trip, 0):
        tile(flat, scale, state, width, inside, step)
        if at + TILE <= first:
            at += TILE
            continue
        _evaluate(H, k, ptr, source, weight, unit, cut, breaks, used, acc, words, room, top, d, raw)
        for p in range(max(first - at, 0), min(last - at, TILE)):
            sure = room[p] > 0.0
            if gated:
                where = _inside(H, k, p, gates)
                if where == 0:
                    tally[1] += 1
                    continue
                if where < 0:
                    tally[2] += 1
                    continue
            if not sure:
                sure = _careful(
                    H, k, p, ptr, source, weight, loose, unit, cut, breaks, outer, value, wrong,
                    words,
                )  # fmt: skip
            if sure:
                fresh += put(table, words[0, p], words[1, p])
            elif tally[3] < len(doubtful):
                for i in range(k):
                    doubtful[tally[3], i] = H[i, p]
                tally[3] += 1
            else:
                tally[2] += 1
        at += TILE
    tally[0] = fresh
    return min(at, last)
