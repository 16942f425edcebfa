"""An oracle for networks in canonical form with any units: exact, short, and slow.

Cells are polytopes given by rational inequalities; a pointwise unit splits one at its breakpoints,
a max unit into the sets where each argument is the largest (ties to the lowest index). Whether
an intersection has an interior is decided by its vertices, found by trying all k-subsets of
inequalities in Fractions. It shares nothing with the engines but `Affine.at` on single points.
"""

from fractions import Fraction
from itertools import combinations

import numpy as np

from linregions.affine import INPUT
from linregions.units import MaxUnits


def _forms(affine, net, values):
    """Rows (gradient..., constant) of an affine map from those of what it reads."""
    k = net.inputs
    zero = {s: [Fraction(0)] * net.size_of(s) for s in affine.sources}
    columns = []
    for c in range(k + 1):
        at = {s: np.array([row[c] for row in values[s]], object) for s in affine.sources}
        columns.append(affine.at(at) - affine.at({s: np.array(z, object) for s, z in zero.items()}))
    columns[k] = columns[k] + affine.at({s: np.array(z, object) for s, z in zero.items()})
    return [list(row) for row in zip(*columns, strict=True)]


def _vertices(rows, k):
    """Vertices of the bounded polytope where all rows are at least 0."""
    out = set()
    for chosen in combinations(rows, k):
        x = _meet(chosen, k)
        if x is not None and all(_at(r, x) >= 0 for r in rows):
            out.add(tuple(x))
    return out


def _at(row, x):
    return sum((a * v for a, v in zip(row, x, strict=False)), row[-1])


def _meet(rows, k):
    """The one point where k rows vanish, by Cramer's rule, or None."""
    M = [r[:k] for r in rows]
    below = _det(M)
    if below == 0:
        return None
    return [_det([[*r[:c], -r[k], *r[c + 1 : k]] for r in rows]) / below for c in range(k)]


def _det(M):
    if len(M) == 1:
        return M[0][0]
    total = Fraction(0)
    for c, a in enumerate(M[0]):
        if a:
            total += (-1) ** c * a * _det([r[:c] + r[c + 1 :] for r in M[1:]])
    return total


def _centre(rows, k):
    """The mean of the vertices if the polytope has an interior, else None."""
    corners = _vertices(rows, k)
    if len(corners) <= k:
        return None
    x = [sum((v[c] for v in corners), Fraction(0)) / len(corners) for c in range(k)]
    inside = all(_at(r, x) > 0 for r in rows if any(r[:k]))
    return x if inside else None


def _monic(row):
    """A row up to positive scale, so that equal inequalities are kept once."""
    lead = next((abs(v) for v in row if v), None)
    return tuple(row) if lead is None else tuple(v / lead for v in row)


def _cut(rows, more, k):
    """The cell with further inequalities, without those that touch it in less than a facet."""
    out = list(rows)
    for row in more:
        if not any(row[:k]):
            if row[k] < 0:
                return None
            continue
        row = _monic(row)
        if row not in out:
            out.append(row)
    if _centre(out, k) is None:
        return None
    corners = _vertices(out, k)
    return [r for r in out if sum(_at(r, v) == 0 for v in corners) >= k]


def _branches(units, u, forms, k):
    """``(piece, inequalities, form of the value)`` of one unit."""
    if isinstance(units, MaxUnits):
        args = [forms[i] for i in units.groups[u]]
        seen = []
        for p, a in enumerate(args):
            if a in seen:
                continue
            seen.append(a)
            yield p, [[x - y for x, y in zip(a, b, strict=True)] for b in args], a
        return
    kind, z = units.kinds[units.which[u]], forms[u]
    places = [Fraction(t) for t in kind.breaks]
    for p, (slope, shift) in enumerate(zip(kind.slopes, kind.intercepts, strict=True)):
        rows = []
        if p > 0:
            rows.append([*z[:k], z[k] - places[p - 1]])
            if not any(z[:k]) and rows[-1][k] == 0:
                continue  # a constant at a breakpoint is on its lower piece
        if p < len(places):
            rows.append([*(-v for v in z[:k]), places[p] - z[k]])
        value = [Fraction(slope) * v for v in z]
        value[k] += shift
        yield p, rows, value


def cells(net, lo, hi):
    """``{pattern: (rows, forms of the output)}`` of all full-dimensional cells over a box."""
    k = net.inputs
    start = []
    for c in range(k):
        unit = [Fraction(int(j == c)) for j in range(k)]
        start.append(_monic([*unit, -Fraction(float(lo[c]))]))
        start.append(_monic([*(-v for v in unit), Fraction(float(hi[c]))]))
    identity = [[Fraction(int(j == c)) for j in range(k)] + [Fraction(0)] for c in range(k)]
    level = [((), start, {INPUT: identity})]
    for number, layer in enumerate(net.layers, start=1):
        after = []
        for pattern, rows, values in level:
            forms = _forms(layer.affine, net, values)
            pieces = [((), rows, [])]
            for u in range(layer.size):
                split = []
                for head, cell, out in pieces:
                    for p, more, value in _branches(layer.units, u, forms, k):
                        part = _cut(cell, more, k)
                        if part is not None:
                            split.append(((*head, p), part, [*out, value]))
                pieces = split
            for head, cell, out in pieces:
                after.append((pattern + head, cell, {**values, number: out}))
        level = after
    out = {}
    for pattern, rows, values in level:
        assert pattern not in out
        out[pattern] = rows, tuple(map(tuple, _forms(net.output, net, values)))
    return out


def neighbours(found, k):
    """Pairs of patterns whose cells share a facet."""
    facets = {}
    for pattern, (rows, _) in found.items():
        corners = _vertices(rows, k)
        for r in rows:
            on = frozenset(v for v in corners if _at(r, v) == 0)
            facets.setdefault(on, []).append(pattern)
    return {frozenset(pair) for pair in facets.values() if len(pair) == 2}


def linear(found, pairs):
    """Number of components of cells of one map, joined through facets."""
    root = {p: p for p in found}

    def find(p):
        while root[p] != p:
            p = root[p]
        return p

    for pair in pairs:
        p, q = pair
        if found[p][1] == found[q][1]:
            root[find(p)] = find(q)
    return len({find(p) for p in found})
