"""A network in integers, for the oracle: exact factors, exact slopes, one denominator a layer.

Values are lists of integer vectors over one positive denominator. The vectors are affine forms
(gradient..., offset) in the coordinates of the domain, or single numbers at one point: the same
sums serve both. Only the data of a `Network` are read, none of the library's arithmetic.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import gcd, lcm

from ..network.network import Network
from ..network.units import MaxUnits
from .cones import Cone

ONE = -1  # the source of constants, as in `Network`


def rational(x):
    """The exact value of a Python or numpy number, or of a decimal or fraction in a string."""
    return Fraction(x.item() if hasattr(x, "item") else x)


def integers(rows):
    """Rows of numbers as sparse rows of (column, integer), and their common denominator."""
    exact = [[(j, rational(v)) for j, v in enumerate(row) if v != 0] for row in rows]
    d = lcm(*(v.denominator for row in exact for _, v in row))
    return [[(j, v.numerator * (d // v.denominator)) for j, v in row] for row in exact], d


def applied(matrix, values):
    """A matrix of `integers` times values (vectors, denominator)."""
    (rows, d), (vectors, scale) = matrix, values
    size = len(vectors[0])
    out = []
    for row in rows:
        total = [0] * size
        for j, w in row:
            total = [t + w * v for t, v in zip(total, vectors[j], strict=True)]
        out.append(total)
    return out, d * scale


def added(values, others):
    """The sum of two lists of vectors with their denominators."""
    (u, d), (v, e) = values, others
    common = lcm(d, e)
    p, q = common // d, common // e
    return [
        [p * a + q * b for a, b in zip(x, y, strict=True)] for x, y in zip(u, v, strict=True)
    ], common


def lowest(values):
    """The same values over their least denominator."""
    vectors, d = values
    g = gcd(d, *(c for v in vectors for c in v))
    return ([[c // g for c in v] for v in vectors], d // g) if g > 1 else values


@dataclass(frozen=True)
class Bends:
    """A pointwise unit: rational breakpoints, and slope and intercept of each piece."""

    breaks: tuple
    pieces: tuple

    @classmethod
    def of(cls, breaks, slopes, value):
        """Of breakpoints, slopes and the value at the first breakpoint (at 0 without any)."""
        t, s = [rational(v) for v in breaks], [rational(v) for v in slopes]
        shifts = [rational(value) - s[0] * (t[0] if t else 0)]
        for i, at in enumerate(t):
            shifts.append(shifts[-1] + (s[i] - s[i + 1]) * at)
        return cls(tuple(t), tuple(zip(s, shifts, strict=True)))


@dataclass(frozen=True)
class Piecewise:
    """``layers`` of (terms, units); a term is (source, matrices), the units are `Bends`, or
    groups of arguments of max units."""

    inputs: int
    layers: list
    output: list

    @classmethod
    def of(cls, net, slope=0):
        """Of a `Network`, or of pairs (W, b) with leaky ReLU units of the given slope."""
        if isinstance(net, Network):
            layers = [(_terms(m.affine), _units(m.units)) for m in net.layers]
            return cls(net.inputs, layers, _terms(net.output))
        unit = Bends.of((0,), (slope, 1), 0)
        maps = []
        for i, (W, b) in enumerate(net):
            bias = [0] * len(W) if b is None else b
            maps.append([(i, [integers(W)]), (ONE, [integers([[c] for c in bias])])])
        layers = [(m, [unit] * len(W)) for m, (W, _) in zip(maps[:-1], net, strict=False)]
        return cls(len(net[0][0][0]), layers, maps[-1])

    def affine(self, terms, values):
        """A sum of terms, on values by source."""
        parts = []
        for source, matrices in terms:
            part = values[source]
            for matrix in matrices:
                part = applied(matrix, part)
            parts.append(part)
        return lowest(reduce(added, parts))

    def after(self, units, z, pieces, one):
        """Outputs of a layer on the given pieces; ``one`` is the vector of the number 1."""
        vectors, scale = z
        if units and not isinstance(units[0], Bends):
            return [vectors[group[p]] for group, p in zip(units, pieces, strict=True)], scale
        chosen = [unit.pieces[p] for unit, p in zip(units, pieces, strict=True)]
        d = lcm(*(x.denominator for pair in chosen for x in pair))
        out = []
        for (slope, shift), v in zip(chosen, vectors, strict=True):
            s, c = int(slope * d), int(shift * d) * scale
            out.append(
                [s * a + c * b for a, b in zip(v, one, strict=True)] if c else [s * a for a in v]
            )
        return out, scale * d

    def at(self, x):
        """Pieces and outputs at a rational point in input coordinates."""
        return self.run({0: _numbers(x), ONE: ([[1]], 1)})

    def run(self, values):
        """Pieces and outputs from the numbers of the inputs and of the constant."""
        pieces, values = [], dict(values)
        for number, (terms, units) in enumerate(self.layers, start=1):
            z = self.affine(terms, values)
            numbers = [Fraction(v, z[1]) for (v,) in z[0]]
            mine = [_piece(unit, u, numbers) for u, unit in enumerate(units)]
            values[number] = self.after(units, z, mine, [1])
            pieces += mine
        out, scale = self.affine(self.output, values)
        return tuple(pieces), [Fraction(v, scale) for (v,) in out]


def _numbers(x):
    d = lcm(*(v.denominator for v in map(rational, x)))
    return [[int(rational(v) * d)] for v in x], d


def _piece(unit, u, z):
    """Breakpoints strictly below the number, or the first argument that no other exceeds."""
    if isinstance(unit, Bends):
        return sum(z[u] > t for t in unit.breaks)
    return max(range(len(unit)), key=lambda p: (z[unit[p]], -p))


def _terms(affine):
    """Terms in integers; a constant zero stands where there are none."""
    terms = []
    for term in affine.terms:
        dense = [f.toarray() if hasattr(f, "toarray") else f for f in term.factors]
        terms.append((term.source, [integers(f.tolist()) for f in dense]))
    return terms or [(ONE, [([[]] * affine.size, 1)])]


def _units(units):
    if isinstance(units, MaxUnits):
        return [tuple(group) for group in units.groups]
    kinds = [Bends.of(k.breaks, k.slopes, k.value) for k in units.kinds]
    return [kinds[w] for w in units.which]


def split(cone, unit, u, z):
    """(piece, part of the cone) of one unit, for pre-activations z; ties to the lowest piece."""
    vectors, scale = z
    if not isinstance(unit, Bends):
        yield from _winners(cone, [vectors[i] for i in unit])
        return
    for piece, t in enumerate(unit.breaks):
        edge = [t.denominator * c for c in vectors[u]]
        edge[-1] -= t.numerator * scale
        above, below = cone.split(edge)
        if below is not None or above is None:
            yield piece, cone if below is None else below
        if above is None:
            return
        cone = above
    yield len(unit.breaks), cone


def _winners(cone, arguments):
    for i, mine in enumerate(arguments):
        part = cone
        for j, other in enumerate(arguments):
            lead = [a - b for a, b in zip(mine, other, strict=True)]
            if part is not None and i != j and (any(lead) or i > j):
                part = part.split(lead)[0]
        if part is not None:
            yield i, part


def identity(n):
    """The forms of n inputs and of the number 1."""
    unit = [list(row) for row in Cone.whole(n + 1).lines]
    return {0: (unit[:-1], 1), ONE: (unit[-1:], 1)}
