"""Layers of small networks for the families: shapes, rows, and rows that nearly repeat others."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from ..network.affine import Affine
from ..network.network import Layer, Network
from ..network.units import RELU, Activation, Pointwise

Rng = np.random.Generator
Draw = Callable[[Rng, int, int], np.ndarray]  # (rng, rows, columns): rows (weights..., bias)


def shape(rng: Rng, units: int = 15) -> list[int]:
    """Inputs, hidden widths: at most so many units in all, fewer in more dimensions."""
    n = int(rng.choice([1, 2, 2, 3, 3, 4]))
    depth = int(rng.choice([1, 2, 2, 3, 3]))
    most = max(2, (units - 3 * max(0, n - 2)) // depth)
    return [n, *(int(rng.integers(1 + most // 3, min(most, 6) + 1)) for _ in range(depth))]


def sequential(
    rng: Rng, draw: Draw, activation: Activation = RELU, sizes: list[int] | None = None
) -> Network:
    """A network whose layers are drawn one by one; one or two outputs."""
    sizes = shape(rng) if sizes is None else sizes
    rows = [draw(rng, m, n) for n, m in pairwise(sizes)]
    rows.append(draw(rng, int(rng.integers(1, 3)), sizes[-1]))
    return Network.from_layers([(r[:, :-1], r[:, -1]) for r in rows], activation)


def with_units(rng: Rng, draw: Draw, kinds: list[Activation]) -> Network:
    """A sequential network, each unit of one of the given kinds."""
    plain = sequential(rng, draw, sizes=shape(rng, 9))
    layers = tuple(
        Layer(m.affine, Pointwise.each([kinds[rng.integers(len(kinds))] for _ in range(m.size)]))
        for m in plain.layers
    )
    return Network(plain.inputs, layers, plain.output)


def integer(rng: Rng, rows: int, columns: int) -> np.ndarray:
    """Integers from -3 to 3."""
    return rng.integers(-3, 4, (rows, columns + 1)).astype(float)


def dyadic(rng: Rng, rows: int, columns: int) -> np.ndarray:
    """Quarters from -3 to 3."""
    return rng.integers(-12, 13, (rows, columns + 1)) / 4.0


def gaussian(rng: Rng, rows: int, columns: int) -> np.ndarray:
    """Normal numbers, the bias half as large."""
    return rng.standard_normal((rows, columns + 1)) * np.append(np.ones(columns), 0.5)


def plain(rng: Rng, rows: int, columns: int) -> np.ndarray:
    """Any of the three."""
    return (integer, dyadic, gaussian)[rng.integers(3)](rng, rows, columns)


def nudged(rng: Rng, row: np.ndarray) -> np.ndarray:
    """A row of which some entries are moved by one ulp, or by 1e-16 to 1e-6 of themselves."""
    moved = row.copy()
    for j in np.flatnonzero(rng.random(len(row)) < 0.6):
        if rng.integers(2):
            moved[j] = np.nextafter(moved[j], rng.choice([-np.inf, np.inf]))
            if abs(moved[j]) < 1e-300:
                moved[j] = 2.0**-60  # a neighbour of zero is for the family of scales
        else:
            moved[j] += 10.0 ** -rng.uniform(6, 16) * rng.choice([-1, 1]) * (abs(moved[j]) or 1.0)
    return moved


def repeated(rng: Rng, rows: np.ndarray, change: Callable[[Rng, np.ndarray], Any]) -> np.ndarray:
    """About half of the rows after the first replaced by a change of an earlier one."""
    for i in range(1, len(rows)):
        if rng.random() < 0.6:
            rows[i] = change(rng, rows[rng.integers(i)])
    return rows


def affine(rng: Rng, draw: Draw, size: int, sources: dict[int, int]) -> Affine:
    """An affine map of several sources, given with their sizes."""
    out = Affine(size, ())
    for number, (source, columns) in enumerate(sources.items()):
        rows = draw(rng, size, columns)
        out += Affine.dense(rows[:, :-1], None if number else rows[:, -1], source)
    return out
