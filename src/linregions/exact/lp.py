"""Linear programmes over exact rows: a rational simplex, and float guesses that it checks."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite

from flint import fmpq, fmpz, fmpz_mat

from ..errors import LinregionsError
from ..network.rational import nearest
from ..progress import check
from .guess import centre, farthest
from .rows import ZERO, Point, Row, point_of, value

GUESSES = 8  # of one decision, at most


PATIENCE = 3000.0  # operations of an exact simplex, after which guesses are tried first


@dataclass
class Minimum:
    """Outcome of `minimise`: the minimum of a row over a closed cell.

    ``value`` is None when the row falls without bound along ``direction``; otherwise
    ``point`` attains it. ``basis``: the rows whose multipliers in the proof are not zero.
    """

    value: fmpq | None
    point: Point | None
    direction: Point | None
    basis: tuple[int, ...] = ()


class Tired(Exception):
    """`minimise` has used up its patience."""


def minimise(
    rows: list[Row], x0: Point, w: Row, stop: fmpq | None = None, patience: float = inf
) -> Minimum:
    """Minimise ``w`` over ``{x : rows >= 0}`` from a strictly interior point, exactly.

    Simplex on a dictionary with free coordinates entering first; Bland's rule, so it ends.
    ``stop``: return as soon as the value is below it. `Tired` is raised after about ``patience``
    operations on short numbers; long numbers count for more.
    """
    k, m = len(x0), len(rows)
    T = [[fmpq(r[c]) for c in range(k)] + [value(r, x0)] for r in rows]
    names = [-1 - c for c in range(k)]  # nonbasic: coordinate c as -1 - c, slack i as i
    basic = list(range(m))
    cost = [fmpq(w[c]) for c in range(k)]
    z = value(w, x0)

    def current(enter: int = -1, step: fmpq = ZERO) -> Point:
        y = [ZERO] * k
        if enter >= 0 and names[enter] < 0:
            y[-1 - names[enter]] = step
        for i in range(m):
            if basic[i] < 0:
                y[-1 - basic[i]] = T[i][k] + (T[i][enter] * step if enter >= 0 else ZERO)
        return [a + b for a, b in zip(x0, y, strict=True)]

    while True:
        check()
        free = [c for c in range(k) if names[c] < 0 and cost[c] != 0]
        enter = free[0] if free else -1
        if enter < 0:
            falling = [c for c in range(k) if names[c] >= 0 and cost[c] < 0]
            if not falling:
                basis = tuple(names[c] for c in range(k) if names[c] >= 0 and cost[c] > 0)
                return Minimum(z, current(), None, basis)
            enter = min(falling, key=lambda c: names[c])
        up = -1 if cost[enter] > 0 else 1
        leave, theta = -1, ZERO
        for i in range(m):
            rate = T[i][enter] * -up
            if basic[i] >= 0 and rate > 0:
                t = T[i][k] / rate
                if leave < 0 or t < theta or (t == theta and basic[i] < basic[leave]):
                    leave, theta = i, t
        if leave < 0:
            y = [ZERO] * k
            if names[enter] < 0:
                y[-1 - names[enter]] = fmpq(up)
            for i in range(m):
                if basic[i] < 0:
                    y[-1 - basic[i]] = T[i][enter] * up
            return Minimum(None, None, y)
        after = z + cost[enter] * up * theta
        if stop is not None and after < stop:
            return Minimum(after, current(enter, up * theta), None)
        pivot_row = T[leave]
        inverse = 1 / pivot_row[enter]
        factors = [v * inverse for v in pivot_row]
        busy = sum(v != 0 for v in factors) * sum(row[enter] != 0 for row in T)
        patience -= busy * (1 + int(inverse.q).bit_length() / 256)
        if patience < 0:
            raise Tired
        for i in range(m):
            f = T[i][enter]
            if i == leave or f == 0:
                continue
            check()
            row = T[i]
            for c in range(k + 1):
                if c != enter and factors[c] != 0:
                    row[c] -= f * factors[c]
            row[enter] = f * inverse
        f = cost[enter]
        for c in range(k):
            if c != enter:
                cost[c] -= f * factors[c]
        z -= f * factors[k]
        cost[enter] = f * inverse
        T[leave] = [-v for v in factors]
        T[leave][enter] = inverse
        names[enter], basic[leave] = basic[leave], names[enter]


def beyond(
    rows: list[Row], x0: Point, w: Row, patience: float = inf
) -> tuple[Point | None, Minimum]:
    """A strictly interior point with ``w < 0``, from an interior point with ``w > 0``, or None."""
    start = value(w, x0)
    best = minimise(rows, x0, w, patience=patience)
    if best.direction is not None:
        slope = sum((a * d for a, d in zip(w, best.direction, strict=False)), ZERO)
        t = -2 * start / slope
        return [a + t * d for a, d in zip(x0, best.direction, strict=True)], best
    assert best.value is not None and best.point is not None
    if best.value >= 0:
        return None, best
    t = (start / (start - best.value) + 1) / 2
    return [a + t * (b - a) for a, b in zip(x0, best.point, strict=True)], best


def guessed(
    rows: list[Row], x0: Point, w: Row
) -> tuple[Point | None, bool, tuple[int, ...]] | None:
    """What guesses in floats prove: an interior point with ``w < 0``, or that there is none.

    With the latter come whether a facet may lie in ``w = 0``, and the rows that prove it; None
    where nothing is proved. From a point near some facets a guess may be rough, so a few more start
    from where the last one led.
    """
    x = x0
    for _ in range(GUESSES):
        check()
        guess = farthest(rows, x, w)
        if guess is None:
            return None
        y = towards(rows, x, guess.point)
        before, after = value(w, x), value(w, y)
        if after < 0:
            return y, False, ()
        tight = verify([rows[i] for i in guess.tight], w)
        if tight is not None:
            return None, tight, tuple(guess.tight)
        if after == 0 or 100 * after > 99 * before:
            return None
        x = y
    return None


def towards(rows: list[Row], x: Point, far: Point) -> Point:
    """Nine tenths of the way from an interior point to another one, or to the boundary."""
    most = fmpq(1)
    for r in rows:
        here, there = value(r, x), value(r, far)
        if there < 0:
            most = min(most, here / (here - there))
    y = [a + fmpq(9, 10) * most * (b - a) for a, b in zip(x, far, strict=True)]
    floats = [nearest(v) for v in y]  # they keep later numbers short
    if not all(map(isfinite, floats)):
        return y
    near = point_of(floats)
    return near if all(value(r, near) > 0 for r in rows) else y


def verify(basis: list[Row], w: Row) -> bool | None:
    """Whether these rows alone prove ``w >= 0``: the exact multipliers, one small solve.

    None: no proof. Otherwise whether a facet may lie in ``w = 0`` (one multiplier, minimum 0).
    """
    r, k = len(basis), len(w) - 1
    if not 0 < r <= k:
        return None
    flat = [row[j] for j in range(k) for row in (*basis, w)]
    echelon, den, rank = fmpz_mat(k, r + 1, flat).rref()
    if rank != r or any(echelon[i, i] == 0 for i in range(r)):
        return None
    if den < 0:
        den = -den
        echelon = -echelon
    weights = [echelon[i, r] for i in range(r)]
    if any(v < 0 for v in weights):
        return None
    least = den * w[k] - sum((v * row[k] for v, row in zip(weights, basis, strict=True)), fmpz(0))
    if least < 0:
        return None
    return bool(least == 0 and sum(v != 0 for v in weights) <= 1)


def interior_point(rows: list[Row], k: int) -> Point | None:
    """A strictly interior rational point of ``{rows >= 0}``, or None when there is none.

    Maximises the common slack t <= 1: a programme with an obvious interior start.
    """
    lifted = [[*r[:k], fmpz(-1), r[k]] for r in rows] + [[fmpz(0)] * k + [fmpz(-1), fmpz(1)]]
    start = [ZERO] * k + [min([fmpq(r[k]) for r in rows] + [fmpq(1)]) - 1]
    goal = [fmpz(0)] * k + [fmpz(-1), fmpz(0)]
    try:
        found = minimise(lifted, start, goal, patience=PATIENCE)
    except Tired:
        x = centre(rows, k)
        if x is not None and all(value(r, x) > 0 for r in rows):
            return x
        found = minimise(lifted, start, goal)
    if found.point is None or found.point[k] <= 0:
        return None
    return found.point[:k]


def inside(rows: list[Row], k: int, name: str) -> Point:
    """`interior_point` of a domain, which must have one."""
    x = interior_point(rows, k)
    if x is None:
        raise LinregionsError(
            f"{name} has no interior: it is empty or flat; a flat domain is a Slice of a "
            "full-dimensional one"
        )
    return x


def is_bounded(rows: list[Row], x: Point) -> bool:
    """Whether ``{rows >= 0}`` is bounded, from an interior point."""
    k = len(x)
    for j in range(k):
        for s in (1, -1):
            goal = [fmpz(s if i == j else 0) for i in range(k + 1)]
            if minimise(rows, x, goal).direction is not None:
                return False
    return True
