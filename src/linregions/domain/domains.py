"""Where we look: convex domains, and how one is folded into a network.

Every domain answers one question (`Domain.chart`): exact coordinates ``x = origin + basis y``
with y in R^k, and exact inequalities ``A y <= b`` in them. `restrict` composes the chart
with the first affine maps, so that an engine sees a network on R^k and a polytope in R^k.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import LinregionsError
from ..large.reduce import Reduced, reduce
from ..network.affine import INPUT, ONE, Affine, Term
from ..network.arrays import array_of
from ..network.network import Layer, Network, check_matrices
from ..network.operators import LARGE
from ..network.rational import (
    Matrix,
    fraction_array,
    integers,
    nearest,
    rounded,
    simplest,
    to_fmpq,
)
from ..progress import check


@dataclass(frozen=True, eq=False)
class Chart:
    """Exact coordinates of a domain: ``x = origin + basis y``, ``A y <= b``.

    ``origin`` (n,) or None for zero; ``basis`` (n, k) or None for the identity; ``A`` (m, k),
    ``b`` (m,); each float64 or an object array of Fractions. ``bounded`` is None if unknown.
    """

    dimension: int
    origin: Any
    basis: Any
    A: Any
    b: Any
    bounded: bool | None

    def embed(self, y: np.ndarray) -> np.ndarray:
        """Input coordinates of points y of shape (..., k), in float64."""
        x = y if self.basis is None else y @ rounded(self.basis).T
        return x if self.origin is None else x + rounded(self.origin)


class Domain:
    """A convex subset of input space, possibly of lower dimension."""

    def chart(self, n: int) -> Chart:
        """Exact coordinates and inequalities for a network of n inputs."""
        raise NotImplementedError

    def describe(self) -> str:
        """A few words for an answer."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{self.describe()}>"


class Space(Domain):
    """All of R^n."""

    def chart(self, n: int) -> Chart:
        return Chart(n, None, None, np.zeros((0, n)), np.zeros(0), n == 0)

    def describe(self) -> str:
        return "all of R^n"


class Box(Domain):
    """``lo <= x <= hi`` in every coordinate.

    Parameters
    ----------
    lo, hi
        Scalars (for every coordinate) or arrays of shape (n,); floats, or Fractions where a
        decimal must be meant exactly. A side of width zero lowers the dimension; an infinite
        side is no bound. ``Box.from_vnnlib(path)`` reads a verification property.

    Raises
    ------
    LinregionsError
        When ``lo > hi`` somewhere, or a bound is NaN, or the lengths do not fit.
    """

    def __init__(self, lo: Any, hi: Any, name: str | None = None) -> None:
        self.lo, self.hi = _bounds(lo, "lo"), _bounds(hi, "hi")
        if self.lo.ndim and self.hi.ndim and self.lo.shape != self.hi.shape:
            raise LinregionsError(
                f"box: lo has {self.lo.shape[0]} entries and hi has {self.hi.shape[0]}"
            )
        low, high = np.broadcast_arrays(self.lo, self.hi)
        for i, (a, b) in enumerate(zip(low.ravel(), high.ravel(), strict=True)):
            if a > b:
                where = f" in coordinate {i}" if low.ndim else ""
                raise LinregionsError(f"box is empty: lo {a} > hi {b}{where}")
            if abs(a) == np.inf and a == b:
                raise LinregionsError(f"box is empty: both bounds are {a}")
        self.name = name

    @staticmethod
    def from_vnnlib(path: Any) -> Box:
        """The input box of a vnnlib property; its decimals are read as rationals."""
        from .vnnlib import read_box

        return read_box(path)

    @staticmethod
    def all_from_vnnlib(path: Any) -> list[Box]:
        """The boxes of a vnnlib property that constrains its inputs to a union of them.

        ``[count(net, box) for box in Box.all_from_vnnlib(path)]`` counts in each: a region that
        reaches over two boxes counts in both. Boxes that overlap in their interiors are refused.
        """
        from .vnnlib import read_boxes

        return read_boxes(path)

    def chart(self, n: int) -> Chart:
        sides = []
        for bound, name in ((self.lo, "lo"), (self.hi, "hi")):
            if bound.ndim and bound.shape != (n,):
                raise LinregionsError(
                    f"box: {name} has {bound.shape[0]} entries, the network has {n} inputs"
                )
            sides.append(np.broadcast_to(bound, (n,)))
        lo, hi = sides
        free = [i for i in range(n) if lo[i] != hi[i]]
        k = len(free)
        basis = origin = None
        if k < n:
            basis = np.zeros((n, k))
            basis[free, range(k)] = 1.0
            fixed = np.empty(n, dtype=object)
            fixed[:] = [Fraction(0) if lo[i] != hi[i] else Fraction(lo[i]) for i in range(n)]
            origin = simplest(fixed)
        rows, values = [], []
        for j, i in enumerate(free):
            for bound, sign in ((hi[i], 1.0), (lo[i], -1.0)):
                if abs(bound) != np.inf:
                    row = np.zeros(k)
                    row[j] = sign
                    rows.append(row)
                    values.append(bound if sign > 0 else -bound)
        A = np.array(rows).reshape(len(rows), k)
        return Chart(k, origin, basis, A, _vector(values), len(rows) == 2 * k)

    def describe(self) -> str:
        if self.name:
            return self.name
        if not self.lo.ndim and not self.hi.ndim:
            return f"box [{nearest(self.lo.item()):g}, {nearest(self.hi.item()):g}]^n"
        low, high = np.broadcast_arrays(self.lo, self.hi)
        sides = [f"[{nearest(a):g}, {nearest(b):g}]" for a, b in zip(low, high, strict=True)]
        return "box " + (" x ".join(sides) if len(sides) <= 4 else f"of {len(sides)} sides")


class Polytope(Domain):
    """``A x <= b``, bounded or not.

    Parameters
    ----------
    A, b
        Shapes (m, n) and (m,); floats are exact, Fractions are taken as they are. The interior
        must not be empty (a flat polytope is a `Slice` of a full-dimensional one). A row of
        zeros, as presolvers leave it, says nothing where its b >= 0, and else is refused.
    """

    def __init__(self, A: Any, b: Any, name: str | None = None) -> None:
        self.A, self.b = _numbers(A, "A", 2), _numbers(b, "b", 1)
        if self.A.shape[0] != self.b.shape[0]:
            raise LinregionsError(
                f"polytope: A has {self.A.shape[0]} rows and b has {self.b.shape[0]} entries"
            )
        self.name = name

    def chart(self, n: int) -> Chart:
        if self.A.shape[1] != n:
            raise LinregionsError(
                f"polytope: A has {self.A.shape[1]} columns, the network has {n} inputs"
            )
        A, b = _with_slope(self.A, self.b, self.describe())
        return Chart(n, None, None, A, b, None)

    def describe(self) -> str:
        return self.name or f"polytope of {self.A.shape[0]} half-spaces"


class Slice(Domain):
    """The points ``origin + basis y``, y in R^k, that lie in ``within``.

    Parameters
    ----------
    origin
        Shape (n,).
    basis
        Shape (n, k), of rank k; exact as given (it need not be orthonormal).
    within
        A domain of y (``coordinates="slice"``, the default) or of x (``"input"``).
    """

    def __init__(
        self, origin: Any, basis: Any, within: Domain | None = None, coordinates: str = "slice"
    ) -> None:
        self.origin, self.basis = _point(origin, "origin"), _numbers(basis, "basis", 2)
        self.within = Space() if within is None else within
        if coordinates not in ("slice", "input"):
            raise LinregionsError(f"slice: coordinates={coordinates!r}; give 'slice' or 'input'")
        self.coordinates = coordinates
        n, k = self.basis.shape
        if self.origin.shape != (n,):
            raise LinregionsError(
                f"slice: origin has {self.origin.shape[0]} entries, basis has {n} rows"
            )
        if integers(self.basis).num.rank() < k:
            raise LinregionsError(f"slice: the {k} basis vectors are linearly dependent")

    def chart(self, n: int) -> Chart:
        if self.basis.shape[0] != n:
            raise LinregionsError(
                f"slice: basis has {self.basis.shape[0]} rows, the network has {n} inputs"
            )
        k = self.basis.shape[1]
        if self.coordinates == "input":
            outer = self.within.chart(n)
            if outer.basis is not None:
                raise LinregionsError("slice: within= must be full-dimensional in the input")
            A, b = integers(outer.A), integers(_column(outer.b))
            rows = simplest((A @ integers(self.basis)).to_fractions())
            shift = (A @ integers(_column(self.origin))).to_fractions()
            values = simplest((b.to_fractions() - shift)[:, 0]) if len(shift) else np.zeros(0)
            rows, values = _with_slope(rows, values, self.describe())
            return Chart(k, self.origin, self.basis, rows, values, outer.bounded)
        inner = self.within.chart(k)
        origin, basis = self.origin, self.basis
        if inner.origin is not None:
            moved = integers(basis) @ integers(_column(inner.origin)) + integers(_column(origin))
            origin = simplest(moved.to_fractions()[:, 0])
        if inner.basis is not None:
            basis = simplest((integers(basis) @ integers(inner.basis)).to_fractions())
        return Chart(inner.dimension, origin, basis, inner.A, inner.b, inner.bounded)

    def describe(self) -> str:
        return f"{self.basis.shape[1]}-dimensional slice, {self.within.describe()}"


class Segment(Domain):
    """The points ``p + t (q - p)``, 0 <= t <= 1: a domain of dimension 1 with coordinate t.

    Parameters
    ----------
    p, q
        Shape (n,), not equal; floats are exact, Fractions are taken as they are. So is the
        difference: ``q - p`` is that of the rationals, which may be no float.
    """

    def __init__(self, p: Any, q: Any) -> None:
        self.p, self.q = _point(p, "segment: p"), _point(q, "segment: q")
        if self.p.shape != self.q.shape:
            raise LinregionsError(
                f"segment: p has {self.p.shape[0]} entries and q has {self.q.shape[0]}"
            )
        if bool(np.all(self.p == self.q)):
            raise LinregionsError("segment: p and q are the same point")

    def chart(self, n: int) -> Chart:
        _check_length("segment: p and q", self.p, n)
        difference = simplest(fraction_array(self.q) - fraction_array(self.p))
        A, b = np.array([[1.0], [-1.0]]), np.array([1.0, 0.0])
        return Chart(1, self.p, _column(difference), A, b, True)

    def describe(self) -> str:
        return f"segment between two points of R^{self.p.shape[0]}"


class Line(Domain):
    """The whole line ``p + t direction``, t in R: a domain of dimension 1 with coordinate t.

    Parameters
    ----------
    p, direction
        Shape (n,); floats are exact, Fractions are taken as they are. The direction need not
        have unit length, but must not be zero.
    """

    def __init__(self, p: Any, direction: Any) -> None:
        self.p = _point(p, "line: p")
        self.direction = _point(direction, "line: direction")
        if self.p.shape != self.direction.shape:
            raise LinregionsError(
                f"line: p has {self.p.shape[0]} entries and direction has {self.direction.shape[0]}"
            )
        if not np.any(self.direction != 0):
            raise LinregionsError("line: the direction is zero")

    def chart(self, n: int) -> Chart:
        _check_length("line: p and direction", self.p, n)
        none = np.zeros((0, 1))
        return Chart(1, self.p, _column(self.direction), none, np.zeros(0), False)

    def describe(self) -> str:
        return f"line in R^{self.p.shape[0]}"


class Plane(Domain):
    """A rectangle in a plane: ``origin + basis y`` with ``lo <= y <= hi``, y in R^2.

    Parameters
    ----------
    origin
        Shape (n,).
    basis
        Shape (n, 2), of rank 2; exact as given. Where its columns are orthonormal, lengths and
        areas in the coordinates y are those of the input space.
    half_width
        The square ``|y_1|, |y_2| <= half_width``; or else give both of
    lo, hi
        Numbers, or shape (2,): the corners of the rectangle, finite. It is kept as the `Box`
        ``rectangle``.

    Examples
    --------
    >>> plane = Plane.through([0.0, 0.0, 1.0], [2.0, 0.0, 1.0], [2.0, 2.0, 1.0])
    >>> plane.origin
    array([1., 1., 1.])
    >>> plane.coordinates([2.0, 0.0, 1.0])
    array([ 1., -1.])
    """

    def __init__(
        self, origin: Any, basis: Any, half_width: Any = None, *, lo: Any = None, hi: Any = None
    ) -> None:
        if (half_width is None) == (lo is None) or (lo is None) != (hi is None):
            raise LinregionsError("plane: give either half_width or both lo and hi")
        if half_width is not None:
            if not _is_positive(half_width):
                raise LinregionsError(
                    f"plane: half_width={half_width!r} must be a positive finite number"
                )
            lo, hi = -half_width, half_width
        box = Box(lo, hi)
        for side in (box.lo, box.hi):
            if side.shape not in ((), (2,)) or not all(abs(v) != np.inf for v in side.ravel()):
                raise LinregionsError("plane: lo and hi must be finite, with one entry or two")
        if np.any(np.broadcast_to(box.lo == box.hi, (2,))):
            raise LinregionsError("plane: the rectangle has no area; lo must be below hi")
        self._slice = Slice(origin, basis, box)
        self.origin, self.basis = self._slice.origin, self._slice.basis
        self.rectangle = box
        if self.basis.shape[1] != 2:
            raise LinregionsError(f"plane: basis has {self.basis.shape[1]} columns; give two")

    def chart(self, n: int) -> Chart:
        _check_length("plane: origin and basis", self.origin, n)
        return self._slice.chart(n)

    @staticmethod
    def through(a: Any, b: Any, c: Any, size: float = 1.2) -> Plane:
        """The square around the circle through three points, in their plane.

        The circumcentre of a, b, c is the origin of the coordinates, the first axis points
        from a to b, and the square is ``|y_1|, |y_2| <= size * circumradius`` (Hanin and
        Rolnick 2019, "Complexity of linear regions in deep networks", Figure 8).

        Origin, basis and half-width are rounded to float64 once, here; the plane counted is
        the one that those numbers span. The basis is orthonormal and the points lie in the
        plane up to that rounding, so lengths and areas in the coordinates are those of the
        input space to about 15 digits.

        Parameters
        ----------
        a, b, c
            Shape (n,), n >= 2, not on one line (nor so close to it that rounding would decide
            the plane: the triangle's height must exceed 1e-12 of its longest side).
        size
            Half-width in circumradii.
        """
        if not _is_positive(size):
            raise LinregionsError(f"plane: size={size!r} must be a positive finite number")
        x, y, z = (rounded(_point(v, f"plane: {n}")) for v, n in ((a, "a"), (b, "b"), (c, "c")))
        if not x.shape == y.shape == z.shape:
            raise LinregionsError(
                f"plane: the points have {x.shape[0]}, {y.shape[0]} and {z.shape[0]} entries"
            )
        u, v = y - x, z - x
        longest = max(np.linalg.norm(d) for d in (u, v, v - u))
        base = np.linalg.norm(u)
        e = u / base if base > 0 else u
        along = e @ v
        across = v - along * e
        across -= (e @ across) * e  # twice is enough: orthogonal to rounding
        height = np.linalg.norm(across)
        if not min(base, height) > 1e-12 * longest or not np.isfinite(longest):
            raise LinregionsError("plane: the three points lie on one line; give others")
        # centre (s, t) in the coordinates (e, f) from x: as far from x as from y and from z
        f = across / height
        s = base / 2
        t = (along * along + height * height - 2 * s * along) / (2 * height)
        radius = float(np.hypot(s, t))
        return Plane(x + s * e + t * f, np.column_stack([e, f]), float(size) * radius)

    def coordinates(self, points: Any) -> np.ndarray:
        """The two coordinates of input points (..., n), or of their projections, in float64."""
        x = np.asarray(points, dtype=np.float64)
        if x.ndim == 0 or x.shape[-1] != self.basis.shape[0]:
            raise LinregionsError(
                f"plane: points of shape {x.shape}; give (..., {self.basis.shape[0]})"
            )
        flat = (x - rounded(self.origin)).reshape(-1, x.shape[-1])
        found = np.linalg.lstsq(rounded(self.basis), flat.T, rcond=None)[0]
        return found.T.reshape(*x.shape[:-1], 2)

    def describe(self) -> str:
        low, high = (np.broadcast_to(v, (2,)) for v in (self.rectangle.lo, self.rectangle.hi))
        sides = " x ".join(
            f"[{nearest(u):g}, {nearest(v):g}]" for u, v in zip(low, high, strict=True)
        )
        return f"plane in R^{self.basis.shape[0]}, {sides}"


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float | Fraction | np.number) and bool(0 < value < np.inf)


def _check_length(what: str, vector: np.ndarray, n: int) -> None:
    if vector.shape != (n,):
        raise LinregionsError(f"{what} have {vector.shape[0]} entries, the network has {n} inputs")


@dataclass(frozen=True, eq=False)
class Restricted:
    """A network on R^k, a polytope ``A y <= b`` in R^k, and the way back to the input.

    ``lift`` (n, k) and ``origin`` (n,) map y to an input x in float64; over R^n the lift is
    one of many (the network does not see the rest of the input), and ``rows`` (k, n), exact,
    are the rows whose values are the coordinates (None: y is x itself, or a slice's). ``reduced``:
    ``network`` holds only the units of a large one that may switch on the domain. On an
    unbounded slice they are rows over its own coordinates, those of the columns of its ``basis``;
    `own` goes back to these.
    """

    network: Network
    A: Any
    b: Any
    bounded: bool | None
    basis: np.ndarray | None
    origin: np.ndarray | None
    source: Network
    domain: Domain
    rows: Any = None
    picked: np.ndarray | None = None
    zonotope: Any = None  # the search's, see `search.zonotope`
    reduced: Reduced | None = None

    @property
    def dimension(self) -> int:
        """k, the dimension that the engine works in."""
        return self.network.inputs

    @cached_property
    def lift(self) -> np.ndarray | None:
        """(n, k) matrix from coordinates to the input (None: the identity)."""
        if self.picked is None:
            return self.basis
        # rows of size one: of D P the inverse is that of P times that of D, as P has full rank
        e = np.frexp(np.abs(self.picked).max(axis=1, initial=0.0))[1]
        e = np.where(np.abs(e) > 100, e, 0)
        with np.errstate(over="ignore", under="ignore"):
            inverse = np.ldexp(np.linalg.pinv(np.ldexp(self.picked, -e[:, None])), -e)
            return inverse if self.basis is None else self.basis @ inverse

    @property
    def unseen(self) -> np.ndarray | None:
        """``rows`` in floats, on a slice with directions that the network does not see."""
        return None if self.basis is None else self.picked

    def own(self, y: list[Fraction]) -> list[Fraction]:
        """The shortest point in a slice's own coordinates at which ``rows`` have these values."""
        from flint import fmpq_mat

        if self.unseen is None:
            return y
        r, k = self.unseen.shape
        P = fmpq_mat(r, k, [to_fmpq(v) for row in self.rows for v in row])
        values = fmpq_mat(len(y), 1, [to_fmpq(v) for v in y])
        found = P.transpose() * (P * P.transpose()).solve(values) if y else fmpq_mat(k, 1)
        return [Fraction(int(v.p), int(v.q)) for v in found.entries()]

    def embed(self, y: np.ndarray) -> np.ndarray:
        """Input coordinates of points y of shape (..., k)."""
        x = y if self.lift is None else y @ self.lift.T
        return x if self.origin is None else x + self.origin


def restrict(
    network: Network, domain: Domain | None = None, *, switching: bool = False
) -> Restricted:
    """Fold a domain into a network: the network on R^k and the polytope in R^k.

    ``switching``: of a network with large convolutions on a slice of at most four dimensions keep
    only the units that may switch there (`large.reduce`), for callers that know what `Restricted`
    says about ``reduced``. Everybody else gets the convolutions as matrices, or is refused.

    Exact: the chart becomes one more factor of every map that reads the input. Where the
    input maps and inequalities together have rank r < k, coordinates are changed to r
    independent rows of them (certified modulo a prime), so that a 784-input network whose
    first layer has 10 units is a 10-dimensional problem.
    """
    domain = Space() if domain is None else domain
    if not isinstance(domain, Domain):
        raise LinregionsError(
            f"{domain!r} is no domain; give Space(), Box(lo, hi), Polytope(A, b), Segment(p, q), "
            "Line(p, direction), Plane.through(a, b, c) or Slice(...)"
        )
    large = sum(c.multiplications for c in network.convolutions) > LARGE
    if large and not (switching and _is_low(domain, network.inputs)):
        check_matrices(network)  # before the chart: that of a box has as many rows as inputs
    chart = domain.chart(network.inputs)
    small = None
    if large and switching and chart.bounded and chart.dimension <= 4:
        small = reduce(network, chart)
    elif large:
        check_matrices(network)
    out = Restricted(
        _compose(network, chart) if small is None else small.network,
        chart.A,
        chart.b,
        chart.bounded,
        None if chart.basis is None else rounded(chart.basis),
        None if chart.origin is None else rounded(chart.origin),
        network,
        domain,
        reduced=small,
    )
    return out if chart.bounded or small is not None else reduce_inputs(out)


def _is_low(domain: Domain, n: int) -> bool:
    """Whether a domain has at most four dimensions, for all that its class tells."""
    if isinstance(domain, Box):
        return int(np.count_nonzero(np.broadcast_to(domain.lo != domain.hi, (n,)))) <= 4
    return isinstance(domain, Slice | Plane | Segment)


def _compose(network: Network, chart: Chart) -> Network:
    if chart.origin is None and chart.basis is None:
        return network

    def change(term: Term) -> list[Term]:
        if term.source != INPUT:
            return [term]
        terms = [term if chart.basis is None else term.before(chart.basis, INPUT)]
        if chart.origin is not None and np.any(chart.origin != 0):
            terms.append(term.before(_column(chart.origin), ONE))
        return terms

    return _change(network, chart.dimension, change)


def _change(network: Network, inputs: int, change: Any) -> Network:
    layers = tuple(Layer(m.affine.replace(change), m.units) for m in network.layers)
    return Network(inputs, layers, network.output.replace(change), network.notes)


PRIME = (1 << 61) - 1


def reduce_inputs(given: Restricted) -> Restricted:
    """Coordinates of r independent rows, where all rows that read the input have rank r < k."""
    from flint import nmod_mat

    net, k = given.network, given.dimension
    readers = [m.affine for m in net.layers] + [net.output]
    readers = [a for a in readers if INPUT in a.sources]
    blocks = [a.exact(INPUT, k) for a in readers] + [integers(given.A)]
    rows = []
    for block in blocks:
        check()
        rows += block.num.tolist()
    if k == 0 or _surely_full_rank(rows, k):
        return given
    chosen: list[int] = []
    check()
    if rows:
        columns = [int(x) % PRIME for column in zip(*rows, strict=True) for x in column]
        chosen = _pivots(nmod_mat(k, len(rows), columns, PRIME))
    r = len(chosen)
    check()
    if r == k:
        return given
    maps = _coordinates(blocks, rows, chosen, k)
    change = {id(a): m for a, m in zip(readers, maps, strict=False)}

    def rewrite(affine: Affine) -> Affine:
        if id(affine) not in change:
            return affine
        others = tuple(t for t in affine.terms if t.source != INPUT)
        return Affine(affine.size, (Term(INPUT, (change[id(affine)],)), *others))

    layers = tuple(Layer(rewrite(m.affine), m.units) for m in net.layers)
    reduced = Network(r, layers, rewrite(net.output), net.notes)
    scale = [b.den for b in blocks for _ in range(b.shape[0])]
    picked = [[nearest(Fraction(int(x), scale[i])) for x in rows[i]] for i in chosen]
    picked = np.array(picked).reshape(r, k)
    exact_rows = [[Fraction(int(x), scale[i]) for x in rows[i]] for i in chosen]
    return Restricted(
        reduced,
        maps[-1],
        given.b,
        given.bounded,
        given.basis,
        given.origin,
        given.source,
        given.domain,
        exact_rows,
        picked,
    )


def _surely_full_rank(rows: list[Any], k: int) -> bool:
    """A cheap proof of rank k: one k x k minor of the first rows is non-zero mod a prime."""
    from flint import nmod_mat

    if len(rows) < k:
        return False
    head = [int(x) % PRIME for row in rows[:k] for x in row]
    return nmod_mat(k, k, head, PRIME).rank() == k


def _pivots(matrix: Any) -> list[int]:
    """Columns that hold the pivots of the row echelon form modulo the prime."""
    echelon, rank = matrix.rref()
    pivots, j = [], 0
    for i in range(rank):
        while int(echelon[i, j]) == 0:
            j += 1
        pivots.append(j)
    return pivots


def _coordinates(blocks: list[Any], rows: list[Any], chosen: list[int], k: int) -> list[Matrix]:
    """Every row as an exact combination of the chosen ones: one (rows, r) matrix per block."""
    from flint import fmpq_mat, fmpz_mat, nmod_mat

    r = len(chosen)
    base = fmpz_mat(r, k, [x for i in chosen for x in rows[i]])
    columns = _pivots(nmod_mat(r, k, [int(x) % PRIME for i in chosen for x in rows[i]], PRIME))
    square = fmpz_mat(r, r, [rows[i][j] for j in columns for i in chosen])  # transposed
    position = {i: n for n, i in enumerate(chosen)}
    scale = [b.den for b in blocks for _ in range(b.shape[0])]
    rest = [i for i in range(len(rows)) if i not in position]
    solved: dict[int, list[Fraction]] = {}
    if rest:
        right = fmpz_mat(r, len(rest), [rows[i][j] for j in columns for i in rest])
        weights = fmpq_mat(square).solve(fmpq_mat(right))
        check()
        combined = weights.transpose() * fmpq_mat(base)
        for n, i in enumerate(rest):
            check()
            if any(combined[n, j] != rows[i][j] for j in range(k)):
                raise ArithmeticError("the rank modulo a prime fell short; report this network")
            solved[i] = [
                Fraction(int(weights[a, n].p), int(weights[a, n].q))
                * Fraction(scale[chosen[a]], scale[i])
                for a in range(r)
            ]
    out, start = [], 0
    for block in blocks:
        check()
        m = np.empty((block.shape[0], r), dtype=object)
        for i in range(block.shape[0]):
            row = start + i
            if row in position:
                m[i] = [Fraction(int(a == position[row])) for a in range(r)]
            else:
                m[i] = solved[row]
        out.append(simplest(m))
        start += block.shape[0]
    return out


def _with_slope(A: Any, b: Any, what: str) -> tuple[Any, Any]:
    """``A y <= b`` without its rows ``0 <= b_i``: such a row is true everywhere or nowhere.

    In a slice they are the half-spaces whose boundary is parallel to it or holds it.
    """
    slope = np.any(A != 0, axis=1)
    for i in np.flatnonzero(~slope):
        if b[i] < 0:
            raise LinregionsError(f"{what} has no interior: its row {i} says 0 <= {b[i]}")
    return A[slope], b[slope]


def _column(vector: Any) -> Any:
    return np.asarray(vector)[:, None]


def _vector(values: list[Any]) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = [Fraction(v) for v in values]
    return simplest(out) if len(values) else np.zeros(0)


def _bounds(value: Any, name: str) -> np.ndarray:
    array = array_of(value)
    array = array.ravel() if array.ndim > 1 else array  # an image
    plain = array.ravel().tolist()
    if array.dtype != object and array.dtype.kind in "biuf":
        array = array.astype(np.float64)
    elif not all(isinstance(v, int | float | Fraction) for v in plain):
        raise LinregionsError(f"box: {name} = {value!r} is not a number or an array of numbers")
    if any(v != v for v in plain):
        raise LinregionsError(f"box: {name} holds NaN")
    return array


def _point(value: Any, name: str) -> np.ndarray:
    """A point of input space; an image is flattened in C order."""
    array = array_of(value)
    return _numbers(array.ravel() if array.ndim > 1 else array, name, 1)


def _numbers(value: Any, name: str, ndim: int) -> np.ndarray:
    array = array_of(value)
    if array.ndim != ndim:
        raise LinregionsError(f"{name} has {array.ndim} dimensions, expected {ndim}")
    if array.dtype == object:
        return fraction_array(array)
    try:
        array = array.astype(np.float64)
    except ValueError:
        raise LinregionsError(f"{name} is not made of numbers") from None
    if not np.isfinite(array).all():
        raise LinregionsError(f"{name} holds NaN or infinite values")
    return array
