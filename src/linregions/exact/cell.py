"""One cell at a time: its facets, what lies behind them, whether it is bounded. Exact."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isfinite

import numpy as np
from flint import fmpq

from ..network.rational import nearest
from ..progress import check
from .forms import Exact
from .lp import beyond, interior_point, is_bounded, verify
from .rows import ZERO, Point, Row, negative, reduced, sign, value


@dataclass(frozen=True)
class Facet:
    """A facet of a cell: its row (cell where >= 0), the rows that vanish on it, a point on it.

    ``units`` are row numbers of the network (empty where only the domain ends there).
    """

    row: Row
    units: tuple[int, ...]
    point: Point
    domain: bool


def cell_rows(exact: Exact, signs: np.ndarray) -> tuple[list[Row], list[int]]:
    """Oriented exact rows of a full pattern and of the domain, and their row numbers.

    Rows that are constant on the cell are left out: they cannot bound it.
    """
    total = exact.cut[-1]
    beyond_network = range(total, total + len(exact.problem.b))
    numbers = [*exact.bounding(signs), *beyond_network]
    full = np.concatenate([signs, np.ones(len(beyond_network), np.int8)])
    rows = exact.cell(numbers, full)
    kept = [i for i, r in enumerate(rows) if any(a != 0 for a in r[:-1])]
    return [rows[i] for i in kept], [numbers[i] for i in kept]


def facets(exact: Exact, signs: np.ndarray, x: Point, only: set[int] | None = None) -> list[Facet]:
    """The facets of the cell with these signs and interior point x.

    Each facet comes with a rational point of its relative interior, which proves it. That no
    other row is a facet is decided exactly while ``exactly(exact)``, beyond by HiGHS.
    ``only``: look at these row numbers and leave the other rows out of the answer.
    """
    rows, numbers = cell_rows(exact, signs)
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, c in zip(rows, numbers, strict=True):
        groups.setdefault(tuple(int(a) for a in reduced(row)), []).append(c)
    distinct = [(rows[numbers.index(cs[0])], cs) for cs in groups.values()]
    needed = list(range(len(distinct)))
    floats = np.array([_unit(row) for row, _ in distinct])
    small = exactly(exact)
    in_floats = bool(np.isfinite(floats).all()) and all(isfinite(nearest(v)) for v in x)
    out = []
    for i, (row, owners) in enumerate(distinct):
        check()
        if only is not None and not only & set(owners):
            continue
        kept = [j for j in needed if j != i]
        others = [distinct[j][0] for j in kept]
        behind, redundant = None, False
        if (
            exact.k * len(others) > 200 and in_floats
        ):  # below that the exact simplex method is as quick
            behind, redundant = _beyond_by_floats(others, x, row, floats[kept], floats[i], small)
        if behind is None and not redundant and (small or not in_floats):
            behind, _ = beyond(others, x, row)
        if behind is None:
            needed.remove(i)
            continue
        a, b = value(row, x), value(row, behind)
        t = a / (a - b)
        point = [p + t * (q - p) for p, q in zip(x, behind, strict=True)]
        cut = exact.cut[-1]
        units = tuple(c for c in owners if c < cut)
        out.append(Facet(row, units, point, any(c >= cut for c in owners)))
    return out


def exactly(exact: Exact) -> bool:
    """Whether facets are decided in rational arithmetic: in few enough dimensions."""
    return exact.k <= 40


def _beyond_by_floats(
    rows: list[Row], x: Point, w: Row, A: np.ndarray, c: np.ndarray, prove: bool
) -> tuple[Point | None, bool]:
    """HiGHS on "is w redundant?", checked: a point where ``w < 0`` and all rows are > 0, or
    multipliers that prove ``w >= 0`` (``prove``: exactly, in one solve; else HiGHS is believed).
    ``A`` and ``c`` are the rows in floats.
    """
    from scipy.optimize import linprog

    k = len(x)
    centre = np.array([float(v) for v in x])
    slack = A[:, :k] @ centre + A[:, k]
    reach = 1e6 * (1.0 + float(np.abs(centre).max(initial=0.0)))
    found = linprog(c[:k], A_ub=-A[:, :k], b_ub=slack, bounds=(-reach, reach), method="highs")
    if not found.success or found.fun + c[:k] @ centre + c[k] >= -1e-12:
        if not prove or not found.success:
            return None, not prove
        tight = np.flatnonzero(np.abs(found.ineqlin.marginals) > 1e-10)
        return None, verify([rows[i] for i in tight], w) is not None
    for t in (0.999, 0.9, 0.5):
        start = value(w, x)
        y = [a + fmpq(*float(b).as_integer_ratio()) for a, b in zip(x, found.x, strict=True)]
        low = value(w, y)
        if low >= 0:
            return None, not prove
        cross = start / (start - low)
        tau = cross + (1 - cross) * fmpq(*(1.0 - t).as_integer_ratio())
        point = [a + tau * (b - a) for a, b in zip(x, y, strict=True)]
        if all(value(r, point) > 0 for r in rows):
            return point, False
    return None, not prove


def _unit(row: Row) -> np.ndarray:
    """A row as floats, its largest coefficient 1."""
    top = max(abs(int(a)) for a in row[:-1])
    return np.array([nearest(Fraction(int(a), top)) for a in row])


def across(exact: Exact, signs: np.ndarray, facet: Facet) -> np.ndarray:
    """Signs of the neighbour behind a facet: one step over, in first order.

    Each row takes the sign of its value at a point of the facet, or, where it vanishes
    there, of its slope along the way out. Rows of later layers are taken with the new signs.
    """
    out = np.asarray(signs, dtype=np.int8).copy()
    outward = [-fmpq(a) for a in facet.row[:-1]]
    x = facet.point
    for layer in range(len(exact.cut) - 1):
        rows = exact.rows(layer, out)
        unsure = set()
        check()
        for c, row in zip(range(exact.cut[layer], exact.cut[layer + 1]), rows, strict=True):
            s = sign(value(row, x))
            if s == 0:
                s = sign(sum((a * d for a, d in zip(row, outward, strict=False)), ZERO))
                if s != 0 and not _parallel(row, facet.row):
                    unsure.add(c)
            out[c] = s if s != 0 else -1
        if exact.layout.is_max(layer):
            exact.crowned(layer, out)
        if unsure and unsure & set(exact.bounding(out)):
            raise ArithmeticError("the point of the facet is not generic")
    return out


def neighbour(exact: Exact, signs: np.ndarray, x: Point, facet: Facet) -> np.ndarray:
    """`across`, moving the point of the facet until it is generic."""
    rng = np.random.default_rng(len(facet.units))
    rows = [r for r in cell_rows(exact, signs)[0] if not _parallel(r, facet.row)]
    for _ in range(50):
        check()
        try:
            return across(exact, signs, facet)
        except ArithmeticError:
            facet = _moved(rows, facet, rng)
    raise ArithmeticError("no generic point of a facet found; report this network")


def _moved(rows: list[Row], facet: Facet, rng: np.random.Generator) -> Facet:
    """The facet with another point of its relative interior."""
    k = len(facet.point)
    a = facet.row[:-1]
    d = [fmpq(int(v)) for v in rng.integers(-(1 << 20), 1 << 20, k)]
    slope = sum((p * q for p, q in zip(a, d, strict=True)), ZERO)
    size = sum((p * p for p in a), fmpq(0))
    d = [q - slope / size * p for p, q in zip(a, d, strict=True)]
    step = fmpq(1)
    for r in rows:
        rate = sum((p * q for p, q in zip(r, d, strict=False)), ZERO)
        if rate < 0:
            step = min(step, value(r, facet.point) / -rate)
    t = step * fmpq(int(rng.integers(1, 997)), 997)
    point = [p + t * q for p, q in zip(facet.point, d, strict=True)]
    return Facet(facet.row, facet.units, point, facet.domain)


def _parallel(a: Row, b: Row) -> bool:
    return reduced(a) == reduced(b) or reduced(negative(a)) == reduced(b)


def bounded(exact: Exact, signs: np.ndarray, x: Point) -> bool:
    """Whether the cell is bounded (exact)."""
    return is_bounded(cell_rows(exact, signs)[0], x)


def locate(exact: Exact, x: Point, seed: int = 0) -> tuple[np.ndarray, Point]:
    """Signs and interior point of a full-dimensional cell whose closure holds x.

    A point in the interior of a cell gives that cell; a point on a boundary is moved into
    one of the cells around it, along a fixed generic direction into the domain.
    """
    rng = np.random.default_rng(seed)
    k = exact.k
    d = [fmpq(int(v)) for v in rng.integers(-(1 << 20), 1 << 20, k)]
    signs = np.ones(exact.cut[-1], np.int8)
    rows: list[Row] = exact.domain_rows()
    if any(value(r, x) == 0 for r in rows):  # towards a generic interior point
        centre = interior_point(rows, k)
        assert centre is not None
        d = [a - b for a, b in zip(exact.step(rows, centre, d), x, strict=True)]
    for layer in range(len(exact.cut) - 1):
        for c, row in zip(
            range(exact.cut[layer], exact.cut[layer + 1]), exact.rows(layer, signs), strict=True
        ):
            s = sign(value(row, x))
            if s == 0:
                s = sign(sum((a * b for a, b in zip(row, d, strict=False)), ZERO))
            signs[c] = s if s != 0 else -1
        if exact.layout.is_max(layer):
            exact.crowned(layer, signs)
    rows = cell_rows(exact, signs)[0]
    step = fmpq(1)
    for r in rows:
        rate = sum((a * b for a, b in zip(r, d, strict=False)), ZERO)
        if rate < 0:
            step = min(step, value(r, x) / -rate / 2)
    inside = all(value(r, x) > 0 for r in rows)
    return signs, x if inside else [a + step * b for a, b in zip(x, d, strict=True)]
