"""The oracle for networks of any units: several sources, many breakpoints, max units.

Cells are cones in integer double description, as in `oracle`; weights, slopes and breakpoints
are taken as rationals. It reads the canonical `Network` but none of the library's arithmetic.
"""

from fractions import Fraction
from math import lcm

from oracle import _components, _domain_cone, _neighbours, rational

import linregions as lr


def _times(matrix, forms):
    """A matrix of any storage times a list of forms, in Fractions."""
    table = matrix.toarray() if hasattr(matrix, "toarray") else matrix
    out = []
    for row in table.tolist():
        used = [(rational(w), f) for w, f in zip(row, forms, strict=True) if w != 0]
        out.append([sum((w * f[c] for w, f in used), Fraction(0)) for c in range(len(forms[0]))])
    return out


def _affine(affine, values):
    total = [[Fraction(0)] * len(values[-1][0]) for _ in range(affine.size)]
    for term in affine.terms:
        part = values[term.source]
        for factor in term.factors:
            part = _times(factor, part)
        total = [
            [a + b for a, b in zip(x, y, strict=True)] for x, y in zip(total, part, strict=True)
        ]
    return total


def _whole(form):
    """A form as integers: cones want only its sign."""
    d = lcm(*(v.denominator for v in form))
    return [int(v * d) for v in form]


def _above(cone, form):
    """The part of a cone where the form is positive, None where that is flat or empty."""
    return cone.cut(_whole(form), 1)[0] if cone.sides(_whole(form))[0] else None


def _pointwise(cone, z, kind):
    """(piece, part of the cone, value) for one pointwise unit."""
    edges = [[*z[:-1], z[-1] - rational(t)] for t in kind.breaks]
    for piece in range(len(kind.slopes)):
        part = cone
        if piece:
            part = _above(part, edges[piece - 1])
        if part is not None and piece < len(edges):  # at or below the next breakpoint
            opposite = [-v for v in edges[piece]]
            part = _above(part, opposite) if any(opposite) else part
        if piece and part is not None and not any(edges[piece - 1]):
            part = None
        if part is None:
            continue
        slope, shift = rational(kind.slopes[piece]), kind.intercepts[piece]
        yield piece, part, [*(slope * v for v in z[:-1]), slope * z[-1] + shift]


def _maximum(cone, z, group):
    """(winner, part of the cone, value) for one max unit; ties to the lowest index."""
    for i in range(len(group)):
        part = cone
        for j in range(len(group)):
            lead = [a - b for a, b in zip(z[group[i]], z[group[j]], strict=True)]
            if part is None or i == j or (not any(lead) and i < j):
                continue
            part = _above(part, lead)
        if part is not None:
            yield i, part, z[group[i]]


def _found(net, domain):
    n = net.inputs
    unit = [[Fraction(int(i == j)) for j in range(n + 1)] for i in range(n + 1)]
    cone = _domain_cone(n, domain)
    level = [((), cone, {0: unit[:-1], -1: unit[-1:]})]
    for number, layer in enumerate(net.layers, start=1):
        entered, level = level, []
        for pattern, cone, values in entered:
            z = _affine(layer.affine, values)
            parts = [((), cone, [])]
            for u in range(layer.size):
                grown = []
                for bits, part, outs in parts:
                    if isinstance(layer.units, lr.MaxUnits):
                        children = _maximum(part, z, layer.units.groups[u])
                    else:
                        kind = layer.units.kinds[layer.units.which[u]]
                        children = _pointwise(part, z[u], kind)
                    grown += [((*bits, b), p, [*outs, v]) for b, p, v in children]
                parts = grown
            level += [((*pattern, *b), p, {**values, number: v}) for b, p, v in parts]
    out = {}
    for pattern, cone, values in level:
        assert pattern not in out, "the pattern of a cell is convex: it cannot come twice"
        out[pattern] = cone, tuple(map(tuple, _affine(net.output, values))), 1
    return out


def activation_patterns(net, domain=None):
    """Patterns of the full-dimensional cells."""
    return set(_found(net, domain))


def affine_maps(net, domain=None):
    """Number of distinct affine maps."""
    return len({forms for _, forms, _ in _found(net, domain).values()})


def facet_neighbours(net, domain=None):
    """Patterns behind the facets of each cell."""
    return _neighbours(_found(net, domain))


def linear_regions(net, domain=None):
    """Components of cells under "share a facet and the affine map"."""
    found = _found(net, domain)
    edges = [
        (p, q)
        for p, others in _neighbours(found).items()
        for q in others
        if found[p][1] == found[q][1]
    ]
    return len(set(_components(found, edges).values()))
