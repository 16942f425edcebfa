"""The face lattice of the domain itself, from its inequalities, exactly."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from flint import fmpq, fmpz, fmpz_mat

from ..errors import LinregionsError
from ..exact.lp import inside, is_bounded
from ..exact.rows import Point, Row, value
from ..network.rational import nearest
from ..roundoff import ROUNDOFF
from .exact import Forms
from .lattice import Faces

HARD = 2_000_000  # subsets of inequalities that are still tried


def domain_faces(forms: Forms, name: str) -> tuple[Faces, list[Point]]:
    """The domain as a complex of one cell, in kernel coordinates, and its exact vertices."""
    k, rows = forms.k, forms.domain_rows
    _check_bounded(rows, k, name)
    points, tight = _vertices(rows, k, name)
    facets: dict[frozenset[int], int] = {}
    for i in range(len(rows)):
        on = frozenset(v for v, t in enumerate(tight) if i in t)
        if len(on) >= k and on not in facets and _dimension(points, on) == k - 1:
            facets[on] = i
    levels: list[list[frozenset[int]]] = [[] for _ in range(k + 1)]
    levels[k] = [frozenset(range(len(points)))]
    below: dict[tuple[int, frozenset[int]], list[frozenset[int]]] = {}
    for d in range(k, 0, -1):
        found: dict[frozenset[int], None] = {}
        for face in levels[d]:
            parts = {face & f for f in facets} - {face}
            parts = [p for p in parts if p and not any(p < q for q in parts)]
            parts.sort(key=sorted)
            below[d, face] = parts
            found.update(dict.fromkeys(parts))
        levels[d - 1] = list(found) if d > 1 else [frozenset([v]) for v in range(len(points))]
    return _faces(k, levels, below, facets, points), points


def _faces(k, levels, below, facets, points) -> Faces:
    at = np.concatenate([[0], np.cumsum([len(level) for level in levels])])
    number = {(d, f): at[d] + i for d, level in enumerate(levels) for i, f in enumerate(level)}
    ptr, idx = [0] * (len(levels[0]) + 1), []
    for d in range(1, k + 1):
        for face in levels[d]:
            idx += [number[d - 1, part] for part in below[d, face]]
            ptr.append(len(idx))
    own = [-1 - facets[f] for f in levels[k - 1]]
    x, r = np.empty((len(points), k)), np.empty(len(points))
    for i, p in enumerate(points):
        x[i], r[i] = rounded(p)
    return Faces(
        k,
        at.astype(np.int64),
        np.array(ptr, np.int64),
        np.array(idx, np.int32),
        np.array(own, np.int32),
        np.zeros(at[-1], np.int32),
        x,
        r,
        np.zeros((1, 0), np.uint64),
    )


def rounded(place: Point) -> tuple[np.ndarray, float]:
    """A point in floats, and how far off it is."""
    x = np.array([nearest(c) for c in place])
    if not np.isfinite(x).all():
        return x, np.inf
    if all(fmpq(*float(f).as_integer_ratio()) == c for f, c in zip(x, place, strict=True)):
        return x, 0.0
    return x, 2.0 * ROUNDOFF * float(np.max(np.abs(x))) + 2.0**-1074


def _check_bounded(rows: list[Row], k: int, name: str) -> None:
    if not is_bounded(rows, inside(rows, k, name)):
        raise LinregionsError(
            f"{name} is unbounded, and a cell complex needs a bounded domain; give a box, "
            'or count with engine="search"'
        )


def _vertices(rows: list[Row], k: int, name: str) -> tuple[list[Point], list[set[int]]]:
    """All vertices, each with the inequalities that are tight there."""
    from math import comb

    if comb(len(rows), k) > HARD:
        raise LinregionsError(
            f"{name} has {len(rows)} inequalities, too many to list its corners in dimension {k}; "
            'count with engine="search"'
        )
    seen: dict[tuple[Any, ...], set[int]] = {}
    for chosen in combinations(range(len(rows)), k):
        p = meet([rows[i] for i in chosen], k)
        if p is None:
            continue
        key = tuple((int(v.p), int(v.q)) for v in p)
        if key in seen or any(value(r, p) < 0 for r in rows):
            continue
        seen[key] = {i for i, r in enumerate(rows) if value(r, p) == 0}
    points = [[fmpq(a, b) for a, b in key] for key in seen]
    return points, list(seen.values())


def meet(rows: list[Row], k: int) -> Point | None:
    """The one point where all rows vanish, or None where there is not exactly one."""
    flat = [a for row in rows for a in row]
    echelon, den, rank = fmpz_mat(len(rows), k + 1, flat).rref()
    if rank != k or any(echelon[i, i] == 0 for i in range(k)):
        return None
    return [fmpq(-echelon[i, k], den) for i in range(k)]


def _dimension(points: list[Point], chosen: frozenset[int]) -> int:
    first, *rest = sorted(chosen)
    k = len(points[0])
    table = []
    for v in rest:
        step = [a - b for a, b in zip(points[v], points[first], strict=True)]
        scale = fmpz(1)
        for s in step:
            scale *= s.q
        table += [int((s * scale).p) for s in step]
    return fmpz_mat(len(rest), k, table).rank() if rest else 0
