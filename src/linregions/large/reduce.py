"""A large network on a small slice: the network of the units that switch there.

Layer by layer the k coordinates, the constant and the outputs of the units that switch are pushed
through the layer, one column each, in fixed-point numbers. Intervals then tell which units may
switch on the slice; all others are on one piece, so the layer is affine in what has switched
before. A few dozen of millions of units are left (`Reduced.network`), with weights in float64 and
a bound of how far each pre-activation is from that of the network given (`Reduced.radius`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from ..errors import LinregionsError
from ..network.affine import INPUT, ONE, Affine, Term
from ..network.network import Layer, Network
from ..network.rational import nearest, rounded
from ..network.units import MaxUnits, Pointwise
from ..progress import current
from .columns import Column, ColumnFactor, added, column, times
from .fixed import BITS, TOP, split, to_float, to_ints

DIGITS = 9  # of the fixed-point numbers: steps of 2^-120
MOST = 3000  # units that may switch
SEEN = 1e-200  # marks what reads something, in bounds of errors


class Kept(NamedTuple):
    """What a layer of the small network is of the given one.

    ``layer`` from 1; ``units`` numbers within it; ``args`` of max units: positions of the
    arguments kept, for each unit; ``picks`` (rows,): the unit of the small network whose output
    a row is exactly, `ZERO` where it is 0, else `OTHER`.
    """

    layer: int
    units: np.ndarray
    args: list[np.ndarray] | None
    picks: np.ndarray


OTHER, ZERO = -1, -2


@dataclass(frozen=True, eq=False)
class Reduced:
    """A small network that stands for a large one on a slice.

    Attributes
    ----------
    network
        Of k coordinates; its units are those of the given network that may switch.
    kept
        For each of its layers, where it comes from.
    pieces
        For each layer of the given network the piece of every unit; of those that are kept, 0.
    radius
        For each layer and the output: how far rows are at most from the exact ones, anywhere on
        the slice, where what they read is exact.
    bytes
        Largest size of all columns together.
    """

    network: Network
    kept: tuple[Kept, ...]
    pieces: tuple[np.ndarray, ...]
    radius: tuple[np.ndarray, ...]
    bytes: int

    @property
    def numbers(self) -> np.ndarray:
        """Numbers of the units kept, from 0 through the given network."""
        before = np.cumsum([0, *map(len, self.pieces)])
        parts = [before[kept.layer - 1] + kept.units for kept in self.kept]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    def winners(self, patterns: np.ndarray) -> np.ndarray:
        """Pieces of the units kept, as the given network numbers them."""
        out, at = patterns.copy(), 0
        for kept in self.kept:
            for u, places in enumerate(kept.args or ()):
                out[:, at + u] = places[patterns[:, at + u]]
            at += len(kept.units)
        return out

    def whole(self, patterns: np.ndarray) -> np.ndarray:
        """Patterns of the given network, (n, units), from those of the small one.

        Raises
        ------
        LinregionsError
            Where they would take more than 4 GB.
        """
        units = sum(map(len, self.pieces))
        if len(patterns) * units > 1 << 32:
            raise LinregionsError(
                f"{len(patterns):,} patterns of {units:,} units would take "
                f"{len(patterns) * units / 1e9:,.0f} GB; ask for fewer cells at a time"
            )
        out = np.tile(np.concatenate([np.zeros(0, np.uint8), *self.pieces]), (len(patterns), 1))
        out[:, self.numbers] = self.winners(patterns)
        return out


class _Source(NamedTuple):
    columns: dict[int, Column]
    error: np.ndarray


class _Rows(NamedTuple):
    """Rows of the small network: digits of each column, and the errors."""

    values: dict[int, list[int]]
    error: np.ndarray


def ranges(A: Any, b: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the coordinates where rows of single coordinates give them."""
    A, b = rounded(np.asarray(A)), rounded(np.asarray(b))
    low, high = np.full(k, -np.inf), np.full(k, np.inf)
    for row, value in zip(A, b, strict=True):
        (at,) = np.nonzero(row)
        if len(at) == 1:
            j, limit = at[0], value / row[at[0]]
            limit += np.sign(row[j]) * 1e-15 * abs(limit)
            if row[j] > 0:
                high[j] = min(high[j], limit)
            else:
                low[j] = max(low[j], limit)
    if not np.isfinite([low, high]).all():
        raise LinregionsError(
            "a network of this size is looked at on a bounded slice whose coordinates have "
            "bounds: give a Plane, a Segment or Slice(..., within=Box(lo, hi))"
        )
    return low, high


def reduce(network: Network, chart: Any, digits: int = DIGITS) -> Reduced:
    """The network of the units that may switch on a slice.

    ``chart``: coordinates of at most four dimensions, with bounds (`domain.domains.Chart`).

    Raises
    ------
    LinregionsError
        Where more than `MOST` units may switch: the slice is too large.
    """
    return _Reduction(network, chart, digits).run()


def memory() -> int:
    """Bytes of memory that may be taken: nine tenths of the machine's."""
    try:
        return int(0.9 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # not on every system
        return 1 << 62


class _Reduction:
    def __init__(self, network: Network, chart: Any, digits: int) -> None:
        self.net, self.digits, self.k = network, digits, chart.dimension
        self.room = memory()
        widest = max([network.inputs, *(layer.affine.size for layer in network.layers)])
        # columns of a layer and of the next, the one at work with its carries
        self._check(8 * digits * widest * (2 * self.k + 5), "a slice")
        low, high = ranges(chart.A, chart.b, self.k)
        reach = np.maximum(np.maximum(np.abs(low), np.abs(high)), 2.0**-1000)
        self.power = [int(np.frexp(r)[1]) for r in reach]  # of each variable: bound 2^power
        scale = np.ldexp(1.0, self.power)
        self.middle = [*((low + high) / 2 / scale).tolist(), 1.0]
        self.half = [*((high - low) / 2 / scale * (1 + 1e-12)).tolist(), 0.0]
        self.power.append(0)
        self.sources: dict[int, _Source] = {ONE: self._one(), INPUT: self._input(chart, scale)}
        self.kept: list[Kept] = []
        self.rows: list[_Rows] = []
        self.units: list[Any] = []
        self.pieces: list[np.ndarray] = []
        self.most = 0

    def _check(self, size: int, what: str) -> None:
        if size > self.room:
            raise LinregionsError(
                f"{what} of a network of {self.net.units:,} units would take {size / 1e9:,.1f} GB, "
                f"and there are {self.room / 1e9:,.1f} GB; take a smaller slice or a larger machine"
            )

    def _one(self) -> _Source:
        X = np.zeros((self.digits, 1))
        X[TOP] = 1.0
        return _Source({self.k: Column(None, X)}, np.zeros(1))

    def _input(self, chart: Any, scale: np.ndarray) -> _Source:
        n, k = self.net.inputs, self.k
        basis = np.eye(n) if chart.basis is None else np.asarray(chart.basis)
        columns, error = {}, np.zeros(n)
        for c in range(k + 1):
            if c == k and chart.origin is None:
                continue
            given: Any = chart.origin if c == k else basis[:, c]
            if given.dtype == object:
                factor = Fraction(1) if c == k else Fraction(float(scale[c]))
                values = np.empty(n, dtype=object)
                values[:] = [Fraction(x) * factor for x in given]
            else:
                values = given * (1.0 if c == k else scale[c])
            parts, left = split(values, -TOP, self.digits - 1 - TOP)
            X = np.zeros((self.digits, n))
            for d, part in parts.items():
                X[d + TOP] = part
            error += left
            if X.any():
                columns[c] = Column(None, X)
        return _Source(columns, error)

    # -- the walk -------------------------------------------------------------------------

    def run(self) -> Reduced:
        net = self.net
        readers = [*(layer.affine for layer in net.layers), net.output]
        last = {s: n for n, a in enumerate(readers) for s in a.sources}
        clock = current()
        stage = clock.stage
        for n, affine in enumerate(readers):
            if clock.watched:
                clock.stage = f"layer {n + 1} of {len(readers)}"
            z = self._affine(affine)
            for s in [s for s in self.sources if s != ONE and last.get(s, n) <= n]:
                del self.sources[s]
            if n == len(net.layers):
                self._note(z, np.arange(affine.size))
                break
            units = net.layers[n].units
            if isinstance(units, MaxUnits):
                self.sources[n + 1] = self._largest(n + 1, units, z)
            else:
                self.sources[n + 1] = self._pointwise(n + 1, units, z)
            size = sum(c.X.nbytes for s in self.sources.values() for c in s.columns.values())
            self.most = max(self.most, size)
            self._check(3 * size, f"{len(self.middle) - self.k - 1:,} units that may switch")
        if clock.watched:
            clock.stage = stage
        return self._network()

    def _affine(self, affine: Affine) -> _Source:
        columns: dict[int, Column] = {}
        error = np.zeros(affine.size)
        for term in affine.terms:
            of = self.sources[term.source]
            mine: dict[int, Column] = dict(of.columns)
            e = of.error
            for part in term.parts:
                factor = ColumnFactor(part)
                if factor.kind == "same":
                    continue
                seen = np.zeros(len(e), bool)
                for old in mine.values():
                    seen[slice(None) if old.at is None else old.at] |= old.X.any(axis=0)
                mine, lost = factor.apply(mine)
                e = factor.bound(e + SEEN * seen)
                e[e > 0.0] += lost
                factor.free()
            for c, value in mine.items():
                both = added(columns.get(c), value, affine.size)
                if both is not None:
                    columns[c] = both
            error += e
        return _Source(columns, error * (1 + 1e-12))

    # -- units ----------------------------------------------------------------------------

    def _bounds(self, z: _Source, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Middle of each entry's range over the slice, and half its width."""
        middle, half, total = np.zeros(size), z.error.copy(), np.zeros(size)
        for c, (at, X) in z.columns.items():
            f = to_float(X)
            to = slice(None) if at is None else at
            middle[to] += f * self.middle[c]
            half[to] += np.abs(f) * self.half[c]
            total[to] += np.abs(f)
        return middle, half * (1 + 1e-9) + total * 1e-14

    def _new(self, lows: np.ndarray, highs: np.ndarray) -> int:
        """Variables for units with outputs in these ranges; the number of the first."""
        first = len(self.middle)
        if first + len(lows) - self.k - 1 > MOST:
            raise LinregionsError(
                f"more than {MOST:,} units may switch on this slice of a network of "
                f"{self.net.units:,} units; take a smaller one (such as a tenth of its size)"
            )
        for low, high in zip(lows.tolist(), highs.tolist(), strict=True):
            power = max(int(np.frexp(max(abs(low), abs(high)))[1]), -100)
            self.power.append(power)
            self.middle.append((low + high) / 2 / 2.0**power)
            self.half.append((high - low) / 2 / 2.0**power * (1 + 1e-12))
        return first

    def _unit_columns(self, first: int, units: np.ndarray) -> dict[int, Column]:
        """The outputs of units as columns of their own."""
        out = {}
        for v, unit in enumerate(units.tolist(), start=first):
            X = np.zeros((self.digits, 1))
            parts, _ = split(np.array([2.0 ** self.power[v]]), -TOP, self.digits - 1 - TOP)
            for d, part in parts.items():
                X[d + TOP] = part
            out[v] = Column(np.array([unit]), X)
        return out

    def _pointwise(self, number: int, units: Pointwise, z: _Source) -> _Source:
        size = units.size
        middle, half = self._bounds(z, size)
        low, high = middle - half, middle + half
        which = np.asarray(units.which)
        piece, open_ = np.zeros(size, np.uint8), np.zeros(size, bool)
        for w, kind in enumerate(units.kinds):
            mine = slice(None) if len(units.kinds) == 1 else which == w
            for t in kind.breaks:
                at = nearest(Fraction(t))
                slack = 0.0 if Fraction(at) == t else 1e-15 * abs(at)
                above = low[mine] > at + slack
                piece[mine] += above
                open_[mine] |= ~above & (high[mine] > at - slack)
        units_open = np.flatnonzero(open_)
        piece[units_open] = 0
        self.pieces.append(piece)
        columns, error = self._sloped(units, which, piece, open_, z)
        if len(units_open):
            kinds = [units.kinds[which[u]] for u in units_open]
            kept = Pointwise.each(kinds)
            sides = (low[units_open].tolist(), high[units_open].tolist())
            ends = [_range(*each) for each in zip(kinds, *sides, strict=True)]
            self._keep(Kept(number, units_open, None, self._picks(z, units_open)), kept)
            self._note(z, units_open)
            first = self._new(*(np.array(e) for e in zip(*ends, strict=True)))
            columns |= self._unit_columns(first, units_open)
        return _Source(columns, error)

    def _sloped(
        self, units: Pointwise, which: np.ndarray, piece: np.ndarray, open_: np.ndarray, z: _Source
    ) -> tuple[dict[int, Column], np.ndarray]:
        """Columns of the outputs of the units that stay on their pieces."""
        size = units.size
        slopes = np.zeros(size)
        shifts: np.ndarray | None = None
        for w, kind in enumerate(units.kinds):
            for p, (s, t) in enumerate(zip(kind.slopes, kind.intercepts, strict=True)):
                some = (which == w) & (piece == p) & ~open_
                if Fraction(nearest(Fraction(s))) != s:
                    raise LinregionsError(f"{kind.name}: a slope of {s}, which is no float64")
                slopes[some] = float(s)
                if t != 0 and some.any():
                    shifts = np.full(size, Fraction(0), object) if shifts is None else shifts
                    shifts[some] = Fraction(t)
        plain = bool(((slopes == 0.0) | (slopes == 1.0)).all())
        columns, error = {}, np.abs(slopes) * z.error
        on = slopes != 0.0
        for c, old in z.columns.items():
            if not plain:
                old, lost = times(slopes, old)
                error[on] += lost
            if old.at is None:
                new: Column | None = Column(None, old.X * on if plain else old.X)
            else:
                stay = on[old.at]
                new = column(old.at[stay], old.X[:, stay], size)
            if new is not None:
                columns[c] = new
        if shifts is not None:
            parts, left = split(shifts, -TOP, self.digits - 1 - TOP)
            X = np.zeros((self.digits, size))
            for d, part in parts.items():
                X[d + TOP] = part
            columns[self.k] = added(columns.get(self.k), Column(None, X), size)  # type: ignore
            error[X.any(axis=0)] += left
        return columns, error

    def _largest(self, number: int, units: MaxUnits, z: _Source) -> _Source:
        args = units.members
        middle, half = self._bounds(z, units.fan_in)
        best = args[np.arange(len(args)), np.argmax(middle[args], axis=1)]
        high, low = middle + half, middle - half
        rival = (high[args] >= low[best][:, None]) & (args != best[:, None])
        rival[:, 1:] &= args[:, 1:] != args[:, :1]  # padding
        g, p = np.nonzero(rival)
        gap, width, same = self._differences(z, args[g, p], best[g], units.fan_in)
        position = np.argmax(args == best[:, None], axis=1)
        for group, place in zip(g[same].tolist(), p[same].tolist(), strict=True):
            position[group] = min(position[group], place)  # of equal ones the first wins
        close = (gap + width >= 0.0) & ~same
        open_ = np.unique(g[close])
        lists: dict[int, list[int]] = {int(u): [int(position[u])] for u in open_}
        for group, place in zip(g[close].tolist(), p[close].tolist(), strict=True):
            lists[group].append(place)
        self.pieces.append(position.astype(np.uint8))
        self.pieces[-1][open_] = 0
        winner = args[np.arange(len(args)), position]
        winner[open_] = -1
        columns = {}
        for c, old in z.columns.items():
            if (new := _gathered(old, winner, units.fan_in)) is not None:
                columns[c] = new
        error = np.where(winner >= 0, z.error[winner], 0.0)
        if len(open_):
            places = [np.array(sorted(lists[int(u)])) for u in open_]
            places = [self._once(z, args[u], x) for u, x in zip(open_, places, strict=True)]
            lists_of = [args[u][x] for u, x in zip(open_, places, strict=True)]
            rows = np.unique(np.concatenate(lists_of))  # windows overlap
            groups = tuple(tuple(np.searchsorted(rows, x).tolist()) for x in lists_of)
            picks = self._picks(z, rows)
            self._keep(Kept(number, open_, places, picks), MaxUnits(groups, len(rows)))
            self._note(z, rows)
            lows = np.array([low[x].max() for x in lists_of])
            highs = np.array([high[x].max() for x in lists_of])
            columns |= self._unit_columns(self._new(lows, highs), open_)
        return _Source(columns, error)

    def _once(self, z: _Source, args: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Arguments without those that are exactly 0 like an earlier one."""
        zero = self._picks(z, args[places]) == ZERO
        first = np.flatnonzero(zero)[:1]
        zero[first] = False
        return places[~zero]

    def _differences(
        self, z: _Source, a: np.ndarray, b: np.ndarray, size: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Middle and half-width of ``z_a - z_b`` over the slice, and where both are exactly 0."""
        middle, half = np.zeros(len(a)), z.error[a] + z.error[b]
        total, nothing = np.zeros(len(a)), half == 0.0
        for c, old in z.columns.items():
            both = [_taken(old, x, size) for x in (a, b)]
            nothing &= ~both[0].any(axis=0) & ~both[1].any(axis=0)
            f = to_float(both[0] - both[1])
            middle += f * self.middle[c]
            half += np.abs(f) * self.half[c]
            total += np.abs(f)
        return middle, half * (1 + 1e-9) + total * 1e-14, nothing

    def _picks(self, z: _Source, rows: np.ndarray) -> np.ndarray:
        """Which unit each row is exactly (see `Kept`)."""
        out = np.where(z.error[rows] == 0.0, ZERO, OTHER)
        for c, old in z.columns.items():
            X = _taken(old, rows, len(z.error))
            some = X.any(axis=0)
            single = some & (out == ZERO) & (c > self.k)
            single[single] = to_float(X[:, single]) == 2.0 ** self.power[c]
            out[some] = OTHER
            out[single] = c - self.k - 1
        return out

    # -- the small network ----------------------------------------------------------------

    def _keep(self, kept: Kept, units: Any) -> None:
        self.kept.append(kept)
        self.units.append(units)

    def _note(self, z: _Source, rows: np.ndarray) -> None:
        values = {}
        for c, old in z.columns.items():
            X = _taken(old, rows, len(z.error))
            if X.any():
                values[c] = to_ints(X)
        self.rows.append(_Rows(values, z.error[rows]))

    def _network(self) -> Reduced:
        affines, radius = [], []
        sizes = [self.k, *(u.size for u in self.units)]
        starts = np.cumsum([0, self.k + 1, *sizes[1:]])
        for n, rows in enumerate(self.rows):
            affine, lost = self._small(rows, starts, sizes, n)
            affines.append(affine)
            radius.append(lost)
        layers = tuple(Layer(a, u) for a, u in zip(affines, self.units, strict=False))
        small = Network(self.k, layers, affines[-1], self.net.notes)
        return Reduced(small, tuple(self.kept), tuple(self.pieces), tuple(radius), self.most)

    def _small(
        self, rows: _Rows, starts: np.ndarray, sizes: list[int], n: int
    ) -> tuple[Affine, np.ndarray]:
        """One affine map in float64, and what it is off by."""
        count, one = len(rows.error), self.k
        lost = rows.error.copy()
        table = np.zeros((count, int(starts[n + 1])))
        shift = -BITS * (self.digits - 1 - TOP)
        for c, ints in rows.values.items():
            power = shift - self.power[c]
            for i, value in enumerate(ints):
                if value:
                    table[i, c] = _float(value, power)
                    lost[i] += abs(table[i, c]) * 2.0 ** (self.power[c] - 53)
        terms = [Term(INPUT, (table[:, :one],))]
        if table[:, one].any():
            terms.append(Term(ONE, (table[:, one : one + 1],)))
        for s in range(1, n + 1):
            block = table[:, starts[s] : starts[s + 1]]
            if block.any():
                terms.append(Term(s, (block,)))
        return Affine(count, tuple(terms)), lost * (1 + 1e-9)


def _float(value: int, power: int) -> float:
    """``value 2^power``, correctly rounded."""
    return value / (1 << -power) if power < 0 else float(value << power)


def _range(kind: Any, low: float, high: float) -> tuple[float, float]:
    """Bounds of a pointwise unit's output where its argument is between two numbers."""
    ends = [low, *(float(t) for t in kind.breaks if low < t < high), high]
    values = [float(kind(Fraction(x))) for x in ends]
    room = 1e-14 * max(map(abs, values))
    return min(values) - room, max(values) + room


def _taken(c: Column, rows: np.ndarray, size: int) -> np.ndarray:
    """Digits of some entries."""
    if c.at is None:
        return c.X[:, rows]
    out = np.zeros((len(c.X), len(rows)))
    place = np.searchsorted(c.at, rows)
    found = np.flatnonzero(place < len(c.at))
    found = found[c.at[place[found]] == rows[found]]
    out[:, found] = c.X[:, place[found]]
    return out


def _gathered(c: Column, index: np.ndarray, size: int) -> Column | None:
    """Entries ``index`` of a column, -1 for a zero."""
    if c.at is None:
        return Column(None, np.where(index >= 0, c.X[:, index], 0.0))
    place = np.full(size, -1)
    place[c.at] = np.arange(len(c.at))
    where = np.where(index >= 0, place[index], -1)
    at = np.flatnonzero(where >= 0)
    return column(at, c.X[:, where[at]], len(index)) if len(at) else None
