"""Random domains: all of R^n, boxes, polytopes, slices, planes, segments, lines."""

from __future__ import annotations

import numpy as np

from ..domain.domains import Box, Domain, Line, Plane, Polytope, Segment, Slice, Space

Rng = np.random.Generator


def box(rng: Rng, n: int) -> Box:
    """Half-integer corners; a side may have width zero or be open."""
    lo = rng.integers(-6, 4, n) / 2.0
    hi = lo + rng.integers(1, 9, n) / 2.0
    what = rng.integers(10)
    if what == 0 and n > 1:
        hi[0] = lo[0]
    elif what == 1:
        hi[-1] = np.inf
    elif what == 2:
        lo, hi = lo / 3, hi / 3
    return Box(lo, hi)


def polytope(rng: Rng, n: int) -> Polytope:
    """Half-spaces around a ball; often unbounded, with idle and vacuous rows."""
    m = int(rng.integers(1, 2 * n + 3))
    A = rng.integers(-3, 4, (m, n)).astype(float)
    A[~A.any(axis=1), 0] = 1.0
    centre, slack = rng.integers(-2, 3, n) / 2, rng.integers(1, 7, m)
    return Polytope(A, A @ centre + slack)


def _basis(rng: Rng, n: int, k: int) -> np.ndarray:
    """Integer columns of rank k; rarely all but dependent in floats."""
    basis = np.eye(n)[rng.permutation(n)][:, :k]
    for _ in range(2):
        basis = basis + np.outer(rng.integers(-1, 2, n), rng.integers(-1, 2, k))
        if np.linalg.matrix_rank(basis) < k:
            return np.eye(n)[:, :k]
    return basis * rng.choice([1.0, 0.1, 3.0])


def slice_of(rng: Rng, n: int) -> Slice:
    """A k-dimensional slice, whole or within a box or a polytope of it or of the input."""
    k = int(rng.integers(1, n + 1))
    origin, basis = rng.integers(-4, 5, n) / 4.0, _basis(rng, n, k)
    what = rng.integers(4)
    if what == 0:
        return Slice(origin, basis)
    if what == 1:
        return Slice(origin, basis, Box(origin - 1.5, origin + 2.0), coordinates="input")
    if what == 2:
        return Slice(origin, basis, polytope(rng, k))
    return Slice(origin, basis, Box(-2.0, 1.5))


def plane(rng: Rng, n: int) -> Domain:
    """A plane through three points."""
    if n < 2:
        return segment(rng, n)
    a, b, c = rng.standard_normal((3, n))
    return Plane.through(a, b, c)


def segment(rng: Rng, n: int) -> Segment:
    """A segment between integer points, or points that no decimal holds."""
    p = rng.integers(-4, 5, n).astype(float)
    q = p + rng.integers(1, 4) * (rng.integers(-2, 3, n) + np.eye(n)[0] * 3)
    return Segment(p / 3, q / 3) if rng.integers(2) else Segment(p, q)


def line(rng: Rng, n: int) -> Line:
    """A whole line through an integer point."""
    direction = rng.integers(-2, 3, n).astype(float)
    direction[0] = direction[0] or 1.0
    return Line(rng.integers(-3, 4, n) / 2.0, direction)


DOMAINS = {
    "space": (lambda rng, n: Space(), 30),
    "box": (box, 25),
    "polytope": (polytope, 17),
    "slice": (slice_of, 10),
    "plane": (plane, 8),
    "segment": (segment, 6),
    "line": (line, 4),
}


def draw_domain(rng: Rng, n: int) -> Domain:
    """A domain of n inputs; all of R^n most often, as most faults were found there."""
    makers, weights = zip(*DOMAINS.values(), strict=True)
    weights = np.array(weights) / sum(weights)
    return makers[rng.choice(len(makers), p=weights)](rng, n)
