"""Cones by their lines and extreme rays, in integers: the double description method.

A cell {x : A x <= b} of R^n is kept as the cone {(x, t) : t >= 0, b t - A x >= 0} of R^(n+1).
A form cuts a cone exactly when it takes both signs on the generators: neither a linear program
nor a witness point is involved. (Fukuda and Prodon 1996, "Double description method revisited".)
"""

from dataclasses import dataclass
from functools import cached_property
from math import gcd
from operator import mul


def dot(u, v):
    return sum(map(mul, u, v))


def primitive(v):
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
        if any(dot(form, line) for line in self.lines):
            return True, True
        values = [dot(form, ray) for ray, _ in self.rays]
        return any(v > 0 for v in values), any(v < 0 for v in values)

    def split(self, form):
        """The parts where the form is positive and where it is negative; None where there is none.

        A part that is the whole cone is the cone itself.
        """
        above, below = self.sides(form)
        if above and below:
            return tuple(self.cut(form, 1, -1))
        return self if above else None, self if below else None

    def cut(self, form, *signs):
        """The cones {sign * form >= 0}, one for each sign; {form = 0} for the sign 0."""
        new = 1 << len(self.forms)
        heights = [dot(form, line) for line in self.lines]
        k = next((k for k, h in enumerate(heights) if h), None)
        if k is None:
            lines, ends = self.lines, {}
            values = [dot(form, ray) for ray, _ in self.rays]
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
                c = dot(form, v)
                pairs = zip(v, self.lines[k], strict=True)
                return primitive([(heights[k] * a - c * b) * up for a, b in pairs])

            up = 1 if heights[k] > 0 else -1
            lines = tuple(slide(line) for line in self.lines[:k] + self.lines[k + 1 :])
            kept = {s: [] for s in signs}
            common = [(slide(ray), tight | new) for ray, tight in self.rays]
            ends = {s: (primitive([s * up * a for a in self.lines[k]]), new - 1) for s in signs}
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
        least = len(form) - len(self.lines) - 2  # the rank of the forms that vanish on a face
        found = []
        for i in above:
            for j in below:
                shared = self.rays[i][1] & self.rays[j][1]
                if shared.bit_count() < least or any(
                    tight & shared == shared
                    for k, (_, tight) in enumerate(self.rays)
                    if k != i and k != j
                ):
                    continue
                p, q = self.rays[i][0], self.rays[j][0]
                ray = [values[i] * b - values[j] * a for a, b in zip(p, q, strict=True)]
                found.append((primitive(ray), shared | new))
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
                return list(primitive([pivot[column] * a - r[column] * b for a, b in pairs]))

            rows = [clear(r) for r in rows]
            done = [(c, clear(r)) for c, r in done] + [(column, list(primitive(pivot)))]
        return tuple((c, tuple(r)) for c, r in done)

    @cached_property
    def canonical_rays(self):
        """The rays reduced modulo the lines: equal faces of different cones get equal rays."""
        out = []
        for ray, _ in self.rays:
            for column, row in self.span:
                c, h = ray[column], row[column]
                ray = [h * a - c * b for a, b in zip(ray, row, strict=True)]
            out.append(primitive(ray))
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
