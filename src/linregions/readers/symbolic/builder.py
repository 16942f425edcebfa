"""Layers and notes collected while a reader walks a model."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from math import prod

import numpy as np

from ...errors import LinregionsError
from ...network.affine import INPUT
from ...network.network import Layer, Network
from ...network.rational import simplest
from ...network.units import Activation, MaxUnits, Pointwise, Units
from .activations import at_least, at_most
from .factors import Addend
from .values import Shape, Value, concatenated, constant

# Notes that begin with one of these are listed by themselves by ``linregions info``.
ROUNDED = "rounded: "
COMPILED = "compiled away: "


@dataclass
class Builder:
    """The network so far."""

    layers: list[Layer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    compiled: Counter[str] = field(default_factory=Counter)

    def input(self, shape: Shape) -> Value:
        """The value of the network's input."""
        return Value(tuple(shape), (Addend(INPUT, prod(shape)),))

    def count(self, op: str, layers_before: int) -> None:
        """Count an operator that added no layer: it was compiled away."""
        if len(self.layers) == layers_before:
            self.compiled[op] += 1

    def note(self, text: str) -> None:
        """Keep one line for `Network.notes`, once."""
        if text not in self.notes:
            self.notes.append(text)

    def rounding(self, text: str) -> None:
        """Note something that was rounded: the network counted is the one after it."""
        self.note(ROUNDED + text)

    def _long_diagonal(self, values: np.ndarray) -> None:
        self.rounding(
            f"layer {len(self.layers) + 1}: {len(values)} multipliers such as {values[0]}, to the "
            "nearest float64 (exact rationals of this size would fill a dense matrix)"
        )

    def units(self, value: Value, units: Units, shape: Shape | None = None) -> Value:
        """A new layer of units on a value."""
        self.layers.append(Layer(value.affine(self._long_diagonal), units))
        return Value(
            value.shape if shape is None else shape, (Addend(len(self.layers), units.size),)
        )

    def pointwise(self, value: Value, kind: Activation | Sequence[Activation]) -> Value:
        """A new layer of one activation, or of one for each entry; none where nothing bends."""
        if isinstance(kind, Activation):
            if not kind.breaks:
                slope = np.array(Fraction(kind.slopes[0]), dtype=object)
                height = np.full(value.shape, kind.intercepts[0], dtype=object)
                return value.scaled(slope) + constant(simplest(height))
            return self.units(value, Pointwise.uniform(kind, value.size))
        return self.units(value, Pointwise.each(list(kind)))

    def largest(self, values: Sequence[Value]) -> Value:
        """The largest of several values, entry by entry: one max unit for each entry."""
        if len(values) == 1:
            return values[0]
        shape = np.broadcast_shapes(*(v.shape for v in values))
        n = prod(shape)
        rows = concatenated([v.broadcast(shape).reshaped((n,)) for v in values], 0)
        return self.winners(rows, np.arange(rows.size).reshape(len(values), n).T, shape)

    def smallest(self, values: Sequence[Value]) -> Value:
        """The smallest of several values: ``min(a, b) = -max(-a, -b)``."""
        return -self.largest([-v for v in values])

    def extremum(
        self, values: Sequence[Value], levels: Sequence[np.ndarray], lowest: bool = False
    ) -> Value:
        """Max (or Min) of values and constants: of one value and constants a pointwise unit."""
        if len(values) != 1 or not levels:
            every = [*values, *(constant(level) for level in levels)]
            return self.smallest(every) if lowest else self.largest(every)
        level = reduce(np.minimum if lowest else np.maximum, levels)
        shape = np.broadcast_shapes(values[0].shape, level.shape)
        make = at_most if lowest else at_least
        known = {t: make(t) for t in set(level.ravel().tolist())}
        kinds = [known[t] for t in np.broadcast_to(level, shape).ravel().tolist()]
        return self.pointwise(values[0].broadcast(shape), kinds)

    def winners(self, value: Value, groups: np.ndarray, shape: Shape) -> Value:
        """The maximum over each group of entries of a value.

        ``groups`` of shape (outputs, largest group) holds flat positions, -1 where a group
        is shorter (padding). Groups share the entries that they have in common; an entry in
        no group is left out; a group of one is no unit but a choice.
        """
        if groups.shape[1] > 1 and groups.size and groups.min() >= 0:
            ordered = np.sort(groups, axis=1)
            if (ordered[:, 1:] != ordered[:, :-1]).all():  # full windows, by the million
                used, place = np.unique(groups), np.full(value.size, -1)
                place[used] = np.arange(len(used))
                small = tuple(map(tuple, place[groups].tolist()))
                units = MaxUnits(small, len(used))
                return self.units(value.select(used), units, (len(small),)).reshaped(shape)
        lists = [tuple(dict.fromkeys(i for i in g if i >= 0)) for g in groups.tolist()]
        if not all(lists):
            raise LinregionsError("a pooling window lies wholly in the padding")
        several = [k for k, g in enumerate(lists) if len(g) > 1]
        alone = np.array([g[0] if len(g) == 1 else -1 for g in lists])
        affine = value.select(alone) if np.any(alone >= 0) else Value((len(lists),), ())
        if not several:
            return affine.reshaped(shape)
        used = np.unique([i for k in several for i in lists[k]])
        place = np.full(value.size, -1)
        place[used] = np.arange(len(used))
        where = place.tolist()
        small = tuple(tuple(where[i] for i in lists[k]) for k in several)
        found = self.units(value.select(used), MaxUnits(small, len(used)), (len(several),))
        back = np.full(len(lists), -1)
        back[several] = np.arange(len(several))
        return (found.select(back) + affine).reshaped(shape)

    def extreme(
        self, value: Value, axes: Sequence[int] | None, keep: bool, lowest: bool = False
    ) -> Value:
        """The maximum (or minimum) over axes; None is all of them."""
        rank = len(value.shape)
        over = sorted({int(a) % rank for a in axes} if axes is not None else range(rank))
        rest = [i for i in range(rank) if i not in over]
        groups = value.grid().transpose(rest + over).reshape(prod(value.shape[i] for i in rest), -1)
        shape = tuple(1 if i in over else d for i, d in enumerate(value.shape))
        shape = shape if keep else tuple(value.shape[i] for i in rest)
        if lowest:
            return -self.winners(-value, groups, shape)
        return self.winners(value, groups, shape)

    def network(self, inputs: int, value: Value) -> Network:
        """The network whose output is a value."""
        for what in value.dropped:
            text = f"{what}: dropped at the output, it is no part of the linear regions"
            warnings.warn(text, stacklevel=4)
            self.note(text)
        output = value.affine(self._long_diagonal)
        if self.compiled:
            self.note(COMPILED + ", ".join(f"{op} ({n})" for op, n in self.compiled.items()))
        return Network(inputs, tuple(self.layers), output, tuple(self.notes))
