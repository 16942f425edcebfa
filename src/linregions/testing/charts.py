"""Domains for the oracle: exact coordinates and the cone over the domain, by its own arithmetic."""

from dataclasses import dataclass
from fractions import Fraction
from math import inf, lcm
from typing import Any

import numpy as np

from ..domain.domains import Box, Domain, Line, Plane, Polytope, Segment, Slice, Space
from ..errors import LinregionsError
from .cones import Cone
from .piecewise import ONE, identity, integers, rational


def box(lo, hi):
    """The inequalities A x <= b of the box lo <= x <= hi."""
    n = len(lo)
    unit = [[int(i == j) for j in range(n)] for i in range(n)]
    A = unit + [[-v for v in row] for row in unit]
    return A, [rational(v) for v in hi] + [-rational(v) for v in lo]


@dataclass(frozen=True)
class OracleChart:
    """Points ``x = origin + basis y`` with ``A y <= b``; ``basis`` None for the identity."""

    dimension: int
    A: list
    b: list
    basis: Any = None
    origin: Any = None

    @classmethod
    def of(cls, domain, n):
        """Of None (all of R^n), ("box", lo, hi), ("polytope", A, b), (A, b), or a `Domain`."""
        if domain is None:
            return cls(n, [], [])
        if isinstance(domain, Domain):
            return _CHARTS[type(domain)](domain, n)
        if isinstance(domain[0], str):
            kind, *data = domain
            domain = box(*data) if kind == "box" else data
        return cls(n, *domain)

    def cone(self):
        """The cone over the domain, or None if its interior is empty."""
        k = self.dimension
        cone = Cone.whole(k + 1).cut([0] * k + [1], 1)[0]
        for row, c in zip(self.A, self.b, strict=True):
            form = [-rational(v) for v in row] + [rational(c)]
            d = lcm(*(v.denominator for v in form))
            form = [int(v * d) for v in form]
            if any(form):
                if not cone.sides(form)[0]:
                    return None
                cone = cone.cut(form, 1)[0]
        return Cone(cone.lines, cone.rays, cone.forms, len(cone.forms))

    def start(self):
        """Values by source in the coordinates y: the inputs and the number 1."""
        if self.basis is None:
            return identity(self.dimension)
        rows, d = integers([[*row, c] for row, c in zip(self.basis, self.origin, strict=True)])
        wide = [[0] * (self.dimension + 1) for _ in rows]
        for form, row in zip(wide, rows, strict=True):
            for j, v in row:
                form[j] = v
        return {0: (wide, d), ONE: identity(self.dimension)[ONE]}

    def inside(self, y):
        """Whether a rational point in coordinates lies strictly inside."""
        return all(
            sum((rational(a) * v for a, v in zip(row, y, strict=True)), Fraction(0)) < rational(c)
            for row, c in zip(self.A, self.b, strict=True)
            if any(row)
        )

    def embed(self, y):
        """Input coordinates of a rational point in coordinates."""
        if self.basis is None:
            return list(y)
        return [
            rational(c) + sum((rational(a) * v for a, v in zip(row, y, strict=True)), Fraction(0))
            for row, c in zip(self.basis, self.origin, strict=True)
        ]


def _of_box(domain, n):
    lo, hi = ([*np.broadcast_to(side, (n,)).tolist()] for side in (domain.lo, domain.hi))
    free = [i for i in range(n) if lo[i] != hi[i]]
    A, b = [], []
    for j, i in enumerate(free):
        unit = [int(j == c) for c in range(len(free))]
        if hi[i] != inf:
            A, b = [*A, unit], [*b, hi[i]]
        if lo[i] != -inf:
            A, b = [*A, [-v for v in unit]], [*b, -rational(lo[i])]
    if len(free) == n:
        return OracleChart(n, A, b)
    basis = [[int(i == j) for j in free] for i in range(n)]
    return OracleChart(len(free), A, b, basis, [0 if i in free else lo[i] for i in range(n)])


def _of_slice(domain, n):
    basis, origin = domain.basis.tolist(), domain.origin.tolist()
    k = len(basis[0])
    if domain.coordinates == "slice":
        inner = OracleChart.of(domain.within, k)
        if inner.basis is not None:
            raise LinregionsError("the oracle takes no slice within which a side has width zero")
        return OracleChart(k, inner.A, inner.b, basis, origin)
    outer = OracleChart.of(domain.within, n)
    A = [
        [sum((rational(a) * rational(r[j]) for a, r in zip(row, basis, strict=True)), Fraction(0))
         for j in range(k)] for row in outer.A
    ]  # fmt: skip
    shift = [
        sum((rational(a) * rational(c) for a, c in zip(row, origin, strict=True)), Fraction(0))
        for row in outer.A
    ]
    b = [rational(c) - s for c, s in zip(outer.b, shift, strict=True)]
    return OracleChart(k, A, b, basis, origin)


def _of_segment(domain, n):
    p, q = domain.p.tolist(), domain.q.tolist()
    basis = [[rational(b) - rational(a)] for a, b in zip(p, q, strict=True)]
    return OracleChart(1, [[1], [-1]], [1, 0], basis, p)


_CHARTS = {
    Space: lambda domain, n: OracleChart(n, [], []),
    Box: _of_box,
    Polytope: lambda domain, n: OracleChart(n, domain.A.tolist(), domain.b.tolist()),
    Slice: _of_slice,
    Plane: lambda domain, n: _of_slice(Slice(domain.origin, domain.basis, domain.rectangle), n),
    Segment: _of_segment,
    Line: lambda domain, n: OracleChart(
        1, [], [], [[v] for v in domain.direction.tolist()], domain.p.tolist()
    ),
}
