"""The framework of Hinz and van de Geer: histograms of each layer, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import comb

from ._check import shown, whole, wholes, within_reach
from .arrangements import generic

Gamma = Callable[[int, int], Sequence[int]]


def shape(n0: int, widths: Sequence[int], least: int = 0) -> tuple[int, tuple[int, ...]]:
    """Input dimension and widths, checked: such numbers of regions must fit into memory."""
    n0, widths = whole(n0, "the input dimension"), wholes(widths, "the widths", least)
    bits = sum(min(m, n0 * (m + 1).bit_length()) for m in widths)
    within_reach(1, bits, f"a number of regions of {shown(sum(widths))} units")
    return n0, widths


def _sizes(n: int, m: int) -> tuple[int, int]:
    n, m = whole(n, "the dimension"), whole(m, "the number of units")
    within_reach(m + 1, m + 1, f"a histogram of {shown(m)} units")
    return n, m


def gamma_trivial(n: int, m: int) -> list[int]:
    """All 2^m patterns with all units on: gives 2^N.

    Examples
    --------
    >>> gamma_trivial(1, 2)
    [0, 0, 4]
    """
    n, m = _sizes(n, m)
    return [0] * m + [1 << m]


def gamma_generic(n: int, m: int) -> list[int]:
    """Z(m, n) patterns with all units on: gives `montufar2017`.

    Examples
    --------
    >>> gamma_generic(1, 2)
    [0, 0, 3]
    """
    n, m = _sizes(n, m)
    return [0] * m + [generic(m, n)]


def gamma_binomial(n: int, m: int) -> list[int]:
    """C(m, j) patterns with j units off, j <= n: gives exactly `serra2018`.

    Examples
    --------
    >>> gamma_binomial(1, 2)
    [0, 2, 1]
    """
    n, m = _sizes(n, m)
    return [comb(m, i) if m - i <= n else 0 for i in range(m + 1)]


def gamma_recursive(n: int, m: int) -> list[int]:
    """The tightest proved choice: ``gamma_{n,m} = shift(gamma_{n,m-1}) + gamma_{n-1,m-1}``.

    Binomials for n >= m. On a line (n = 1) m units make m + 1 patterns, of which one can
    have all units on and two each of the next numbers: [..., 2, 2, 2, 1] from the top.
    Adding a hyperplane to m - 1 others keeps every region, with the new unit on, and repeats
    those that it cuts, which form an arrangement in one dimension less, with it off.

    Examples
    --------
    >>> gamma_recursive(1, 4), gamma_recursive(2, 4)
    ([0, 0, 2, 2, 1], [0, 1, 5, 4, 1])
    """
    n, m = _sizes(n, m)
    if 1 < n < m:  # as many lists as this are kept
        within_reach(n * (m - n) * m, 2000, f"the recursive histogram of {m:,} units in R^{n:,}")
    return list(_recursive(n, m))


@cache
def _recursive(n: int, m: int) -> list[int]:
    if n == 0:
        return [0] * m + [1]
    if n >= m:
        return gamma_binomial(n, m)
    if n == 1:
        out, left = [0] * (m + 1), m + 1
        for i in range(m, -1, -1):
            out[i] = min(1 if i == m else 2, left)
            left -= out[i]
        return out
    for small in range(n + 200, m, 200):  # from below, so that the recursion stays shallow
        _recursive(n, small)
    shifted, cut = [0, *_recursive(n, m - 1)], [*_recursive(n - 1, m - 1), 0]
    return [a + b for a, b in zip(shifted, cut, strict=True)]


def hinz(n0: int, widths: Sequence[int], gamma: Gamma = gamma_recursive) -> int:
    """``|| B_{n_L} M_{n_L} ... B_{n_1} M_{n_1} e_{n0} ||_1`` (Hinz and van de Geer 2019).

    Entry i of the vector counts regions whose image has dimension i. A layer of m units turns
    a region of dimension n into a histogram ``gamma(n, m)`` of patterns by the number of
    units on, entries above min(n, m) merged into that one.

    Parameters
    ----------
    gamma
        ``gamma(n, m)``: a list of length m + 1 that dominates, in all upper tails, the
        histogram of every arrangement of m units on an n-dimensional input. Any function of
        that property gives a bound; `gamma_recursive` is the tightest proved one here.

    Examples
    --------
    >>> hinz(2, [4, 4, 4]), serra2018(2, [4, 4, 4])
    (1175, 1331)
    """
    n0, widths = shape(n0, widths)
    most = max(min(n0, m) for m in widths) + 1
    within_reach(sum(most * (m + 1) for m in widths), sum(widths), "the bound of Hinz")
    h = {n0: 1}
    for m in widths:
        after: dict[int, int] = {}
        merged: dict[int, int] = {}
        for n, w in h.items():
            key = min(n, m)
            merged[key] = merged.get(key, 0) + w
        for n, w in merged.items():
            for i, count in enumerate(gamma(n, m)):
                if count:
                    to = min(i, n)
                    after[to] = after.get(to, 0) + w * count
        h = after
    return sum(h.values())
