"""Deletion and restriction by pivots.

An arrangement of rank r is written in coordinates in which r independent hyperplanes are
``x_j = 0``; the others are rows ``M_t x + c_t = 0``. Removing the other rows one after the
other, last first, gives ``pi(A) = (1 + q)^r + q sum_t pi((coordinates, rows before t)^{H_t})``,
and the restriction to ``H_t`` is one pivot: x_j is solved for, its hyperplane becomes a row.
A row that no longer depends on x is empty or all of the space; equal hyperplanes are one.
With one row left the answer is closed, so the work is governed by the number of rows (the
nullity) and not by the number of regions.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ..errors import LinregionsError
from ._check import OutOfReach, shown, whole

PRIME = (1 << 61) - 1
GENERIC = object()  # offsets that satisfy no relation
Row = list[Any]  # coefficients, then the offset


def standard_form(W: Any, b: Any, prime: int | None) -> tuple[int, list[Row], int]:
    """(hyperplanes, rows that are not coordinates, rank) of ``W x + b = 0``."""
    generic = b is GENERIC
    rows = numbers(W, None if generic else b, prime)
    m, width = len(rows), len(rows[0]) - 1 if rows else 0
    pivots: list[int] = []  # column of each pivot row; pivot rows come first
    # Row reduction of the transposed problem: express every row through the pivot rows.
    base: list[Row] = []
    combos: list[Row] = []
    others: list[Row] = []
    for row in rows:
        if not any(row[:width]):
            continue
        rest, combo = row[:], []
        for pivot, mine in zip(pivots, base, strict=True):
            f = rest[pivot]
            combo.append(f)
            if f:
                rest = _minus(rest, f, mine, prime)
        at = next((j for j in range(width) if rest[j]), None)
        if at is None:
            others.append([*combo, rest[width]])
            continue
        # The new coordinate is the row itself: rest = (row - combo . earlier pivots) / scale.
        scale = rest[at]
        pivots.append(at)
        base.append(_over(rest, scale, prime))
        combos.append([*combo, scale])
    rank = len(base)
    return m, _in_coordinates(others, combos, rank, prime), rank


def _in_coordinates(others: list[Row], combos: list[Row], rank: int, prime: int | None):
    """Rows over echelon forms rewritten over the chosen hyperplanes themselves."""
    inverse: list[Row] = []  # echelon form i as a combination of the chosen rows 0..i
    for i, combo in enumerate(combos):
        line: Row = [0] * rank
        for f, earlier in zip(combo[:-1], inverse, strict=False):
            if f:
                line = _minus(line, f, earlier, prime)
        line[i] = line[i] + 1
        inverse.append(_over(line, combo[-1], prime))
    out = []
    for row in others:
        mine: Row = [0] * rank
        for f, line in zip(row[:-1], inverse, strict=False):
            if f:
                mine = _minus(mine, -f, line, prime)
        out.append([*mine, row[-1]])
    return out


def numbers(W: Any, b: Any, prime: int | None) -> list[Row]:
    """Rows ``[*W_i, b_i]`` as the rationals that they are, or modulo a prime."""
    try:
        rows = [[_exact(v) for v in row] for row in W]
        offsets = [0] * len(rows) if b is None else [_exact(v) for v in b]
    except TypeError:
        raise LinregionsError(
            "an arrangement needs W of shape (m, d) and b of shape (m,)"
        ) from None
    if len({len(r) for r in rows}) > 1 or len(offsets) != len(rows):
        raise LinregionsError(
            f"an arrangement of {len(rows)} normals and {len(offsets)} offsets; "
            "give W of shape (m, d) and b of shape (m,)"
        )
    out = [[*r, c] for r, c in zip(rows, offsets, strict=True)]
    if prime is None:
        return out
    if any(v.denominator % prime == 0 for row in out for v in row):
        raise LinregionsError(
            f"an arrangement modulo {prime}: a denominator is a multiple of it; give another prime"
        )
    return [[v.numerator * pow(v.denominator, -1, prime) % prime for v in row] for row in out]


def field(value: Any) -> int | None:
    """The prime of a field as a Python integer, checked; None for the rationals."""
    if value is None:
        return None
    number = whole(value, "the prime", 2)
    if number.bit_length() > 4096 or not _is_prime(number):
        raise LinregionsError(f"prime={shown(value)}: give a prime number (or None for rationals)")
    return number


def _is_prime(n: int) -> bool:
    """Miller and Rabin's test to forty bases: a proof below 3.3e24, beyond that all but certain."""
    bases = [p for p in range(2, 174) if all(p % q for q in range(2, p))]
    if n < 2 or any(n % p == 0 for p in bases):
        return n in bases
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in bases:
        powers = [pow(base, odd, n)]
        for _ in range(twos - 1):
            powers.append(powers[-1] ** 2 % n)
        if powers[0] != 1 and n - 1 not in powers:
            return False
    return True


def _exact(value: Any) -> Any:
    try:
        return Fraction(value.item() if hasattr(value, "item") else value)
    except (ValueError, OverflowError, ZeroDivisionError):
        raise LinregionsError(f"{shown(value)} in an arrangement; give finite numbers") from None


def _minus(row: Row, f: Any, other: Row, prime: int | None) -> Row:
    """``row - f other``; a shorter ``other`` stands for zeros."""
    if prime is None:
        return [a - f * c for a, c in zip(row, other, strict=True)]
    return [(a - f * c) % prime for a, c in zip(row, other, strict=True)]


def _over(row: Row, f: Any, prime: int | None) -> Row:
    if prime is None:
        return [Fraction(a) / f for a in row]
    g = pow(f, -1, prime)
    return [a * g % prime for a in row]


def whitney(
    rows: list[Row], rank: int, q: int, prime: int | None, limit: int, generic: bool = False
) -> int:
    """``sum_i |w_i| q^i``; with ``generic``, independent sets in place of sets without
    broken circuit (offsets are ignored and parallel rows stay apart)."""
    work = [whole(limit, "the limit")]

    def poincare(rows: list[Row], rank: int) -> int:
        rows = [r for r in rows if any(r[:rank])] if generic else _distinct(rows, rank, prime)
        power = 1 + q
        if not rows:
            return power**rank
        if len(rows) == 1:
            return _circuit(rows[0], rank, q, generic)
        total = power**rank
        for t, row in enumerate(rows):
            work[0] -= 1
            if work[0] < 0:
                raise OutOfReach(f"an arrangement that needs more than {limit:,} pivots")
            total += q * poincare(_restrict(rows[:t], row, rank, prime), rank - 1)
        return total

    return poincare(rows, rank)


def _circuit(row: Row, rank: int, q: int, generic: bool) -> int:
    """One row beside the coordinates: a single circuit of s + 1 hyperplanes."""
    s = rank - row[:rank].count(0)
    alone = (1 + q) ** (rank - s)
    several = (1 + q) ** (s + 1) - q ** (s + 1)
    if not generic and not row[rank]:
        several -= q**s  # the circuit meets in one flat of codimension s
    return alone * several


def _restrict(rows: list[Row], pivot: Row, rank: int, prime: int | None) -> list[Row]:
    """Rows on the hyperplane ``pivot``, in one coordinate less."""
    j = next(i for i in range(rank) if pivot[i])
    unit = _over(pivot, pivot[j], prime)
    del unit[j]
    out = [[-a if prime is None else -a % prime for a in unit]]  # the hyperplane x_j = 0
    for row in rows:
        f = row[j]
        rest = row[:j] + row[j + 1 :]
        out.append(_minus(rest, f, unit, prime) if f else rest)
    return out


def _distinct(rows: list[Row], rank: int, prime: int | None) -> list[Row]:
    """Rows that are hyperplanes, each once, and no coordinate hyperplane again."""
    seen: set[tuple[Any, ...]] = set()
    out = []
    for row in rows:
        support = [i for i in range(rank) if row[i]]
        if not support or (len(support) == 1 and not row[rank]):
            continue
        key = tuple(_over(row, row[support[0]], prime))
        if key not in seen:
            seen.add(key)
            out.append(row)
    return out
