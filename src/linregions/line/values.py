"""Values of a layer at points of a segment, and small loops over vectors."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..jit import inner, raised
from ..roundoff import ROUNDOFF
from .data import (
    C_AT,
    C_ROW,
    DEAD,
    FAST,
    FIRST,
    PIECE,
    PLACE,
    PLAIN,
    ROWS,
    SMALL,
    UNIT,
    WEIGHT,
    N,
)


@inner(fastmath=FAST)
def norm(x):
    """Euclidean length, rounded up."""
    total = 0.0
    for j in range(len(x)):
        total += x[j] * x[j]
    return math.sqrt(total) * (1.0 + (len(x) + 4.0) * ROUNDOFF) + SMALL


@inner(fastmath=FAST)
def largest_of(x):
    """Largest absolute value."""
    most = 0.0
    for i in range(len(x)):
        most = max(most, abs(x[i]))
    return most


@inner(fastmath=FAST)
def dot(x, y):
    total = 0.0
    for j in range(len(x)):
        total += x[j] * y[j]
    return total


class WeightBlock(NamedTuple):
    """Weights of n rows from place ``at`` on, each over the columns from lo to hi."""

    W: np.ndarray
    at: int
    n: int
    lo: int
    hi: int


@inner(fastmath=FAST)
def four_by_two(B, X, Z, at, i, more):
    """Products of four vectors with two rows, added to entries i and i + 1."""
    m, lo, hi = B.hi - B.lo, B.lo, B.hi
    first = B.at + i * m
    u, v = B.W[first : first + m], B.W[first + m : first + 2 * m]
    x0, x1 = X[at[0], lo:hi], X[at[1], lo:hi]
    x2, x3 = X[at[2], lo:hi], X[at[3], lo:hi]
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = 0.0
    for j in range(m):
        p, q = u[j], v[j]
        a0 += x0[j] * p
        b0 += x0[j] * q
        a1 += x1[j] * p
        b1 += x1[j] * q
        a2 += x2[j] * p
        b2 += x2[j] * q
        a3 += x3[j] * p
        b3 += x3[j] * q
    Z[at[0], i] += a0
    Z[at[0], i + 1] += b0
    if more > 1:
        Z[at[1], i] += a1
        Z[at[1], i + 1] += b1
    if more > 2:
        Z[at[2], i] += a2
        Z[at[2], i + 1] += b2
    if more > 3:
        Z[at[3], i] += a3
        Z[at[3], i + 1] += b3


@inner(fastmath=FAST)
def products(B, X, Z, step, nv, trip):
    """``Z[v] += W X[v, lo:hi]`` for v = 0, step, 2 step, ..., the last one being nv - 1.

    Broken off where the trip wire is raised.
    """
    n, m, last = B.n, B.hi - B.lo, nv - 1
    count = (last + step - 1) // step + 1
    for first in range(0, count, 4):
        more = min(4, count - first)
        v0, v1 = min(first * step, last), min((first + 1) * step, last)
        v2, v3 = min((first + 2) * step, last), min((first + 3) * step, last)
        at = (v0, v1, v2, v3)
        for row in range(0, n - 1, ROWS):
            if raised(trip, 0):
                return
            for i in range(row, min(row + ROWS, n - 1), 2):
                four_by_two(B, X, Z, at, i, more)
        if n % 2:
            u = B.W[B.at + (n - 1) * m : B.at + n * m]
            for a in range(more):
                Z[at[a], n - 1] += dot(X[at[a], B.lo : B.hi], u)


@inner(fastmath=FAST)
def constants(P, Q, layer, i0, i1, s, z):
    """What the input and the bias give to a layer at position s of the segment i0 i1."""
    n, at, C = P.table[layer, N], P.table[layer, C_AT], Q.C
    if P.table[layer, C_ROW]:
        c0, c1 = C[at + i0 * n : at + (i0 + 1) * n], C[at + i1 * n : at + (i1 + 1) * n]
        for i in range(n):
            z[i] = (1.0 - s) * c0[i] + s * c1[i]
    else:
        w = (1.0 - s) * Q.ends[WEIGHT, i0] + s * Q.ends[WEIGHT, i1]
        c0 = C[at : at + n]
        for i in range(n):
            z[i] = w * c0[i]


@inner(fastmath=FAST)
def outputs(P, layer, w, z, h):
    """Values of the units from their pre-activations at a point of weight w."""
    n, unit = P.table[layer, N], P.table[layer, UNIT]
    if P.table[layer, PLAIN] == 1:  # plain rectifiers
        for i in range(n):
            h[i] = max(z[i], 0.0)
        return
    for i in range(n):
        p = P.places[PIECE, unit + i]
        for r in range(P.places[FIRST, unit + i], P.places[FIRST, unit + i + 1]):
            p += int(z[i] > P.rows[PLACE, r] * w)
        h[i] = P.pieces[p, 0] * z[i] + P.pieces[p, 1] * w


@inner(fastmath=FAST)
def near(z, dead, e):
    """How many units that are not constant have a value within e of zero."""
    total = 0.0
    for i in range(len(z)):
        total += 0.0 if abs(z[i]) + dead[i] > e else 1.0
    return total


@inner(fastmath=FAST)
def margins(a, b, dead, length, room, e, out):
    """At most 0 where unit i may not keep its sign on the way from a[i] to b[i].

    ``|a + b| - |a - b|`` is twice the smaller absolute value where the signs agree, and minus
    that where they do not; from it goes twice ``e + length[i] room``. Never too large.
    """
    for i in range(len(out)):
        near = abs(a[i] - b[i]) * (1.0 + 8.0 * ROUNDOFF) + 2.0 * (e + length[i] * room)
        out[i] = abs(a[i] + b[i]) * (1.0 - 8.0 * ROUNDOFF) - near + dead[i]


@inner()
def clear_unit(P, layer, i, w, value, e):
    """Whether every breakpoint of unit i is farther than e from its value."""
    unit = P.table[layer, UNIT] + i
    for r in range(P.places[FIRST, unit], P.places[FIRST, unit + 1]):
        if not abs(value - P.rows[PLACE, r] * w) > e:
            return False
    return True


@inner()
def clear(P, layer, w, z, e):
    """Whether every breakpoint of the layer is farther than e from its unit's value."""
    n, unit = P.table[layer, N], P.table[layer, UNIT]
    if P.table[layer, PLAIN]:
        return near(z[:n], P.units[DEAD, unit : unit + n], e) == 0.0
    for i in range(n):
        if P.units[DEAD, unit + i] == 0.0 and not clear_unit(P, layer, i, w, z[i], e):
            return False
    return True


@inner(fastmath=FAST)
def mix(f, a, b, out):
    """``(1 - f) a + f b``."""
    g = 1.0 - f
    for i in range(len(a)):
        out[i] = g * a[i] + f * b[i]


@inner()
def copy(x, out):
    """``out = x`` (a slice assignment would want reference counts)."""
    for i in range(len(x)):
        out[i] = x[i]


@inner(fastmath=FAST)
def add(c, x, out):
    """``out += c x``."""
    for i in range(len(x)):
        out[i] += c * x[i]


@inner(fastmath=FAST)
def subtract(a, b, out):
    """``out = b - a``."""
    for i in range(len(a)):
        out[i] = b[i] - a[i]
