"""Exact reference counts for small networks, by generators of cones in integer arithmetic.

Nothing here is shared with the engines. A cell is kept as a cone by its lines and extreme rays
(`cones`), which are updated at each cut: a unit cuts the cell exactly when its affine form takes
both signs on the generators. Every number is a Python integer: weights are read as the rationals
that they are (`piecewise`), and a positive scale changes no sign.

A network is a `Network`, or a list of pairs (W, b) of numbers of any kind, Fractions included; the
last pair is the affine output and each earlier one is followed by the unit z -> z if z > 0 else
slope * z (ReLU by default). A domain is a `Domain`, None (all of R^n), `("box", lo, hi)`,
`("polytope", A, b)` or simply `(A, b)`, meaning A x <= b. A pattern is the tuple of all units'
pieces, layer by layer: for ReLU 1 exactly where the pre-activation is positive on the interior of
the cell. Ties go to the lowest piece.
"""

from collections import defaultdict
from fractions import Fraction
from functools import cached_property
from itertools import combinations, pairwise

from .charts import OracleChart, box
from .piecewise import ONE, Piecewise, rational, split

__all__ = [
    "Oracle", "activation_patterns", "affine_maps", "all_patterns", "arrangement_regions", "box",
    "cells", "closed_regions", "facet_neighbours", "interior_points", "linear_regions", "rational",
]  # fmt: skip


class Oracle:
    """All full-dimensional cells of a network over a domain, and what is asked of them."""

    def __init__(self, net, domain=None, slope=0):
        self.net = Piecewise.of(net, slope)
        self.chart = OracleChart.of(domain, self.net.inputs)

    @cached_property
    def cones(self):
        """{pattern: (cone in domain coordinates, values by layer)}."""
        cone, one = self.chart.cone(), [0] * self.chart.dimension + [1]
        level = [((), cone, self.chart.start())] if cone is not None else []
        for number, (terms, units) in enumerate(self.net.layers, start=1):
            entered, level = level, []
            for pattern, cone, values in entered:
                z = self.net.affine(terms, values)
                parts = [((), cone)]
                for u, unit in enumerate(units):
                    parts = [
                        ((*bits, p), child)
                        for bits, part in parts
                        for p, child in split(part, unit, u, z)
                    ]
                for bits, part in parts:
                    mine = {**values, number: self.net.after(units, z, bits, one)}
                    level.append((pattern + bits, part, mine))
        out = {}
        for pattern, cone, values in level:
            assert pattern not in out, "the pattern of a cell is convex: it cannot come twice"
            out[pattern] = cone, values
        return out

    @cached_property
    def maps(self):
        """{pattern: (rows of integers, denominator)} of the affine map, in lowest terms."""
        out = {}
        for pattern, (_, values) in self.cones.items():
            rows, scale = self.net.affine(self.net.output, values)
            out[pattern] = tuple(map(tuple, rows)), scale
        return out

    @cached_property
    def neighbours(self):
        """{pattern: patterns of the cells that share a facet}."""
        out = {pattern: set() for pattern in self.cones}
        for patterns in self.facets.values():
            for p, q in combinations(patterns, 2):
                out[p].add(q)
                out[q].add(p)
        return out

    @cached_property
    def facets(self):
        """{facet (span, rays): the cells that share it}, without those in the domain's boundary.

        The cells of a continuous network meet face to face, so a facet is shared as a whole, by
        two cells, unless it lies on the boundary of the domain: a missing cell would leave a
        facet unpaired, which is asserted.
        """
        owners = defaultdict(list)
        for pattern, (cone, _) in self.cones.items():
            for rays, form in cone.facets:
                key = cone.span, frozenset(cone.canonical_rays[r] for r in rays)
                owners[key].append((pattern, form < cone.walls))
        out = {}
        for key, owner in owners.items():
            patterns, walls = zip(*owner, strict=True)
            good = all(walls) if len(owner) == 1 else len(owner) == 2 and not any(walls)
            assert good, f"a facet of {patterns} has one side only"
            if len(owner) == 2:
                out[key] = patterns
        return out

    @cached_property
    def components(self):
        """{pattern: representative} of the linear regions: cells joined where maps are equal."""
        edges = [(p, q) for p, q in self.facets.values() if self.maps[p] == self.maps[q]]
        return _components(self.cones, edges)

    @cached_property
    def all_patterns(self):
        """Patterns of all points of the closed domain.

        A pattern is constant on the relative interior of each face of each cell.
        """
        start = self.chart.start()
        return {
            self.net.run(_at(start, cone.middle(face)))[0]
            for cone, _ in self.cones.values()
            for face in cone.faces()
        }

    @cached_property
    def closed(self):
        """Number of components of the sets {f = g} that contain an open set, over all maps g.

        {f = g} meets each closed cell in a convex slice, and slices are joined where they meet:
        as f is continuous and cells meet face to face, in a common face, thus at a generator.
        """
        groups = defaultdict(set)
        for pattern, g in self.maps.items():
            groups[g].add(pattern)
        return sum(self._closed(g, group) for g, group in groups.items())

    def _closed(self, g, group):
        if len(group) == 1:
            return 1
        (target, d), slices, owners = g, [], defaultdict(list)
        for pattern, (cone, _) in self.cones.items():
            rows, e = self.maps[pattern]
            for row, other in zip(rows, target, strict=True):
                difference = [d * a - e * b for a, b in zip(row, other, strict=True)]
                if any(difference):
                    cone = cone.cut(difference, 0)[0]
            if cone.finite:
                slices.append(pattern)
                for ray in cone.canonical_rays:
                    if ray[-1] > 0:
                        owners[cone.span, ray].append(pattern)
        root = _components(slices, (pair for owner in owners.values() for pair in pairwise(owner)))
        return len({root[p] for p in group})

    def middle(self, pattern):
        """A rational point inside a cell, in domain coordinates."""
        cone, _ = self.cones[pattern]
        *y, t = cone.middle(range(len(cone.rays)))
        return [Fraction(v, t) for v in y]

    def count(self, kind="activation"):
        """Number of regions of a kind."""
        if kind == "closed":
            return self.closed
        asked = {
            "activation": lambda: self.cones,
            "affine": lambda: set(self.maps.values()),
            "linear": lambda: set(self.components.values()),
            "pattern": lambda: self.all_patterns,
        }
        return len(asked[kind]())


def _at(start, point):
    """Numbers by source at (y, t), t > 0."""
    t = point[-1]
    rows, d = start[0]
    numbers = [[sum(a * v for a, v in zip(row, point, strict=True))] for row in rows]
    return {0: (numbers, d * t), ONE: ([[1]], 1)}


def _components(nodes, joined):
    """{node: representative of its connected component} of a graph given by its edges."""
    parent = {v: v for v in nodes}

    def root(v):
        while parent[v] != v:
            parent[v] = v = parent[parent[v]]
        return v

    for p, q in joined:
        parent[root(p)] = root(q)
    return {v: root(v) for v in nodes}


# --- one question at a time ------------------------------------------------------------------


def cells(net, domain=None, slope=0):
    """The affine map of each full-dimensional cell: {pattern: rows (gradient..., offset)}."""
    return {
        pattern: tuple(tuple(Fraction(c, scale) for c in row) for row in rows)
        for pattern, (rows, scale) in Oracle(net, domain, slope).maps.items()
    }


def activation_patterns(net, domain=None, slope=0):
    """The patterns of the full-dimensional cells (definition R2)."""
    return set(Oracle(net, domain, slope).cones)


def interior_points(net, domain=None, slope=0):
    """A rational point in the interior of each cell: {pattern: point}."""
    oracle = Oracle(net, domain, slope)
    return {pattern: tuple(oracle.middle(pattern)) for pattern in oracle.cones}


def affine_maps(net, domain=None, slope=0):
    """The number of distinct affine maps on full-dimensional cells (definition R6)."""
    return Oracle(net, domain, slope).count("affine")


def facet_neighbours(net, domain=None, slope=0):
    """{pattern: patterns of the cells that share an (n-1)-dimensional facet with its cell}.

    Neighbours differ in every unit that vanishes on the common facet, which may be several.
    """
    return Oracle(net, domain, slope).neighbours


def linear_regions(net, domain=None, slope=0):
    """The number of components of the cells under "share a facet and the affine map" (R4)."""
    return Oracle(net, domain, slope).count("linear")


def all_patterns(net, domain=None, slope=0):
    """The patterns of all points of the closed domain, lower-dimensional cells included (R1)."""
    return Oracle(net, domain, slope).all_patterns


def closed_regions(net, domain=None, slope=0):
    """The number of components of the sets {f = g} that contain an open set (R5)."""
    return Oracle(net, domain, slope).closed


# --- a second method for one layer ---------------------------------------------------------------


def arrangement_regions(W, b):
    """Regions of {x : W x + b = 0} by r(A) = 1 + sum_i r({H_j, j < i} restricted to H_i).

    Duplicate hyperplanes are merged and rows without a hyperplane dropped.
    """
    rows = {_monic([rational(v) for v in (*row, c)]) for row, c in zip(W, b, strict=True)}
    return _arrangement([r for r in rows if r is not None])


def _monic(row):
    """The row divided by its first non-zero coefficient; None if it has no hyperplane."""
    lead = next((v for v in row[:-1] if v), None)
    return None if lead is None else tuple(v / lead for v in row)


def _arrangement(rows):
    total = 1
    for i, h in enumerate(rows):
        k = next(k for k, v in enumerate(h) if v)
        restricted = set()
        for row in rows[:i]:
            rest = [v - row[k] * u for v, u in zip(row, h, strict=True)]
            restricted.add(_monic(rest[:k] + rest[k + 1 :]))
        total += _arrangement([r for r in restricted if r is not None])
    return total
