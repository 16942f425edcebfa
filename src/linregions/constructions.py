"""Networks whose number of regions is a theorem.

Every function returns a `Construction`: a `Network` that also holds its numbers of regions
over all of R^n, by kind (``net.regions["activation"]``), and their source. Weights are small
integers or dyadic numbers wherever the count depends on coincidences, so that it holds for
the floating-point network as it is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations, pairwise
from math import factorial, prod
from typing import Any

import numpy as np

from .affine import ONE, Affine, Term
from .errors import LinregionsError
from .network import Layer, Network
from .theory import Conv, shared
from .theory._check import whole, wholes
from .theory.arrangements import generic
from .theory.arrangements import regions as deletion
from .units import RELU, Pointwise

__all__ = [
    "Construction",
    "arrangement",
    "convolutional",
    "from_sat",
    "montufar2014",
    "sawtooth",
    "serra2018",
    "six_definitions",
    "wang2022",
    "xiong_counterexample",
]


@dataclass(frozen=True, eq=False)
class Construction(Network):
    """A network with its known numbers of regions over R^n, by kind, and their source."""

    regions: dict[str, int] = field(default_factory=dict)
    source: str = ""


def _built(pairs: Sequence[Any], regions: dict[str, int], source: str) -> Construction:
    net = Network.from_layers(pairs)
    return Construction(net.inputs, net.layers, net.output, (), regions, source)


# -- folds: layers that lay many pieces over each other ---------------------------------------


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
    return _built(_compose(folds, read, np.zeros(1)), regions, name)


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
    return _built(pairs, regions, "Wang 2022, Theorem 3.1 (product to L, any parity)")


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
        return _built(noisy, {}, "Telgarsky 2015, with noise")
    cells = 3 if (depth, units) == (1, 2) else 2**depth + 2
    regions = {"activation": cells, "linear": cells, "affine": 2**depth + 1}
    return _built(pairs, regions, "Telgarsky 2015")


def _not_negative(noise: float) -> None:
    if not 0 <= noise < float("inf"):
        raise LinregionsError(f"noise={noise}; give a standard deviation, 0 or more")


# -- one layer --------------------------------------------------------------------------------

OFFSETS = {
    "braid": (0,),
    "shi": (0, 1),
    "catalan": (-1, 0, 1),
    "linial": (1,),
    "semiorder": (-1, 1),
}


def arrangement(name: str, n: int) -> Construction:
    """One unit for each hyperplane ``x_i - x_j = c`` of R^n, i < j, for the offsets c of a name.

    ``braid`` (c = 0): n! regions; ``shi`` (0, 1): (n + 1)^(n - 1); ``catalan`` (-1, 0, 1):
    n! times the n-th Catalan number; ``linial`` (1) and ``semiorder`` (-1, 1): from deletion
    and restriction. Far from general position, with exact ties.

    Source: Stanley, An introduction to hyperplane arrangements (2004).

    Examples
    --------
    >>> arrangement("shi", 4).regions["activation"]
    125
    """
    if name not in OFFSETS:
        raise LinregionsError(f"unknown arrangement {name!r}; give one of {', '.join(OFFSETS)}")
    n = whole(n, "the dimension", 2)
    rows = [(i, j, c) for i, j in combinations(range(n), 2) for c in OFFSETS[name]]
    W, b = np.zeros((len(rows), n)), np.zeros(len(rows))
    for k, (i, j, c) in enumerate(rows):
        W[k, i], W[k, j], b[k] = 1, -1, -c
    closed = {
        "braid": factorial(n),
        "shi": (n + 1) ** (n - 1),
        "catalan": factorial(2 * n) // factorial(n + 1),
    }
    count = closed[name] if name in closed else deletion(W.astype(int), b.astype(int))
    read = np.ones((1, len(rows)))
    regions = {"activation": count, "linear": count}
    return _built([(W, b), (read, np.zeros(1))], regions, f"the {name} arrangement of R^{n}")


def convolutional(layers: Conv | Sequence[Conv], seed: int = 0) -> Construction:
    """Random convolutional layers (integer weights), each reading the one before.

    A single layer has the generic number of regions, which `theory.shared.maximum` gives
    (Xiong et al. 2020, Theorem 2 as corrected); the count is known where that is exact.

    Examples
    --------
    >>> convolutional(Conv((3,), (2,), 4)).regions["activation"]  # Table 1
    85
    """
    layers = [layers] if isinstance(layers, Conv) else list(layers)
    rng, pairs, order = np.random.default_rng(seed), [], None
    for layer in layers:
        shape = (layer.filters, *layer.kernel, layer.channels)
        weights, biases = (rng.integers(-999, 1000, s) for s in (shape, layer.filters))
        W, b = shared.matrix(layer, weights, biases)
        if order is not None:
            W, columns = np.zeros_like(W), W
            if columns.shape[1] != len(order):
                raise LinregionsError(f"{layer} cannot read {len(order)} units")
            W[:, order] = columns
        # units by filter, then position; the next layer reads by position, then channel
        order = np.arange(layer.units).reshape(layer.filters, -1).T.ravel()
        pairs.append((W, b))
    if not pairs:
        raise LinregionsError("an empty list of convolutional layers")
    pairs.append((np.ones((1, len(pairs[-1][1]))), np.zeros(1)))
    best = shared.maximum(layers[0]) if len(layers) == 1 else None
    known = {"activation": best.value} if best is not None and best.exact else {}
    return _built(pairs, known, "Xiong et al. 2020, Theorem 2 as corrected" if known else "")


def xiong_counterexample() -> Construction:
    """Two 2 x 2 filters on a 3 x 3 input: 255 regions, where Theorem 2 says 256.

    ``W1 = [[1, 2], [3, -1]]``, b1 = 1, ``W2 = [[2, -1], [1, 3]]``, b2 = 2. The missing pattern,
    by filter then position, is + - + + - - - +.

    Examples
    --------
    >>> xiong_counterexample().regions
    {'activation': 255}
    """
    layer = Conv((3, 3), (2, 2), 2)
    W, b = shared.matrix(layer, [[[1, 2], [3, -1]], [[2, -1], [1, 3]]], [1, 2])
    source = "against Xiong et al. 2020, Theorem 2"
    return _built([(W, b), (np.ones((1, 8)), np.zeros(1))], {"activation": 255}, source)


# -- single networks --------------------------------------------------------------------------

KINDS = ("pattern", "activation", "convex", "linear", "closed", "affine")


def six_definitions(name: str = "D") -> Construction:
    """Networks that tell the six published definitions of a region apart.

    ======  ===========================================  ==========================
    A       relu(min(x, y))                              7, 5, 4, 3, 3, 3
    B       relu(min(x, y)) + relu(min(-x, -y))          11, 6, 6, 6, 5, 5
    C       relu(x) - 2 relu(x - 1) + relu(x - 2)        4, 4, 4, 4, 4, 3
    D       clipped min(x, y) + min(2x + y, -x - y)      19, 14, 9, 8, 7, 6
    ======  ===========================================  ==========================

    The numbers are for `pattern`, `activation`, `convex`, `linear`, `closed`, `affine`.

    Source: the definitions are those of Stargalla et al.; D was made to tell all apart.

    Examples
    --------
    >>> six_definitions("D").regions["linear"]
    8
    """
    m1, m2 = [1, -1, -1, 0, 0, 0], [0, 0, 0, 1, -1, -1]
    six_rows = [[1, 0], [-1, 0], [1, -1], [2, 1], [-2, -1], [3, 2]]
    networks = {
        "A": (
            [([[1, 0], [-1, 0], [1, -1]], [0] * 3), ([[1, -1, -1]], [0]), ([[1]], [0])],
            (7, 5, 4, 3, 3, 3),
        ),
        "B": (
            [
                ([[1, 0], [-1, 0], [1, -1], [-1, 1]], [0] * 4),
                ([[1, -1, -1, 0], [-1, 1, 0, -1]], [0, 0]),
                ([[1, 1]], [0]),
            ],
            (11, 6, 6, 6, 5, 5),
        ),
        "C": ([([[1]] * 3, [0, -1, -2]), ([[1, -2, 1]], [0])], (4, 4, 4, 4, 4, 3)),
        "D": (
            [(six_rows, [0] * 6), ([m1, m1, m2, m2], [0, -1, 0, -1]), ([[1, -1, 1, -1]], [0])],
            (19, 14, 9, 8, 7, 6),
        ),
    }
    if name not in networks:
        raise LinregionsError(f"unknown network {name!r}; give one of {', '.join(networks)}")
    pairs, counts = networks[name]
    return _built(pairs, dict(zip(KINDS, counts, strict=True)), "the six definitions")


def from_sat(clauses: Sequence[Sequence[int]], regions: int = 1) -> Network:
    """A network that has more than K linear regions if and only if a formula is satisfiable.

    Hence counting linear regions is NP-hard for every K (Wang 2022, Theorem 3.2; the network
    is another). With ``c_i = clip(x_i, 0, 1)``, let V sum over the clauses what they lack,
    ``relu(1 - sum of literals)``, and F sum the distances ``min(c_i, 1 - c_i)``. Then::

        f = relu(1/2 - V - F)

    is 1/2 at a satisfying assignment. Without one it is zero: rounding c moves every literal
    sum by at most F in all, and the rounded point lacks 1 in some clause, so V + F >= 1. The
    other K - 1 regions are kinks in one more input.

    Parameters
    ----------
    clauses
        Signed variable numbers as in DIMACS files: ``[[1, -2], [2, 3]]`` is
        (x1 or not x2) and (x2 or x3).
    regions
        K.

    Examples
    --------
    >>> import linregions as lr
    >>> int(lr.count(from_sat([[1], [-1]]), kind="linear"))
    1
    """
    K = whole(regions, "the number of regions K", 1)
    formula = [[int(v) for v in wholes(c, "a clause", -(10**9))] for c in clauses]
    if not formula or any(0 in c for c in formula):
        raise LinregionsError("a formula is a non-empty list of clauses of signed numbers, not 0")
    n = max(abs(v) for c in formula for v in c)
    extra = K - 1
    W1, b1 = np.zeros((2 * n + extra, n + (extra > 0))), np.zeros(2 * n + extra)
    for i in range(n):
        W1[[2 * i, 2 * i + 1], i], b1[2 * i + 1] = 1, -1
    for i in range(extra):
        W1[2 * n + i, n], b1[2 * n + i] = 1, -i
    clip = np.kron(np.eye(n), [[1.0, -1.0]])
    clip = np.hstack([clip, np.zeros((n, extra))])
    literals, lacks = np.zeros((len(formula), n)), np.ones(len(formula))
    for k, clause in enumerate(formula):
        for v in set(clause):
            literals[k, abs(v) - 1] += 1 if v > 0 else -1
            lacks[k] -= v < 0
    W2, b2 = np.vstack([-literals @ clip, clip]), np.concatenate([lacks, np.full(n, -0.5)])
    last = Affine(
        1,
        (
            Term(1, (-np.ones((1, n)) @ clip,)),
            Term(2, (np.hstack([-np.ones((1, len(formula))), np.full((1, n), 2.0)]),)),
            Term(ONE, (np.array([[0.5]]),)),
        ),
    )
    kinks = np.hstack([np.zeros((1, 2 * n)), np.ones((1, extra))])
    output = Affine(1, (Term(1, (kinks,)), Term(3, (np.ones((1, 1)),))))
    affines = (Affine.dense(W1, b1, 0), Affine.dense(W2, b2, 1), last)
    layers = tuple(Layer(a, Pointwise.uniform(RELU, a.size)) for a in affines)
    return Network(W1.shape[1], layers, output)
