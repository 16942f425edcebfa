"""The compiled sweep: breakpoints of a network along segments, layer by layer.

A segment carries a mesh ``0 = s_0 < s_1 < ... < s_m = 1``: its ends and the breakpoints of the
layers placed so far. Between neighbours of the mesh the next layer's pre-activations are
affine, so their values at the mesh points say which units switch in between, and where. Each
switch becomes a mesh point. Two ideas keep it fast:

* values of layer L + 1 at the breakpoints of layer L need no matrix product: from one of them
  to the next the slope changes by a multiple of one column of the weights;
* the last layer, where most points are, is evaluated at every `SPAN`-th mesh point. Between
  those the inputs of the layer stray from their chord by a computed distance, so a unit far
  from zero at both ends has no zero between; the others are looked at more closely, by halves.

What is decided, and when it is certain (`docs/lines.md` has the argument): let ``z`` be the
true pre-activations along the segment and ``Z`` the interpolant of the values computed on the
mesh. `bounds` keeps ``e >= sup |z - Z|``. A unit changes sign only where ``|Z| <= e``, which
around a computed breakpoint is an interval of half-width `tau`. If no mesh point of the layers
before has a value within e of zero and these intervals do not meet, the true breakpoints are
the computed ones, one by one and in the same order. Else the segment is left in doubt.

Everything is homogeneous: an end has a weight, 1 for a point and 0 for a direction at
infinity, which multiplies biases and breakpoints. So half of an infinite line is a segment.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..jit import held, inner, kernel, raised

ULP = 2.0**-53
GAP = 1e-12  # mesh points closer than this part of the segment are left to rationals
TINY = 1e-290  # far above what underflow can hide
SMALL = 1e-150  # what underflow of a square can hide
SPAN = 8  # mesh cells between evaluations of the whole last layer
FAST = {"contract", "nsz", "reassoc"}

# columns of the layer table: units, first column of the outputs, columns read, places in W, T
# and C, rows of C per point (0: one row for all), first row, first unit, all breaks at 0,
# first column still needed after the next layer, later layers read nothing before this one
N, COL, LO, HI, W_AT, T_AT, C_AT, C_ROW, ROW, UNIT, PLAIN, LIVE, NECK = range(13)
LENGTH, DEAD = 0, 1  # of units
PIECE, FIRST = 0, 1  # of places
PLACE, BEND = 0, 1  # of rows
WEIGHT, SIZE, ROUNDED = 0, 1, 2  # of ends
# norms of a layer: of W (bound of the spectral one), Frobenius, error of the factors; the same
# for the input's part; bias; largest slope; value at 0; largest row, largest column
(
    SPEC, FRO, W_ERR, IN_FRO, IN_ERR, BIAS, B_ERR, LIP, AT_ZERO, WIDEST, N_IN,
) = range(11)  # fmt: skip
END = -1  # of a mesh: no row made it
# outcomes of a segment
GOOD, DOUBT, FULL, STOPPED = range(4)
ROWS = 64  # products between looks at the trip wire


class Program(NamedTuple):
    """A network along segments, as flat arrays; see the names of the columns above.

    ``W`` holds the weights of each layer by rows, ``T`` those of the layer just before by
    columns. Units are numbered through, and so are rows (breakpoints of units).
    """

    table: np.ndarray
    norms: np.ndarray
    W: np.ndarray
    T: np.ndarray
    units: np.ndarray  # (2, units): Euclidean norm of the weights; 1e300 for a constant unit
    places: np.ndarray  # (2, units + 1): first piece, first row
    pieces: np.ndarray  # (pieces, 2): slope, shift
    rows: np.ndarray  # (2, rows): place of the breakpoint; slope above minus slope below
    unit_of: np.ndarray  # unit of each row, within its layer


class Points(NamedTuple):
    """Ends of segments: what they give to every layer, their weights and lengths."""

    C: np.ndarray
    ends: np.ndarray  # (3, points): weight, Euclidean norm, rounding of the point itself


class Leg(NamedTuple):
    """One layer along one segment: its ends and their weights, the old mesh, the error bound."""

    layer: int
    old: int
    i0: int
    i1: int
    w0: float
    w1: float
    e: float
    strict: bool


class Job(NamedTuple):
    """Segments, each between two of the points, and what becomes of each."""

    ends: np.ndarray
    strict: bool
    starts: np.ndarray  # signs of the rows at the first end
    outcome: np.ndarray
    counts: np.ndarray


class Found(NamedTuple):
    """Room for breakpoints, segment after segment."""

    s: np.ndarray
    row: np.ndarray


class Scratch(NamedTuple):
    """Work space for one segment of at most ``cap`` mesh points: two meshes, old and new."""

    mesh: np.ndarray  # (2, 2, cap): positions, half-widths
    row: np.ndarray  # (2, cap) the row that made the point, -1 for an end
    X: np.ndarray  # (2, cap, columns) outputs of the layers
    Z: np.ndarray  # (3, cap, widest) pre-activations: old, new, next layer at old points
    F: np.ndarray  # (3, cap) the cuts of a cell or window: places, half-widths, jumps
    R: np.ndarray  # (cap,) their rows
    work: np.ndarray  # (3, widest): slope of the next layer, its values, margins or own values
    sizes: np.ndarray  # (layers, 3): bounds of outputs, of their errors, of their slopes
    tree: np.ndarray  # (3, nodes) of a window: first and last point of a node; nodes to visit
    dev: np.ndarray  # (2, nodes): distance from the chord; a unit's values at the points
    trip: np.ndarray  # (1,) the trip wire, one for all threads


@inner(fastmath=FAST)
def norm(x):
    """Euclidean length, rounded up."""
    total = 0.0
    for j in range(len(x)):
        total += x[j] * x[j]
    return math.sqrt(total) * (1.0 + (len(x) + 4.0) * ULP) + SMALL


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


class Block(NamedTuple):
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
        near = abs(a[i] - b[i]) * (1.0 + 8.0 * ULP) + 2.0 * (e + length[i] * room)
        out[i] = abs(a[i] + b[i]) * (1.0 - 8.0 * ULP) - near + dead[i]


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


@inner()
def add_cut(S, m, r, va, vb, e):
    """The zero of row r where its values at the ends of a cell are va and vb."""
    f, row, tau = S.F[0], S.R, S.F[1]
    jump = S.F[2]
    f[m] = abs(va) / (abs(va) + abs(vb))
    row[m] = r
    tau[m] = e / abs(vb - va)
    jump[m] = abs(vb - va)
    return m + 1


@inner()
def cuts_of_cell(P, S, layer, wa, wb, a, b, e):
    """All breakpoints of a layer inside one cell, unsorted; values at the ends are a, b."""
    margin = S.work[2]
    n, unit, m = P.table[layer, N], P.table[layer, UNIT], 0
    if P.table[layer, PLAIN]:
        end = unit + n
        margins(a, b, P.units[DEAD, unit:end], P.units[LENGTH, unit:end], 0.0, 0.0, margin[:n])
        for i in range(n):
            if margin[i] <= 0.0 and (a[i] > 0.0) != (b[i] > 0.0):
                m = add_cut(S, m, P.places[FIRST, unit + i], a[i], b[i], e)
        return m
    for i in range(n):
        if P.units[DEAD, unit + i] == 0.0:
            for r in range(P.places[FIRST, unit + i], P.places[FIRST, unit + i + 1]):
                va, vb = a[i] - P.rows[PLACE, r] * wa, b[i] - P.rows[PLACE, r] * wb
                if (va > 0.0) != (vb > 0.0):
                    m = add_cut(S, m, r, va, vb, e)
    return m


@inner()
def sort_cuts(S, m):
    """Ascending f, by Shell's method: mostly one to five entries, hundreds in layer 1."""
    f, row, tau = S.F[0], S.R, S.F[1]
    jump = S.F[2]
    gap = 1
    while gap < m // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, m):
            x, r, t, d = f[i], row[i], tau[i], jump[i]
            j = i
            while j >= gap and f[j - gap] > x:
                k = j - gap
                f[j], row[j], tau[j], jump[j] = f[k], row[k], tau[k], jump[k]
                j = k
            f[j], row[j], tau[j], jump[j] = x, r, t, d
        gap //= 3


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


@inner()
def bounds(P, S, layer, size, rounded, many, bent):
    """Error e of the layer's pre-activations, and a bound of their slope along the segment.

    All in the Euclidean norm, over the whole segment; `docs/lines.md` derives them. Values at
    the latest points came out of up to ``many`` steps along a slope that bent by ``bent``.
    """
    t, c = P.table[layer], P.norms[layer]
    h = eh = slope = 0.0
    for i in range(layer):
        if t[LO] <= P.table[i, COL] < t[HI]:
            h += S.sizes[i, 0] ** 2
            eh += S.sizes[i, 1] ** 2
            slope += S.sizes[i, 2] ** 2
    h, eh, slope = math.sqrt(h), math.sqrt(eh), math.sqrt(slope)
    terms = c[N_IN] + (t[HI] - t[LO]) + 16.0
    e = (c[IN_ERR] + terms * ULP * c[IN_FRO]) * size + c[IN_FRO] * rounded
    e += c[B_ERR] + terms * ULP * c[BIAS]
    e += c[SPEC] * eh + (terms * ULP * c[FRO] + c[W_ERR]) * (h + eh)
    own = c[IN_FRO] * size + c[BIAS]
    e += (16.0 * many + 64.0) * ULP * (2.0 * (own + c[FRO] * h) + bent * c[WIDEST])
    return 1.01 * e + TINY, 1.01 * (2.0 * own + c[SPEC] * slope)


@inner()
def keep_bounds(P, S, layer, e, largest, slope):
    """The same for the layer's outputs, with the rounding of positions and of the units."""
    lip, at_zero = P.norms[layer, LIP], P.norms[layer, AT_ZERO]
    size = lip * largest + at_zero
    S.sizes[layer, 0] = size
    S.sizes[layer, 1] = 1.01 * lip * e + 16.0 * ULP * (size + lip * slope)
    S.sizes[layer, 2] = lip * slope + 2.0 * at_zero


@inner()
def note_start(P, layer, z, w, start):
    """Which rows are positive at the first end."""
    unit = P.table[layer, UNIT]
    for i in range(P.table[layer, N]):
        for r in range(P.places[FIRST, unit + i], P.places[FIRST, unit + i + 1]):
            start[r] = z[i] > P.rows[PLACE, r] * w


@inner()
def put(S, new, k, s, row, tau):
    """Mesh point k of the new mesh."""
    S.mesh[new, 0, k] = s
    S.row[new, k] = row
    S.mesh[new, 1, k] = tau


@inner(fastmath=FAST)
def cross_cell(P, S, G, v, k, m, wanted):
    """Mesh points k, k + 1, ... for the m cuts of cell v, with what later layers need there.

    From cut to cut the next layer's values (where ``wanted``) move along a slope that changes by
    a multiple of the weights of the unit that bends. Returns the sum of those changes.
    """
    layer, old, w0 = G.layer, G.old, G.w0
    w1 = G.w1
    t, new = P.table[layer], 1 - old
    n, col, live = t[N], t[COL], min(t[LIVE], t[COL])
    a, width = S.mesh[old, 0, v], S.mesh[old, 0, v + 1] - S.mesh[old, 0, v]
    za, zb, z = S.Z[old, v, :n], S.Z[old, v + 1, :n], S.work[2, :n]
    after = P.table[layer + 1, N] if wanted else 0
    at = P.table[layer + 1, T_AT] if wanted else -1
    slope, value = S.work[0, :after], S.work[1, :after]
    bent = 0.0
    if wanted:
        subtract(S.Z[2, v, :after], S.Z[2, v + 1, :after], slope)
        copy(S.Z[2, v, :after], value)
        for c in range(m if at >= 0 else 0):
            d = P.rows[BEND, S.R[c]] * S.F[2, c]
            i = at + P.unit_of[S.R[c]] * after
            add(-d * (1.0 - S.F[0, c]), P.T[i : i + after], slope)
            bent += abs(d)
    before = 0.0
    for c in range(m):
        f, r = S.F[0, c], S.R[c]
        s = a + f * width
        put(S, new, k, s, r, S.F[1, c] * width)
        if wanted:
            add(f - before, slope, value)
            copy(value, S.Z[new, k, :after])
            before = f
            if at >= 0:
                i = at + P.unit_of[r] * after
                add(P.rows[BEND, r] * S.F[2, c], P.T[i : i + after], slope)
        if live < col:
            mix(f, S.X[old, v, live:col], S.X[old, v + 1, live:col], S.X[new, k, live:col])
        if t[LIVE] < col + n:
            w = (1.0 - s) * w0 + s * w1
            mix(f, za, zb, z)
            z[P.unit_of[r]] = P.rows[PLACE, r] * w
            h = S.X[new, k, col : col + n]
            outputs(P, layer, w, z, h)
        k += 1
    return bent


@inner()
def carry(P, S, G, v, k, wanted):
    """An old mesh point in the new mesh."""
    layer, old = G.layer, G.old
    t, new = P.table[layer], 1 - old
    put(S, new, k, S.mesh[old, 0, v], S.row[old, v], S.mesh[old, 1, v])
    if t[LIVE] < t[COL] + t[N]:
        a, b = t[LIVE], t[COL] + t[N]
        copy(S.X[old, v, a:b], S.X[new, k, a:b])
    if wanted:
        after = P.table[layer + 1, N]
        copy(S.Z[2, v, :after], S.Z[new, k, :after])


@inner()
def refine(P, Q, S, G, nv, wanted):
    """The new mesh with the breakpoints of one layer, whose values at the old one are known.

    Returns the number of mesh points, or 0 where a value is too close to a breakpoint, or -1
    where there is no room; the largest norm of a pre-activation; and a bound of the rounding
    of the next layer's values at new points, per unit of their size and per unit of bend.
    """
    layer, old, i0 = G.layer, G.old, G.i0
    i1, e, strict = G.i1, G.e, G.strict
    t = P.table[layer]
    n, col = t[N], t[COL]
    w0, w1 = G.w0, G.w1
    largest = 0.0
    for v in range(nv):
        if raised(S.trip, 0):
            return 0, 0.0, 0, 0.0
        z, w = S.Z[old, v, :n], (1.0 - S.mesh[old, 0, v]) * w0 + S.mesh[old, 0, v] * w1
        if strict and not clear(P, layer, w, z, e):
            return 0, 0.0, 0, 0.0
        h = S.X[old, v, col : col + n]
        outputs(P, layer, w, z, h)
        largest = max(largest, norm(z))
    if wanted:
        after, u = layer + 1, P.table[layer + 1]
        for v in range(nv):
            constants(P, Q, after, i0, i1, S.mesh[old, 0, v], S.Z[2, v])
        block = Block(P.W, u[W_AT], u[N], u[LO], u[HI])
        products(block, S.X[old], S.Z[2], 1, nv, S.trip)
    k, many, bent = 0, 0, 0.0
    for v in range(nv - 1):
        if raised(S.trip, 0):
            return 0, 0.0, 0, 0.0
        wa = (1.0 - S.mesh[old, 0, v]) * w0 + S.mesh[old, 0, v] * w1
        wb = (1.0 - S.mesh[old, 0, v + 1]) * w0 + S.mesh[old, 0, v + 1] * w1
        za, zb = S.Z[old, v], S.Z[old, v + 1]
        m = cuts_of_cell(P, S, layer, wa, wb, za, zb, e)
        if k + m + 2 > S.row.shape[1]:
            return END, 0.0, 0, 0.0
        carry(P, S, G, v, k, wanted)
        if m > 0:
            sort_cuts(S, m)
            bent = max(bent, cross_cell(P, S, G, v, k + 1, m, wanted))
            many = max(many, m)
        k += m + 1
    carry(P, S, G, nv - 1, k, wanted)
    infinite = w1 == 0.0 and S.mesh[old, 0, nv - 1] == 1.0
    if infinite and t[NECK] and largest_of(S.X[old, nv - 1, col : col + n]) == 0.0:
        k -= 1  # from the last breakpoint on to infinity all that follows is constant
    return k + 1, largest, many, bent


# -- the last layer ---------------------------------------------------------------------------


@inner()
def stray(P, S, G, first, last):
    """Binary tree over the mesh points of a window: how far the layer's inputs leave the chord.

    Node 1 is the window, node j has the halves 2 j and 2 j + 1; a node of one cell strays by 0.
    """
    lo, hi, dev = S.tree[0], S.tree[1], S.dev[0]
    layer, old = G.layer, G.old
    t = P.table[layer]
    a, b = t[LO], t[HI]
    for j in range(1, len(dev)):
        if j == 1:
            lo[1], hi[1] = first, last
        elif hi[j // 2] - lo[j // 2] > 1:
            middle = (lo[j // 2] + hi[j // 2]) // 2
            lo[j], hi[j] = (middle, hi[j // 2]) if j % 2 else (lo[j // 2], middle)
        else:
            lo[j] = hi[j] = 0
    for j in range(len(dev) - 1, 0, -1):
        dev[j] = 0.0
        if hi[j] - lo[j] > 1:
            m = (lo[j] + hi[j]) // 2
            f = (S.mesh[old, 0, m] - S.mesh[old, 0, lo[j]]) / (
                S.mesh[old, 0, hi[j]] - S.mesh[old, 0, lo[j]]
            )
            off = chord(f, S.X[old, lo[j], a:b], S.X[old, hi[j], a:b], S.X[old, m, a:b])
            dev[j] = (off + max(dev[2 * j], dev[2 * j + 1])) * 1.000001


@inner(fastmath=FAST)
def chord(f, a, b, x):
    """Distance of x from ``(1 - f) a + f b``."""
    g, total = 1.0 - f, 0.0
    for i in range(len(x)):
        d = x[i] - g * a[i] - f * b[i]
        total += d * d
    return math.sqrt(total)


@inner()
def far(P, layer, i, wa, wb, va, vb, room):
    """Whether unit i stays on its piece between two points where its values are va, vb."""
    unit = P.table[layer, UNIT] + i
    for r in range(P.places[FIRST, unit], P.places[FIRST, unit + 1]):
        a, b = va - P.rows[PLACE, r] * wa, vb - P.rows[PLACE, r] * wb
        if not ((a > room and b > room) or (a < -room and b < -room)):
            return False
    return True


@inner()
def value_of(P, Q, S, G, i, v):
    """Pre-activation of unit i of the layer at mesh point v."""
    layer, old, i0 = G.layer, G.old, G.i0
    i1 = G.i1
    t, s = P.table[layer], S.mesh[old, 0, v]
    at, m = t[C_AT], t[HI] - t[LO]
    if t[C_ROW]:
        c = (1.0 - s) * Q.C[at + i0 * t[N] + i] + s * Q.C[at + i1 * t[N] + i]
    else:
        c = ((1.0 - s) * Q.ends[WEIGHT, i0] + s * Q.ends[WEIGHT, i1]) * Q.C[at + i]
    weights = P.W[t[W_AT] + i * m : t[W_AT] + (i + 1) * m]
    return c + dot(weights, S.X[old, v, t[LO] : t[HI]])


@inner()
def search_window(P, Q, S, G, i, m):
    """Append the breakpoints of unit i in the window of the tree; -1 in doubt, -2 no room."""
    layer, old, e = G.layer, G.old, G.e
    lo, hi, todo = S.tree[0], S.tree[1], S.tree[2]
    dev, value = S.dev[0], S.dev[1]
    w0, w1 = G.w0, G.w1
    unit = P.table[layer, UNIT] + i
    first = lo[1]
    length = P.units[LENGTH, unit]
    value[0], value[hi[1] - first] = S.Z[old, first, i], S.Z[old, hi[1], i]
    todo[0], left = 1, 1
    while left > 0:
        left -= 1
        j = todo[left]
        a, b = S.mesh[old, 0, lo[j]], S.mesh[old, 0, hi[j]]
        wa, wb = (1.0 - a) * w0 + a * w1, (1.0 - b) * w0 + b * w1
        va, vb = value[lo[j] - first], value[hi[j] - first]
        if hi[j] - lo[j] > 1:
            if not far(P, layer, i, wa, wb, va, vb, e + length * dev[j]):
                middle = (lo[j] + hi[j]) // 2
                v = value_of(P, Q, S, G, i, middle)
                s = S.mesh[old, 0, middle]
                if G.strict and not clear_unit(P, layer, i, (1.0 - s) * w0 + s * w1, v, e):
                    return -1
                value[middle - first] = v
                todo[left], todo[left + 1] = 2 * j + 1, 2 * j
                left += 2
            continue
        for r in range(P.places[FIRST, unit], P.places[FIRST, unit + 1]):
            x, y = va - P.rows[PLACE, r] * wa, vb - P.rows[PLACE, r] * wb
            if (x > 0.0) != (y > 0.0):
                if m + 2 > len(S.R):
                    return -2
                add_cut(S, m, r, x, y, e)
                S.F[0, m] = a + S.F[0, m] * (b - a)
                S.F[1, m] *= b - a
                m += 1
    return m


@inner()
def finish(P, Q, S, G, nv):
    """The new mesh with the breakpoints of the last layer; its size, 0 or -1 as in `refine`."""
    layer, old, i0 = G.layer, G.old, G.i0
    i1, e, strict = G.i1, G.e, G.strict
    t = P.table[layer]
    n, new = t[N], 1 - old
    windows = (nv + SPAN - 2) // SPAN
    for v in range(0, nv - 1 + SPAN, SPAN):
        v = min(v, nv - 1)
        constants(P, Q, layer, i0, i1, S.mesh[old, 0, v], S.Z[old, v])
    block = Block(P.W, t[W_AT], n, t[LO], t[HI])
    products(block, S.X[old], S.Z[old], SPAN, nv, S.trip)
    w0, w1 = G.w0, G.w1
    k = 1
    put(S, new, 0, 0.0, END, 0.0)
    for window in range(windows):
        if raised(S.trip, 0):
            return 0
        first, last = window * SPAN, min((window + 1) * SPAN, nv - 1)
        a, b = S.mesh[old, 0, first], S.mesh[old, 0, last]
        wa, wb = (1.0 - a) * w0 + a * w1, (1.0 - b) * w0 + b * w1
        za, zb = S.Z[old, first, :n], S.Z[old, last, :n]
        if strict and not (clear(P, layer, wa, za, e) and clear(P, layer, wb, zb, e)):
            return 0
        stray(P, S, G, first, last)
        m, unit, end = 0, t[UNIT], t[UNIT] + n
        margins(
            za,
            zb,
            P.units[DEAD, unit:end],
            P.units[LENGTH, unit:end],
            S.dev[0, 1],
            e,
            S.work[2, :n],
        )
        for i in range(n):
            if t[PLAIN] and S.work[2, i] > 0.0:
                continue
            room = e + P.units[LENGTH, unit + i] * S.dev[0, 1]
            if P.units[DEAD, unit + i] > 0.0 or far(P, layer, i, wa, wb, za[i], zb[i], room):
                continue
            m = search_window(P, Q, S, G, i, m)
            if m < 0:
                return m + 1
        if k + m + SPAN + 2 > S.row.shape[1]:
            return -1
        sort_cuts(S, m)
        c = 0
        for v in range(first + 1, last + 1):
            while c < m and S.F[0, c] < S.mesh[old, 0, v]:
                put(S, new, k, S.F[0, c], S.R[c], S.F[1, c])
                c, k = c + 1, k + 1
            put(S, new, k, S.mesh[old, 0, v], S.row[old, v], S.mesh[old, 1, v])
            k += 1
        if c < m:
            return 0  # a cut beyond the end of its window: rounding, so leave it to rationals
    return k


# -- one segment, many segments ---------------------------------------------------------------


@inner()
def sweep(P, Q, S, i0, i1, strict, start):
    """All breakpoints between points i0 and i1: ``(outcome, mesh, its size)``."""
    layers = len(P.table)
    old, nv, many, bent, largest = 0, 2, 0, 0.0, 0.0
    put(S, old, 0, 0.0, END, 0.0)
    put(S, old, 1, 1.0, END, 0.0)
    size, rounded = (
        max(Q.ends[SIZE, i0], Q.ends[SIZE, i1]),
        max(Q.ends[ROUNDED, i0], Q.ends[ROUNDED, i1]),
    )
    for v in range(2):
        constants(P, Q, old, i0, i1, S.mesh[0, 0, v], S.Z[0, v])
    for layer in range(layers):
        e, slope = bounds(P, S, layer, size, rounded, many, bent)
        if strict and not e < 1e280:
            return DOUBT, 0, 0
        G = Leg(layer, old, i0, i1, Q.ends[WEIGHT, i0], Q.ends[WEIGHT, i1], e, strict)
        if layer > 0 and layer == layers - 1:
            nv = finish(P, Q, S, G, nv)
        else:
            wanted = layer + 2 < layers
            nv, largest, many, bent = refine(P, Q, S, G, nv, wanted)
            keep_bounds(P, S, layer, e, largest, slope)
        if raised(S.trip, 0):
            return STOPPED, 0, 0
        if nv <= 0:
            return (DOUBT if nv == 0 else FULL), 0, 0
        note_start(P, layer, S.Z[old, 0], Q.ends[WEIGHT, i0], start)
        old = 1 - old
    return GOOD, old, nv


@inner()
def apart(nv, s, tau):
    """Whether the intervals that hold the true breakpoints are disjoint."""
    for k in range(nv - 1):  # noqa: SIM110 (compiled)
        if not s[k + 1] - s[k] > tau[k] + tau[k + 1] + GAP:
            return False
    return True


@kernel("products along lines")
def multiply(x, W, n, first, last, out, trip):
    """``out[v] = W x[v]`` for v = first .. last - 1; W by rows, n of them.

    Returns the next v to do: not yet ``last`` where the trip wire is raised.
    """
    for v in range(first, last, 4):
        end = min(v + 4, last)
        for c in range(v, end):
            for i in range(n):
                out[c, i] = 0.0
        m = end - v
        block = Block(W, 0, n, 0, x.shape[1])
        products(block, x[v:end], out[v:end], 1, m, trip)
        if raised(trip, 0):
            return v
    return last


@kernel("crossings of lines")
def run(P, Q, S, job, found, first, last, at):
    """Segments first .. last - 1 of a `Job`; what is found is appended from place ``at`` on.

    Returns the next segment to do and the next free place: fewer than asked for where the
    work space or the output is too small, and then ``outcome`` says FULL for that segment if
    it was the work space; or STOPPED where the trip wire ``S.trip`` is raised.
    """
    P, Q, S = held(P), held(Q), held(S)
    for k in range(first, last):
        i0, i1 = job.ends[k, 0], job.ends[k, 1]
        result, mesh, nv = sweep(P, Q, S, i0, i1, job.strict, job.starts[k])
        if result == GOOD and job.strict and not apart(nv, S.mesh[mesh, 0], S.mesh[mesh, 1]):
            result = DOUBT
        job.outcome[k] = result
        if result >= FULL or (result == GOOD and at + nv > len(found.s)):
            return k, at
        job.counts[k] = 0
        if result == GOOD:
            for v in range(nv):
                if S.row[mesh, v] >= 0:
                    found.s[at], found.row[at] = S.mesh[mesh, 0, v], S.row[mesh, v]
                    job.counts[k] += 1
                    at += 1
    return last, at
