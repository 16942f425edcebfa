"""Breakpoints along segments and lines for networks that the line engine does not take.

Max units, and networks too large for dense weights: a segment is refined as a complex of dimension
one. Its vertices, from one end to the other, are the breakpoints, and the rows that switch at
each are those in which the cells on both sides differ.

Half of an infinite line, t = c s / (1 - s) with 0 <= s < 1, is a segment of another network: all
values times 1 - s. The input becomes c s and the constant 1 - s. Units that bend at zero, and max
units, commute with a positive factor; one that bends at b is rectifiers at b (1 - s).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ..complex.cells import CellComplex
from ..complex.engine import Refinement
from ..complex.program import is_large
from ..complex.undecided import Corners
from ..domain.domains import Box, Line, Segment
from ..domain.restrict import Restricted, composed, restrict
from ..errors import LinregionsError
from ..large.reduce import Reduced, memory
from ..large.whole import Places, whole_signs
from ..network.affine import INPUT, ONE, Affine, Term
from ..network.network import Layer, Network, check_matrices
from ..network.rational import nearest
from ..network.scaling import along
from ..network.units import RELU, MaxUnits, Pointwise

AT_ONCE = 1 << 24  # signs compared at once
LARGE = 1 << 20  # entries of sparse weights, zeros included, beyond which they stay sparse


def is_wide(network: Network) -> bool:
    """Whether the line engine leaves a network to this one.

    Max units; weights that would not fit as dense matrices, or would make its rational sweeps
    endless; so many units that the values of all of them at all breakpoints do not fit.
    """
    if any(isinstance(layer.units, MaxUnits) for layer in network.layers) or is_large(network):
        return True
    sizes = [network.inputs, *network.widths]
    maps = [layer.affine for layer in network.layers]
    entries = [a.size * sizes[s] for a in maps for s in a.sources if a.is_sparse(s)]
    units = sum(network.widths)
    room = 32 * units * (2 * units + 3 * max(network.widths, default=0))  # of one segment
    return sum(entries) > LARGE or room > memory()


class _Piece(NamedTuple):
    """A refined segment: vertices and cells from end to end, and what t is at a parameter s."""

    cells: CellComplex
    vertices: np.ndarray
    order: np.ndarray
    time: Any

    def starts(self) -> np.ndarray:
        """Signs on the first interval."""
        return self._signs(self.order[:1])

    def last(self) -> np.ndarray:
        """Signs on the last interval."""
        return self._signs(self.order[-1:])

    def _signs(self, cell: np.ndarray) -> np.ndarray:
        problem = self.cells.problem
        if problem.reduced is None:
            return self.cells.signs(cell)[0] > 0
        return whole_signs(problem.source, self.cells.whole_patterns(cell)[0])

    def flips(self) -> Iterator[np.ndarray]:
        """Rows that switch at each breakpoint."""
        if self.cells.problem.reduced is not None:
            yield from self._whole_flips(self.cells.problem.reduced)
            return
        step = max(2, AT_ONCE // max(self.cells.signs([0]).shape[1], 1))
        for at in range(0, len(self.order) - 1, step - 1):
            signs = self.cells.signs(self.order[at : at + step])
            for before, after in pairwise(signs):
                yield np.flatnonzero(before != after)

    def _whole_flips(self, reduced: Reduced) -> Iterator[np.ndarray]:
        """The same of a large network, in rows of the whole."""
        places = Places(self.cells.problem.source, reduced.numbers)
        patterns = reduced.winners(self.cells.patterns(self.order))
        for before, after in pairwise(patterns):
            units = np.flatnonzero(before != after)
            rows = [places.between(u, int(before[u]), int(after[u])) for u in units.tolist()]
            yield np.sort(np.concatenate(rows))

    def exactly(self) -> list[Fraction]:
        """The breakpoints as rationals."""
        if self.cells.problem.reduced is not None:
            raise LinregionsError(
                "breakpoints of a network of this size are known in float64, not as rationals"
            )
        out = []
        for v, cell in zip(self.vertices[1:-1], self.order[:-1], strict=True):
            bits = self.cells._bits(np.array([cell]))[0]
            corner = Corners(self.cells._forms, self.cells.lattice, int(cell), bits)
            (s,) = corner.at(int(v))
            out.append(self.time(Fraction(int(s.p), int(s.q)) * Fraction(self.cells._plan.unit[0])))
        return out


def _refine(problem: Restricted, time: Any) -> _Piece:
    engine = Refinement(problem)
    refined = engine.run()
    if not refined.complete:
        raise KeyboardInterrupt
    cells = CellComplex(problem, engine, refined)
    ends, sides = cells.faces(1)[1].reshape(-1, 2), cells.facet_cells
    v = int(np.flatnonzero((cells.facet_row < 0) & (cells.points[:, 0] == 0.0))[0])
    vertices, order, before = [v], [], -1
    while True:
        after = int(sides[v, 0] if sides[v, 0] != before else sides[v, 1])
        if after < 0:
            return _Piece(cells, np.array(vertices), np.array(order), time)
        order.append(after)
        v = int(ends[after, 0] if ends[after, 0] != v else ends[after, 1])
        vertices.append(v)
        before = after


def _pieces(network: Network, given: Any, i: int) -> list[_Piece]:
    """One segment, or the halves of a line towards minus and plus infinity."""
    p, q = given.exactly.get(i, (given.p[i], given.q[i]))
    if not given.lines:
        known = network.__dict__.get("_last_segment")
        key = (np.asarray(p).tobytes(), np.asarray(q).tobytes())
        if known is not None and known[0] == key and np.asarray(p).dtype != object:
            return known[1]
        problem = restrict(network, Segment(p, q), switching=True)
        found = [_refine(problem, lambda t: t)]
        if problem.reduced is not None:  # it took a minute: maps will be asked for
            network.__dict__["_last_segment"] = key, found
        return found
    if network.convolutions:
        check_matrices(network)
    on_line = composed(network, Line(p, q).chart(network.inputs))
    (scale,) = along(given.p[i : i + 1], given.q[i : i + 1]).tolist()
    out = []
    for c in (-scale, scale):
        half = restrict(half_line(on_line, c), Box(0.0, 1.0))
        out.append(_refine(half, lambda s, c=c: Fraction(c) * s / (1 - s)))
    return out


def half_line(network: Network, c: float) -> Network:
    """The network of s in [0, 1) whose values are those at t = c s / (1 - s), times 1 - s."""
    linear: dict[int, Affine] = {}  # of layers that became rectifiers: what they pass on as it is
    bends: dict[int, np.ndarray] = {}

    def change(term: Term) -> list[Term]:
        if term.source == INPUT:
            return [term.before(np.array([[c]]), INPUT)]
        if term.source == ONE:
            return [term, term.before(np.array([[-1.0]]), INPUT)]
        if term.source not in bends:
            return [term]
        kept = linear[term.source].terms
        passed = [Term(t.source, (*t.factors, *term.factors)) for t in kept]
        return [term.before(bends[term.source], term.source), *passed]

    layers = []
    for number, layer in enumerate(network.layers, start=1):
        affine, units = layer.affine.replace(change), layer.units
        if isinstance(units, Pointwise) and not all(_homogeneous(k) for k in units.kinds):
            kinds = [units.kinds[w] for w in units.which]
            first = [Fraction(k.slopes[0]) for k in kinds]
            constant = Affine(
                units.size, tuple(change(_constant([k.intercepts[0] for k in kinds])))
            )
            linear[number] = affine.then(_diagonal(first)) + constant
            rows = [(u, k, r) for u, k in enumerate(kinds) for r in range(len(k.breaks))]
            spread, bend = np.zeros((2, len(rows), units.size), dtype=object)
            for n, (u, kind, r) in enumerate(rows):
                spread[n, u] = Fraction(1)
                bend[n, u] = Fraction(kind.slopes[r + 1]) - Fraction(kind.slopes[r])
            spread, bend = (_fractions(m) for m in (spread, bend))
            bends[number] = bend.T
            places = Affine(
                len(rows), tuple(change(_constant([-Fraction(k.breaks[r]) for _, k, r in rows])))
            )
            affine = affine.then(spread) + places
            units = Pointwise.uniform(RELU, len(rows))
        layers.append(Layer(affine, units))
    return Network(1, tuple(layers), network.output.replace(change))


def _homogeneous(kind: Any) -> bool:
    return all(t == 0 for t in kind.breaks) and not any(kind.intercepts)


def _fractions(matrix: np.ndarray) -> np.ndarray:
    out = np.empty(matrix.shape, dtype=object)
    out[...] = [[Fraction(x) for x in row] for row in matrix]
    return out


def _diagonal(values: list[Fraction]) -> np.ndarray:
    return _fractions(np.diag(np.array(values, dtype=object)))


def _constant(values: list[Fraction]) -> Term:
    return Term(ONE, (_fractions(np.array(values, dtype=object).reshape(-1, 1)),))


# -- what `Crossings` asks ----------------------------------------------------------------------


class WideBreaks(NamedTuple):
    """Of one segment: breakpoints, the rows that switch at each, signs on the first interval."""

    t: np.ndarray
    rows: list[np.ndarray]
    start: np.ndarray
    undecided: int = 0  # vertices of a large network that are not certified


def breaks(network: Network, given: Any, i: int) -> WideBreaks:
    """The breakpoints of one segment or line."""
    parts = _pieces(network, given, i)
    times, rows = [], []
    for part in parts:
        s = np.maximum.accumulate(part.cells.points[part.vertices[1:-1], 0])
        if given.lines and np.any(s >= 1.0):  # beyond what floats tell from infinity
            times.append([nearest(t) for t in part.exactly()])
        else:
            times.append([nearest(part.time(Fraction(v))) if given.lines else v for v in s])
        rows.append(list(part.flips()))
    if not given.lines:
        return WideBreaks(np.array(times[0]), rows[0], parts[0].starts(), parts[0].cells.in_doubt)
    here, there = parts[0].starts(), parts[1].starts()
    middle = [] if (here == there).all() else [0.0]
    joint = [np.flatnonzero(here != there)] if middle else []
    t = np.array([*times[0][::-1], *middle, *times[1]])
    return WideBreaks(t, [*rows[0][::-1], *joint, *rows[1]], parts[0].last())


def exact_times(network: Network, given: Any, i: int) -> list[Fraction]:
    """The breakpoints as rationals."""
    parts = _pieces(network, given, i)
    out = parts[0].exactly()
    if given.lines:
        middle = [] if (parts[0].starts() == parts[1].starts()).all() else [Fraction(0)]
        out = [*out[::-1], *middle, *parts[1].exactly()]
    return out


def maps(network: Network, given: Any, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Slope and intercept of every interval of all segments, (intervals, outputs) each."""
    slopes, shifts = [], []
    for i in range(count):
        parts = _pieces(network, given, i)
        same = len(parts) > 1 and (parts[0].starts() == parts[1].starts()).all()
        for n, part in enumerate(parts):
            order = part.order[int(n == 1 and same) :]
            W, b = part.cells.affine_maps(order[::-1] if len(parts) == 2 and n == 0 else order)
            slope = W[:, :, 0]
            if given.lines:
                with np.errstate(over="ignore", under="ignore"):
                    slope = (slope + b) / float(part.time(Fraction(1, 2)))
            slopes.append(slope)
            shifts.append(b)
    return np.concatenate(slopes), np.concatenate(shifts)


def labels(network: Network, given: Any, i: int) -> np.ndarray:
    """A number for each interval, equal exactly where the affine maps of t are."""
    parts = _pieces(network, given, i)
    if not given.lines:
        return parts[0].cells.affine[parts[0].order]
    seen: dict[Any, int] = {}
    lists = []
    for part in parts:
        c = part.time(Fraction(1, 2))
        sizes = [Fraction(2) ** int(e) for e in part.cells._plan.outputs]
        maps = []
        for pattern in part.cells.patterns(part.order):
            flat, den = part.cells._forms.output(pattern)
            pairs = zip(flat[::2], flat[1::2], sizes, strict=True)
            maps.append(tuple((s * (a + b) / c / den, s * b / den) for a, b, s in pairs))
        lists.append([seen.setdefault(m, len(seen)) for m in maps])
    same = (parts[0].starts() == parts[1].starts()).all()
    return np.array([*lists[0][::-1], *lists[1][int(same) :]])
