"""What a tracker measures: each measure is made ready once for a network's inputs, then called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..boundary.distance import distance
from ..bounding import tightest
from ..complex.cells import CellComplex
from ..complex.subdivide import compile_complex, subdivide
from ..definitions import check_kind
from ..domain.domains import Domain, Plane, Space
from ..domain.restrict import restrict
from ..errors import LinregionsError
from ..estimation.estimate import estimate
from ..line.crossings import crossings, line_compile
from ..network.network import Network
from .changes import between
from .points import fitting, rows, some


class Reading(NamedTuple):
    """One value; the columns of `Row` that a measure knows."""

    measure: str
    value: float
    spread: float
    number: int
    definition: str
    exact: bool


Ready = Callable[[Network], list[Reading]]


class Measure(Protocol):
    """Anything with ``ready(inputs, seed)``: a function from networks to readings."""

    def ready(self, inputs: int, seed: int) -> Ready:
        """Draw what is random, compile, check sizes."""
        ...


def _mean(name: str, values: np.ndarray, definition: str, exact: bool) -> list[Reading]:
    """Mean and standard deviation of the finite values; infinite where there are none."""
    finite = np.asarray(values, float)[np.isfinite(values)]
    if not len(finite):
        return [Reading(name, float("inf"), 0.0, 0, definition, exact)]
    mean, spread = float(finite.mean()), float(finite.std())
    return [Reading(name, mean, spread, len(finite), definition, exact)]


@dataclass(frozen=True, eq=False)
class Lines:
    """Mean number of regions along lines, exactly (`crossings`).

    Parameters
    ----------
    through
        (m, n) points: the lines through the origin and ``number`` of them, drawn at random, as
        in section 3.1 of Hanin and Rolnick (ICML 2019).
    lines
        Or (m, 2, n) points and directions of infinite lines.
    segments
        Or (m, 2, n) end points. With none of the three: ``number`` infinite lines, points and
        directions standard normal.
    number
        How many lines to draw.
    kind
        ``activation``, ``linear`` or ``affine``.
    name
        In the table.
    """

    through: Any = None
    lines: Any = None
    segments: Any = None
    number: int = 100
    kind: str = "activation"
    name: str = "lines"

    def __post_init__(self) -> None:
        given = [self.through, self.lines, self.segments]
        if sum(g is not None for g in given) > 1:
            raise LinregionsError(f"{self.name}: give one of through, lines and segments")
        if self.kind not in ("activation", "linear", "affine"):
            raise LinregionsError(f"{self.name}: kind={self.kind!r} is not counted along lines")
        _positive(self.number, self.name)
        if self.through is not None:
            rows(self.through, self.name)

    def ready(self, inputs: int, seed: int) -> Ready:
        """Draw the lines, compile."""
        both, infinite, what = self._chosen(inputs, np.random.default_rng(seed))
        line_compile()
        definition = f"mean number of {self.kind} regions along {len(both)} {what}"

        def measure(network: Network) -> list[Reading]:
            counts = crossings(network, both, lines=infinite).count(self.kind)
            return _mean(self.name, counts, definition, True)

        return measure

    def _chosen(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, bool, str]:
        if self.through is not None:
            x = fitting(rows(self.through, self.name), n, self.name)
            x = some(x[x.any(axis=1)], self.number, rng)
            if not len(x):
                raise LinregionsError(f"{self.name}: all points are the origin; no line to draw")
            return np.stack([np.zeros_like(x), x], axis=1), True, "lines through the origin"
        given = self.segments if self.lines is None else self.lines
        if given is None:
            return rng.standard_normal((self.number, 2, n)), True, "random lines"
        x = np.asarray(given, float)
        x = x[None] if x.ndim == 2 else x
        if x.ndim != 3 or x.shape[1:] != (2, n) or not len(x):
            raise LinregionsError(
                f"{self.name}: lines of shape {np.shape(given)} for a network of {n} inputs; "
                f"give (m, 2, {n})"
            )
        return x, self.lines is not None, "segments" if self.lines is None else "lines"


@dataclass(frozen=True, eq=False)
class Distance:
    """Mean distance of points to the nearest boundary, exactly (`linregions.distance`).

    Parameters
    ----------
    points
        (m, n); ``number`` of them are drawn where there are more. None: standard normal points;
        `normal_points` draws those that are like a data set.
    number
        How many points to take.
    norm, kind
        As in `linregions.distance`.
    name
        In the table.
    """

    points: Any = None
    number: int = 1000
    norm: Any = 2
    kind: str = "activation"
    name: str = "distance"

    def __post_init__(self) -> None:
        if str(self.norm) not in ("1", "2", "inf") or self.kind not in ("activation", "linear"):
            raise LinregionsError(
                f"{self.name}: norm={self.norm!r}, kind={self.kind!r}; give norm 1, 2 or 'inf' "
                "and kind activation or linear"
            )
        _positive(self.number, self.name)
        if self.points is not None:
            rows(self.points, self.name)

    def ready(self, inputs: int, seed: int) -> Ready:
        """Draw the points."""
        rng = np.random.default_rng(seed)
        if self.points is None:
            x, what = rng.standard_normal((self.number, inputs)), "standard normal points"
        else:
            x = fitting(rows(self.points, self.name), inputs, self.name)
            x, what = some(x, self.number, rng), "points"
        definition = (
            f"mean {self.norm}-norm distance of {len(x)} {what} to the nearest boundary of "
            f"{self.kind} regions"
        )

        def measure(network: Network) -> list[Reading]:
            found = distance(network, x, norm=self.norm, kind=self.kind)
            return _mean(self.name, found.distance, definition, False)

        return measure


@dataclass(frozen=True, eq=False)
class Cells:
    """Number of regions in a plane or another bounded domain of 1 to 4 dimensions, exactly.

    Parameters
    ----------
    domain
        A `Plane`, `Segment`, `Slice`, `Box` or `Polytope`.
    kind
        ``activation``, ``linear`` or ``affine``.
    changes
        Also the regions born, gone and kept since the measurement before (`changes`).
    name
        In the table; changes are ``name born``, ``name gone`` and ``name kept``.
    """

    domain: Domain
    kind: str = "activation"
    changes: bool = False
    name: str = "plane"

    def __post_init__(self) -> None:
        if not isinstance(self.domain, Domain):
            raise LinregionsError(f"{self.name}: {self.domain!r} is no domain; give a Plane, ...")
        check_kind(self.kind)
        if self.kind not in ("activation", "linear", "affine"):
            raise LinregionsError(f"{self.name}: give kind activation, linear or affine")

    def ready(self, inputs: int, seed: int) -> Ready:
        """Check the domain, compile."""
        self.domain.chart(inputs)  # raises where the number of inputs does not fit
        compile_complex()
        before: list[CellComplex] = []
        where = self.domain.describe()
        definition = f"number of {self.kind} regions in {where}"

        def measure(network: Network) -> list[Reading]:
            cells = subdivide(network, self.domain)
            value = cells.count(self.kind)
            out = [Reading(self.name, value, 0.0, 1, definition, True)]
            if self.changes and before:
                found = between(before.pop(), cells)
                for what in ("born", "gone", "kept"):
                    said = f"patterns {what} since the measurement before, in {where}"
                    name = f"{self.name} {what}"
                    out.append(Reading(name, getattr(found, what), 0.0, 1, said, True))
            if self.changes:
                before.append(cells)
            return out

        return measure


@dataclass(frozen=True, eq=False)
class Bounds:
    """Decimal logarithm of the tightest proved upper bound (`linregions.bounds`).

    The bounds that read the weights change through training, all others do not.
    """

    domain: Domain | None = None
    name: str = "bounds"

    def ready(self, inputs: int, seed: int) -> Ready:
        """Check the domain."""
        domain = Space() if self.domain is None else self.domain
        domain.chart(inputs)

        def measure(network: Network) -> list[Reading]:
            bound = tightest(restrict(network, domain))
            said = f"log10 of the upper bound {bound.name} in {domain.describe()}"
            return [Reading(self.name, log10(max(int(bound.value), 1)), 0.0, 1, said, True)]

        return measure


@dataclass(frozen=True, eq=False)
class Estimated:
    """Unbiased estimate of the number of activation regions (`linregions.estimate`).

    Parameters
    ----------
    domain
        All of R^n by default.
    passes
        Independent values in one estimate; their number fixes the answer, whatever the machine.
    name
        In the table.
    """

    domain: Domain | None = None
    passes: int = 16
    name: str = "estimate"

    def ready(self, inputs: int, seed: int) -> Ready:
        """Check the domain."""
        domain = Space() if self.domain is None else self.domain
        domain.chart(inputs)
        said = f"estimated number of activation regions in {domain.describe()}"

        def measure(network: Network) -> list[Reading]:
            found = estimate(network, domain, passes=self.passes, seed=seed)
            sure = bool(found.complete and found.exact)
            return [Reading(self.name, float(found.estimate), 0.0, 1, said, sure)]

        return measure


@dataclass(frozen=True, eq=False)
class Custom:
    """A function of the network: to a number, to many (mean and spread), or to a mapping.

    Parameters
    ----------
    function
        Takes a `Network`; a mapping it returns gives one row for each key, ``name key``.
    name
        In the table.
    definition
        What the value is, in words.
    """

    function: Callable[[Network], Any]
    name: str
    definition: str = ""

    def ready(self, inputs: int, seed: int) -> Ready:
        """Nothing to prepare."""
        return self._measure

    def _measure(self, network: Network) -> list[Reading]:
        found = self.function(network)
        if not isinstance(found, Mapping):
            return self._reading(self.name, found)
        return [r for key, v in found.items() for r in self._reading(f"{self.name} {key}", v)]

    def _reading(self, name: str, value: Any) -> list[Reading]:
        said = self.definition or f"function {self.name}"
        try:
            values = np.asarray(value, float).ravel()
        except (TypeError, ValueError):
            raise LinregionsError(
                f"measure {name!r} returned {type(value).__name__}; return a number, numbers or "
                "a mapping of them"
            ) from None
        if values.size == 1:
            return [Reading(name, float(values[0]), 0.0, 1, said, False)]
        return _mean(name, values, said, False)


# -- by name ----------------------------------------------------------------------------------

KNOWN = ("lines", "distance", "plane", "bounds", "estimate")


def chosen(
    measures: Any, data: np.ndarray | None, plane: Domain | None, domain: Domain | None
) -> list[Measure]:
    """The measures that a tracker was asked for: names, measures, functions, (name, function)."""
    if isinstance(measures, str) or not isinstance(measures, Sequence | Mapping):
        measures = [measures]
    if isinstance(measures, Mapping):
        measures = list(measures.items())
    if not measures:
        raise LinregionsError(f"no measures; give some of {', '.join(KNOWN)}, or functions")
    return [_one(m, data, plane, domain) for m in measures]


def _one(given: Any, data: np.ndarray | None, plane: Any, domain: Any) -> Any:
    if isinstance(given, tuple) and len(given) == 2 and callable(given[1]):
        return Custom(given[1], str(given[0]))
    if hasattr(given, "ready") and not isinstance(given, type):
        return given
    if isinstance(given, str) and given in KNOWN:
        if given == "plane":
            return Cells(_plane(data) if plane is None else plane)
        return {
            "lines": lambda: Lines(through=data),
            "distance": lambda: Distance(points=data),
            "bounds": lambda: Bounds(domain),
            "estimate": lambda: Estimated(domain),
        }[given]()
    if callable(given) and not isinstance(given, type):
        return Custom(given, getattr(given, "__name__", "custom"))
    raise LinregionsError(
        f"unknown measure {given!r}; give {', '.join(KNOWN)}, a measure, a function of the "
        "network or a pair (name, function)"
    )


def _plane(data: np.ndarray | None) -> Plane:
    if data is None or len(data) < 3:
        raise LinregionsError("measure 'plane' needs plane=, or data= of at least three points")
    return Plane.through(*data[:3])


def _positive(number: int, name: str) -> None:
    if number < 1:
        raise LinregionsError(f"{name}: number={number}; give at least one")
