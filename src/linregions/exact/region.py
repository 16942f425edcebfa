"""One region: pattern, point, affine map, half-spaces, neighbours; costly parts when asked."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq, fmpq_mat

from ..domain.domains import Box, Domain, Space
from ..domain.restrict import Restricted, restrict
from ..errors import LinregionsError
from ..network.arrays import points_of
from ..network.deciding import decide
from ..network.network import Network
from ..network.pattern import AffineMap, pieces, signs_of
from ..network.rational import nearest, rounded, to_fmpq
from ..readers import load
from ..watching import watchful
from .cell import bounded, cell_rows, exactly, facets, locate, neighbour
from .forms import Exact, InUnits
from .maps import maps_on
from .point import Sure, exact_point, generic
from .rows import ZERO, value


class HalfSpaces(NamedTuple):
    """``A y <= b`` without redundant rows; ``rows`` holds the units behind each.

    ``rows[i]`` is a tuple of positions in the flat list of breakpoints (for ReLU: of units;
    several where units share the hyperplane), empty where the domain ends.
    """

    A: np.ndarray
    b: np.ndarray
    rows: tuple[tuple[int, ...], ...]


class Region:
    """One activation cell. Costly parts are computed when asked for.

    Attributes
    ----------
    signs
        (breakpoints,) int8: +1 above, -1 at or below. For ReLU there is one per unit.
    pattern
        (units,) piece of every unit.
    coordinates
        (k,) an interior point in domain coordinates. Those of a slice are its own. Over R^n (and
        unbounded boxes and polytopes) they are the input's or, where the network does not see
        all of that, the values of the rows ``problem.rows``. Infinite
        where it lies beyond the floats (`exact_point` has it in full).
    point
        (n,) the same point in input coordinates.
    """

    def __init__(
        self,
        problem: Restricted,
        exact: Any,
        signs: np.ndarray,
        coordinates: np.ndarray,
        rational: list[Fraction] | None = None,
    ) -> None:
        self.problem = problem
        self.signs = signs
        self._exact = exact
        self._at, self._rational = coordinates, rational  # in coordinates of the restricted network

    @property
    def network(self) -> Network:
        """The network as it was given."""
        return self.problem.source

    @cached_property
    def point(self) -> np.ndarray:
        """The interior point in input coordinates (float64)."""
        with np.errstate(over="ignore", invalid="ignore"):
            x = self.problem.embed(self._at)
        return x if np.isfinite(x).all() else self._far_point()

    @cached_property
    def coordinates(self) -> np.ndarray:
        """The interior point in domain coordinates (float64)."""
        if self.problem.unseen is None:
            return self._at
        return np.linalg.pinv(self.problem.unseen) @ self._at

    def _far_point(self) -> np.ndarray:
        """`point` through the rational one: infinite only where no float is near."""
        picked, basis, origin = self.problem.picked, self.problem.basis, self.problem.origin
        y = self._inner
        if picked is not None:  # of all x with P x = y the shortest, P^T (P P^T)^-1 y
            (r, k), flat = picked.shape, [to_fmpq(v) for v in picked.ravel().tolist()]
            P = fmpq_mat(r, k, flat)
            right = fmpq_mat(r, 1, [to_fmpq(v) for v in y])
            x = P.transpose() * (P * P.transpose()).solve(right)
            y = [Fraction(int(x[i, 0].p), int(x[i, 0].q)) for i in range(k)]
        if basis is not None:
            pairs = [zip(row.tolist(), y, strict=True) for row in basis]
            y = [sum((Fraction(a) * v for a, v in row), Fraction(0)) for row in pairs]
        if origin is not None:
            y = [a + Fraction(b) for a, b in zip(y, origin.tolist(), strict=True)]
        return np.array([nearest(v) for v in y])

    @cached_property
    def pattern(self) -> np.ndarray:
        """Piece of every unit, shape (units,)."""
        return pieces(self.problem.network, self.signs)

    @cached_property
    def affine_map(self) -> AffineMap:
        """The network's affine map on the region, in input coordinates (float64).

        Infinite where an entry lies beyond them.
        """
        return _affine_map(self.network, self.pattern)

    @cached_property
    def local_map(self) -> AffineMap:
        """The same map in domain coordinates."""
        found, unseen = _affine_map(self.problem.network, self.pattern), self.problem.unseen
        return found if unseen is None else AffineMap(found.W @ unseen, found.b)

    @cached_property
    def exact_point(self) -> list[Fraction]:
        """The interior point in domain coordinates as rationals."""
        return self.problem.own(self._inner)

    @cached_property
    def _inner(self) -> list[Fraction]:
        """The interior point in the coordinates of the restricted network."""
        if self._rational is not None:
            return self._rational
        return [Fraction(float(v)) for v in self._at]

    def _kernel_point(self) -> list[Any]:
        return self._exact.in_kernel(self._inner)

    @cached_property
    def facets(self) -> list[Any]:
        """Facets with their exact rows; see `half_spaces` for plain arrays.

        Every facet given is proved by a rational point on it. That none is missing is exact
        up to 40 dimensions (`facets_exact`); beyond, HiGHS decides in floats.
        """
        return facets(self._exact, self.signs, self._kernel_point())

    @property
    def facets_exact(self) -> bool:
        """Whether the list of facets is decided in rational arithmetic."""
        return exactly(self._exact)

    @cached_property
    def half_spaces(self) -> HalfSpaces:
        """Irredundant ``A y <= b`` in domain coordinates, rows of unit length (rounded)."""
        unit, unseen = self._exact.unit, self.problem.unseen
        k = len(unit)
        width = k if unseen is None else unseen.shape[1]
        A, b = np.zeros((len(self.facets), width)), np.zeros(len(self.facets))
        for i, facet in enumerate(self.facets):
            pairs = zip(facet.row[:-1], unit.tolist(), strict=True)
            exact = [Fraction(int(a)) / Fraction(u) for a, u in pairs]
            scale = max(map(abs, exact), default=Fraction(1))
            a = np.array([nearest(v / scale) for v in exact])
            a = a if unseen is None else a @ unseen
            norm = np.linalg.norm(a)
            A[i], b[i] = -a / norm, nearest(int(facet.row[k]) / scale) / norm
        return HalfSpaces(A, b, tuple(f.units for f in self.facets))

    @cached_property
    def bounded(self) -> bool:
        """Whether the region is bounded in the domain (exact)."""
        if self.problem.picked is not None:  # the network does not see some directions
            return False

        return bounded(self._exact, self.signs, self._kernel_point())

    @cached_property
    def inradius(self) -> float:
        """Radius of the largest inscribed ball (inf if there is none).

        In domain coordinates; over R^n, where those may be values of units, in the input's.
        """
        from scipy.optimize import linprog

        A, b, _ = self.half_spaces
        k = A.shape[1]
        if not len(b):
            return float("inf")
        c = np.r_[np.zeros(k), -1.0]
        picked = self.problem.picked if self.problem.unseen is None else None
        norms = np.linalg.norm(A if picked is None else A @ picked, axis=1)
        result = linprog(c, A_ub=np.c_[A, norms], b_ub=b, bounds=[(None, None)] * (k + 1))
        return float("inf") if result.status == 3 else float(result.x[-1])

    @cached_property
    def neighbours(self) -> list[Region]:
        """The regions behind its facets, one for each facet inside the domain."""
        out = []
        x = self._kernel_point()
        for facet in self.facets:
            if facet.domain:
                continue
            signs = neighbour(self._exact, self.signs, x, facet)
            y = _step_over(self._exact, signs, facet)
            out.append(_region(self.problem, self._exact, signs, y))
        return out

    def contains(self, x: Any) -> bool:
        """Whether an input point (n,) has this region's pattern (in float64)."""
        return bool((self.network.patterns(x) == self.pattern).all())

    def __repr__(self) -> str:
        text = "".join(map(str, self.pattern[:24])) + ("..." if len(self.pattern) > 24 else "")
        at = np.array2string(self.point[:4], precision=3, separator=", ")
        more = ", ..." if len(self.point) > 4 else ""
        return f"Region(pattern {text}, near {at[:-1]}{more}])"


def _step_over(exact: Any, signs: np.ndarray, facet: Any) -> list[Any]:
    """An interior point of the cell behind a facet, from a point on the facet."""
    outward = [-fmpq(a) for a in facet.row[:-1]]
    step = fmpq(1)
    for r in cell_rows(exact, signs)[0]:
        rate = sum((a * d for a, d in zip(r, outward, strict=False)), ZERO)
        room = value(r, facet.point)
        if rate < 0:
            step = min(step, room / -rate / 2)
    return [a + step * d for a, d in zip(facet.point, outward, strict=True)]


def _region(problem: Restricted, exact: Any, signs: np.ndarray, x: list[Any]) -> Region:
    unit = exact.unit
    rational = [
        Fraction(int(v.p), int(v.q)) * Fraction(float(u)) for v, u in zip(x, unit, strict=True)
    ]
    return Region(problem, exact, signs, np.array([nearest(v) for v in rational]), rational)


def _affine_map(network: Network, pattern: np.ndarray) -> AffineMap:
    W, b = maps_on(network, pattern[None])
    return AffineMap(W[0], b[0])


@watchful
def region(
    network: Any, x: Any, domain: Domain | None = None, *, shape: Sequence[int] | None = None
) -> Region:
    """The activation region that holds a point, with its facets and neighbours.

    The pattern comes at once: floats with bounds of their errors decide it, and rationals
    where these do not. What is exact and costly (half-spaces, neighbours, the exact point) is
    computed when asked for. `affine` gives patterns and maps of many points.

    Parameters
    ----------
    network
        A `Network`, or anything that `load` takes.
    x
        (n,) input point, taken as exact; where it lies on a boundary, one of the
        full-dimensional regions around it is given.
    domain
        A full-dimensional domain that holds x (all of R^n by default).
    shape
        Shape of one input without the batch dimension, for a module that does not say it; see
        `load`.

    Raises
    ------
    LinregionsError
        When x has the wrong length, holds NaN, or lies outside the domain.
    """
    net = load(network, shape=shape)
    rows, _ = points_of(x, net.inputs, "a point")
    if len(rows) != 1:
        raise LinregionsError(f"{len(rows)} points; region takes one: call it for each")
    (point,) = rows
    if not np.isfinite(point).all():
        raise LinregionsError("the point holds NaN or infinite values")
    domain = Space() if domain is None else domain
    sides = _sides(domain, net.inputs)
    if sides is None:
        return _found_exactly(restrict(net, domain), point)
    if not ((sides[0] <= point).all() and (point <= sides[1]).all()):
        raise LinregionsError(f"the point lies outside {domain.describe()}")
    inner = _in_floats(sides, point)
    if inner is None:
        return _found_exactly(restrict(net, domain), point)
    return Located(net, domain, point, inner)


Sides = tuple[np.ndarray, np.ndarray]


def _sides(domain: Domain, n: int) -> Sides | None:
    """Lower and upper sides of all of R^n or a box with an interior; None of other domains."""
    if type(domain) is Space:
        return np.full(n, -np.inf), np.full(n, np.inf)
    if type(domain) is not Box or any(s.shape not in ((), (n,)) for s in (domain.lo, domain.hi)):
        return None
    low, high = (np.broadcast_to(side, (n,)) for side in (domain.lo, domain.hi))
    return None if (low == high).any() else (low, high)


def _in_floats(sides: Sides, x: np.ndarray) -> Sides | None:
    """Sides in floats, not beyond those given (which may be Fractions); None for a point on one."""
    low, high = sides
    if low.dtype != object and high.dtype != object:
        return sides
    if (low == x).any() or (x == high).any():
        return None
    inward = [np.nextafter(rounded(s), v) for s, v in ((low, np.inf), (high, -np.inf))]
    return np.minimum(inward[0], x), np.maximum(inward[1], x)


class Located(Region):
    """The region that holds a point of all of R^n or of a box; all but its pattern is lazy."""

    def __init__(self, network: Network, domain: Domain, x: np.ndarray, sides: Sides) -> None:
        self._network, self._domain, self._x, self._sides = network, domain, x, sides
        found = decide(network, x[None], interior=True)
        assert found.inside is not None
        pieces = found.pieces[0]
        self._moved = bool((x == sides[0]).any() or (x == sides[1]).any())
        if not found.inside[0]:  # on a boundary, or so near that floats cannot tell
            self._moved = True
            pieces = Sure(network).cell(exact_point(x), generic(x, sides)).astype(pieces.dtype)
        self.pattern = pieces
        self.signs = signs_of(network, pieces)

    @property
    def network(self) -> Network:
        """The network as it was given."""
        return self._network

    @cached_property
    def problem(self) -> Restricted:
        """The network over the domain."""
        return restrict(self._network, self._domain)

    @cached_property
    def _exact(self) -> Any:
        return Exact(InUnits.of(self.problem))

    @cached_property
    def _input(self) -> list[Fraction]:
        """A point in the interior, in input coordinates: the one given, if it is."""
        if not self._moved:
            return [Fraction(v) for v in self._x.tolist()]
        way, at = generic(self._x, self._sides), exact_point(self._x)
        found = Sure(self._network).inside(at, way, self.pattern, self._sides)
        return [Fraction(int(v.p), int(v.q)) for v in found]

    @cached_property
    def point(self) -> np.ndarray:
        """The interior point in input coordinates (float64)."""
        return np.array([nearest(v) for v in self._input])

    @cached_property
    def _rational(self) -> list[Fraction]:
        return _seen(self.problem, self._input)

    @cached_property
    def _at(self) -> np.ndarray:
        return np.array([nearest(v) for v in self._rational])


def _found_exactly(problem: Restricted, point: np.ndarray) -> Region:
    """The region of a point of any domain, in rational arithmetic from the start."""
    exact = Exact(InUnits.of(problem))
    y = [to_fmpq(v) for v in _coordinates(problem, point)]
    unit = exact.unit
    y = [v / to_fmpq(float(u)) for v, u in zip(y, unit, strict=True)]
    if any(value(r, y) < 0 for r in exact.domain_rows()):
        raise LinregionsError(f"the point lies outside {problem.domain.describe()}")
    signs, inside = locate(exact, y)
    return _region(problem, exact, signs, inside)


def _coordinates(problem: Restricted, point: np.ndarray) -> list[Fraction]:
    """Domain coordinates of an input point, exact where the network fixes them.

    On a slice its own are the least-squares solution (which must reproduce the point); where
    the network does not see all of them, these are the values of r independent rows.
    """
    y = point
    if problem.basis is not None or problem.origin is not None:
        lift = np.eye(len(point)) if problem.basis is None else problem.basis
        origin = 0.0 if problem.origin is None else problem.origin
        y, *_ = np.linalg.lstsq(lift, point - origin, rcond=None)
        if not np.allclose(lift @ y + origin, point, rtol=1e-9, atol=1e-9):
            raise LinregionsError(f"the point lies outside {problem.domain.describe()}")
    return _seen(problem, [Fraction(float(v)) for v in y])


def _seen(problem: Restricted, y: list[Fraction]) -> list[Fraction]:
    """A slice's own (or the input's) coordinates as those of the restricted network."""
    if problem.rows is None:
        return y
    return [sum((a * b for a, b in zip(row, y, strict=True)), Fraction(0)) for row in problem.rows]
