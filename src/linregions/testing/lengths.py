"""Checks of measures: areas, lengths of boundaries and distances, from the oracle's rationals."""

from __future__ import annotations

from fractions import Fraction
from math import inf, isqrt
from typing import Any

import numpy as np

from ..boundary.distance import distance
from ..complex.subdivide import subdivide
from ..domain.domains import Box
from ..measure.volume import boundary_volume
from .cases import Case, Check, Disagreement, agree
from .oracle import Oracle

CLOSE = 1e-9  # of areas and lengths, relative to those of the domain
NORMS: dict[Any, Any] = {  # of a gradient: the dual of the norm of distances, times itself for 2
    1: lambda g: max(map(abs, g)),
    "inf": lambda g: sum(map(abs, g)),
}


def root(x: Fraction) -> float:
    """The square root of a rational, to about 60 digits before it is rounded."""
    if not x:
        return 0.0
    shift = 2 * max(0, 200 - (x.numerator.bit_length() - x.denominator.bit_length()) // 2)
    return as_float(Fraction(isqrt((x.numerator << shift) // x.denominator), 1 << shift // 2))


def as_float(x: Fraction) -> float:
    """The nearest float, infinite where there is none."""
    try:
        return float(x)
    except OverflowError:
        return inf if x > 0 else -inf


def point(ray: tuple[int, ...]) -> list[Fraction]:
    """The point of a ray with t > 0."""
    return [Fraction(v, ray[-1]) for v in ray[:-1]]


def cell_area(cone: Any) -> Fraction:
    """Length or area of a bounded cell: of the triangles of a middle point with its edges."""
    if len(cone.forms[0]) == 2:
        ends = [point(ray)[0] for ray, _ in cone.rays]
        return max(ends) - min(ends)
    c = point(tuple(cone.middle(range(len(cone.rays)))))
    total = Fraction(0)
    for rays, _ in cone.facets:
        p, q = (point(cone.rays[r][0]) for r in rays)
        total += abs((p[0] - c[0]) * (q[1] - c[1]) - (p[1] - c[1]) * (q[0] - c[0]))
    return total / 2


def pieces(truth: Oracle, kind: str) -> list[tuple[Any, Any]]:
    """(lines, rays) of the facets between regions of a kind."""
    return [
        key
        for key, (p, q) in truth.facets.items()
        if kind == "activation" or truth.maps[p] != truth.maps[q]
    ]


def near(what: str, expected: float, got: float, most: float) -> None:
    """Raise a `Disagreement` unless the two differ by so much at most."""
    if not (expected == got or abs(expected - got) <= most):
        raise Disagreement(what, expected, got)


def check_areas(case: Case) -> None:
    """The area of every cell of the complex, and their sum."""
    cells = subdivide(case.network, case.domain)
    whole = as_float(cell_area(case.truth.chart.cone()))
    near("area of all cells", whole, float(cells.volumes.sum()), CLOSE * whole)
    for name, got in zip(cells.patterns().tolist(), cells.volumes.tolist(), strict=True):
        agree("pattern known to the oracle", True, tuple(name) in case.truth.cones)
        cone, _ = case.truth.cones[tuple(name)]
        near(f"area of {tuple(name)}", as_float(cell_area(cone)), got, CLOSE * whole)


def check_boundaries(case: Case) -> None:
    """Number of points, or length, of the boundary between regions."""
    for kind in ("activation", "linear"):
        expected = 0.0
        for _, rays in pieces(case.truth, kind):
            ends = [point(ray) for ray in rays]
            expected += (
                root(sum(((a - b) ** 2 for a, b in zip(*ends, strict=True)), Fraction(0)))
                if len(ends) == 2
                else 1.0
            )
        got = boundary_volume(case.network, case.domain, kind=kind).value
        whole = root(cell_area(case.truth.chart.cone())) if case.dimension == 2 else 1.0
        near(f"boundary of {kind} regions", expected, got, CLOSE * max(whole, expected))


def to_piece(x: list[Fraction], span: Any, rays: Any) -> Fraction:
    """The squared distance to a facet in dimension 1 or 2: point, segment, ray or line."""
    ends = [point(ray) for ray in rays if ray[-1] > 0]
    ways = [ray[:-1] for ray in rays if ray[-1] == 0] + [row[:-1] for _, row in span]
    low, high = Fraction(0), None
    if len(ends) == 2:
        ways, high = [[b - a for a, b in zip(*ends, strict=True)]], Fraction(1)
    elif span:
        low = None
    d = ways[0] if ways else [Fraction(0)] * len(x)
    gap = [v - p for v, p in zip(x, ends[0], strict=True)]
    size = sum(v * v for v in d)
    t = sum((a * b for a, b in zip(gap, d, strict=True)), Fraction(0)) / size if size else 0
    t = t if low is None else max(low, t)
    t = t if high is None else min(high, t)
    return sum(((g - t * v) ** 2 for g, v in zip(gap, d, strict=True)), Fraction(0))


def to_hyperplanes(cone: Any, x: list[Fraction], norm: Any) -> float:
    """The distance from a point of a cell to the nearest of its facets (none in the domain's)."""
    best = inf
    for _, f in cone.facets:
        if f < cone.walls:
            continue
        *gradient, shift = cone.forms[f]
        value = sum((a * v for a, v in zip(gradient, x, strict=True)), Fraction(shift))
        if norm == 2:
            mine = root(value**2 / sum(g * g for g in gradient))
        else:
            mine = as_float(abs(value) / NORMS[norm](gradient))
        best = min(best, mine)
    return best


def _points(n: int) -> np.ndarray:
    return np.random.default_rng(n).integers(-2000, 2001, (4, n)) / 1024.0


def _within(what: str, expected: float, found: Any, i: int) -> None:
    got, error = float(found.distance[i]), float(found.error[i])
    most = 2 * error + 1e-12 * expected if expected < inf else 0.0
    near(f"{what} (error {error:.2g})", expected, got, most)


def check_distances(case: Case) -> None:
    """Distances in R^n to the boundary of the cell, in every norm, from exact hyperplanes."""
    truth = Oracle(case.network)
    x = _points(case.network.inputs)
    home = [truth.net.at([Fraction(v) for v in row.tolist()])[0] for row in x]
    for norm in (2, 1, "inf"):
        found = distance(case.network, x, norm=norm)
        for i, pattern in enumerate(home):
            if pattern in truth.cones:
                at = [Fraction(v) for v in x[i].tolist()]
                expected = to_hyperplanes(truth.cones[pattern][0], at, norm)
                _within(f"distance from {x[i].tolist()} in norm {norm}", expected, found, i)


def check_nearest_pieces(case: Case) -> None:
    """Distances in dimension 1 and 2, both kinds, in R^n and in a box, from all facets."""
    x = _points(case.network.inputs)
    for domain in (None, Box(-2.0, 2.0)):
        truth = Oracle(case.network, domain)
        for kind in ("activation", "linear"):
            facets = pieces(truth, kind)
            found = distance(case.network, x, kind=kind, domain=domain)
            for i, row in enumerate(x.tolist()):
                at = [Fraction(v) for v in row]
                squares = [to_piece(at, span, rays) for span, rays in facets]
                expected = root(min(squares)) if squares else inf
                if expected > 0:
                    where = "R^n" if domain is None else "a box"
                    _within(f"distance of {row} to {kind} regions in {where}", expected, found, i)


def _flat(case: Case) -> bool:
    return case.bounded and 1 <= case.problem.dimension == case.dimension <= 2


LENGTHS = [
    Check("areas", "complex", check_areas, _flat, deep=True),
    Check("boundaries", "complex", check_boundaries, _flat, deep=True),
    Check(
        "distances", "distance", check_distances, lambda case: case.network.inputs <= 3, deep=True
    ),
    Check(
        "nearest pieces", "distance", check_nearest_pieces,
        lambda case: case.network.inputs <= 2, deep=True,
    ),
]  # fmt: skip
