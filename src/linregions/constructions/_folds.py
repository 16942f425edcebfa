"""Deep networks that fold their input: layers that lay many pieces over each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from ..errors import LinregionsError
from ..theory._check import whole, wholes
from ..theory.arrangements import generic
from ._construction import Construction, built


@dataclass(frozen=True)
class _Fold:
    """One layer and what is read from it: ``x -> G relu(W x + b) + c``."""

    W: np.ndarray
    b: np.ndarray
    G: np.ndarray
    c: np.ndarray


def _compose(folds: Sequence[_Fold], V: np.ndarray, d: np.ndarray) -> list[Any]:
    """Each fold applied to what is read from the one before, then ``V y + d``."""
    out, G, c = [], np.eye(folds[0].W.shape[1]), np.zeros(folds[0].W.shape[1])
    for fold in folds:
        out.append((fold.W @ G, fold.W @ c + fold.b))
        G, c = fold.G, fold.c
    return [*out, (V @ G, V @ c + d)]


def _coordinatewise(
    n0: int, width: int, units: Sequence[tuple[float, float]], g: Sequence[float], constant: float
) -> _Fold:
    """The same function ``constant + sum_i g_i relu(w_i x + b_i)`` of each of n0 coordinates.

    Units that are left over have weight 0 and bias -1.
    """
    p = len(units)
    W, b, G = np.zeros((width, n0)), np.full(width, -1.0), np.zeros((n0, width))
    for k in range(n0):
        for i, (w, offset) in enumerate(units):
            W[k * p + i, k], b[k * p + i], G[k, k * p + i] = w, offset, g[i]
    return _Fold(W, b, G, np.full(n0, float(constant)))


def _zigzag(n0: int, width: int) -> _Fold:
    """p = floor(width / n0) units per coordinate: p pieces, each onto a set that holds [0, 1].

    ``1 - relu(p x - 1) - relu(1 - p x) + 2 sum_{i=2}^{p-1} (-1)^i relu(p x - i)``: the kink at
    1/p has a unit on either side, so p units make p - 1 kinks, all inside (0, 1), and the
    outermost pieces go on to infinity. One unit makes one piece on a half-line only.
    """
    p = width // n0
    units = [(p, -1.0), (-p, 1.0), *((p, -float(i)) for i in range(2, p))]
    return _coordinatewise(
        n0, width, units, [-1.0, -1.0] + [2.0 * (-1) ** i for i in range(2, p)], 1
    )


def _zigzag_plus(n0: int, width: int) -> _Fold:
    """p = floor(width / n0) >= 3 units per coordinate: p kinks, p + 1 alternating pieces.

    A unit has one kink and is zero on one side of it; the units that are open to the left
    make up the slope of the leftmost piece, so minus the sum of their changes of slope must be
    that slope. For p = 3 slopes 2, -1, 1, -1 with unit 3 open to the left; for p >= 4 slopes
    1, -2, 1, -1, 1, ... with units 1 and 4. Each piece, cut to [0, 1], maps onto a set that
    holds [0, 1].
    """
    p = width // n0
    if p == 3:
        return _coordinatewise(n0, width, [(4, -1.0), (4, -2.0), (-4, 3.0)], [-3, 2, -2], 5)
    slopes = [1.0, -2.0] + [(-1.0) ** i for i in range(2, p + 1)]
    kinks = [1.0] + [i - 0.5 for i in range(2, p + 1)]  # in units of 1 / (p + 1)
    signs = [-1 if i in (1, 4) else 1 for i in range(1, p + 1)]
    units = [(s * (p + 1.0), -s * t) for s, t in zip(signs, kinks, strict=True)]
    jumps = [b - a for a, b in pairwise(slopes)]
    top = sum(j * max(s * (1.0 - t), 0.0) for j, s, t in zip(jumps, signs, kinks, strict=True))
    return _coordinatewise(n0, width, units, jumps, 1 - top)


def _generic_layer(n0: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """m hyperplanes of R^n0 in general position with all vertices in the open unit cube.

    ``sum_k i^k (y_k - 1/2) = e i^n0`` for i = 1..m: with their offsets the rows lie on the
    moment curve, so any n0 + 1 of them are independent, and the coordinates of a vertex are
    1/2 plus e times elementary symmetric functions of its i's. Orientations are such that no
    point has all units off, where m > n0.
    """
    largest = prod(range(m, max(m - n0, 0), -1)) * 2 ** min(n0, m)
    e = Fraction(1, 2 ** (4 * largest).bit_length())
    W, b = np.zeros((m, n0)), np.zeros(m)
    for i in range(1, m + 1):
        sign = (-1) ** (n0 + i) if i <= n0 + 1 else 1
        exact = [Fraction(sign * i**k) for k in range(n0)]
        exact.append(-sum(exact, Fraction(0)) / 2 - sign * e * i**n0)
        rounded = [float(v) for v in exact]
        if any(Fraction(f) != v for f, v in zip(rounded, exact, strict=True)):
            raise LinregionsError(
                f"{m} hyperplanes of R^{n0} in general position inside the unit cube need more "
                "than the 53 bits of a float here; give a narrower last layer"
            )
        W[i - 1], b[i - 1] = rounded[:-1], rounded[-1]
    return W, b


def _folded(name: str, n0: int, widths: Sequence[int], least: int, fold: Any) -> Construction:
    n0, widths = whole(n0, "the input dimension", 1), wholes(widths, "the widths")
    if any(m < least * n0 for m in widths[:-1]):
        raise LinregionsError(
            f"{name} needs widths of at least {least} n0 = {least * n0}, the last excepted; "
            f"got {list(widths)}"
        )
    W, b = _generic_layer(n0, widths[-1])
    m = widths[-1]
    last = _Fold(W, b, np.eye(m), np.zeros(m))
    read = np.array([[3.0**i for i in range(m)]])
    folds = [*(fold(n0, w) for w in widths[:-1]), last]
    cells = generic(m, n0) * prod((w // n0 + (least == 3)) ** n0 for w in widths[:-1])
    regions = {"activation": cells}
    if m > n0:
        regions["linear"] = cells
    return built(_compose(folds, read, np.zeros(1)), regions, name)


def montufar2014(n0: int, widths: Sequence[int]) -> Construction:
    """``prod_{l<L} floor(n_l / n0)^n0 Z(n_L, n0)`` regions: Theorem 4 attained exactly.

    Layers 1..L-1 fold every coordinate (p units, p pieces, p even or odd), the last layer
    cuts with hyperplanes in general position, all of whose vertices lie in the part that is
    covered by every piece. Linear regions are as many where n_L > n0.

    Parameters
    ----------
    n0, widths
        Input dimension and hidden widths, at least 2 n0 (the last: any).

    Source: Montufar, Pascanu, Cho and Bengio 2014, Theorem 4 (the construction is another).

    Examples
    --------
    >>> montufar2014(2, [4, 3]).regions["activation"]
    28
    """
    return _folded("Montufar et al. 2014, Theorem 4", n0, widths, 2, _zigzag)


def serra2018(n0: int, widths: Sequence[int]) -> Construction:
    """``prod_{l<L} (floor(n_l / n0) + 1)^n0 Z(n_L, n0)`` regions: the lower bound attained.

    As `montufar2014`, with one piece more from the same units, p >= 3.

    Source: Serra, Tjandraatmadja and Ramalingam 2018 (the construction is another).

    Examples
    --------
    >>> serra2018(1, [3, 3]).regions["activation"]
    16
    """
    return _folded("Serra et al. 2018, lower bound", n0, widths, 3, _zigzag_plus)


def wang2022(n0: int, widths: Sequence[int]) -> Construction:
    """``prod_{i=1..L} floor(n_i / n0)^n0`` activation, linear, closed and affine regions.

    All layers fold; the output reads coordinate k with weight ``101^(k-1)``. The theorem is
    printed with a product to L - 1, which is too small unless "layer L" is the output, and
    for odd quotients only, which is not needed. A quotient of 1 cannot be had on all of R^n0.

    Source: Wang 2022, Theorem 3.1.

    Examples
    --------
    >>> wang2022(2, [6, 6]).regions["linear"]
    81
    """
    n0, widths = whole(n0, "the input dimension", 1), wholes(widths, "the widths")
    if min(widths) < 2 * n0:
        raise LinregionsError(f"Wang's network needs widths of at least 2 n0 = {2 * n0}")
    read = np.array([[101.0**k for k in range(n0)]])
    count = prod((m // n0) ** n0 for m in widths)
    regions: dict[str, int] = dict.fromkeys(("activation", "linear", "closed", "affine"), count)
    pairs = _compose([_zigzag(n0, m) for m in widths], read, np.zeros(1))
    return built(pairs, regions, "Wang 2022, Theorem 3.1 (product to L, any parity)")


def sawtooth(
    depth: int, *, units: int = 2, noise: float = 0.0, seed: int | None = None
) -> Construction:
    """The tent map composed ``depth`` times: 2^depth pieces on [0, 1].

    With two units per layer, ``T(x) = 2 relu(x) - 4 relu(x - 1/2)``; with three,
    ``T(x) = 2 relu(x) - 4 relu(x - 1/2) + 2 relu(x - 1)``, which is zero outside [0, 1]:
    2^n teeth then take n + 1 layers and, with the output, the 3 n + 4 neurons of Figure 3 of
    Hanin and Rolnick 2019a. ``noise`` is the standard deviation of Gaussian noise on all
    weights and biases (0.1 in that figure); the counts are then unknown.

    Source: Telgarsky 2015.

    Examples
    --------
    >>> sawtooth(4).regions
    {'activation': 18, 'linear': 18, 'affine': 17}
    >>> sawtooth(4, units=3).units + 1  # 2^3 teeth
    13
    """
    depth = whole(depth, "the depth", 1)
    if units not in (2, 3):
        raise LinregionsError(f"a tent of {units} units; give 2 or 3")
    _not_negative(noise)
    offsets, heights = [0.0, -0.5, -1.0][:units], [2.0, -4.0, 2.0][:units]
    tent = _Fold(np.ones((units, 1)), np.array(offsets), np.array([heights]), np.zeros(1))
    pairs = _compose([tent] * depth, np.ones((1, 1)), np.zeros(1))
    if noise:
        rng = np.random.default_rng(seed)
        noisy = [(W + rng.normal(0, noise, W.shape), b + rng.normal(0, noise, b.shape))
                 for W, b in pairs]  # fmt: skip
        return built(noisy, {}, "Telgarsky 2015, with noise")
    cells = 3 if (depth, units) == (1, 2) else 2**depth + 2
    regions = {"activation": cells, "linear": cells, "affine": 2**depth + 1}
    return built(pairs, regions, "Telgarsky 2015")


def _not_negative(noise: float) -> None:
    if not 0 <= noise < float("inf"):
        raise LinregionsError(f"noise={noise}; give a standard deviation, 0 or more")
