"""What a worker does: walk a bundle of branches for a while, and say what is left of it.

A task is a pure function of its arguments. It may be run twice, on any machine that has the same
version of the package; only what it returns counts.
"""

from __future__ import annotations

import copy
import hashlib
import pickle
import threading
import time
from typing import Any, NamedTuple

import numpy as np

from ..domain.restrict import Restricted
from ..progress import current
from ..search.branch import Branch, adopt, hand_over
from ..search.rational_branch import RationalBranch
from ..search.rational_node import walk_node
from ..search.search import Leaves, Search
from .question import Question

SLICE = 0.05  # seconds between looks at the clock
Bundle = list[Branch | RationalBranch]  # shallowest first, so the last is the next to walk


class Job(NamedTuple):
    """A search as workers know it: its settings, pickled, and a name for them."""

    key: str
    blob: bytes

    @staticmethod
    def of(problem: Restricted, emit: int) -> Job:
        """The job of searching a problem; ``emit`` > 0 lists the cells, in batches of that size."""
        blob = pickle.dumps((problem, emit), protocol=pickle.HIGHEST_PROTOCOL)
        return Job(hashlib.sha256(blob).hexdigest(), blob)


class Size(NamedTuple):
    """A subtree that one task walked whole: for a simulation of other policies."""

    leaves: int
    nodes: int
    seconds: float


class Done(NamedTuple):
    """What came of a task.

    ``left`` is the bundle that remains. ``cells`` holds the cells themselves where the job lists
    them, their signs packed to bits. ``question``: what it has learnt, where one is asked.
    ``missing``: this worker does not have the job; send it along.
    """

    leaves: int = 0
    coincident: int = 0
    seconds: float = 0.0
    stats: dict[str, int] = {}  # noqa: RUF012 (a tuple's default is not shared state)
    left: Bundle = []  # noqa: RUF012
    cells: tuple[tuple[np.ndarray, np.ndarray, dict[int, Any]], ...] = ()
    sizes: tuple[Size, ...] = ()
    question: Any = None
    missing: bool = False

    def unpacked(self, rows: int) -> list[Leaves]:
        """The cells as the search gives them."""
        return [
            Leaves(np.unpackbits(signs, axis=1, count=rows), points, exact)
            for signs, points, exact in self.cells
        ]


_local = threading.local()  # a search belongs to the thread that moves it


def work(
    key: str, blob: bytes | None, bundle: Bundle, seconds: float, most: int | None, log: bool,
    question: Any = None,
) -> Done:  # fmt: skip
    """Walk a bundle for some seconds, or until ``most`` cells are found; see `Done`.

    A ``question`` sees the cells instead of the caller, and every branch before it is walked.
    """
    search = _search(key, blob)
    if search is None:
        return Done(missing=True)
    try:
        if question is not None:
            return _ask(search, list(bundle), seconds, copy.deepcopy(question))
        return _walk(search, list(bundle), seconds, most, log)
    except BaseException:
        _local.held = None  # it may have stopped anywhere
        raise


def _search(key: str, blob: bytes | None) -> Search | None:
    held = getattr(_local, "held", None)
    if held is not None and held[0] == key:
        return held[1]
    if blob is None:
        return None
    search = Search(*pickle.loads(blob))
    _local.held = key, search
    return search


class _Start:
    """Where a search stood when a task began."""

    def __init__(self, search: Search) -> None:
        self.time = time.perf_counter()
        self.stats, self.leaves, self.met = search.stats(), search.leaves, search.met

    def done(self, search: Search, left: Bundle, **more: Any) -> Done:
        """What has come since then."""
        stats = {name: n - self.stats[name] for name, n in search.stats().items()}
        leaves, met = search.leaves - self.leaves, search.met - self.met
        return Done(leaves, met, time.perf_counter() - self.time, stats, left, **more)


def _walk(search: Search, stack: Bundle, seconds: float, most: int | None, log: bool) -> Done:
    start, pace = _Start(search), _Pace()
    cells: list[Any] = []
    sizes: list[Size] = []
    while stack and not _over(start.time, seconds, search.leaves - start.leaves, most):
        branch = stack.pop()
        if isinstance(branch, RationalBranch):
            stack += walk_node(search, branch)
            _take(search, cells)
            continue
        adopt(search, branch)
        before, nodes, found = time.perf_counter(), search.stats()["nodes"], search.leaves
        while search.run(pace.nodes(most, search.leaves - start.leaves)):
            pace.tick()
            _take(search, cells)
            if _over(start.time, seconds, search.leaves - start.leaves, most):
                break
        whole = search.done
        stack += hand_over(search)
        _take(search, cells)
        if log and whole:
            now = time.perf_counter()
            steps = search.stats()["nodes"] - nodes
            sizes.append(Size(search.leaves - found, steps, now - before))
    return start.done(search, stack, cells=tuple(cells), sizes=tuple(sizes))


def _ask(search: Search, stack: Bundle, seconds: float, question: Question) -> Done:
    """Walk with a question: a branch is divided after every slice, and its parts are bounded."""
    start = _Start(search)
    pace = _Pace(8, 4)  # small: what the first cells tell is what branches are held against
    while stack and not _over(start.time, seconds, 0, None):
        branch = stack.pop()
        if not question.bound(search, branch):
            continue
        if isinstance(branch, RationalBranch):
            stack += walk_node(search, branch)
        else:
            adopt(search, branch)
            search.run(pace.nodes(None, 0))
            _show(search, question)  # hand_over may have to walk on
            stack += hand_over(search)
        _show(search, question)
        pace.tick()
    return start.done(search, stack, question=question)


def _show(search: Search, question: Question) -> None:
    found = search.take()
    if len(found.signs):
        question.cell(search, found)


def _over(begin: float, seconds: float, found: int, most: int | None) -> bool:
    late = time.perf_counter() - begin >= seconds or bool(current().reason)
    return late or (most is not None and found >= most)


def _take(search: Search, cells: list[Any]) -> None:
    if search.emits:
        batch = search.take()
        if len(batch.signs):
            cells.append((np.packbits(batch.signs, axis=1), batch.points, batch.exact))


class _Pace:
    """Nodes per slice, so that a slice takes about `SLICE` seconds."""

    def __init__(self, first: int = 256, least: int = 16) -> None:
        self.size, self.least = first, least
        self.last = time.perf_counter()

    def nodes(self, most: int | None, found: int) -> int:
        """Nodes of the next slice."""
        self.last = time.perf_counter()
        return self.size if most is None else max(1, min(self.size, most - found))

    def tick(self) -> None:
        """A slice was used up."""
        took = time.perf_counter() - self.last
        if took < SLICE / 2:
            self.size = min(2 * self.size, 1 << 22)
        elif took > 2 * SLICE:
            self.size = max(self.size // 2, self.least)
