"""Checks of what gives cells one by one or in parts: regions, facets, workers, shards, proofs."""

from __future__ import annotations

import inspect
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from importlib.util import find_spec
from math import lcm
from pathlib import Path
from typing import Any

from ..domain.domains import Domain
from ..exact.region import Region
from ..parallel import policy, task
from ..questions.count import count
from ..questions.shards import merge, shard
from ..questions.stream import regions
from .cases import Case, Check, Disagreement, agree, same_sets, whole
from .cones import dot

FEW = 80  # cells beyond which facets and neighbours are left out


def solve(rows: Any, values: Iterable[Any], n: int) -> list[Fraction]:
    """One rational solution x in Q^n of ``rows x = values``, by elimination over Fractions."""
    table = [[*map(Fraction, row), Fraction(v)] for row, v in zip(rows, values, strict=True)]
    pivots = []
    for column in range(n):
        at = len(pivots)
        hit = next((i for i in range(at, len(table)) if table[i][column]), None)
        if hit is None:
            continue
        table[at], table[hit] = table[hit], table[at]
        table[at] = [v / table[at][column] for v in table[at]]
        for i, row in enumerate(table):
            if i != at and row[column]:
                table[i] = [a - row[column] * p for a, p in zip(row, table[at], strict=True)]
        pivots.append(column)
    assert all(row[-1] == 0 for row in table[len(pivots) :]), "no solution"
    x = [Fraction(0)] * n
    for i, column in enumerate(pivots):
        x[column] = table[i][-1]
    return x


def coordinates(case: Case, region: Region) -> list[Fraction]:
    """The region's exact point in domain coordinates.

    Over all of R^n, and where a polytope is open, the exact point is given by the values of
    independent rows; any input with these values will do. That over a slice is in its own.
    """
    y, problem = region.exact_point, region.problem
    if problem.rows is not None and problem.unseen is None:
        y = solve(problem.rows, y, problem.source.inputs)
    agree("entries of the exact point", case.dimension, len(y))
    return list(y)


def strictly_inside(case: Case, pattern: tuple[int, ...], y: list[Fraction]) -> bool:
    """Whether a rational point lies strictly inside a cell: every form of its cone is positive."""
    cone, _ = case.truth.cones[pattern]
    d = lcm(*(v.denominator for v in y))
    point = [*(int(v * d) for v in y), d]
    return all(dot(form, point) > 0 for form in cone.forms)


def _pattern(region: Region) -> tuple[int, ...]:
    return tuple(int(p) for p in region.pattern)


def check_regions(case: Case) -> None:
    """Patterns are those of the oracle, each once, and every witness lies inside its cell."""
    seen = set()
    for region in regions(case.network, case.domain):
        pattern = _pattern(region)
        agree("times a pattern is met", False, pattern in seen)
        agree("pattern known to the oracle", True, pattern in case.truth.cones)
        y = coordinates(case, region)
        if not strictly_inside(case, pattern, y):
            raise Disagreement("witness strictly inside", pattern, [str(v) for v in y])
        seen.add(pattern)
    same_sets("patterns", set(case.truth.cones), seen)


def check_facets(case: Case) -> None:
    """Facets by number, and neighbours with witnesses inside their cells; the graph of all."""
    stream = regions(case.network, case.domain)
    names = []
    for region in stream:
        pattern = _pattern(region)
        names.append(pattern)
        cone, _ = case.truth.cones[pattern]
        mine = sorted(form < cone.walls for _, form in cone.facets)
        agree(f"facets of {pattern}", mine, sorted(bool(f.domain) for f in region.facets))
        for other in region.neighbours:
            if not strictly_inside(case, _pattern(other), coordinates(case, other)):
                raise Disagreement("neighbour's witness inside", True, _pattern(other))
        found = {_pattern(r) for r in region.neighbours}
        same_sets(f"neighbours of {pattern}", case.truth.neighbours[pattern], found)
    a, b = stream.graph().nonzero()
    edges = {(names[i], names[j]) for i, j in zip(a.tolist(), b.tolist(), strict=True)}
    expected = {(p, q) for p, others in case.truth.neighbours.items() for q in others}
    same_sets("edges of the graph", expected, edges)


@contextmanager
def short_tasks() -> Iterator[None]:
    """Tasks of milliseconds, so that a small search is divided; shorter ones would do nothing."""
    before = policy.LONG, policy.SHORT, task.SLICE
    policy.LONG, policy.SHORT, task.SLICE = 0.003, 0.002, 0.0005
    try:
        yield
    finally:
        policy.LONG, policy.SHORT, task.SLICE = before


def check_workers(case: Case) -> None:
    """Two workers count the same, and list every cell once, however the work is divided."""
    answer = count(case.network, case.domain, engine="search", workers=2)
    agree("activation regions", case.cells, whole(answer))
    with ThreadPoolExecutor(2) as threads, short_tasks():
        answer = count(case.network, case.domain, engine="search", executor=threads)
        found = [_pattern(r) for r in regions(case.network, case.domain, executor=threads)]
    agree("activation regions of many tasks", case.cells, whole(answer))
    agree("times a cell is listed by many tasks", len(set(found)), len(found))
    same_sets("patterns listed by many tasks", set(case.truth.cones), set(found))


def check_shards(case: Case) -> None:
    """Three shards make the whole."""
    parts = [shard(case.network, case.domain, i, 3) for i in (1, 2, 3)]
    for part in parts:
        whole(part.count)
    agree("activation regions", case.cells, int(merge(parts)))


def check_resume(case: Case) -> None:
    """A count that was cut short goes on from its checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint"
        limit = max(1, case.cells // 2)
        first = count(case.network, case.domain, engine="search", checkpoint=path, limit=limit)
        agree("cells before the rest", True, int(first) <= case.cells)
        rest = count(case.network, case.domain, engine="search", checkpoint=path)
        agree("activation regions", case.cells, whole(rest))


def checker() -> Path | None:
    """The stand-alone checker of proofs, where there is one."""
    spec = find_spec("linregions.check_regions")
    return Path(spec.origin) if spec is not None and spec.origin else None


def provable() -> bool:
    """Whether this version writes proofs and brings the checker."""
    return "proof" in inspect.signature(count).parameters and checker() is not None


def check_proof(net: Any, domain: Domain | None = None, kind: str = "activation") -> None:
    """A count's proof is accepted by the stand-alone checker, in a process of its own."""
    program = checker()
    assert program is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "proof"
        options: dict[str, Any] = {"kind": kind, "proof": path}
        whole(count(net, domain, **options))
        ended = subprocess.run(
            [sys.executable, str(program), str(path)], capture_output=True, text=True, check=False
        )
    if ended.returncode != 0:
        raise Disagreement(f"proof of {kind} accepted", 0, (ended.returncode, ended.stdout[-500:]))


def _proofs(case: Case) -> None:
    for kind in ("activation", "linear", "affine"):
        check_proof(case.network, case.domain, kind)


def _few(case: Case) -> bool:
    return case.cells <= FEW


STREAMS = [
    Check("regions", "search", check_regions, lambda case: True, deep=True),
    Check("facets", "search", check_facets, _few, deep=True),
    Check("workers", "search", check_workers, lambda case: True, deep=True),
    Check("shards", "search", check_shards, lambda case: True, deep=True),
    Check("resume", "search", check_resume, lambda case: True, deep=True),
    Check("proof", "proof", _proofs, lambda case: provable() and _few(case), deep=True),
]
