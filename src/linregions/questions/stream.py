"""Regions one by one: a stream of all of them, or the one that holds a point."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

from ..definitions import check_exact
from ..domain.domains import Domain, Space
from ..domain.restrict import Restricted, restrict
from ..errors import LinregionsError
from ..exact.forms import Exact
from ..exact.region import Region
from ..merging.compile import compile_for
from ..merging.graph import adjacency, cells_of
from ..parallel.identity import domain_hash
from ..parallel.run import Means, Shared
from ..progress import Stopped, check, watched
from ..readers import load
from ..search.program import Compiled
from ..search.search import Search
from ..watching import watchful
from .parquet import PartsReader
from .store import open_list


class Regions:
    """All activation regions over a convex domain: what `regions` returns.

    Iterating streams the regions and holds none; each ``for`` starts afresh, in the same order
    (``next(...)`` steps through one stream of its own). `graph` holds all cells.

    Parameters
    ----------
    problem
        What `restrict` gave.
    batch
        As in `regions`.
    means
        Who searches, where not this process.
    """

    def __init__(
        self,
        problem: Restricted,
        batch: int = 1024,
        means: Means | None = None,
    ) -> None:
        self.problem, self.batch, self.means = problem, batch, means
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
        compile_for(self.problem)
        search = Search(self.problem, emit=self.batch, audit=True)
        more = True
        while more:
            check()
            more = search.run(self.batch)
            yield lambda: search.rational, search.take()

    def _shared(self) -> Iterator[tuple[Callable[[], Any], Any]]:
        """The same from several workers, in the order in which they come in."""
        assert self.means is not None
        compile_for(self.problem)
        shared = Shared(self.problem, self.means, "regions")
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
        if self.means is not None:
            raise LinregionsError(
                "graph() numbers the regions in the order of one process; leave out workers and "
                "executor"
            )
        return watched(lambda _: adjacency(cells_of(self.problem), as_networkx))

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
        super().__init__(problem)

    def __len__(self) -> int:
        return self.source.rows

    def _alone(self) -> Iterator[tuple[Callable[[], Any], Any]]:
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
    check_exact(exact)
    means = Means.of(workers, executor)
    net = load(network, shape=shape)
    problem = restrict(net, Space() if domain is None else domain)
    return Regions(problem, batch, means if means.divided else None)
