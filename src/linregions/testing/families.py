"""Families of small random networks, each hard for exact counting in its own way.

A family is a function of a numpy Generator that gives a `Network` of a few to some hundred cells;
the decorator enters it in `FAMILIES`. ``near_ties`` says that cells thinner than a float
tolerance are planted (a slope of 0.1 beside weights of 5 is enough), so that the mixed-integer
referee, which has one, is not asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
from scipy import sparse

from ..network.affine import INPUT, ONE, Affine, Term
from ..network.network import Layer, Network
from ..network.units import (
    ABS,
    HARDTANH,
    RELU,
    RELU6,
    Activation,
    MaxUnits,
    Pointwise,
    clip,
    leaky_relu,
)
from .networks import random_network
from .rows import (
    Rng,
    affine,
    dyadic,
    gaussian,
    integer,
    nudged,
    plain,
    repeated,
    sequential,
    shape,
    with_units,
)


@dataclass(frozen=True)
class Family:
    """A name, how to draw a network, whether cells thinner than 1e-7 are planted."""

    name: str
    draw: Callable[[Rng], Network]
    near_ties: bool

    @property
    def text(self) -> str:
        """What it is, in one line."""
        return (self.draw.__doc__ or "").strip().partition("\n")[0]


FAMILIES: dict[str, Family] = {}


def family(near_ties: bool = False) -> Callable[[Callable[[Rng], Network]], Callable]:
    """Enter a function in `FAMILIES`, under its name with dashes."""

    def enter(draw: Callable[[Rng], Network]) -> Callable[[Rng], Network]:
        name = draw.__name__.replace("_", "-")
        FAMILIES[name] = Family(name, draw, near_ties)
        return draw

    return enter


# -- rows that nearly repeat one another ------------------------------------------------------


@family(near_ties=True)
def near_duplicates(rng: Rng) -> Network:
    """Rows that repeat an earlier one but for one ulp, or for 1e-16 to 1e-6 of an entry."""
    return sequential(rng, lambda *a: repeated(rng, plain(*a), nudged))


@family(near_ties=True)
def scaled_rows(rng: Rng) -> Network:
    """Rows that are 3, 1/3, 0.1 or 1e-5 times an earlier one, rounded."""
    factors = [3.0, 1 / 3, 0.1, -3.0, -1 / 3, 1 / 7, 1e-5, -1e-6, 0.1 / 3]

    def draw(rng: Rng, m: int, n: int) -> np.ndarray:
        return repeated(rng, plain(rng, m, n), lambda rng, row: row * rng.choice(factors))

    return sequential(rng, draw)


@family(near_ties=True)
def rounded_sums(rng: Rng) -> Network:
    """Rows that are sums of multiples of two earlier ones, rounded: all but concurrent."""

    def draw(rng: Rng, m: int, n: int) -> np.ndarray:
        rows = gaussian(rng, m, n) if rng.integers(2) else dyadic(rng, m, n) / 3
        for i in range(2, m):
            if rng.random() < 0.7:
                a, b = rng.choice(i, 2, replace=False)
                rows[i] = rng.choice([1.0, 0.1, 3.0]) * rows[a] + rng.choice([1.0, -1.0]) * rows[b]
        return rows

    return sequential(rng, draw)


@family(near_ties=True)
def near_concurrent(rng: Rng) -> Network:
    """Hyperplanes through one point, up to the rounding of their biases."""

    def draw(rng: Rng, m: int, n: int) -> np.ndarray:
        rows = plain(rng, m, n)
        centre = rng.standard_normal(n) if rng.integers(2) else rng.integers(-3, 4, n) / 3
        through = rng.random(m) < 0.8
        rows[through, -1] = -(rows[through, :-1] @ centre)
        return rows

    return sequential(rng, draw)


@family(near_ties=True)
def zero_biases(rng: Rng) -> Network:
    """No biases, and rows that nearly repeat or scale earlier ones."""

    def change(rng: Rng, row: np.ndarray) -> np.ndarray:
        return nudged(rng, row) if rng.integers(2) else row * rng.choice([3.0, 1 / 3, 0.1, -1 / 3])

    def draw(rng: Rng, m: int, n: int) -> np.ndarray:
        rows = repeated(rng, plain(rng, m, n), change)
        rows[:, -1] = 0.0
        return rows

    return sequential(rng, draw)


@family(near_ties=True)
def low_rank(rng: Rng) -> Network:
    """Layers of rank one or two, rounded: many rows all but dependent."""

    def draw(rng: Rng, m: int, n: int) -> np.ndarray:
        rank = int(rng.integers(1, 3))
        rows = gaussian(rng, m, n)
        rows[:, :-1] = rng.standard_normal((m, rank)) @ rng.standard_normal((rank, n))
        return rows

    return sequential(rng, draw)


# -- numbers ----------------------------------------------------------------------------------


@family(near_ties=True)
def scales(rng: Rng) -> Network:
    """Units, layers and single weights scaled by powers of ten and two, from 1e-320 to 1e300."""
    pairs = []
    sizes = [*shape(rng, 9), 1]
    reach = float(rng.choice([20, 100, 160, 310]))
    for n, m in pairwise(sizes):
        rows = plain(rng, m, n)
        with np.errstate(over="ignore", under="ignore"):
            if rng.integers(2):
                rows *= 10.0 ** rng.uniform(-min(reach, 320), min(reach, 300), (m, 1))
            if rng.integers(4) == 0:
                rows *= 2.0 ** np.floor(rng.uniform(-reach, reach)) / 1.5
        if rng.integers(3) == 0:
            at = rng.integers(m), rng.integers(n + 1)
            rows[at] = 10.0 ** rng.uniform(-320, 300)
        rows = np.where(np.isfinite(rows), rows, 1e300)
        pairs.append((rows[:, :-1], rows[:, -1]))
    return Network.from_layers(pairs)


@family()
def integers(rng: Rng) -> Network:
    """Integers from -3 to 3, with repeated, opposite and parallel rows."""

    def change(rng: Rng, row: np.ndarray) -> np.ndarray:
        moved = row * rng.choice([1.0, -1.0, 2.0, -3.0])
        moved[-1] += rng.integers(0, 2)
        return moved

    def draw(rng: Rng, m: int, n: int) -> np.ndarray:
        rows = integer(rng, m, n)
        return repeated(rng, rows, change) if rng.integers(2) else rows

    return sequential(rng, draw)


@family()
def dyadics(rng: Rng) -> Network:
    """Quarters: sums are exact and ties are common."""
    return sequential(rng, dyadic)


@family()
def thin(rng: Rng) -> Network:
    """Two of three weights zero, some layers kept as sparse matrices."""

    def draw(rng: Rng, m: int, n: int) -> np.ndarray:
        rows = plain(rng, m, n)
        rows[:, :-1] *= rng.random((m, n)) < 0.35
        return rows

    net = sequential(rng, draw)

    def sparser(a: Affine) -> Affine:
        if rng.integers(2):
            return a
        kept = [
            Term(t.source, tuple(sparse.csr_array(f) for f in t.factors)) if t.source >= 0 else t
            for t in a.terms
        ]
        return Affine(a.size, tuple(kept))

    layers = tuple(Layer(sparser(m.affine), m.units) for m in net.layers)
    return Network(net.inputs, layers, sparser(net.output))


@family()
def pruned(rng: Rng) -> Network:
    """Normal weights of which the smaller half of each layer is set to zero."""

    def draw(rng: Rng, m: int, n: int) -> np.ndarray:
        rows = gaussian(rng, m, n)
        W = rows[:, :-1]
        W[abs(W) < np.quantile(abs(W), rng.choice([0.3, 0.5, 0.8]))] = 0.0
        return rows

    return sequential(rng, draw)


@family()
def float16(rng: Rng) -> Network:
    """Normal weights rounded to half precision."""
    return sequential(rng, lambda *a: gaussian(*a).astype(np.float16).astype(float))


@family()
def float32(rng: Rng) -> Network:
    """Normal weights rounded to single precision, some rows times three (exact in double)."""

    def draw(rng: Rng, m: int, n: int) -> np.ndarray:
        rows = gaussian(rng, m, n).astype(np.float32).astype(float)
        return repeated(rng, rows, lambda rng, row: 3 * row) if rng.integers(3) == 0 else rows

    return sequential(rng, draw)


@family(near_ties=True)
def quantised(rng: Rng) -> Network:
    """Few-bit integers times a float scale for each layer or row, rounded."""
    bits = int(rng.choice([1, 2, 3, 7]))

    def draw(rng: Rng, m: int, n: int) -> np.ndarray:
        q = rng.integers(-(2**bits) + 1, 2**bits, (m, n + 1))
        return q * rng.uniform(0.01, 0.3, (m, 1) if rng.integers(2) else (1, 1))

    return sequential(rng, draw)


# -- shapes -----------------------------------------------------------------------------------


@family()
def deep_and_narrow(rng: Rng) -> Network:
    """Four to eight layers of one to three units."""
    n, depth = int(rng.integers(1, 4)), int(rng.integers(4, 9))
    return sequential(rng, plain, sizes=[n, *rng.integers(1, 4, depth).tolist()])


@family()
def dead_layers(rng: Rng) -> Network:
    """Units and whole layers that are never active, constant ones among them."""

    def draw(rng: Rng, m: int, n: int) -> np.ndarray:
        rows = plain(rng, m, n)
        dead = rng.random(m) < (1.0 if rng.integers(6) == 0 else 0.35)
        rows[dead, :-1] *= rng.choice([0.0, 1.0])
        rows[dead, -1] = rng.choice([-99.0, -1.0, 0.0, 1.0])
        return rows

    return sequential(rng, draw)


@family()
def residual(rng: Rng) -> Network:
    """Blocks h + f(h): each layer after the first is added to a skip connection."""
    n, width = int(rng.integers(1, 4)), int(rng.integers(2, 4))
    layers, eye = [], np.eye(width)
    for number in range(int(rng.integers(2, 4))):
        rows = plain(rng, width, n if number == 0 else width)
        a = Affine.dense(rows[:, :-1], rows[:, -1], number)
        if number >= 2:
            a += Affine.dense(eye, None, number - 1)
        layers.append(Layer(a, Pointwise.uniform(RELU, width)))
    last = {len(layers): width, len(layers) - 1: width if len(layers) > 1 else n}
    return Network(n, tuple(layers), affine(rng, plain, 1, last))


@family()
def concatenation(rng: Rng) -> Network:
    """Every layer reads the input and several earlier layers."""
    n = int(rng.integers(1, 4))
    sizes, layers = {0: n}, []
    for number in range(1, int(rng.integers(2, 5))):
        size = int(rng.integers(1, 4))
        chosen = {s: w for s, w in sizes.items() if s == number - 1 or rng.integers(2)}
        layers.append(Layer(affine(rng, plain, size, chosen), Pointwise.uniform(RELU, size)))
        sizes[number] = size
    return Network(n, tuple(layers), affine(rng, plain, 1, sizes))


@family(near_ties=True)
def two_factors(rng: Rng) -> Network:
    """Layers that keep two exact factors, as a dense one with batch norm does."""
    sizes, layers = shape(rng), []
    for number, (n, m) in enumerate(pairwise(sizes)):
        rows = repeated(rng, plain(rng, m, n), lambda rng, row: 3 * row)
        scale = np.diag(rng.choice([0.1, 1 / 3, 3.0, -0.7, 1.0], m))
        if rng.integers(3) == 0:
            scale = plain(rng, m, m - 1)
        terms = (
            Term(number if number else INPUT, (rows[:, :-1].copy(), scale)),
            Term(ONE, (rows[:, -1:].copy(), scale)),
            Term(ONE, (rng.integers(-2, 3, (m, 1)) * rng.choice([0.1, 1.0]),)),
        )
        layers.append(Layer(Affine(m, terms), Pointwise.uniform(RELU, m)))
    return Network(sizes[0], tuple(layers), affine(rng, plain, 1, {len(layers): sizes[-1]}))


# -- units ------------------------------------------------------------------------------------


@family(near_ties=True)
def leaky_slopes(rng: Rng) -> Network:
    """Leaky units of slopes below zero, above one, a third, and one (which never bend)."""
    slopes = [leaky_relu(s) for s in (-0.5, -1.0, 2.0, 3.5, 0.1, 0.25, 1.0, Fraction(1, 3))]
    return with_units(rng, plain, [slopes[i] for i in rng.choice(len(slopes), 3)])


@family(near_ties=True)
def hard_tanh(rng: Rng) -> Network:
    """Hard tanh and its kin: two breakpoints, flat on both sides."""
    return with_units(rng, plain, [HARDTANH, HARDTANH, RELU6, clip(-0.1, 0.1), clip(0, 1)])


@family()
def absolute_values(rng: Rng) -> Network:
    """Absolute values."""
    return sequential(rng, plain, ABS)


@family(near_ties=True)
def many_breakpoints(rng: Rng) -> Network:
    """Three to six breakpoints, some slopes equal, some breakpoints close together."""
    kinds = []
    for _ in range(2):
        breaks = np.unique(rng.integers(-8, 9, rng.integers(3, 7)) / rng.choice([2.0, 3.0, 10.0]))
        slopes = rng.choice([-1.0, 0.0, 0.5, 1.0, 3.0], len(breaks) + 1)
        kinds.append(Activation(tuple(breaks.tolist()), tuple(slopes.tolist()), 0.5, "many"))
    net = sequential(rng, plain, sizes=[*shape(rng)[:1], 2, 2])
    layers = tuple(
        Layer(m.affine, Pointwise.each([kinds[rng.integers(2)] for _ in range(m.size)]))
        for m in net.layers
    )
    return Network(net.inputs, layers, net.output)


def _maxima(rng: Rng, change: Callable[[Rng, np.ndarray], np.ndarray]) -> Network:
    """Layers of max units over arguments that repeat one another after a change."""
    n, layers, sizes = int(rng.integers(1, 4)), [], {}
    sizes[0] = n
    for number in range(int(rng.integers(1, 3))):
        units, fan = int(rng.integers(2, 4)), int(rng.integers(3, 8))
        rows = repeated(rng, plain(rng, fan, sizes[number]), change)
        groups = tuple(
            tuple(rng.permutation(fan)[: rng.integers(2, min(fan, 4) + 1)].tolist())
            for _ in range(units)
        )
        layers.append(Layer(Affine.dense(rows[:, :-1], rows[:, -1], number), MaxUnits(groups, fan)))
        sizes[number + 1] = units
    return Network(n, tuple(layers), affine(rng, plain, 1, {len(layers): sizes[len(layers)]}))


@family()
def equal_arguments(rng: Rng) -> Network:
    """Max units, several of whose arguments are the same."""
    return _maxima(rng, lambda rng, row: row * rng.choice([1.0, 1.0, -1.0, 2.0]))


@family(near_ties=True)
def nearly_equal_arguments(rng: Rng) -> Network:
    """Max units whose arguments differ by an ulp, or by 1e-16 to 1e-6 of an entry."""
    return _maxima(rng, nudged)


@family(near_ties=True)
def everything(rng: Rng) -> Network:
    """Units of every kind, several sources, two factors, sparse weights."""
    n, layers = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    return random_network(int(rng.integers(2**31)), n, 3, layers)
