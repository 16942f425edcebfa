"""Options that commands share; those that belong together are one dataclass.

The command line flattens a dataclass: ``where: Where`` is ``--box``, ``--polytope`` and so on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from ..domain.domains import Box, Domain, Line, Plane, Segment, Space
from ..errors import LinregionsError
from ..network.rational import fraction_array, simplest
from ..parallel.pool import cluster as running_cluster
from .values import byte_count, named, read_box, read_points, read_polytope, whole_limit

Json = Annotated[bool, Parameter(negative="", help="Print one JSON object and nothing else.")]
Exact = Annotated[bool, Parameter(show=False)]  # what `check_exact` refuses
Switch = Annotated[bool, Parameter(negative="")]
Target = Annotated[Path | None, Parameter(name=["-o", "--output"])]
Data = Annotated[Path, Parameter(help="FILE.npy of the points (points x inputs).")]
Limit = Annotated[int | None, Parameter(converter=whole_limit)]


@Parameter(name="*")
@dataclass(frozen=True)
class Bounded:
    """The ways to name a bounded domain, of which one may be given.

    Parameters
    ----------
    box
        LO,HI for every coordinate (--box=-1,1), or LO1:HI1,LO2:HI2,..., or FILE.vnnlib.
    polytope
        FILE.npz with A and b: the points where A x <= b.
    plane
        FILE.npy of three points (3 x inputs): the square around them in their plane.
    size
        Half-width of that square in circumradii (default 1.2).
    segment
        FILE.npy of two points (2 x inputs): the way between them.
    """

    box: str | None = None
    polytope: Path | None = None
    plane: Path | None = None
    size: float | None = None
    segment: Path | None = None

    def given(self) -> list[str]:
        """The options that are there."""
        names = (f.name for f in fields(self) if f.name != "size")
        return [f"--{name}" for name in names if getattr(self, name) is not None]

    def domain(self) -> Domain:
        """The domain: all of R^n where nothing is given."""
        if len(self.given()) > 1:
            raise LinregionsError(f"{' and '.join(self.given())} together; give one domain")
        if self.size is not None and self.plane is None:
            raise LinregionsError(f"--size={self.size} is the size of a plane: give --plane too")
        if self.box is not None:
            return read_box(self.box)
        if self.polytope is not None:
            return read_polytope(self.polytope)
        if self.plane is not None:
            with named(f"--plane {self.plane}"):
                return Plane.through(*self.corners(), size=1.2 if self.size is None else self.size)
        if self.segment is not None:
            ends = read_points(self.segment, "--segment", 2)
            with named(f"--segment {self.segment}"):
                return Segment(*ends)
        return Space()

    def corners(self) -> np.ndarray:
        """The three points of ``--plane``."""
        assert self.plane is not None
        return read_points(self.plane, "--plane", 3)


@Parameter(name="*")
@dataclass(frozen=True)
class Where(Bounded):
    """The ways to name a domain, of which one may be given.

    Parameters
    ----------
    line
        FILE.npy of two points (2 x inputs): the whole line through them.
    """

    line: Path | None = None

    def domain(self) -> Domain:
        """The domain: all of R^n where nothing is given."""
        found = super().domain()
        if self.line is None:
            return found
        p, q = read_points(self.line, "--line", 2)
        with named(f"--line {self.line}"):
            return Line(p, simplest(fraction_array(q) - fraction_array(p)))

    def domains(self) -> Sequence[Domain]:
        """The domains to take one by one: several for a property with a union of boxes."""
        if self.given() == ["--box"] and self.size is None and str(self.box).endswith(".vnnlib"):
            return Box.all_from_vnnlib(self.box)
        return [self.domain()]


@Parameter(name="*")
@dataclass(frozen=True)
class Workers:
    """Who searches.

    Parameters
    ----------
    workers
        Processes to search with: a number, or auto for every processor.
    cluster
        Search with a running Dask scheduler, such as tcp://node1:8786.
    """

    workers: str | None = None
    cluster: str | None = None

    @contextmanager
    def options(self) -> Iterator[dict[str, Any]]:
        """Arguments of `count`, `regions` or `shard`."""
        given = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "cluster"}
        given = {name: value for name, value in given.items() if value is not None}
        if self.cluster is None:
            yield given
            return
        with running_cluster(self.cluster) as executor:
            yield {**given, "executor": executor}


@Parameter(name="*")
@dataclass(frozen=True)
class Effort(Workers):
    """Who searches, and where the search is kept.

    Parameters
    ----------
    checkpoint
        Save the search in this file every few seconds, and go on from it.
    """

    checkpoint: Path | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class Stop:
    """When a count stops.

    Parameters
    ----------
    limit
        Stop after so many regions: the answer is then a lower bound.
    seconds
        Stop after so much time: the answer is then a lower bound.
    """

    limit: Limit = None
    seconds: float | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class Merging:
    """What joining cells may take.

    Parameters
    ----------
    memory
        What --kind linear and affine may take to merge cells (default 2G); more than that goes to
        disk first.
    scratch
        The folder for what goes to disk.
    """

    memory: Annotated[int | None, Parameter(converter=byte_count)] = None
    scratch: Path | None = None
