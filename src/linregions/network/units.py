"""Piecewise-linear units: what happens to pre-activations.

Pointwise units are continuous functions of one number; max units take the largest of a
group. The piece of a unit is an integer: the number of breakpoints strictly below the
pre-activation (so a tie goes to the lowest piece), or the position of the winning argument
(a tie goes to the lowest index).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from ..errors import LinregionsError
from .rational import nearest

Number = int | float | Fraction


@dataclass(frozen=True)
class Activation:
    """One continuous piecewise-linear function of a number.

    ``slopes[p]`` is its slope on the p-th piece, left to right; ``breaks`` are the
    ascending breakpoints between pieces; ``value`` is the function's value at ``breaks[0]``
    (at 0 where there is no breakpoint). A breakpoint with equal slopes on both sides is
    dropped, since nothing bends there. All numbers are exact: floats are the rationals
    that they are, and a `Fraction` may stand for any of them.
    """

    breaks: tuple[Number, ...]
    slopes: tuple[Number, ...]
    value: Number = 0
    name: str = "piecewise-linear"

    def __post_init__(self) -> None:
        if len(self.slopes) != len(self.breaks) + 1:
            raise LinregionsError(
                f"an activation with {len(self.breaks)} breakpoints needs "
                f"{len(self.breaks) + 1} slopes, got {len(self.slopes)}"
            )
        numbers = (*self.breaks, *self.slopes, self.value)
        if not all(isinstance(x, Fraction) or np.isfinite(x) for x in numbers):
            raise LinregionsError(f"activation {self.name}: breakpoints and slopes must be finite")
        if any(a >= b for a, b in zip(self.breaks, self.breaks[1:], strict=False)):
            raise LinregionsError(f"activation {self.name}: breakpoints must ascend")
        self._drop_straight()

    def _drop_straight(self) -> None:
        bends = [i for i in range(len(self.breaks)) if self.slopes[i] != self.slopes[i + 1]]
        if len(bends) == len(self.breaks):
            return
        anchor = self.breaks[bends[0]] if bends else 0
        object.__setattr__(self, "value", _plain(self(Fraction(anchor))))
        slopes = (*(self.slopes[i] for i in bends), self.slopes[-1])
        object.__setattr__(self, "breaks", tuple(self.breaks[i] for i in bends))
        object.__setattr__(self, "slopes", slopes)
        self.__dict__.pop("intercepts", None)  # those of the old breakpoints

    def __call__(self, z: Fraction) -> Fraction:
        """Exact value at a rational."""
        piece = sum(z > Fraction(t) for t in self.breaks)
        return Fraction(self.slopes[piece]) * z + self.intercepts[piece]

    @cached_property
    def intercepts(self) -> tuple[Fraction, ...]:
        """On piece p the function is ``slopes[p] * z + intercepts[p]``, exactly."""
        anchor = Fraction(self.breaks[0]) if self.breaks else Fraction(0)
        out = [Fraction(self.value) - Fraction(self.slopes[0]) * anchor]
        for t, left, right in zip(self.breaks, self.slopes, self.slopes[1:], strict=False):
            out.append(out[-1] + (Fraction(left) - Fraction(right)) * Fraction(t))
        return tuple(out)

    def piece(self, z: Fraction) -> int:
        """Number of breakpoints strictly below z."""
        return sum(z > Fraction(t) for t in self.breaks)


def _plain(x: Fraction) -> Number:
    if x.denominator == 1:
        return x.numerator
    v = nearest(x)
    return v if np.isfinite(v) and Fraction(v) == x else x


RELU = Activation((0,), (0, 1), 0, "relu")
ABS = Activation((0,), (-1, 1), 0, "abs")
RELU6 = Activation((0, 6), (0, 1, 0), 0, "relu6")
HARDTANH = Activation((-1, 1), (0, 1, 0), -1, "hardtanh")


def leaky_relu(slope: Number) -> Activation:
    """``z`` for z > 0, ``slope * z`` else (also one PReLU unit)."""
    return RELU if slope == 0 else Activation((0,), (slope, 1), 0, f"leaky_relu({float(slope):g})")


def clip(low: Number, high: Number) -> Activation:
    """``min(max(z, low), high)``: hard tanh, ReLU6 and their kin."""
    if low == 0 and high == 6:
        return RELU6
    return Activation((low, high), (0, 1, 0), low, "clip")


@dataclass(frozen=True)
class Pointwise:
    """One `Activation` per unit.

    ``kinds`` are the distinct activations, ``which[i]`` the index of unit i's.
    """

    kinds: tuple[Activation, ...]
    which: tuple[int, ...]

    def __post_init__(self) -> None:
        if any(not 0 <= w < len(self.kinds) for w in self.which):
            raise LinregionsError(
                f"a unit asks for an activation beyond the {len(self.kinds)} given"
            )

    @staticmethod
    def uniform(activation: Activation, size: int) -> Pointwise:
        """The same activation for all ``size`` units."""
        return Pointwise((activation,), (0,) * size)

    @staticmethod
    def each(activations: list[Activation]) -> Pointwise:
        """A list of activations, one per unit."""
        kinds = tuple(dict.fromkeys(activations))
        index = {a: i for i, a in enumerate(kinds)}
        return Pointwise(kinds, tuple(index[a] for a in activations))

    @property
    def fan_in(self) -> int:
        """Pre-activations read."""
        return len(self.which)

    @property
    def size(self) -> int:
        """Outputs."""
        return len(self.which)

    def pieces_per_unit(self) -> list[int]:
        """Number of pieces of each unit."""
        return [len(self.kinds[w].slopes) for w in self.which]

    def row_weights(self) -> list[list[int]]:
        """Per unit, one weight per row (breakpoint): the piece is the sum over rows above 0."""
        weights = [[1] * len(k.breaks) for k in self.kinds]
        return [weights[w] for w in self.which]

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Breakpoints (padded with infinities), slopes and intercepts of every kind."""
        most = max((len(k.breaks) for k in self.kinds), default=0)
        breaks = np.full((len(self.kinds), most), np.inf)
        for i, kind in enumerate(self.kinds):
            breaks[i, : len(kind.breaks)] = [nearest(t) for t in kind.breaks]
        return breaks, *self.lines

    @cached_property
    def lines(self) -> tuple[np.ndarray, np.ndarray]:
        """Slopes and constants (kinds, most pieces) of every kind in floats, filled with 0."""
        most = max((len(k.slopes) for k in self.kinds), default=1)
        out = np.zeros((2, len(self.kinds), most))
        for i, kind in enumerate(self.kinds):
            out[0, i, : len(kind.slopes)] = [nearest(s) for s in kind.slopes]
            out[1, i, : len(kind.slopes)] = [nearest(c) for c in kind.intercepts]
        return out[0], out[1]

    @cached_property
    def _which(self) -> np.ndarray:
        return np.asarray(self.which, dtype=np.intp)

    def pieces(self, z: np.ndarray) -> np.ndarray:
        """Piece of each unit, shape (points, units)."""
        out = np.zeros(z.shape, dtype=np.int32)
        for t in self._table[0].T:
            out += z > t[self._which]
        return out

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """Float evaluation, shape (points, units) to the same."""
        if self.kinds == (RELU,):
            return np.maximum(z, 0.0)
        slopes, shifts = self.lines
        pieces = self.pieces(z)
        return slopes[self._which, pieces] * z + shifts[self._which, pieces]

    def at(self, z: np.ndarray) -> tuple[np.ndarray, list[int]]:
        """Exact values and pieces on one point (object array of Fraction)."""
        mine = [self.kinds[w] for w in self.which]
        pieces = [a.piece(x) for a, x in zip(mine, z, strict=True)]
        values = np.empty(len(mine), dtype=object)
        for i, (a, x) in enumerate(zip(mine, z, strict=True)):
            values[i] = a(x)
        return values, pieces

    def describe(self) -> str:
        """``relu`` or a list of the distinct names."""
        return ", ".join(dict.fromkeys(k.name for k in self.kinds)) or "none"


@dataclass(frozen=True)
class MaxUnits:
    """Each unit is the maximum over a group of pre-activations (maxout, max-pooling).

    ``groups[i]`` are the pre-activation indices of unit i, in order of preference for ties.
    """

    groups: tuple[tuple[int, ...], ...]
    fan_in: int

    def __post_init__(self) -> None:
        for i, group in enumerate(self.groups):
            if not group or min(group) < 0 or max(group) >= self.fan_in:
                raise LinregionsError(
                    f"max unit {i} reads pre-activations {group} of {self.fan_in}"
                )

    @property
    def size(self) -> int:
        """Outputs."""
        return len(self.groups)

    def pieces_per_unit(self) -> list[int]:
        """Number of arguments of each unit."""
        return [len(g) for g in self.groups]

    def row_weights(self) -> list[list[int]]:
        """Per unit, one weight per row: the piece is the sum over rows above 0.

        The rows of a unit of m arguments are the differences ``z_j - z_i`` for i < j, ordered
        by i, then j (a tie is not above 0, so it goes to the lower index). Rows between two
        losers count as not above 0, so those of argument 0 alone tell the winner.
        """
        return [
            [j if i == 0 else 0 for i in range(len(g)) for j in range(i + 1, len(g))]
            for g in self.groups
        ]

    @cached_property
    def members(self) -> np.ndarray:
        """Groups as one array, a short one filled up with its first member (it cannot win)."""
        longest = max((len(g) for g in self.groups), default=1)
        rows = [g + g[:1] * (longest - len(g)) for g in self.groups]
        return np.array(rows, dtype=np.intp).reshape(self.size, longest)

    def pieces(self, z: np.ndarray) -> np.ndarray:
        """Position of the winner in each group, shape (points, units)."""
        first, *others = self.members.T
        best, out = z[:, first], np.zeros((z.shape[0], self.size), dtype=np.int32)
        for p, index in enumerate(others, start=1):
            mine = z[:, index]
            out[mine > best] = p
            np.maximum(best, mine, out=best)
        return out

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """Float evaluation, shape (points, fan_in) to (points, units)."""
        first, *others = self.members.T
        out = z[:, first]
        for index in others:  # column by column: many points times large groups is much memory
            np.maximum(out, z[:, index], out=out)
        return out

    def at(self, z: np.ndarray) -> tuple[np.ndarray, list[int]]:
        """Exact values and winners on one point."""
        pieces = [max(range(len(g)), key=lambda p, g=g: (z[g[p]], -p)) for g in self.groups]
        values = np.empty(self.size, dtype=object)
        for i, (g, p) in enumerate(zip(self.groups, pieces, strict=True)):
            values[i] = z[g[p]]
        return values, pieces

    def describe(self) -> str:
        """``max of 4`` and the like."""
        sizes = sorted({len(g) for g in self.groups})
        return "max of " + ", ".join(map(str, sizes))


Units = Pointwise | MaxUnits
