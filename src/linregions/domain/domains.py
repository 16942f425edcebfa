"""Where we look: convex domains, and how one is folded into a network.

Every domain answers one question (`Domain.chart`): exact coordinates ``x = origin + basis y``
with y in R^k, and exact inequalities ``A y <= b`` in them. `restrict` composes the chart
with the first affine maps, so that an engine sees a network on R^k and a polytope in R^k.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import LinregionsError
from ..files import about
from ..network.arrays import array_of
from ..network.rational import (
    fraction_array,
    integers,
    nearest,
    rounded,
    simplest,
)
from .vnnlib import read_boxes


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
        boxes = Box.all_from_vnnlib(path)
        if len(boxes) > 1:
            raise LinregionsError(
                f"{path}: the inputs lie in a union of {len(boxes)} boxes; count in each: "
                "Box.all_from_vnnlib(path) gives them one by one (linregions count takes them all)"
            )
        return boxes[0]

    @staticmethod
    def all_from_vnnlib(path: Any) -> list[Box]:
        """The boxes of a vnnlib property that constrains its inputs to a union of them.

        ``[count(net, box) for box in Box.all_from_vnnlib(path)]`` counts in each: a region that
        reaches over two boxes counts in both. Boxes that overlap in their interiors are refused.
        """
        with about(path):
            return [Box(found.lo, found.hi, name=found.name) for found in read_boxes(path)]

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


def dimension_of(domain: Domain, n: int) -> int:
    """The dimension of a domain in n inputs, before anything is restricted to it."""
    if isinstance(domain, Space):
        return n
    if isinstance(domain, Box):
        free = np.atleast_1d(domain.lo != domain.hi)
        return int(free.sum()) if len(free) == n else n * int(free[0])
    return domain.chart(n).dimension
