"""Maxout networks: regions of units that take the largest of k affine functions.

A region here is a full-dimensional set on which every unit has the same winner.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

from ..errors import LinregionsError
from ._check import listed, shown, whole, wholes, within_reach
from .arrangements import generic, mixed, pieces

__all__ = ["deep", "deep_mixed", "layer", "layer_mixed", "montufar2014_lower", "serra2018"]


def layer(n: int, units: int, rank: int) -> int:
    """``sum_{j<=n} C(m, j) (k - 1)^j``: the most regions of m units of rank k in R^n.

    Sharp (Montufar, Ren and Zhang 2022): the boundaries of a unit are a tropical
    hypersurface, and generic ones meet as K - 1 parallel hyperplanes each would.

    Examples
    --------
    >>> layer(2, 3, 3)
    19
    """
    return pieces(units, rank, n)


def layer_mixed(n: int, ranks: Sequence[int]) -> int:
    """``sum_{j<=n} e_j(k_1 - 1, ..., k_m - 1)`` for units of ranks k_1, ..., k_m.

    Examples
    --------
    >>> layer_mixed(1, [2, 3])
    4
    """
    return mixed(ranks, n)


def deep(n0: int, widths: Sequence[int], rank: int) -> int:
    """Product of `layer` with ``n = min(n0, ..., n_{l-1})`` in layer l.

    Examples
    --------
    >>> deep(2, [3, 3], 3)
    361
    """
    widths, rank = wholes(widths, "the widths"), whole(rank, "the rank", 1)
    within_reach(1, sum(widths), f"a list of {shown(sum(widths))} units")
    return deep_mixed(n0, [[rank] * m for m in widths])


def deep_mixed(n0: int, ranks: Sequence[Sequence[int]]) -> int:
    """As `deep`, for one list of ranks per layer.

    Examples
    --------
    >>> deep_mixed(1, [[2, 3], [2]])
    8
    """
    n, total = whole(n0, "the input dimension"), 1
    layers = listed(ranks, "the ranks", "lists, one for each layer")
    for mine in [wholes(r, "the ranks of a layer") for r in layers]:
        total *= layer_mixed(n, mine)
        n = min(n, len(mine))
    return total


def serra2018(n0: int, widths: Sequence[int], rank: int) -> int:
    """``prod_l Z(n_l k (k - 1) / 2, d_l)``, d_l = min(n0, ..., n_l) (Serra et al. 2018, Thm 2).

    All pairs of arguments as hyperplanes; never below `deep`. The poster prints the summand
    as ``C(k - 1, j) n_l``, which is a misprint: for n0 = 2 and k = 2 it would allow 2 n_1
    regions where 1 + n_1 + C(n_1, 2) exist.

    Examples
    --------
    >>> serra2018(2, [3, 3], 3)
    2116
    """
    n, widths = whole(n0, "the input dimension"), wholes(widths, "the widths")
    total, pairs = 1, comb(whole(rank, "the rank", 1), 2)
    for m in widths:
        n = min(n, m)
        total *= generic(m * pairs, n)
    return total


def montufar2014_lower(n0: int, depth: int, rank: int) -> int:
    """``k^(L - 1) k^n0``: attained by L layers of n0 units of rank k (Montufar et al. 2014).

    Theorem 10 of that paper, quoted from memory.

    Examples
    --------
    >>> montufar2014_lower(2, 3, 3)
    81
    """
    n0, depth = whole(n0, "the input dimension", 1), whole(depth, "the depth", 1)
    if (rank := whole(rank, "the rank", 1)) < 2:
        raise LinregionsError("a maxout unit of rank 1 is affine; give a rank of at least 2")
    power = depth - 1 + n0
    within_reach(1, power * rank.bit_length(), f"a power with exponent {shown(power)}")
    return rank**power
