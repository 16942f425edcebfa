"""Changes that must not change a count, or must change it by a known amount."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from ..domain.domains import Box, Domain, Polytope, Slice, Space
from ..network.affine import INPUT, Affine
from ..network.network import Layer, Network
from ..network.units import MaxUnits, Pointwise
from ..questions.count import count
from . import edits
from .cases import Case, Check, agree, whole


def same_counts(case: Case, net: Network, domain: Domain, what: str) -> None:
    """Activation, linear and affine counts by the default engine are the oracle's of the case."""
    for kind in ("activation", "linear", "affine"):
        agree(
            f"{kind} regions {what}", case.truth.count(kind), whole(count(net, domain, kind=kind))
        )


def _rng(case: Case) -> np.random.Generator:
    return np.random.default_rng(case.network.units)


def check_permuted(case: Case) -> None:
    """Units in another order."""
    net, rng = case.network, _rng(case)
    for layer, size in enumerate(net.widths, start=1):
        net = edits.reordered(net, layer, rng.permutation(size))
    same_counts(case, net, case.domain, "after a permutation of the units")


def check_scaled(case: Case) -> None:
    """Units that bend at 0 alone times a power of two."""
    net, rng = case.network, _rng(case)
    for layer, size in enumerate(case.network.widths, start=1):
        net = edits.scaled(net, layer, rng.integers(-20, 21, size)) or net
    same_counts(case, net, case.domain, "after scaling units by powers of two")


def check_copied(case: Case) -> None:
    """A copy of a unit that nobody reads."""
    net = case.network
    layer = int(_rng(case).integers(1, len(net.layers) + 1))
    affines = edits.readers(net, layer, lambda W: np.pad(W, ((0, 0), (0, 1))))
    old = net.layers[layer - 1]
    if isinstance(old.units, MaxUnits):
        units: Any = MaxUnits((*old.units.groups, old.units.groups[0]), old.units.fan_in)
    else:
        units = Pointwise(old.units.kinds, (*old.units.which, old.units.which[0]))
        first = edits.rows(old.affine, lambda W: W[[*range(len(W)), 0]], old.size + 1)
        affines[layer - 1] = first
    layers = [Layer(a, m.units) for i, (a, m) in enumerate(zip(affines, net.layers, strict=False))
              if i != layer - 1]  # fmt: skip
    layers.insert(layer - 1, Layer(affines[layer - 1], units))
    copied = Network(net.inputs, tuple(layers), affines[-1])
    same_counts(case, copied, case.domain, "with a copy of a unit")


def unimodular(n: int, rng: np.random.Generator) -> np.ndarray:
    """A product of small integer shears and a permutation."""
    U = np.eye(n)[rng.permutation(n)]
    for _ in range(3 if n > 1 else 0):
        i, j = rng.choice(n, 2, replace=False)
        U[i] += rng.integers(-2, 3) * U[j]
    return U


def check_coordinates(case: Case) -> None:
    """Inputs x = U y with a unimodular integer matrix, kept as one more factor."""
    net, U = case.network, unimodular(case.network.inputs, _rng(case))

    def moved(a: Affine) -> Affine:
        terms = [t.before(U, INPUT) if t.source == INPUT else t for t in a.terms]
        return Affine(a.size, tuple(terms))

    changed = edits.with_maps(net, [moved(a) for a in edits.maps(net)])
    domain, chart = case.domain, case.truth.chart
    if chart.A:
        A = [[Fraction(v) for v in row] for row in chart.A]
        moved_rows = [[sum(a * Fraction(u) for a, u in zip(row, column, strict=True))
                       for column in U.T.tolist()] for row in A]  # fmt: skip
        b = np.array([Fraction(v) for v in chart.b], dtype=object)
        domain = Polytope(np.array(moved_rows, dtype=object), b)
    same_counts(case, changed, domain, "in other coordinates")


def check_split(case: Case) -> None:
    """count(x_0 <= c) + count(x_0 >= c) = count + count on {x_0 = c}, for c on no boundary."""
    n, c = case.network.inputs, Fraction(1, 7) + Fraction(1, 1009)
    A = [[Fraction(v) for v in row] for row in case.truth.chart.A]
    b = [Fraction(v) for v in case.truth.chart.b]
    row = [Fraction(int(j == 0)) for j in range(n)]

    def side(sign: int) -> Polytope:
        more = [*A, [sign * v for v in row]], [*b, sign * c]
        return Polytope(np.array(more[0], dtype=object), np.array(more[1], dtype=object))

    origin = np.array([c] + [Fraction(0)] * (n - 1), dtype=object)
    within = case.domain if isinstance(case.domain, Space) else Polytope(
        np.array(A, dtype=object), np.array(b, dtype=object))  # fmt: skip
    flat = Slice(origin, np.eye(n)[:, 1:], within, coordinates="input")
    parts = sum(whole(count(case.network, side(sign))) for sign in (1, -1))
    cut = whole(count(case.network, flat))
    agree("regions on both sides of x_0 = c less those on it", case.cells, parts - cut)


def _full(case: Case) -> bool:
    plain = isinstance(case.domain, Space | Box | Polytope)
    return plain and case.truth.chart.basis is None


def _splits(case: Case) -> bool:
    """The plane x_0 = c meets the interior of the domain, and there is a coordinate besides."""
    cone, n = case.truth.chart.cone(), case.network.inputs
    if not _full(case) or n < 2 or cone is None:
        return False
    c = Fraction(1, 7) + Fraction(1, 1009)
    return all(cone.sides([c.denominator, *([0] * (n - 1)), -c.numerator]))


LAWS = [
    Check("permuted units", "search", check_permuted, lambda case: True, deep=True),
    Check("scaled units", "search", check_scaled, lambda case: True, deep=True),
    Check("copied unit", "search", check_copied, lambda case: bool(case.network.layers), deep=True),
    Check("coordinates", "search", check_coordinates, _full, deep=True),
    Check("split domain", "search", check_split, _splits, deep=True),
]
