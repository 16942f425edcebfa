"""Hyperplane arrangements: how many regions, in general position or as given.

``r(A) = sum_i |w_i|`` with the Whitney numbers ``w_i`` of the first kind, the coefficients
of the characteristic polynomial (Zaslavsky 1975). In general position they are binomials;
for an arrangement that is given they come from deletion and restriction.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import comb
from typing import Any

from ._check import listed, shown, whole, within_reach
from ._deletion import GENERIC, PRIME, field, numbers, standard_form, whitney

__all__ = [
    "PRIME",
    "bounded",
    "bounded_regions",
    "central",
    "characteristic_polynomial",
    "generic",
    "independent_sets",
    "mixed",
    "pieces",
    "regions",
    "whitney_numbers",
]


def generic(m: int, d: int) -> int:
    """``Z(m, d) = sum_{i <= d} C(m, i)``: regions of m hyperplanes of R^d in general position.

    No arrangement of m hyperplanes of R^d has more (Zaslavsky 1975, Theorem A).

    Examples
    --------
    >>> generic(4, 2)
    11
    """
    m, d = whole(m, "the number of hyperplanes"), whole(d, "the dimension")
    within_reach(1, _bits(m, d), f"the number of regions of {shown(m)} hyperplanes")
    if d >= m:
        return 1 << m
    if 2 * d > m:
        return (1 << m) - sum(binomials(m, m - d - 1))
    return sum(binomials(m, d))


def central(m: int, d: int) -> int:
    """``2 sum_{i < d} C(m - 1, i)``: m >= 1 generic hyperplanes of R^d through one point.

    The number of activation regions of m generic units without biases (Cover 1965).

    Examples
    --------
    >>> central(5, 2)
    10
    """
    m, d = whole(m, "the number of hyperplanes"), whole(d, "the dimension")
    return 1 if m == 0 or d == 0 else 2 * generic(m - 1, d - 1)


def bounded(m: int, d: int) -> int:
    """``C(m - 1, d)``: bounded regions of m >= 1 hyperplanes of R^d in general position.

    Examples
    --------
    >>> bounded(4, 2)
    3
    """
    m, d = whole(m, "the number of hyperplanes"), whole(d, "the dimension")
    if m == 0:
        return int(d == 0)
    _row_within_reach(m - 1, min(d, max(m - 1 - d, 0)))
    return comb(m - 1, d)


def pieces(m: int, k: int, d: int) -> int:
    """``sum_{j <= d} C(m, j) (k - 1)^j``: most regions of m scalar units of k pieces in R^d.

    A unit of k pieces is k - 1 parallel hyperplanes; a set of hyperplanes can be independent
    only if it takes at most one of each unit. Also the sharp bound of a layer of m maxout
    units of rank k (Montufar, Ren and Zhang 2022).

    Examples
    --------
    >>> pieces(3, 3, 2)
    19
    """
    k, m = whole(k, "the number of pieces", 1), whole(m, "the number of units")
    within_reach(1, m, f"a list of {shown(m)} units")
    return mixed([k] * m, d)


def mixed(ranks: Iterable[int], d: int) -> int:
    """``sum_{j <= d} e_j(k_1 - 1, ..., k_m - 1)``: units with k_1, ..., k_m pieces in R^d.

    e_j is the elementary symmetric polynomial.

    Examples
    --------
    >>> mixed([2, 2, 3], 1)
    5
    """
    ranks = listed(ranks, "the numbers of pieces", "whole numbers")
    return sum(elementary([whole(k, "a number of pieces", 1) - 1 for k in ranks], d))


def elementary(values: Iterable[int], d: int) -> list[int]:
    """Elementary symmetric polynomials ``[e_0, ..., e_min(d, m)]`` of m values.

    Examples
    --------
    >>> elementary([1, 2, 3], 2)
    [1, 6, 11]
    """
    d, values = whole(d, "the dimension"), [v for v in values if v]
    most = min(d, len(values))
    size = max((int(v).bit_length() for v in values), default=0)
    bits = most * size + _bits(len(values), d)
    if len(set(values)) <= 1:
        within_reach(most + 1, bits, f"{shown(most)} binomials of {len(values):,}")
        v = values[0] if values else 0
        return [c * v**j for j, c in enumerate(binomials(len(values), d))]
    within_reach(len(values) * (most + 1), bits, f"{shown(most)} symmetric polynomials")
    out = [1] + [0] * most
    for v in values:
        for j in range(len(out) - 1, 0, -1):
            out[j] += v * out[j - 1]
    return out


def binomials(m: int, d: int) -> list[int]:
    """``C(m, 0), ..., C(m, min(d, m))``."""
    _row_within_reach(m, d)
    out = [1]
    for i in range(min(d, m)):
        out.append(out[-1] * (m - i) // (i + 1))
    return out


def _bits(m: int, d: int) -> int:
    """Bits that no sum of C(m, 0), ..., C(m, d) has more of: that of 2^m, or of (m + 1)^d."""
    return min(m, d * (m + 1).bit_length()) + 1


def _row_within_reach(m: int, d: int) -> None:
    within_reach(min(d, m) + 1, _bits(m, d), f"{shown(min(d, m))} binomials of {shown(m)}")


# -- arrangements that are given ------------------------------------------------------------


def whitney_numbers(W: Any, b: Any = None, *, prime: int | None = None, limit: int = 10**6):
    """``[|w_0|, |w_1|, ...]`` of the arrangement ``{x : W_i x + b_i = 0}``.

    Deletion and restriction, ``pi(A) = pi(A - H) + q pi(A^H)``, in a form where r independent
    hyperplanes are coordinates and each step is one pivot. Repeated hyperplanes count once;
    a row of zeros is no hyperplane.

    Parameters
    ----------
    W
        (m, d) normals: integers, Fractions, or floats as the rationals that they are.
    b
        (m,) offsets; zero where absent.
    prime
        Work modulo this prime: for matrices that are random modulo it. None (default) works
        in rational arithmetic. Modulo a prime more minors may vanish than over the rationals,
        so the numbers are then at most the rational ones, and equal to them unless one of the
        minors of the matrix is a multiple of the prime.
    limit
        Most pivots; `OutOfReach` is raised beyond.

    Examples
    --------
    >>> whitney_numbers([[1, 0], [0, 1], [1, 1]])
    [1, 3, 2]
    """
    prime = field(prime)
    m, rows, rank = standard_form(W, b, prime)
    q = 1 << (m + 1)  # all Whitney numbers are below 2^m: the digits of pi(q) in base q
    total = whitney(rows, rank, q, prime, limit)
    out = []
    while total:
        total, digit = divmod(total, q)
        out.append(digit)
    return out


def regions(W: Any, b: Any = None, *, prime: int | None = None, limit: int = 10**6) -> int:
    """Regions of the arrangement ``{x : W_i x + b_i = 0}`` of R^d, exactly.

    ``r(A) = r(A - H) + r(A^H)`` (Zaslavsky 1975). Parameters as in `whitney_numbers`.

    Examples
    --------
    >>> regions([[1, 0], [0, 1], [1, 1]])  # three lines through a point
    6
    >>> regions([[1, 0], [0, 1], [1, 1]], [0, 0, 1])
    7
    """
    prime = field(prime)
    _, rows, rank = standard_form(W, b, prime)
    return whitney(rows, rank, 1, prime, limit)


def bounded_regions(W: Any, b: Any = None, *, prime: int | None = None, limit: int = 10**6) -> int:
    """Relatively bounded regions, ``|chi(1)|`` up to lineality: ``|sum_i (-1)^i |w_i||``.

    The bounded ones where the normals span R^d (Zaslavsky 1975, Theorem C).

    Examples
    --------
    >>> bounded_regions([[1, 0], [0, 1], [1, 1]], [0, 0, 1])
    1
    """
    found = whitney_numbers(W, b, prime=prime, limit=limit)
    return abs(sum((-1) ** i * w for i, w in enumerate(found)))


def characteristic_polynomial(
    W: Any, b: Any = None, *, prime: int | None = None, limit: int = 10**6
) -> list[int]:
    """Coefficients of ``chi(t) = sum_i (-1)^i |w_i| t^(d - i)``, highest power first.

    Examples
    --------
    >>> characteristic_polynomial([[1, -1, 0], [1, 0, -1], [0, 1, -1]])  # t (t - 1) (t - 2)
    [1, -3, 2, 0]
    """
    rows = numbers(W, b, None)
    d = len(rows[0]) - 1 if rows else 0
    W, b = [row[:d] for row in rows], [row[d] for row in rows]
    found = whitney_numbers(W, b, prime=prime, limit=limit)
    signed = [(-1) ** i * w for i, w in enumerate(found)]
    return signed + [0] * (d + 1 - len(signed))


def independent_sets(W: Any, *, prime: int | None = None, limit: int = 10**6) -> list[int]:
    """Independent sets of the normals by size, ``[I_0, I_1, ...]``.

    Their sum ``T(2, 1)`` (Tutte polynomial) is the number of regions of the same normals with
    generic offsets, and no offsets give more: regions are as many as sets without broken
    circuit, and those are independent.

    Examples
    --------
    >>> independent_sets([[1, -1, 0], [1, 0, -1], [0, 1, -1]])  # forests of a triangle
    [1, 3, 3]
    """
    prime = field(prime)
    m, rows, rank = standard_form(W, GENERIC, prime)
    q = 1 << (m + 1)
    total = whitney(rows, rank, q, prime, limit, generic=True)
    out = []
    while total:
        total, digit = divmod(total, q)
        out.append(digit)
    return out
