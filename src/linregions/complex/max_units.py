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
joined through those (`_join`). Where more arguments tie than in the piece beside it, there is a
wall, or a face of one.

Neighbouring old cells must number the pieces of a shared face alike, whatever challengers each of
them has seen. So pieces are put in an order that they themselves decide: by the face that they lay
in before, then by the arguments that tie (`_order`).

Two equalities are the rule after rectified layers, and known without any arithmetic: a dead unit
hands on exactly 0, and a live one does on its own hyperplane, which is a facet of the old cell.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import inner, raised
from .forms import bound, nothing
from .lattice import (
    ALIVE,
    COUNT,
    FIRST,
    HOME,
    MADE,
    MASK,
    MINUS,
    MINUS_,
    OLD,
    OWN,
    PLUS,
    PLUS_,
    RANKED,
    SIGN,
    TIES,
    UNKNOWN,
    USED,
    WHICH,
    WHO,
    code,
    insert,
    pair_wall,
)  # fmt: skip
from .program import PRE, SPARSE, WIDE

# rows of arg: a list of arguments; the facets on which one is zero; whether it is a constant
# without rounding
CHALLENGER, INCIDENT, BARE = range(3)
EVERYWHERE = -1
MORE, BROKEN = -1, -2  # local arrays are too small; the trip wire is raised


@inner()
def envelope(
    k, layer, first, last, reach, net: Any, N, F, facets, act, V, bits, old, facet, M, Z, zero,
    live, error, best, link, pairs, pair_of, slack, size, blur, inc, arg, doubt,
    column, mid, far, box, told: Any, trip,
):  # fmt: skip
    """Cut the old cell by the max units ``first`` to ``last``.

    Returns how many signs are open, MORE or BROKEN.
    """
    corners, walls, asked, used = N[MADE, 0], N[MADE, k - 1], np.int64(0), np.int64(0)
    _incidence(k, N, F, facets, inc)
    wide, sparse = net.table[layer, WIDE], net.table[layer, SPARSE] == 1
    base, worst = net.table[layer, PRE], _box(k, corners, V, box)
    _ranges(
        k, base, net.table[layer + 1, PRE], reach, worst, sparse, net.rptr, net.bias,
        net.bias_error, net.pick, zero, live, Z, error, box, mid, far,
    )  # fmt: skip
    for g in range(first, last):
        if raised(trip, 0):
            return np.int64(BROKEN)
        begin, end = net.gptr[g], net.gptr[g + 1]
        count = _survivors(
            k, begin, end, corners, reach, worst, net.args, net.idle, V, Z, error, box, mid, far,
            base, arg,
        )  # fmt: skip
        if count > 1 and _all_nil(begin, count, mid, far, net.args, base, arg):
            count = np.int64(1)  # the first of arguments that are all zero
        if count > 1:
            for s in range(count):
                _known(
                    k, arg[CHALLENGER, s], begin, walls, sparse, net.args, net.rptr, net.bias,
                    net.bias_error, net.pick, net.zero_wall, zero, live, F, arg,
                )  # fmt: skip
            _enter(k, N, act, arg[CHALLENGER, 0], best)
            before = N[MADE, k]
            for s in range(1, count):
                if raised(trip, 0):
                    return np.int64(BROKEN)
                j = arg[CHALLENGER, s]
                asked += 1
                used = _compare(
                    k, j, count, begin, reach, used, net.args, net.bias_error, N, act, Z, error,
                    best, pairs, pair_of, slack, size, blur, arg, column,
                )  # fmt: skip
                if used < 0:
                    return np.int64(MORE)
                open_, found = _signs(
                    k, j, asked, begin, net.args, N, F, act, V, inc, best, pairs, size, blur, arg,
                    column, doubt, told.row, told.vertex, told.sign,
                )  # fmt: skip
                if open_ > 0:
                    return open_
                if found == MINUS:
                    continue
                if not insert(
                    k, np.int64(0), net.wall_of[g], j, end - begin, N, F, facets, act, V, bits,
                    facet, M, pairs, slack, size, blur, best, column, told,
                ):  # fmt: skip
                    return np.int64(MORE)
            if N[MADE, k] > before:
                if not _join(k, N, F, facets, act, best, link[0], link[1]):
                    return np.int64(MORE)
                _order(k, N, act, best)
                _name_walls(
                    k, net.wall_of[g], net.wall_of[g + 1], end - begin, N, F, facets, act, best
                )
        at = (g - first) * wide
        for a in range(N[ALIVE, k]):
            i = np.int64(act[k, a])
            piece = best[k, i, WHO] if count > 1 else arg[CHALLENGER, 0]
            for b in range(wide):
                if (piece >> b) & 1:
                    bits[i, (at + b) >> 6] |= np.uint64(1) << np.uint64((at + b) & 63)
    return np.int64(0)


@inner()
def _incidence(k, N, F, facets, inc):
    """Of each old face, by name, the facets of the cell that it lies on (the first 62)."""
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
def _box(k, corners, V, T):
    """Centre and half widths of the box around the cell into T; the largest error of a corner."""
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
def _ranges(
    k, first, end, reach, worst, sparse, rptr, bias, bias_error, pick, zero, live, Z, error, T,
    mid, far,
):  # fmt: skip
    """Every pre-activation at the centre of the cell, and how far it may stray from that on it.

    Both are 0 where it is zero without rounding, and only there.
    """
    m = end - first
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
            if nothing(i, sparse, rptr, live, bias, bias_error, pick, zero):
                mid[n] = far[n] = 0.0


@inner()
def _all_nil(begin, count, mid, far, args, base, arg):
    """Whether all arguments listed are zero without rounding."""
    for s in range(count):
        n = args[begin + arg[CHALLENGER, s]] - base
        if far[n] != 0.0:
            return False
    return True


@inner()
def _survivors(
    k, begin, end, corners, reach, worst, args, idle, V, Z, error, T, mid, far, base, arg
):  # fmt: skip
    """List the arguments that may be the largest somewhere; how many.

    Each is compared with the one that is largest at the centre of the cell: both by their ranges,
    then their difference over the box around the cell, then at its corners.
    """
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
            and _below(k, a, b, corners, reach, worst, T[0], T[1], V, Z, error)
        ):  # fmt: skip
            continue
        arg[CHALLENGER, found] = s - begin
        found += 1
    return found


@inner()
def _below(k, a, b, corners, reach, worst, centre, half, V, Z, error):
    """Whether form a is certainly less than form b on all of the cell."""
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
def _known(
    k, j, begin, walls, sparse, args, rptr, bias, bias_error, pick, zero_wall, zero, live, F, arg
):  # fmt: skip
    """What is known of argument j without any arithmetic."""
    i = args[begin + j]
    arg[INCIDENT, j], arg[BARE, j] = 0, int(sparse and live[i] == 0)
    if nothing(i, sparse, rptr, live, bias, bias_error, pick, zero):
        arg[INCIDENT, j], arg[BARE, j] = EVERYWHERE, 1
    elif pick[i] >= 0 and zero_wall[pick[i]] >= 0:
        for f in range(min(walls, 62)):
            if F[k - 1, f, OWN] == zero_wall[pick[i]]:
                arg[INCIDENT, j] = np.int64(1) << np.int64(f)


@inner()
def _enter(k, N, act, j, best):
    """Argument j is the largest everywhere, and all faces are as they are before the unit."""
    for d in range(k + 1):
        for a in range(N[ALIVE, d]):
            i = np.int64(act[d, a])
            best[d, i, WHO], best[d, i, TIES], best[d, i, WHICH] = j, 1, code(j)
            best[d, i, HOME], best[d, i, RANKED] = d, a


@inner()
def _compare(
    k, j, count, begin, reach, used, args, bias_error, N, act, Z, error, best, pairs, pair_of,
    slack, size, blur, arg, column,
):  # fmt: skip
    """Differences of argument j with all that are the best one somewhere; MORE without room."""
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
def _nil(j, on, arg):
    """Whether argument j is known to vanish at a vertex that lies on these facets."""
    return arg[INCIDENT, j] == EVERYWHERE or (arg[INCIDENT, j] & on) != 0


@inner()
def _signs(
    k, j, asked, begin, args, N, F, act, V, inc, best, pairs, size, blur, arg, column, doubt,
    told_row, told_vertex, told_sign,
):  # fmt: skip
    """Signs, at all vertices, of argument j minus the best so far; how many are open; which occur.

    Signs that are open go by the number of the challenge, which is the same in every attempt.
    """
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
        elif off == 0.0 or (_nil(j, on, arg) and _nil(other, on, arg)):
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


@inner()
def _root(group, d, i):
    while group[d, i] != i:
        group[d, i] = group[d, group[d, i]]
        i = np.int64(group[d, i])
    return i


@inner()
def _same(d, i, h, best):
    """Whether facet h of face i lies in the same face of the result."""
    return (
        best[d, i, TIES] == best[d - 1, h, TIES]
        and best[d, i, HOME] == best[d - 1, h, HOME]
        and best[d, i, RANKED] == best[d - 1, h, RANKED]
    )


@inner()
def _join(k, N, F, facets, act, best, into, group):
    """Put faces together again; False when out of room."""
    merged = False
    for d in range(k + 1):
        for a in range(N[ALIVE, d]):
            i = np.int64(act[d, a])
            into[d, i], group[d, i] = -1, i
    for d in range(k, 0, -1):
        for a in range(N[ALIVE, d]):
            i = np.int64(act[d, a])
            first = np.int64(F[d, i, FIRST])
            for e in range(first, first + F[d, i, COUNT]):
                h = np.int64(facets[d, e])
                if _same(d, i, h, best):
                    merged = True
                    if into[d - 1, h] < 0:
                        into[d - 1, h] = i
                    else:
                        group[d, _root(group, d, i)] = _root(group, d, np.int64(into[d - 1, h]))
    if not merged:
        return True
    for d in range(1, k + 1):
        total = N[USED, d]
        for a in range(N[ALIVE, d]):
            total += F[d, act[d, a], COUNT]
        if total > facets.shape[1]:
            return False
        _relist(k, d, N, F, facets, act, into, group)
    for d in range(k + 1):
        kept = 0
        for a in range(N[ALIVE, d]):
            i = np.int64(act[d, a])
            if into[d, i] < 0 and group[d, i] == i:
                act[d, kept] = i
                kept += 1
        N[ALIVE, d] = kept
    return True


@inner()
def _relist(k, d, N, F, facets, act, into, group):
    """The facets of the faces of dimension d that remain: those of all that went into them."""
    for a in range(N[ALIVE, d]):  # members of a group, as a list through MINUS_ from its root
        i = np.int64(act[d, a])
        F[d, i, MINUS_], F[d, i, PLUS_] = -1, i
    for a in range(N[ALIVE, d]):
        i = np.int64(act[d, a])
        r = _root(group, d, i)
        group[d, i] = r
        if into[d, i] < 0 and r != i:
            F[d, F[d, r, PLUS_], MINUS_] = i
            F[d, r, PLUS_] = i
    for a in range(N[ALIVE, d]):
        r = np.int64(act[d, a])
        if into[d, r] >= 0 or group[d, r] != r:
            continue
        at = N[USED, d]
        end, i = at, r
        while i >= 0:
            first = np.int64(F[d, i, FIRST])
            for e in range(first, first + F[d, i, COUNT]):
                h = np.int64(facets[d, e])
                if into[d - 1, h] >= 0:
                    continue
                h = _root(group, d - 1, h)
                known = False
                for f in range(at, end):
                    known |= facets[d, f] == h
                if not known:
                    facets[d, end] = h
                    end += 1
            i = np.int64(F[d, i, MINUS_])
        F[d, r, FIRST], F[d, r, COUNT] = at, end - at
        N[USED, d] = end


@inner()
def _order(k, N, act, best):
    """Pieces in an order of their own: by the face that they lay in, then by what ties there."""
    for d in range(k + 1):
        for a in range(1, N[ALIVE, d]):
            i, b = act[d, a], a
            while b > 0 and _before(d, i, act[d, b - 1], best):
                act[d, b] = act[d, b - 1]
                b -= 1
            act[d, b] = i


@inner()
def _before(d, i, j, best):
    for column in (HOME, RANKED, WHICH):
        if best[d, i, column] != best[d, j, column]:
            return best[d, i, column] < best[d, j, column]
    return False


@inner()
def _name_walls(k, first, end, many, N, F, facets, act, best):
    """Walls of the unit are those between the winners on both sides."""
    for a in range(N[ALIVE, k - 1]):
        h = np.int64(act[k - 1, a])
        if first <= F[k - 1, h, OWN] < end and best[k - 1, h, HOME] == k:
            best[k - 1, h, WHO] = -1
    for a in range(N[ALIVE, k]):
        i = np.int64(act[k, a])
        begin, mine = np.int64(F[k, i, FIRST]), best[k, i, WHO]
        for e in range(begin, begin + F[k, i, COUNT]):
            h = np.int64(facets[k, e])
            if first <= F[k - 1, h, OWN] < end and best[k - 1, h, HOME] == k:
                other = best[k - 1, h, WHO]
                if other >= 0:
                    low, high = min(mine, other), max(mine, other)
                    F[k - 1, h, OWN] = pair_wall(first, low, high, many)
                best[k - 1, h, WHO] = mine
