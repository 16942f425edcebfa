"""The mixed-integer model of Serra, Tjandraatmadja and Ramalingam (2018), for any units.

A rectifier with pre-activation z becomes, with a binary d (equations (1)-(6) of the paper)::

    z = p - q,   0 <= p <= U d,   0 <= q <= -L (1 - d)

where L <= z <= U on the domain. A unit with breakpoints t is a sum of rectifiers of z - t, one
binary each. A max unit has one binary per argument, of which one is 1, and
``z_a <= h <= z_a + M_a (1 - w_a)``. The bounds L, U come from intervals, sharpened by linear
programs over the relaxation of the layers before; a breakpoint outside of them needs no binary.

The smallest amount by which an active unit is above its breakpoint is a variable f, to be
maximised: ``f <= p + (1 - d)``, with f <= 1.

Floats throughout, and nothing shared with the other engines: this is a referee.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from ..domain.restrict import Restricted
from ..errors import LinregionsError
from ..network.affine import INPUT, ONE
from ..network.network import Layer
from ..network.rational import rounded
from ..network.scaling import ZERO, exponents, is_ordinary, scaled
from ..network.units import MaxUnits
from .cell import Balls
from .programme import TOLERANCE, Programme

LARGE = 40  # binary exponent of a number of the domain
NEAR = 6  # the same of the rows of all layers, together
SLACK = 1e-6  # relative widening of the bounds L and U: no feasible point may be cut off


@dataclass(frozen=True)
class Expression:
    """A sparse affine expression of the columns: ``sum coefficients * columns + constant``."""

    columns: np.ndarray
    coefficients: np.ndarray
    constant: float

    @staticmethod
    def of(column: int, coefficient: float = 1.0, constant: float = 0.0) -> Expression:
        """One column."""
        return Expression(np.array([column]), np.array([coefficient]), constant)

    def less(self, other: Expression) -> Expression:
        """The difference."""
        return combine([(1.0, self), (-1.0, other)], 0.0)


def combine(parts: list[tuple[float, Expression]], constant: float) -> Expression:
    """A linear combination of expressions, equal columns added up."""
    columns = np.concatenate([np.zeros(0, np.int64), *(e.columns for _, e in parts)])
    values = np.concatenate([np.zeros(0), *(c * e.coefficients for c, e in parts)])
    distinct, where = np.unique(columns, return_inverse=True)
    total = np.bincount(where, values, len(distinct))
    constant += sum(c * e.constant for c, e in parts)
    return Expression(distinct[total != 0], total[total != 0], float(constant))


class Decision(NamedTuple):
    """Binary columns that are fixed together, and their possible values.

    ``halves`` are the columns p, q of a breakpoint (None for a max unit).
    """

    columns: np.ndarray
    options: np.ndarray
    halves: tuple[int, int] | None


@dataclass(frozen=True)
class Choice:
    """What decides the piece of a unit.

    Pointwise: piece = ``below`` + the number of binaries at 1, each with its columns p and q. Max
    unit: the argument whose binary is 1, by its place in ``arguments``; one alone needs none.
    """

    binaries: tuple[int, ...]
    below: int = 0
    halves: tuple[tuple[int, int], ...] = ()
    arguments: tuple[int, ...] | None = None

    def piece(self, on: np.ndarray) -> int:
        """The piece where the columns have these values, 0 or 1."""
        if self.arguments is None:
            return self.below + int(sum(on[c] for c in self.binaries))
        if not self.binaries:
            return self.arguments[0]
        return self.arguments[int(np.argmax([on[c] for c in self.binaries]))]

    def decisions(self) -> list[Decision]:
        """One per breakpoint, or one for the winner among all arguments."""
        columns = np.array(self.binaries, np.int32)
        if self.arguments is not None:
            return [Decision(columns, np.eye(len(columns)), None)] if len(columns) else []
        sides = np.array([[0.0], [1.0]])
        pairs = zip(self.binaries, self.halves, strict=True)
        return [Decision(np.array([d], np.int32), sides, pq) for d, pq in pairs]


@dataclass
class Model:
    """The programme, with the columns of the coordinates, of f, and the units' choices."""

    programme: Programme
    coordinates: np.ndarray
    f: int
    both_sides: bool
    choices: list[list[Choice]] = field(default_factory=list)

    @property
    def binaries(self) -> np.ndarray:
        """All binary columns."""
        return np.flatnonzero(self.programme.binary)

    def pieces(self, on: np.ndarray) -> list[list[int]]:
        """Pieces of all units, layer by layer."""
        return [[c.piece(on) for c in layer] for layer in self.choices]


class _Builder:
    """Adds one layer after the other."""

    def __init__(self, problem: Restricted, both_sides: bool) -> None:
        self.programme = Programme()
        self.both_sides = both_sides
        k = problem.dimension
        self.net, self.k = problem.network, k
        A, b = rounded(problem.A), rounded(problem.b)
        columns = np.array([self.programme.column(-np.inf, np.inf) for _ in range(k)], np.int64)
        for row, limit in zip(A, b, strict=True):
            self.programme.row(columns, row, -np.inf, float(limit))
        for j in range(k):
            low, high = self.programme.range(np.array([j]), np.ones(1))
            if low is None or high is None:
                raise LinregionsError(
                    f'engine="milp" needs a bounded domain, and {problem.domain.describe()} is '
                    "none; give Box(lo, hi) or a bounded Polytope"
                )
            self.programme.bound(j, low, high)
        f = self.programme.column(0.0, 1.0)
        self.model = Model(self.programme, columns, f, both_sides)
        self.values: dict[int, list[Expression]] = {INPUT: [Expression.of(int(c)) for c in columns]}

    def layer(self, number: int, layer: Layer) -> None:
        """Pre-activations, then units."""
        forms = self._forms(layer)
        if isinstance(layer.units, MaxUnits):
            made = [self._max([forms[i] for i in g]) for g in layer.units.groups]
        else:
            kinds = [layer.units.kinds[w] for w in layer.units.which]
            made = [self._pointwise(z, kind) for z, kind in zip(forms, kinds, strict=True)]
        self.values[number] = [h for h, _ in made]
        self.model.choices.append([choice for _, choice in made])

    def _forms(self, layer: Layer) -> list[Expression]:
        sources = layer.affine.sources
        matrices = {s: layer.affine.rounded(s, self.net.size_of(s))[0] for s in sources}
        offset = layer.affine.rounded(ONE, 1)[0][:, 0]
        out = []
        for i in range(layer.affine.size):
            parts = [
                (float(m[i, j]), self.values[s][j])
                for s, m in matrices.items()
                for j in np.flatnonzero(m[i])
            ]
            out.append(combine(parts, float(offset[i])))
        return out

    # -- bounds -------------------------------------------------------------------------

    def _interval(self, e: Expression) -> tuple[float, float]:
        low, high = self.programme.bounds(e.columns)
        a, c = e.coefficients * low, e.coefficients * high
        return e.constant + np.minimum(a, c).sum(), e.constant + np.maximum(a, c).sum()

    def _sharp(self, e: Expression) -> tuple[float, float]:
        """Bounds by two linear programs over the relaxation, never wider than the interval."""
        low, high = self._interval(e)
        least, most = self.programme.range(e.columns, e.coefficients)
        if least is not None and most is not None:
            low, high = max(low, e.constant + least), min(high, e.constant + most)
        return low, max(low, high)

    def _named(self, e: Expression, low: float, high: float) -> Expression:
        """A column for an expression of several columns, so that rows stay short."""
        if len(e.columns) <= 1:
            return e
        column = self.programme.column(low, high)
        self._row(e.less(Expression.of(column)), 0.0, 0.0)
        return Expression.of(column)

    def _row(self, e: Expression, low: float, high: float) -> None:
        self.programme.row(e.columns, e.coefficients, low - e.constant, high - e.constant)

    # -- units --------------------------------------------------------------------------

    def _pointwise(self, z: Expression, kind: Any) -> tuple[Expression, Choice]:
        low, high = self._interval(z)
        breaks = [float(t) for t in kind.breaks]
        if any(low - _widen(low) <= t < high + _widen(high) for t in breaks):
            low, high = self._sharp(z)
        low, high = low - _widen(low), high + _widen(high)
        below = sum(t < low for t in breaks)
        crossed = [t for t in breaks if low <= t < high]
        slopes = [float(s) for s in kind.slopes[below : below + len(crossed) + 1]]
        line = slopes[0], float(kind.intercepts[below])
        if not crossed:
            if line[0] == 0:
                return combine([], line[1]), Choice((), below)
            z = self._named(z, low, high)
            return combine([(line[0], z)], line[1]), Choice((), below)
        parts, binaries, halves = [], [], []
        for t in crossed:
            p, q, d = self._rectifier(z, t, low, high)
            if not parts:  # z itself, in short
                above = combine([(1.0, Expression.of(p)), (-1.0, Expression.of(q))], t)
                parts.append((line[0], above))
                z = above
            else:  # a later breakpoint is below z only where the one before is
                self.programme.row(np.array([d, binaries[-1]]), np.array([1.0, -1.0]), -np.inf, 0)
            parts.append((slopes[len(parts)] - slopes[len(parts) - 1], Expression.of(p)))
            binaries.append(d)
            halves.append((p, q))
        return combine(parts, line[1]), Choice(tuple(binaries), below, tuple(halves))

    def _rectifier(self, z: Expression, t: float, low: float, high: float) -> tuple[int, int, int]:
        """Equations (1)-(6) for ``z - t``, and the margin."""
        P = self.programme
        p, q = P.column(0.0, high - t), P.column(0.0, t - low)
        d = P.column(0.0, 1.0, binary=True)
        difference = Expression(np.array([p, q]), np.array([1.0, -1.0]), t)
        self._row(z.less(difference), 0.0, 0.0)
        P.row(np.array([p, d]), np.array([1.0, t - high]), -np.inf, 0.0)
        P.row(np.array([q, d]), np.array([1.0, t - low]), -np.inf, t - low)
        # f <= p + (1 - d), and f <= q + d where the other side is to be strict as well
        P.row(np.array([self.model.f, p, d]), np.array([1.0, -1.0, 1.0]), -np.inf, 1.0)
        if self.both_sides:
            P.row(np.array([self.model.f, q, d]), np.array([1.0, -1.0, -1.0]), -np.inf, 0.0)
        return p, q, d

    def _max(self, forms: list[Expression]) -> tuple[Expression, Choice]:
        first = _distinct(forms)  # an equal later argument never wins
        ranges = [self._sharp(forms[a]) for a in first]
        ranges = [(low - _widen(low), high + _widen(high)) for low, high in ranges]
        floor = max(low for low, _ in ranges)
        alive = [(a, r) for a, r in zip(first, ranges, strict=True) if r[1] >= floor]
        z = [self._named(forms[a], *r) for a, r in alive]
        arguments = tuple(a for a, _ in alive)
        if len(alive) == 1:
            return z[0], Choice((), arguments=arguments)
        top = max(r[1] for _, r in alive)
        h = self.programme.column(floor, top)
        w = [self.programme.column(0.0, 1.0, binary=True) for _ in alive]
        self.programme.row(np.array(w), np.ones(len(w)), 1.0, 1.0)
        for a, (_, (low, _)) in enumerate(alive):
            room = top - low
            lead = Expression.of(h).less(z[a])
            self._row(lead, 0.0, np.inf)
            self._row(combine([(1.0, lead), (room, Expression.of(w[a]))], 0.0), -np.inf, room)
            for b in range(len(alive)):  # f <= h - z_b + (1 - w_a) where a must be ahead of b
                if b < a or (b > a and self.both_sides):
                    ahead = Expression.of(h).less(z[b])
                    parts = [(1.0, Expression.of(self.model.f)), (-1.0, ahead)]
                    self._row(combine([*parts, (1.0, Expression.of(w[a]))], 0.0), -np.inf, 1.0)
        return Expression.of(h), Choice(tuple(w), arguments=arguments)


def _widen(x: float) -> float:
    return SLACK * (1.0 + abs(x))


def _distinct(forms: list[Expression]) -> list[int]:
    """Positions of the expressions that equal no earlier one."""
    seen, out = set(), []
    for a, e in enumerate(forms):
        key = e.columns.tobytes(), e.coefficients.tobytes(), e.constant
        if key not in seen:
            seen.add(key)
            out.append(a)
    return out


def of_size_one(problem: Restricted) -> Restricted:
    """The problem with units measured so that their rows are of size about one.

    The solver's tolerances are absolute. Coordinates stay what they are, so a domain far from size
    one is refused.
    """
    A, b = rounded(problem.A), rounded(problem.b)
    e = np.concatenate([exponents(A).ravel(), exponents(b).ravel()])
    if np.max(np.abs(e), where=e != ZERO, initial=0) > LARGE:
        raise LinregionsError(
            f'engine="milp" works in floats, to an absolute {TOLERANCE:g}, and the numbers of '
            f'{problem.domain.describe()} are too far from 1 for that; give engine="search"'
        )
    with np.errstate(all="ignore"):
        if is_ordinary(problem.network, most=NEAR):
            return problem
    network = scaled(problem.network, np.zeros(problem.dimension, np.int64)).network
    return replace(problem, network=network)


def formulate(problem: Restricted, both_sides: bool = False) -> Model:
    """The model of a restricted network over a bounded polytope.

    Parameters
    ----------
    problem
        What `restrict` gave.
    both_sides
        Ask for the margin f on both sides of each breakpoint, and of the winner over all other
        arguments. Otherwise, as in the paper, where a unit is active only.
    """
    if not Balls(problem.dimension).inradius(rounded(problem.A), rounded(problem.b)) > TOLERANCE:
        raise LinregionsError(
            f"{problem.domain.describe()} has no interior: it is empty or flat; a flat domain "
            "is a Slice of a full-dimensional one"
        )
    builder = _Builder(problem, both_sides)
    for number, layer in enumerate(problem.network.layers, start=1):
        builder.layer(number, layer)
    return builder.model
