"""Checks of every counting engine and every kind against the oracle."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import pairwise

import numpy as np

from ..domain.domains import Box, Line, Segment
from ..line.crossings import crossings
from ..questions.count import count
from .cases import Case, Check, agree, whole
from .oracle import Oracle
from .piecewise import rational

KINDS = ("activation", "linear", "affine", "closed", "pattern")
MERGED = ("activation", "linear", "affine")  # along a line
PATTERNS = 25  # cells beyond which lower-dimensional patterns are not asked for: they are slow
REFEREED = 16  # cells beyond which the mixed-integer model is not asked


def by_engine(case: Case, engine: str, kind: str) -> None:
    """One count, and what came out on the way."""
    answer = count(case.network, case.domain, kind=kind, engine=engine)
    agree(f"{kind} regions", case.truth.count(kind), whole(answer))
    for other, value in answer.also.items():
        agree(f"{other} regions beside {kind}", case.truth.count(other), value)
    if engine != "milp":
        agree("exact", True, answer.exact)


def along_a_line(case: Case) -> None:
    """Breakpoints, patterns and counts along the domain, or along a segment drawn at random."""
    domain = case.domain
    if not isinstance(domain, Segment | Line):
        n = case.network.inputs
        ends = np.random.default_rng(n).integers(-20, 21, (2, n))
        domain = Segment(ends[0] / 8.0 - 0.1, ends[1] / 3.0 + 0.2)
    truth = case.truth if domain is case.domain else Oracle(case.network, domain)
    found = crossings(case.network, domain)
    middles = sorted((_middle(cone), pattern) for pattern, (cone, _) in truth.cones.items())
    inner = sorted({rational(t) for cone, _ in truth.cones.values() for t in _ends(cone)})
    if isinstance(domain, Segment):
        inner = inner[1:-1]
    agree("breakpoints", inner, found.exact_t(0))
    agree("patterns", [p for _, p in middles], list(map(tuple, found.patterns(0).tolist())))
    for kind in MERGED:
        agree(f"{kind} regions", truth.count(kind), int(found.count(kind)[0]))
    agree("ascending", True, all(a <= b for a, b in pairwise(found.t.tolist())))


def _ends(cone):
    if cone.lines:  # the whole line: its one ray only says where the origin is
        return []
    return [Fraction(x, t) for (x, t), _ in cone.rays if t > 0]


def _middle(cone):
    ends = sorted(_ends(cone))
    if len(ends) == 2:
        return (ends[0] + ends[1]) / 2
    if not ends:
        return 0
    return ends[0] + (1 if any(x > 0 for (x, t), _ in cone.rays if t == 0) else -1)


def _complex(case: Case) -> bool:
    return case.bounded and 1 <= case.problem.dimension <= 4


def _referee(case: Case) -> bool:
    """Neither the network nor the domain has near-ties: boxes of half-integer corners alone."""
    if case.near_ties or not isinstance(case.domain, Box) or not case.bounded:
        return False
    corners = np.array([case.domain.lo, case.domain.hi], dtype=float)
    return case.cells <= REFEREED and bool((2 * corners % 1 == 0).all())


COUNTS = [
    *(
        Check(
            f"search {kind}", "search", partial(by_engine, engine="search", kind=kind),
            (lambda case: case.cells <= PATTERNS) if kind == "pattern" else lambda case: True,
        )
        for kind in KINDS
    ),
    *(
        Check(
            f"complex {kind}", "complex", partial(by_engine, engine="complex", kind=kind), _complex
        )
        for kind in ("activation", "linear")  # which brings the affine maps
    ),
    Check("line", "line", along_a_line, lambda case: True),
    Check(
        "milp activation", "milp", partial(by_engine, engine="milp", kind="activation"), _referee
    ),
]  # fmt: skip
