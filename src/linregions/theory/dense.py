"""Fully connected networks: upper and lower bounds for the number of regions.

Upper bounds hold for activation regions, hence for linear ones, over R^n0 and over any convex
part of it. Lower bounds are about the maximum over all weights. ``n0`` is the input
dimension, ``widths`` the hidden layers n_1, ..., n_L; ``Z(m, d) = sum_{i<=d} C(m, i)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from math import prod

from ..errors import LinregionsError
from ._check import shown, whole, within_reach
from ._dimension import binomial_back, binomial_step, start
from ._hinz import (
    gamma_binomial,
    gamma_generic,
    gamma_recursive,
    gamma_trivial,
    hinz,
    shape,
)
from .arrangements import binomials, generic
from .arrangements import pieces as most

__all__ = [
    "arora2018",
    "gamma_binomial",
    "gamma_generic",
    "gamma_recursive",
    "gamma_trivial",
    "hinz",
    "montufar2014",
    "montufar2017",
    "pascanu2013",
    "piecewise",
    "raghu2017",
    "serra2018",
    "serra2018_histogram",
    "serra2018_lower",
    "trivial",
]


# -- upper bounds ---------------------------------------------------------------------------


def trivial(n0: int, widths: Sequence[int]) -> int:
    """``2^N``: every unit on or off (N units in all).

    Examples
    --------
    >>> trivial(2, [3, 3])
    64
    """
    units = sum(shape(n0, widths)[1])
    within_reach(1, units, f"a power with exponent {shown(units)}")
    return 1 << units


def raghu2017(n0: int, widths: Sequence[int]) -> int:
    """``prod_l Z(n_l, n0)``: in each region every layer is an arrangement in R^n0.

    The explicit form of the asymptotic O(n^(L n0)) of Raghu et al. 2017, Theorem 1.

    Examples
    --------
    >>> raghu2017(2, [3, 3])
    49
    """
    n0, widths = shape(n0, widths)
    return prod(generic(m, n0) for m in widths)


def montufar2017(n0: int, widths: Sequence[int]) -> int:
    """``prod_l Z(n_l, min(n0, ..., n_{l-1}))`` (Montufar 2017, Proposition 3).

    Examples
    --------
    >>> montufar2017(3, [2, 4])
    44
    """
    n0, widths = shape(n0, widths)
    return prod(generic(m, d) for m, d in zip(widths, _narrowest(n0, widths), strict=True))


def _narrowest(n0: int, widths: Sequence[int]) -> list[int]:
    """min(n0, ..., n_{l-1}) for every layer."""
    return list(accumulate([n0, *widths[:-1]], min))


def serra2018(n0: int, widths: Sequence[int]) -> int:
    """``sum over J of prod_l C(n_l, j_l)`` (Serra, Tjandraatmadja and Ramalingam 2018, Thm 1).

    ``J = {j : 0 <= j_l <= min(n0, n_1 - j_1, ..., n_{l-1} - j_{l-1}, n_l)}``: j_l units of
    layer l are off, and the image loses so many dimensions. Exact for one layer, and for
    n0 = 1 and widths of at least 3. By dynamic programming over the dimension, in
    O(L min(n0, max n)) products. Two-piece units with a constant piece only: not for leaky
    ReLU, where a unit that is off loses nothing (`piecewise`).

    Examples
    --------
    >>> serra2018(784, [11, 11])
    2449868
    """
    n0, widths = shape(n0, widths)
    _steps_within_reach(n0, widths)
    half = (len(widths) + 1) // 2
    F = _forward(n0, widths[:half])
    low, high = next(d for d, w in enumerate(F) if w), len(F) - 1
    R = _backward(low, high, widths[half:])
    return sum(w * r for w, r in zip(F[low:], R, strict=True))


def _forward(n0: int, widths: Sequence[int]) -> list[int]:
    F = start(min(n0, widths[0]))
    for m in widths:
        F = binomial_step(F, _binomials(m, min(len(F), m // 2)), m)
    return F


def _backward(low: int, high: int, widths: Sequence[int]) -> list[int]:
    """The factor that the layers of ``widths`` put to each dimension low..high.

    Meeting in the middle halves the size of the numbers.
    """
    spans = [(low, high)]
    for m in widths:
        top = min(high, m)
        low, high = min(low, top, max(0, m - top)), top
        spans.append((low, high))
    R = [1] * (high - low + 1)
    for m, (low, high) in zip(reversed(widths), reversed(spans[:-1]), strict=True):
        top = min(high, m)
        cut = binomial_back(R, _binomials(m, min(top, m // 2)), m, min(low, top), top)
        R = cut + [cut[-1]] * (high - top) if low <= top else [cut[-1]] * (high - low + 1)
    return R


def serra2018_histogram(n0: int, widths: Sequence[int]) -> list[int]:
    """`serra2018` by the dimension of the image: entry d counts terms of dimension d.

    Examples
    --------
    >>> serra2018_histogram(3, [4, 4, 4])
    [0, 300, 1206, 125]
    """
    n0, widths = shape(n0, widths)
    _steps_within_reach(n0, widths)
    return _forward(n0, widths)


def _steps_within_reach(n0: int, widths: Sequence[int]) -> None:
    """The products of all layers: a few for each dimension, of numbers of all units' bits."""
    most = sum(min(n0, m) + 1 for m in widths)
    bits = sum(min(m, n0 * (m + 1).bit_length()) for m in widths)
    within_reach(most, bits, f"the bound of Serra et al. for {shown(most)} dimensions in all")


@lru_cache(maxsize=256)
def _binomials(m: int, d: int) -> list[int]:
    return binomials(m, d)


def piecewise(n0: int, widths: Sequence[int], pieces: int = 2) -> int:
    """``prod_l sum_{j<=m_l} C(n_l, j) (K - 1)^j``, m_l = min(n0, ..., n_{l-1}).

    For scalar activations of K pieces (leaky ReLU and abs: K = 2; hard tanh: K = 3), with
    the sharp bound of K - 1 parallel hyperplanes per unit in each layer.

    Examples
    --------
    >>> piecewise(2, [3, 3], pieces=3)
    361
    """
    n0, widths = shape(n0, widths)
    pieces = whole(pieces, "the number of pieces", 1)
    narrow = _narrowest(n0, widths)
    return prod(most(m, pieces, d) for m, d in zip(widths, narrow, strict=True))


# -- lower bounds for the maximum -------------------------------------------------------------


def _needs(ok: bool, name: str, what: str) -> None:
    if not ok:
        raise LinregionsError(f"{name} needs {what}")


def pascanu2013(n0: int, widths: Sequence[int]) -> int:
    """``prod_{l<L} floor(n_l / n0) Z(n_L, n0)``, all n_l >= n0 (Pascanu et al. 2013).

    Examples
    --------
    >>> pascanu2013(2, [4, 4, 4])
    44
    """
    n0, widths = shape(n0, widths, 1)
    _needs(0 < n0 <= min(widths), "the bound of Pascanu et al.", "every width >= n0 >= 1")
    return prod(m // n0 for m in widths[:-1]) * generic(widths[-1], n0)


def montufar2014(n0: int, widths: Sequence[int]) -> int:
    """``prod_{l<L} floor(n_l / n0)^n0 Z(n_L, n0)``, all n_l >= n0 (Montufar et al. 2014, Thm 4).

    Attained exactly by `linregions.constructions.montufar2014`.

    Examples
    --------
    >>> montufar2014(2, [4, 4, 4])
    176
    """
    n0, widths = shape(n0, widths, 1)
    _needs(0 < n0 <= min(widths), "the bound of Montufar et al.", "every width >= n0 >= 1")
    return prod((m // n0) ** n0 for m in widths[:-1]) * generic(widths[-1], n0)


def serra2018_lower(n0: int, widths: Sequence[int]) -> int:
    """``prod_{l<L} (floor(n_l / n0) + 1)^n0 Z(n_L, n0)``, n_l >= 3 n0 (Serra et al. 2018).

    The last layer may be narrower. Equal to `serra2018` for n0 = 1 and widths of at least 3.
    Attained exactly by `linregions.constructions.serra2018`.

    Examples
    --------
    >>> serra2018_lower(2, [6, 6, 4])
    2816
    """
    n0, widths = shape(n0, widths, 1)
    wide = all(m >= 3 * n0 for m in widths[:-1])
    _needs(n0 > 0 and wide, "the lower bound of Serra et al.", "widths >= 3 n0, the last excepted")
    return prod((m // n0 + 1) ** n0 for m in widths[:-1]) * generic(widths[-1], n0)


def arora2018(n0: int, m: int, width: int, depth: int) -> int:
    """``2 sum_{i<n0} C(m - 1, i) w^(L - 1)``: n_1 = 2m, then L - 1 layers of w (Arora et al. 2018).

    Examples
    --------
    >>> arora2018(2, 2, 4, 3)
    64
    """
    n0, m = whole(n0, "the input dimension", 1), whole(m, "m", 1)
    width, depth = whole(width, "the width", 1), whole(depth, "the depth", 1)
    within_reach(1, depth * width.bit_length(), f"a power with exponent {shown(depth)}")
    return 2 * generic(m - 1, n0 - 1) * width ** (depth - 1)
