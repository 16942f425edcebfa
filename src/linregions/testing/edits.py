"""Exact changes of small networks: units moved, scaled, copied or left out, weights replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..network.affine import Affine, Term
from ..network.network import Layer, Network
from ..network.units import MaxUnits, Pointwise

Change = Callable[[np.ndarray], np.ndarray]


def matrix(factor: Any) -> np.ndarray:
    """A factor as a dense array."""
    return factor.toarray() if hasattr(factor, "toarray") else factor


def maps(net: Network) -> list[Affine]:
    """All affine maps, the output last."""
    return [*(layer.affine for layer in net.layers), net.output]


def with_maps(net: Network, affines: list[Affine]) -> Network:
    """The network with other affine maps."""
    layers = tuple(Layer(a, m.units) for a, m in zip(affines, net.layers, strict=False))
    return Network(net.inputs, layers, affines[-1])


def rows(a: Affine, change: Change, size: int | None = None) -> Affine:
    """An affine map whose last factors are changed (their rows)."""
    terms = [Term(t.source, (*t.factors[:-1], change(matrix(t.factors[-1])))) for t in a.terms]
    return Affine(a.size if size is None else size, tuple(terms))


def columns(a: Affine, source: int, change: Change) -> Affine:
    """An affine map whose first factors of one source are changed (their columns)."""
    terms = [
        Term(t.source, (change(matrix(t.factors[0])), *t.factors[1:])) if t.source == source else t
        for t in a.terms
    ]
    return Affine(a.size, tuple(terms))


def readers(net: Network, layer: int, change: Change) -> list[Affine]:
    """All affine maps, with the columns changed that read a layer (from 1)."""
    return [columns(a, layer, change) for a in maps(net)]


def reordered(net: Network, layer: int, order: np.ndarray) -> Network:
    """Units of a layer (from 1) in another order."""
    affines = readers(net, layer, lambda W: W[:, order])
    old = net.layers[layer - 1]
    if isinstance(old.units, MaxUnits):
        units: Any = MaxUnits(tuple(old.units.groups[i] for i in order), old.units.fan_in)
    else:
        units = Pointwise(old.units.kinds, tuple(old.units.which[i] for i in order))
        affines[layer - 1] = rows(affines[layer - 1], lambda W: W[order])
    layers = [Layer(a, m.units) for a, m in zip(affines, net.layers, strict=False)]
    layers[layer - 1] = Layer(affines[layer - 1], units)
    return Network(net.inputs, tuple(layers), affines[-1])


def scaled(net: Network, layer: int, powers: np.ndarray) -> Network | None:
    """Units that bend at 0 alone scaled by powers of two; None where a weight would round."""
    units = net.layers[layer - 1].units
    if isinstance(units, MaxUnits) or any(k.breaks != (0,) or k.value != 0 for k in units.kinds):
        return None
    s = np.ldexp(1.0, powers)
    affines = readers(net, layer, lambda W: W / s)
    affines[layer - 1] = rows(affines[layer - 1], lambda W: W * s[:, None])
    with np.errstate(over="ignore"):
        back = readers(with_maps(net, affines), layer, lambda W: W * s)
        back[layer - 1] = rows(back[layer - 1], lambda W: W / s[:, None])
    same = all(
        np.array_equal(matrix(f), matrix(g))
        for a, b in zip(maps(net), back, strict=True)
        for t, u in zip(a.terms, b.terms, strict=True)
        for f, g in zip(t.factors, u.factors, strict=True)
    )
    return with_maps(net, affines) if same else None


def without_unit(net: Network, layer: int, unit: int) -> Network:
    """A layer (from 1) without one of its units."""
    keep = np.array([i for i in range(net.layers[layer - 1].size) if i != unit])
    affines = readers(net, layer, lambda W: W[:, keep])
    layers = [Layer(a, m.units) for a, m in zip(affines, net.layers, strict=False)]
    units = net.layers[layer - 1].units
    if isinstance(units, MaxUnits):
        groups = tuple(g for i, g in enumerate(units.groups) if i != unit)
        used = sorted({i for g in groups for i in g})
        groups = tuple(tuple(used.index(i) for i in g) for g in groups)
        a = rows(affines[layer - 1], lambda W: W[used], len(used))
        layers[layer - 1] = Layer(a, MaxUnits(groups, len(used)))
    else:
        a = rows(affines[layer - 1], lambda W: W[keep], len(keep))
        layers[layer - 1] = Layer(a, Pointwise.each([units.kinds[units.which[i]] for i in keep]))
    return Network(net.inputs, tuple(layers), affines[-1])


def without_argument(net: Network, layer: int, unit: int, position: int) -> Network:
    """A max unit without one of its arguments."""
    old = net.layers[layer - 1]
    assert isinstance(old.units, MaxUnits)
    groups = [list(g) for g in old.units.groups]
    del groups[unit][position]
    layers = list(net.layers)
    units = replace(old.units, groups=tuple(map(tuple, groups)))
    layers[layer - 1] = Layer(old.affine, units)
    return Network(net.inputs, tuple(layers), net.output)


def without_input(net: Network, i: int) -> Network:
    """The network where input i is 0."""
    affines = [columns(a, 0, lambda W: np.delete(W, i, axis=1)) for a in maps(net)]
    layers = tuple(Layer(a, m.units) for a, m in zip(affines, net.layers, strict=False))
    return Network(net.inputs - 1, layers, affines[-1])


def entries(net: Network) -> Iterator[tuple[tuple[int, int, int, int, int], float]]:
    """Every non-zero weight with its place (map, term, factor, row, column)."""
    for m, a in enumerate(maps(net)):
        for t, term in enumerate(a.terms):
            for f, factor in enumerate(term.factors):
                dense = matrix(factor)
                for i, j in zip(*np.nonzero(dense), strict=True):
                    yield (m, t, f, int(i), int(j)), float(dense[i, j])


def with_entry(net: Network, place: tuple[int, int, int, int, int], value: float) -> Network:
    """The network with one weight replaced."""
    m, t, f, i, j = place
    affines = maps(net)
    terms = list(affines[m].terms)
    factors = list(terms[t].factors)
    factors[f] = matrix(factors[f]).copy()
    factors[f][i, j] = value
    terms[t] = Term(terms[t].source, tuple(factors))
    affines[m] = Affine(affines[m].size, tuple(terms))
    return with_maps(net, affines)
