"""Regions one by one: a stream of all of them, or the one that holds a point."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from flint import fmpq_mat

from ..domain.domains import Box, Domain, Space
from ..domain.restrict import Restricted, restrict
from ..errors import LinregionsError
from ..exact.maps import maps_on
from ..merging.compile import compile_for
from ..network.arrays import points_of
from ..network.deciding import decide
from ..network.network import Network
from ..network.pattern import AffineMap, pieces, signs_of
from ..network.rational import nearest, rounded, to_fmpq
from ..progress import Stopped, check, watched
from ..readers import load
from ..watching import watchful

if TYPE_CHECKING:
    from ..parallel.run import Means
    from .parquet import PartsReader


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
        from ..exact.cell import facets

        return facets(self._exact, self.signs, self._kernel_point())

    @property
    def facets_exact(self) -> bool:
        """Whether the list of facets is decided in rational arithmetic."""
        from ..exact.cell import exactly

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
        from ..exact.cell import bounded

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
        from ..exact.cell import neighbour

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
    from flint import fmpq

    from ..exact.cell import cell_rows
    from ..exact.rows import ZERO, value

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


class Regions:
    """All activation regions over a convex domain: what `regions` returns.

    Iterating streams the regions and holds none; each ``for`` starts afresh, in the same order
    (``next(...)`` steps through one stream of its own). `graph` holds all cells.

    Parameters
    ----------
    problem
        What `restrict` gave.
    exact, batch
        As in `regions`.
    means
        Who searches, where not this process.
    """

    def __init__(
        self,
        problem: Restricted,
        exact: bool = True,
        batch: int = 1024,
        means: Means | None = None,
    ) -> None:
        self.problem, self.exact, self.batch, self.means = problem, exact, batch, means
        self._own: Iterator[Region] | None = None

    def __iter__(self) -> Iterator[Region]:
        batches = self._shared() if self.means is not None else self._alone()
        exact: Any = None
        while True:  # each batch is a piece of work of its own, and no interrupt falls into it
            batch = watched(lambda _: next(batches, None))
            if batch is None:
                return
            rational, found = batch
            exact = exact or rational()
            signs = found.signs.astype(np.int8) * 2 - 1
            for i in range(len(signs)):
                yield Region(self.problem, exact, signs[i], found.points[i], found.exact.get(i))

    def _alone(self) -> Iterator[tuple[Callable[[], Any], Any]]:
        """Batches of cells, and how to get the rational decisions about them."""
        from ..search.search import Search

        compile_for(self.problem)
        search = Search(self.problem, self.exact, emit=self.batch, audit=True)
        more = True
        while more:
            check()
            more = search.run(self.batch)
            yield lambda: search.rational, search.take()

    def _shared(self) -> Iterator[tuple[Callable[[], Any], Any]]:
        """The same from several workers, in the order in which they come in."""
        from ..parallel.run import Shared

        assert self.means is not None
        compile_for(self.problem)
        shared = Shared(self.problem, self.exact, self.means, "regions")
        for batches in shared.run(None, None):
            for found in batches:
                yield lambda: shared.search.rational, found
        if shared.stop:
            raise Stopped(shared.stop)

    def __next__(self) -> Region:
        if self._own is None:
            self._own = iter(self)
        return next(self._own)

    def graph(self, as_networkx: bool = False) -> Any:
        """The dual graph: regions as nodes, an edge where two share a (k - 1)-dimensional facet.

        Node i is the i-th region of the iteration. Exact: neighbours may differ in several units
        (duplicated ones flip together), and regions that differ in one unit need not be
        neighbours. Memory grows with the number of regions.

        Parameters
        ----------
        as_networkx
            Give a ``networkx.Graph`` (which needs that package).

        Returns
        -------
        scipy.sparse.csr_array
            (regions, regions), bool, symmetric; or the ``networkx.Graph``.

        Examples
        --------
        >>> import linregions as lr
        >>> net = [([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])]
        >>> sorted(lr.regions(net).graph().sum(axis=0).tolist())
        [1, 1, 2]
        """
        from ..merging.graph import adjacency, cells_of

        if self.means is not None:
            raise LinregionsError(
                "graph() numbers the regions in the order of one process; leave out workers and "
                "executor"
            )
        return watched(lambda _: adjacency(cells_of(self.problem, self.exact), as_networkx))

    @staticmethod
    def load(path: str | Path, network: Any, domain: Domain | None = None) -> Listed:
        """Read back what ``linregions list -o FILE.parquet`` wrote, as a stream.

        Parameters
        ----------
        path
            The file, or the folder ``FILE.parquet.parts`` of one that grows or was cut short.
        network
            That which was listed; anything that `load` takes.
        domain
            The domain of the list (all of R^n by default).

        Raises
        ------
        LinregionsError
            When the file is damaged, or of another network or domain.
        """
        from .store import open_list

        problem = restrict(load(network), Space() if domain is None else domain)
        return Listed(problem, open_list(path))

    def __repr__(self) -> str:
        return f"Regions({self.problem.source!r} over {self.problem.domain.describe()})"


class Listed(Regions):
    """Regions read from a list on disk, in its order; see `Regions.load`.

    Attributes
    ----------
    metadata
        What ``linregions list --json`` printed; ``complete`` says whether these are all regions.
    """

    def __init__(self, problem: Restricted, source: PartsReader) -> None:
        from ..parallel.identity import domain_hash

        self.source, self.metadata = source, source.metadata
        if not source.packed:
            raise LinregionsError(
                f"{source.path} was written by an early version, without coordinates: list again"
            )
        mine = {
            "network": problem.source.hash,
            "domain_hash": domain_hash(problem.domain, problem.source.inputs),
            "coordinates": coordinates_of(problem),
        }
        words = {
            "network": "is a list of another network ({0:.12}); this is {1:.12}",
            "domain_hash": f"is a list over {self.metadata.get('domain')}; asked for was "
            f"{problem.domain.describe()} (another one)",
            "coordinates": "is in other coordinates; it comes from a different machine",
        }
        for key, text in words.items():
            if self.metadata.get(key) != mine[key]:
                why = text.format(str(self.metadata.get(key)), mine[key])
                raise LinregionsError(f"{source.path} {why}")
        super().__init__(problem, self.metadata["exact"])

    def __len__(self) -> int:
        return self.source.rows

    def _alone(self) -> Iterator[tuple[Callable[[], Any], Any]]:
        from ..exact.forms import Exact
        from ..search.program import Compiled

        for found in self.source.batches():
            yield lambda: Exact(Compiled(self.problem)), found

    def graph(self, as_networkx: bool = False) -> Any:
        """Refused: see `Regions.graph` of the search itself."""
        raise LinregionsError(
            "graph() numbers the regions in the order of a search; call it on regions(net, domain)"
        )

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, {len(self):,} of them in {self.source.path})"


def coordinates_of(problem: Restricted) -> str:
    """A name for coordinates that are values of units, which depend on the machine; else empty."""
    if problem.picked is None:
        return ""
    return hashlib.sha256(np.ascontiguousarray(problem.picked).tobytes()).hexdigest()


@watchful
def regions(
    network: Any,
    domain: Domain | None = None,
    *,
    exact: bool = True,
    batch: int = 1024,
    workers: int | str | None = None,
    executor: Executor | None = None,
    shape: Sequence[int] | None = None,
) -> Regions:
    """All activation regions over a convex domain, as a stream.

    Nothing is held unless the caller holds it; the order is deterministic. Parameters as in
    `count`; ``batch`` cells are searched ahead at a time. The answer is a `Regions`, whose
    `Regions.graph` says which of them are neighbours.

    With several ``workers`` or an ``executor`` the regions are the same and their order is not;
    each worker then searches a second or 65,536 cells ahead, twice over. ``shape`` is that of one
    input without the batch dimension, for a module that does not say it; see `load`.

    Examples
    --------
    >>> import linregions as lr
    >>> net = [([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])]
    >>> sorted(r.pattern.tolist() for r in lr.regions(net))
    [[0, 0], [1, 0], [1, 1]]
    """
    from ..parallel.run import Means

    means = Means.of(workers, executor)
    net = load(network, shape=shape)
    problem = restrict(net, Space() if domain is None else domain)
    return Regions(problem, exact, batch, means if means.divided else None)


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
        from ..boundary.sure import Sure, exact_point, generic

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
        from ..exact.forms import Exact
        from ..search.program import Compiled

        return Exact(Compiled(self.problem))

    @cached_property
    def _input(self) -> list[Fraction]:
        """A point in the interior, in input coordinates: the one given, if it is."""
        from ..boundary.sure import Sure, exact_point, generic

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
    from ..exact.cell import locate
    from ..exact.forms import Exact
    from ..exact.rows import value
    from ..search.program import Compiled

    exact = Exact(Compiled(problem))
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
