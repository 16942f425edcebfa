"""Exact reference counts for small networks, by generators of cones in integer arithmetic.

Nothing here is shared with the library. A cell {x : A x <= b} of R^n is kept as the cone
{(x, t) : t >= 0, b t - A x >= 0} of R^(n+1), and the cone by its lines and extreme rays, which the
double description method updates at each cut: a unit cuts the cell exactly when its affine form
takes both signs on the generators. Neither a linear program nor a witness point is involved, and
every number is a Python integer: weights are read as the rationals that they are, each layer is
scaled by a common denominator, and a positive scale changes no sign.

A network is a list of pairs (W, b); the last pair is the affine output and each earlier one is
followed by the unit z -> z if z > 0 else slope * z (ReLU by default). A domain is None (all of
R^n), `("box", lo, hi)`, `("polytope", A, b)` or simply `(A, b)`, meaning A x <= b. A pattern is the
tuple of all units' bits, layer by layer: 1 exactly where the pre-activation is positive on the
interior of the cell.
"""

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations, pairwise
from math import gcd, lcm


def rational(x):
    """The exact value of a Python or numpy number, or of a decimal or fraction in a string."""
    return Fraction(x.item() if hasattr(x, "item") else x)


def box(lo, hi):
    """The inequalities A x <= b of the box lo <= x <= hi."""
    n = len(lo)
    unit = [[int(i == j) for j in range(n)] for i in range(n)]
    A = unit + [[-v for v in row] for row in unit]
    return A, [rational(v) for v in hi] + [-rational(v) for v in lo]


# --- cones ---------------------------------------------------------------------------------------


def _dot(u, v):
    return sum(a * b for a, b in zip(u, v, strict=True))


def _primitive(v):
    """v divided by the greatest common divisor of its entries."""
    g = gcd(*v)
    return tuple(v) if g <= 1 else tuple(a // g for a in v)


@dataclass(frozen=True)
class Cone:
    """The cone spanned by `lines` (both ways) and `rays`, equal to {v : f.v >= 0, f in `forms`}.

    The rays are irredundant, each with the bit mask of the forms that vanish on it. The first
    `walls` forms belong to the domain.
    """

    lines: tuple
    rays: tuple
    forms: tuple
    walls: int = 0

    @classmethod
    def whole(cls, dimension):
        """All of R^dimension."""
        unit = tuple(tuple(int(i == j) for j in range(dimension)) for i in range(dimension))
        return cls(unit, (), ())

    def sides(self, form):
        """Whether `form` is positive, and whether it is negative, somewhere on the cone."""
        if any(_dot(form, line) for line in self.lines):
            return True, True
        values = [_dot(form, ray) for ray, _ in self.rays]
        return any(v > 0 for v in values), any(v < 0 for v in values)

    def cut(self, form, *signs):
        """The cones {sign * form >= 0}, one for each sign; {form = 0} for the sign 0."""
        new = 1 << len(self.forms)
        heights = [_dot(form, line) for line in self.lines]
        k = next((k for k, h in enumerate(heights) if h), None)
        if k is None:
            lines, ends = self.lines, {}
            values = [_dot(form, ray) for ray, _ in self.rays]
            kept = {s: [] for s in signs}
            for (ray, tight), v in zip(self.rays, values, strict=True):
                for s in signs:
                    if v == 0 or v * s > 0:
                        kept[s].append((ray, tight if v else tight | new))
            common = self._crossings(form, values, new)
        else:
            # Sliding along a line of the cone moves every other generator into {form = 0}
            # without touching the earlier forms, all of which vanish on that line.
            def slide(v):
                c = _dot(form, v)
                pairs = zip(v, self.lines[k], strict=True)
                return _primitive([(heights[k] * a - c * b) * up for a, b in pairs])

            up = 1 if heights[k] > 0 else -1
            lines = tuple(slide(line) for line in self.lines[:k] + self.lines[k + 1 :])
            kept = {s: [] for s in signs}
            common = [(slide(ray), tight | new) for ray, tight in self.rays]
            ends = {s: (_primitive([s * up * a for a in self.lines[k]]), new - 1) for s in signs}
        out = []
        for s in signs:
            rays = kept[s] + common + ([ends[s]] if s in ends and s else [])
            signed = tuple((s or 1) * a for a in form)
            out.append(Cone(lines, tuple(rays), (*self.forms, signed), self.walls))
        return out

    def _crossings(self, form, values, new):
        """The rays where {form = 0} crosses the two-dimensional faces of the cone.

        Two rays span a face exactly when no third ray lies on every form tight at both.
        """
        above = [i for i, v in enumerate(values) if v > 0]
        below = [i for i, v in enumerate(values) if v < 0]
        found = []
        for i in above:
            for j in below:
                shared = self.rays[i][1] & self.rays[j][1]
                if any(
                    tight & shared == shared
                    for k, (_, tight) in enumerate(self.rays)
                    if k != i and k != j
                ):
                    continue
                p, q = self.rays[i][0], self.rays[j][0]
                ray = [values[i] * b - values[j] * a for a, b in zip(p, q, strict=True)]
                found.append((_primitive(ray), shared | new))
        return found

    @cached_property
    def span(self):
        """The echelon form of the lines, as (pivot column, primitive integer row) pairs."""
        rows, done = [list(line) for line in self.lines], []
        for column in range(len(rows[0]) if rows else 0):
            pivot = next((r for r in rows if r[column]), None)
            if pivot is None:
                continue
            rows.remove(pivot)
            if pivot[column] < 0:
                pivot = [-a for a in pivot]

            def clear(r, pivot=pivot, column=column):
                pairs = zip(r, pivot, strict=True)
                return list(_primitive([pivot[column] * a - r[column] * b for a, b in pairs]))

            rows = [clear(r) for r in rows]
            done = [(c, clear(r)) for c, r in done] + [(column, list(_primitive(pivot)))]
        return tuple((c, tuple(r)) for c, r in done)

    @cached_property
    def canonical_rays(self):
        """The rays reduced modulo the lines: equal faces of different cones get equal rays."""
        out = []
        for ray, _ in self.rays:
            for column, row in self.span:
                c, h = ray[column], row[column]
                ray = [h * a - c * b for a, b in zip(ray, row, strict=True)]
            out.append(_primitive(ray))
        return out

    @cached_property
    def facets(self):
        """Indices of rays and of a defining form, for each facet not at infinity (t > 0 on it)."""
        tight = {
            frozenset(r for r, (_, mask) in enumerate(self.rays) if mask >> f & 1): f
            for f in reversed(range(len(self.forms)))
        }
        return [
            (rays, form)
            for rays, form in tight.items()
            if not any(rays < other for other in tight)
            and any(self.rays[r][0][-1] > 0 for r in rays)
        ]

    @property
    def finite(self):
        """Whether the cone holds a point with t > 0, that is, whether the cell is not empty."""
        return any(ray[-1] > 0 for ray, _ in self.rays)

    def faces(self):
        """Every face not at infinity, itself included, as a set of ray indices."""
        top = frozenset(range(len(self.rays)))
        tight = [
            frozenset(r for r in top if self.rays[r][1] >> f & 1) for f in range(len(self.forms))
        ]
        found, fresh = {top}, [top]
        while fresh:
            fresh = list({face & t for face in fresh for t in tight} - found)
            found.update(fresh)
        return [face for face in found if any(self.rays[r][0][-1] > 0 for r in face)]

    def middle(self, face):
        """A vector in the relative interior of a face: the sum of its rays."""
        return [sum(column) for column in zip(*(self.rays[r][0] for r in face), strict=True)]


# --- networks ------------------------------------------------------------------------------------


class _Scaled:
    """The network in integers: layer by layer the rows (W | b) times their common denominator."""

    def __init__(self, net, slope):
        slope = rational(slope)
        self.off, self.on = slope.numerator, slope.denominator
        self.layers = []
        for W, b in net:
            rows = [[rational(v) for v in (*row, c)] for row, c in zip(W, b, strict=True)]
            d = lcm(*(v.denominator for row in rows for v in row))
            self.layers.append(([[int(v * d) for v in row] for row in rows], d))
        self.inputs = len(self.layers[0][0][0]) - 1

    def affine(self, layer, values, constant):
        """Rows of forms after an affine layer; `constant` is the form of the scaled number 1."""
        rows, d = self.layers[layer]
        stacked = [*values, constant]
        width = self.inputs + 1
        out = [
            [sum(w * v[k] for w, v in zip(row, stacked, strict=True) if w) for k in range(width)]
            for row in rows
        ]
        return out, [d * c for c in constant]

    def units(self, forms, bits, constant):
        """Forms after the units of a layer with the given bits."""
        out = [
            [(self.on if bit else self.off) * c for c in f]
            for f, bit in zip(forms, bits, strict=True)
        ]
        return out, [self.on * c for c in constant]

    def start(self):
        """The forms of the inputs and of the number 1."""
        unit = Cone.whole(self.inputs + 1).lines
        return unit[:-1], unit[-1]

    def evaluate(self, point):
        """Bits and outputs, up to a positive scale shared by all cells, at (x, t) with t > 0."""
        values, constant, bits = list(point[:-1]), point[-1], []
        for layer, (rows, d) in enumerate(self.layers):
            values = [_dot(row, [*values, constant]) for row in rows]
            constant *= d
            if layer + 1 < len(self.layers):
                bits += [int(v > 0) for v in values]
                values = [(self.on if v > 0 else self.off) * v for v in values]
                constant *= self.on
        return tuple(bits), values


def _domain_cone(n, domain):
    """The cone over the domain, or None if its interior is empty."""
    cone = Cone.whole(n + 1).cut([0] * n + [1], 1)[0]
    if domain is not None:
        if isinstance(domain[0], str):
            kind, *data = domain
            domain = box(*data) if kind == "box" else data
        A, b = domain
        for row, c in zip(A, b, strict=True):
            form = [-rational(v) for v in row] + [rational(c)]
            d = lcm(*(v.denominator for v in form))
            form = [int(v * d) for v in form]
            if any(form):
                if not cone.sides(form)[0]:
                    return None
                cone = cone.cut(form, 1)[0]
    return Cone(cone.lines, cone.rays, cone.forms, len(cone.forms))


def _cells(scaled, domain):
    """All full-dimensional cells as {pattern: (cone, output forms)}; one scale for all forms."""
    cone = _domain_cone(scaled.inputs, domain)
    level = [((), cone, *scaled.start())] if cone is not None else []
    last = len(scaled.layers) - 1
    for layer in range(last):
        entered, level = level, []
        for pattern, cone, values, constant in entered:
            forms, constant = scaled.affine(layer, values, constant)
            pieces = [((), cone)]
            for form in forms:
                pieces = [child for piece in pieces for child in _branch(*piece, form)]
            for bits, piece in pieces:
                level.append((pattern + bits, piece, *scaled.units(forms, bits, constant)))
    out = {}
    for pattern, cone, values, constant in level:
        forms, constant = scaled.affine(last, values, constant)
        assert pattern not in out, "the pattern of a cell is convex: it cannot come twice"
        out[pattern] = cone, tuple(map(tuple, forms)), constant[-1]
    return out


def _branch(bits, cone, form):
    """The one or two parts of a cell on which the form has a constant sign."""
    above, below = cone.sides(form)
    if above and below:
        plus, minus = cone.cut(form, 1, -1)
        return [((*bits, 1), plus), ((*bits, 0), minus)]
    return [((*bits, int(above)), cone)]


# --- counts --------------------------------------------------------------------------------------


def cells(net, domain=None, slope=0):
    """The affine map of each full-dimensional cell: {pattern: rows (gradient..., offset)}."""
    found = _cells(_Scaled(net, slope), domain)
    return {
        pattern: tuple(tuple(Fraction(c, scale) for c in form) for form in forms)
        for pattern, (_, forms, scale) in found.items()
    }


def activation_patterns(net, domain=None, slope=0):
    """The patterns of the full-dimensional cells (definition R2)."""
    return set(_cells(_Scaled(net, slope), domain))


def interior_points(net, domain=None, slope=0):
    """A rational point in the interior of each cell: {pattern: point}."""
    out = {}
    for pattern, (cone, _, _) in _cells(_Scaled(net, slope), domain).items():
        *x, t = cone.middle(range(len(cone.rays)))
        out[pattern] = tuple(Fraction(v, t) for v in x)
    return out


def affine_maps(net, domain=None, slope=0):
    """The number of distinct affine maps on full-dimensional cells (definition R6)."""
    return len({forms for _, forms, _ in _cells(_Scaled(net, slope), domain).values()})


def _neighbours(found):
    """Facet neighbours of each cell. The cells of a continuous network meet face to face, so a
    facet is shared as a whole, by two cells, unless it lies on the boundary of the domain."""
    owners = defaultdict(list)
    for pattern, (cone, _, _) in found.items():
        for rays, form in cone.facets:
            key = cone.span, frozenset(cone.canonical_rays[r] for r in rays)
            owners[key].append((pattern, form < cone.walls))
    out = {pattern: set() for pattern in found}
    for owner in owners.values():
        patterns, walls = zip(*owner, strict=True)
        assert all(walls) if len(owner) == 1 else len(owner) == 2 and not any(walls), owner
        for p, q in combinations(patterns, 2):
            out[p].add(q)
            out[q].add(p)
    return out


def facet_neighbours(net, domain=None, slope=0):
    """{pattern: patterns of the cells that share an (n-1)-dimensional facet with its cell}.

    Neighbours differ in every unit that vanishes on the common facet, which may be several.
    """
    return _neighbours(_cells(_Scaled(net, slope), domain))


def _components(nodes, joined):
    """{node: representative of its connected component} of a graph given by its edges."""
    parent = {v: v for v in nodes}

    def root(v):
        while parent[v] != v:
            parent[v] = v = parent[parent[v]]
        return v

    for p, q in joined:
        parent[root(p)] = root(q)
    return {v: root(v) for v in nodes}


def linear_regions(net, domain=None, slope=0):
    """The number of components of the cells under "share a facet and the affine map" (R4)."""
    found = _cells(_Scaled(net, slope), domain)
    edges = (
        (p, q)
        for p, others in _neighbours(found).items()
        for q in others
        if found[p][1] == found[q][1]
    )
    return len(set(_components(found, edges).values()))


def all_patterns(net, domain=None, slope=0):
    """The patterns of all points of the closed domain, lower-dimensional cells included (R1).

    A pattern is constant on the relative interior of each face of each cell.
    """
    scaled = _Scaled(net, slope)
    return {
        scaled.evaluate(cone.middle(face))[0]
        for cone, _, _ in _cells(scaled, domain).values()
        for face in cone.faces()
    }


def closed_regions(net, domain=None, slope=0):
    """The number of components of the sets {f = g} that contain an open set, over all maps g (R5).

    {f = g} meets each closed cell in a convex slice, and slices are joined where they meet: as f
    is continuous and cells meet face to face, in a common face, thus at a common generator.
    """
    found = _cells(_Scaled(net, slope), domain)
    total = 0
    for g in {forms for _, forms, _ in found.values()}:
        slices, owners = [], defaultdict(list)
        for pattern, (cone, forms, _) in found.items():
            for row, target in zip(forms, g, strict=True):
                difference = [a - b for a, b in zip(row, target, strict=True)]
                if any(difference):
                    cone = cone.cut(difference, 0)[0]
            if cone.finite:
                slices.append(pattern)
                for ray in cone.canonical_rays:
                    if ray[-1] > 0:
                        owners[cone.span, ray].append(pattern)
        root = _components(slices, (pair for owner in owners.values() for pair in pairwise(owner)))
        total += len({root[p] for p in slices if found[p][1] == g})
    return total


# --- a second method for one layer ---------------------------------------------------------------


def arrangement_regions(W, b):
    """Regions of {x : W x + b = 0} by r(A) = 1 + sum_i r({H_j, j < i} restricted to H_i).

    Duplicate hyperplanes are merged and rows without a hyperplane dropped.
    """
    rows = {_monic([rational(v) for v in (*row, c)]) for row, c in zip(W, b, strict=True)}
    return _arrangement([r for r in rows if r is not None])


def _monic(row):
    """The row divided by its first non-zero coefficient; None if it has no hyperplane."""
    lead = next((v for v in row[:-1] if v), None)
    return None if lead is None else tuple(v / lead for v in row)


def _arrangement(rows):
    total = 1
    for i, h in enumerate(rows):
        k = next(k for k, v in enumerate(h) if v)
        restricted = set()
        for row in rows[:i]:
            rest = [v - row[k] * u for v, u in zip(row, h, strict=True)]
            restricted.add(_monic(rest[:k] + rest[k + 1 :]))
        total += _arrangement([r for r in restricted if r is not None])
    return total
