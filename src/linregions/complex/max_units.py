"""Max units: an old cell cut into the sets on which each argument is the largest.

Arguments come one after the other, in order. The first is the best one everywhere; each later
one challenges the best so far: its difference with it is one affine function on every face, of the
same value where faces meet, so its sign at the vertices cuts all faces as a single row would, and
it is the best one where that is positive (ties stay with the earlier one). Walls between two that
both lost later on are no walls of the result. So in the end faces are put together again: those
that lay in one face before the unit came and on which the same arguments tie for the largest.

Such a set is what is left of that face where given affine functions are equal and no less than
the others: it is convex, and a face of the result. Of its pieces the ones of highest dimension
touch each other through pieces one dimension lower, in which the same arguments tie; pieces are
joined through those (`joining.join`). Where more arguments tie than in the piece beside it, there
is a wall, or a face of one.

Neighbouring old cells must number the pieces of a shared face alike, whatever challengers each of
them has seen. So pieces are put in an order that they themselves decide: by the face that they lay
in before, then by the arguments that tie (`joining.order`).

Two equalities are the rule after rectified layers, and known without any arithmetic: a dead unit
hands on exactly 0, and a live one does on its own hyperplane, which is a facet of the old cell.
"""

from __future__ import annotations

import numpy as np

from ..jit import inner, raised
from .cutting import code, insert
from .forms import nothing
from .joining import join, name_walls, order
from .lattice import (
    ALIVE,
    COUNT,
    FIRST,
    HOME,
    MADE,
    MASK,
    MINUS,
    OLD,
    OWN,
    PLUS,
    RANKED,
    SIGN,
    TIES,
    UNKNOWN,
    WHICH,
    WHO,
)
from .program import PRE, SPARSE, WIDE
from .rows import bound

# rows of arg: a list of arguments; the facets on which one is zero; whether it is a constant
# without rounding
CHALLENGER, INCIDENT, BARE = range(3)
EVERYWHERE = -1
MORE, BROKEN = -1, -2  # local arrays are too small; the trip wire is raised


@inner()
def envelope(net, rows, L, C, told, todo):
    """Cut the old cell by the max units ``first`` to ``last``.

    Returns how many signs are open, MORE or BROKEN.
    """
    trip = rows.trip
    k, N, act = L.V.shape[1] - 1, L.N, L.act
    bits, best = L.bits, L.best
    arg = C.arg
    layer, first, last = todo.layer, todo.first, todo.last
    corners, walls, asked, used = N[MADE, 0], N[MADE, k - 1], np.int64(0), np.int64(0)
    _incidence(L, C)
    wide, sparse = net.table[layer, WIDE], net.table[layer, SPARSE] == 1
    base, worst = net.table[layer, PRE], _box(L, C, corners)
    _ranges(net, rows, C, todo, worst)
    hull = (corners, worst)
    for g in range(first, last):
        if raised(trip, 0):
            return np.int64(BROKEN)
        begin, end = net.gptr[g], net.gptr[g + 1]
        count = _survivors(net, rows, L, C, todo, g, hull)
        if count > 1 and _all_nil(net, C, begin, count, base):
            count = np.int64(1)  # the first of arguments that are all zero
        if count > 1:
            for s in range(count):
                _known(net, rows, L, C, arg[CHALLENGER, s], begin, walls, sparse)
            _enter(L, arg[CHALLENGER, 0])
            before = N[MADE, k]
            for s in range(1, count):
                if raised(trip, 0):
                    return np.int64(BROKEN)
                j = arg[CHALLENGER, s]
                asked += 1
                used = _compare(net, rows, L, C, todo, j, (begin, count), used)
                if used < 0:
                    return np.int64(MORE)
                open_, found = _signs(net, L, C, told, j, asked, begin)
                if open_ > 0:
                    return open_
                if found == MINUS:
                    continue
                if not insert(L, C, told, np.int64(0), net.wall_of[g], j, end - begin):  # fmt: skip
                    return np.int64(MORE)
            if N[MADE, k] > before:
                if not join(L, C):
                    return np.int64(MORE)
                order(L)
                name_walls(L, net.wall_of[g], net.wall_of[g + 1], end - begin)
        at = (g - first) * wide
        for a in range(N[ALIVE, k]):
            i = np.int64(act[k, a])
            piece = best[k, i, WHO] if count > 1 else arg[CHALLENGER, 0]
            for b in range(wide):
                if (piece >> b) & 1:
                    bits[i, (at + b) >> 6] |= np.uint64(1) << np.uint64((at + b) & 63)
    return np.int64(0)


@inner()
def _incidence(L, C):
    """Of each old face, by name, the facets of the cell that it lies on (the first 62)."""
    k, N, F = L.V.shape[1] - 1, L.N, L.F
    facets = L.facets
    inc = C.inc
    for d in range(k):
        for i in range(N[MADE, d]):
            inc[F[d, i, OLD]] = 0
    for f in range(min(N[MADE, k - 1], 62)):
        inc[F[k - 1, f, OLD]] = np.int64(1) << np.int64(f)
    for d in range(k - 1, 0, -1):
        for i in range(N[MADE, d]):
            first = np.int64(F[d, i, FIRST])
            for e in range(first, first + F[d, i, COUNT]):
                inc[F[d - 1, facets[d, e], OLD]] |= inc[F[d, i, OLD]]


@inner()
def _box(L, C, corners):
    """Centre and half widths of the box around the cell into T; the largest error of a corner."""
    k, V = L.V.shape[1] - 1, L.V
    T = C.box
    worst = 0.0
    for c in range(k):
        low, high = 1e300, -1e300
        for v in range(corners):
            low, high = min(low, V[v, c]), max(high, V[v, c])
        T[0, c], T[1, c] = 0.5 * (low + high), 0.5 * (high - low) * 1.0000001
    for v in range(corners):
        worst = max(worst, V[v, k])
    for c in range(k):
        T[1, c] += worst + 1e-15 * abs(T[0, c])
    return worst


@inner()
def _ranges(net, rows, C, todo, worst):
    """Every pre-activation at the centre of the cell, and how far it may stray from that on it.

    Both are 0 where it is zero without rounding, and only there.
    """
    k = net.k
    Z = rows.Z
    T, mid, far = C.box, C.mid, C.far
    reach, error = todo.reach, todo.error
    first, end = net.table[todo.layer, PRE], net.table[todo.layer + 1, PRE]
    m, sparse = end - first, net.table[todo.layer, SPARSE] == 1
    total, row = Z[k, first:end], Z[k, first:end]
    for n in range(m):
        mid[n] = total[n]
        far[n] = 1.02 * error[1, first + n] + (k + 4) * 2.5e-16 * abs(total[n]) + 1e-300
    for c in range(k):
        row, x, half = Z[c, first:end], T[0, c], T[1, c]
        for n in range(m):
            mid[n] += row[n] * x
            far[n] += abs(row[n]) * (half + (k + 4) * 2.5e-16 * reach)
    for n in range(m):
        far[n] += 1.05 * k * error[0, first + n] * (reach + worst)
    for n in range(m):
        if mid[n] <= far[n] and mid[n] >= -far[n]:
            i = first + n
            if nothing(net, rows, i, sparse):
                mid[n] = far[n] = 0.0


@inner()
def _all_nil(net, C, begin, count, base):
    """Whether all arguments listed are zero without rounding."""
    args = net.args
    far, arg = C.far, C.arg
    for s in range(count):
        n = args[begin + arg[CHALLENGER, s]] - base
        if far[n] != 0.0:
            return False
    return True


@inner()
def _survivors(net, rows, L, C, todo, g, hull):
    """List the arguments that may be the largest somewhere; how many.

    Each is compared with the one that is largest at the centre of the cell: both by their ranges,
    then their difference over the box around the cell, then at its corners.
    """
    args, idle = net.args, net.idle
    mid, far, arg = C.mid, C.far, C.arg
    begin, end = net.gptr[g], net.gptr[g + 1]
    base = net.table[todo.layer, PRE]
    top = np.int64(-1)
    for s in range(begin, end):
        if not idle[s] and (top < 0 or mid[args[s] - base] > mid[args[top] - base]):
            top = s
    found, b = 0, args[top]
    low = mid[b - base] - far[b - base]
    for s in range(begin, end):
        a = args[s]
        if idle[s] or mid[a - base] + far[a - base] < low or (
            s != top and far[a - base] + far[b - base] > 0.0
            and _below(rows, L, C, todo, a, b, hull)
        ):  # fmt: skip
            continue
        arg[CHALLENGER, found] = s - begin
        found += 1
    return found


@inner()
def _below(rows, L, C, todo, a, b, hull):
    """Whether form a is certainly less than form b on all of the cell."""
    Z = rows.Z
    k, V = L.V.shape[1] - 1, L.V
    centre, half = C.box[0], C.box[1]
    corners, worst = hull
    reach, error = todo.reach, todo.error
    ew, ec = error[0, a] + error[0, b], error[1, a] + error[1, b]
    total, both, high = 0.0, 0.0, Z[k, a] - Z[k, b]
    for c in range(k):
        d = Z[c, a] - Z[c, b]
        high += d * centre[c] + abs(d) * half[c]
        total += abs(d)
        both += abs(Z[c, a]) + abs(Z[c, b])
    blur = 1.01 * (total + k * ew) * worst
    blur += bound(k, ew, ec, reach, both, abs(Z[k, a]) + abs(Z[k, b]))
    if high < -blur:
        return True
    for v in range(corners):
        value = Z[k, a] - Z[k, b]
        for c in range(k):
            value += (Z[c, a] - Z[c, b]) * V[v, c]
        if value >= -blur:
            return False
    return True


@inner()
def _known(net, rows, L, C, j, begin, walls, sparse):
    """What is known of argument j without any arithmetic."""
    args, pick, zero_wall = net.args, net.pick, net.zero_wall
    live = rows.live
    k, F = L.V.shape[1] - 1, L.F
    arg = C.arg
    i = args[begin + j]
    arg[INCIDENT, j], arg[BARE, j] = 0, int(sparse and live[i] == 0)
    if nothing(net, rows, i, sparse):
        arg[INCIDENT, j], arg[BARE, j] = EVERYWHERE, 1
    elif pick[i] >= 0 and zero_wall[pick[i]] >= 0:
        for f in range(min(walls, 62)):
            if F[k - 1, f, OWN] == zero_wall[pick[i]]:
                arg[INCIDENT, j] = np.int64(1) << np.int64(f)


@inner()
def _enter(L, j):
    """Argument j is the largest everywhere, and all faces are as they are before the unit."""
    k, N, act = L.V.shape[1] - 1, L.N, L.act
    best = L.best
    for d in range(k + 1):
        for a in range(N[ALIVE, d]):
            i = np.int64(act[d, a])
            best[d, i, WHO], best[d, i, TIES], best[d, i, WHICH] = j, 1, code(j)
            best[d, i, HOME], best[d, i, RANKED] = d, a


@inner()
def _compare(net, rows, L, C, todo, j, listed, used):
    """Differences of argument j with all that are the best one somewhere; MORE without room."""
    args, bias_error = net.args, net.bias_error
    Z = rows.Z
    k, N, act = L.V.shape[1] - 1, L.N, L.act
    best, column = L.best, L.column
    pairs, pair_of, slack = C.R, C.pair_of, C.slack
    size, blur, arg = C.size, C.error, C.arg
    reach, error = todo.reach, todo.error
    begin, count = listed
    for s in range(count):
        column[arg[CHALLENGER, s]] = -1
    b = args[begin + j]
    for d in range(k + 1):
        for n in range(N[ALIVE, d]):
            other = best[d, act[d, n], WHO]
            if column[other] >= 0:
                continue
            if used == pairs.shape[1]:
                return np.int64(MORE)
            a = args[begin + other]
            column[other] = used
            pair_of[0, used], pair_of[1, used] = b, a
            total, both = 0.0, 0.0
            for c in range(k + 1):
                pairs[c, used] = Z[c, b] - Z[c, a]
            for c in range(k):
                total += abs(pairs[c, used])
                both += abs(Z[c, a]) + abs(Z[c, b])
            ew, ec = error[0, a] + error[0, b], error[1, a] + error[1, b]
            constant = abs(Z[k, a]) + abs(Z[k, b])
            if arg[BARE, j] and arg[BARE, other]:
                slack[used], size[used] = 0.0, 0.0
                blur[used] = 1.02 * (bias_error[a] + bias_error[b])
            else:
                slack[used] = 1.01 * ew + 4e-16 * both
                size[used] = 1.01 * (total + k * ew)
                blur[used] = bound(k, ew, ec, reach, both, constant)
            used += 1
    return used


@inner()
def _nil(C, j, on):
    """Whether argument j is known to vanish at a vertex that lies on these facets."""
    arg = C.arg
    return arg[INCIDENT, j] == EVERYWHERE or (arg[INCIDENT, j] & on) != 0


@inner()
def _signs(net, L, C, told, j, asked, begin):
    """Signs, at all vertices, of argument j minus the best so far; how many are open; which occur.

    Signs that are open go by the number of the challenge, which is the same in every attempt.
    """
    args = net.args
    k, N, F = L.V.shape[1] - 1, L.N, L.F
    act, V, best = L.act, L.V, L.best
    column, doubt = L.column, L.doubt
    inc, pairs, size = C.inc, C.R, C.size
    blur = C.error
    told_row, told_vertex, told_sign = told.row, told.vertex, told.sign
    open_, found = np.int64(0), np.int64(0)
    for n in range(N[ALIVE, 0]):
        v = np.int64(act[0, n])
        other = best[0, v, WHO]
        u, on, s = column[other], inc[F[0, v, OLD]], np.int64(UNKNOWN)
        value, off = pairs[k, u], size[u] * V[v, k] + blur[u]
        for c in range(k):
            value += pairs[c, u] * V[v, c]
        if value > off:
            s = np.int64(1)
        elif value < -off:
            s = np.int64(-1)
        elif off == 0.0 or (_nil(C, j, on) and _nil(C, other, on)):
            s = np.int64(0)
        else:
            for e in range(len(told_row)):
                if told_row[e] == asked and told_vertex[e] == v:
                    s = np.int64(told_sign[e])
            if s == UNKNOWN and open_ < len(doubt):
                doubt[open_, 0], doubt[open_, 1] = asked, v
                doubt[open_, 2], doubt[open_, 3] = args[begin + j], args[begin + other]
                open_ += 1
        m = PLUS if s == 1 else (MINUS if s == -1 else 0)
        F[0, v, SIGN], F[0, v, MASK] = s, m
        found |= m if m > 0 else 4
    return open_, found
