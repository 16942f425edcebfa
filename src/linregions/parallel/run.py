"""A count or a listing by a `Coordinator`: from a restricted problem to the sums."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from ..domain.restrict import Restricted
from ..processors import check_processes, workers_of
from ..progress import Stopwatch
from ..search.branch import hand_over
from ..search.rational_node import whole
from ..search.search import Leaves, Search
from .checkpoint import EVERY, SHARE, Checkpoint, State
from .coordinator import Coordinator, unpack
from .identity import Identity, coordinates_hash
from .question import Question
from .task import Bundle, Job, Size

BATCH = 4096  # cells that a search lists at a time
LISTED = 1 << 16  # cells that a task lists before it hands them over, at most
HELD = 1 << 25  # bytes of their points, at most


@dataclass(frozen=True)
class Means:
    """What a search may use: ``workers`` processes, or an ``executor``; a ``checkpoint`` file.

    ``log`` is called with the `Size` of every subtree that a task walked whole.
    """

    workers: int | None = None
    executor: Executor | None = None
    checkpoint: Path | None = None
    log: Callable[[Size], None] | None = None

    @staticmethod
    def of(
        workers: int | str | None, executor: Executor | None, checkpoint: str | Path | None = None
    ) -> Means:
        """Means from what a caller gave, checked."""
        file = None if checkpoint is None else Path(checkpoint)
        number = workers_of(workers)
        if executor is None:
            check_processes(number)
        return Means(number, executor, file)

    @property
    def some(self) -> bool:
        """Whether anything but a plain search in this process was asked for."""
        return self.divided or self.checkpoint is not None

    @property
    def divided(self) -> bool:
        """Whether there is more than this process."""
        return self.executor is not None or (self.workers or 1) > 1


class Shared:
    """One search, walked with some means.

    Parameters
    ----------
    problem
        As for `Search`.
    means
        Workers and the checkpoint; where that holds something, the search goes on from there.
    kind
        What is counted; all but ``activation`` list the cells.
    roots, shard
        What gives the branches to walk, and a name for them (the whole tree unless given).
    question
        What is asked of the cells, instead of handing them over.

    Attributes
    ----------
    search
        The search in this process, which only opens the tree.
    coordinator
        Who walks it.
    before
        Seconds that earlier processes spent on it.
    """

    def __init__(
        self,
        problem: Restricted,
        means: Means,
        kind: str = "activation",
        roots: Callable[[Search], list[Bundle]] | None = None,
        shard: str = "",
        question: Question | None = None,
    ) -> None:
        emit = 0 if kind == "activation" else BATCH
        self.search = Search(problem, emit)
        self.coordinator = Coordinator(
            Job.of(problem, emit), means.workers, means.executor, means.log,
            max(BATCH, min(LISTED, HELD // (8 * problem.dimension + 1))) if emit else None,
            question,
        )  # fmt: skip
        self.before, self.watch = 0.0, Stopwatch()
        self.file: Checkpoint | None = None
        if means.checkpoint is not None:
            place = coordinates_hash(self.search.compiled)
            name = Identity.of(problem, kind, place, shard)
            self.file = Checkpoint(means.checkpoint, name)
        if self.file is not None and self.file.found is not None:
            self._restore(self.file.found)
        else:
            self.coordinator.add((roots or _whole_tree)(self.search))

    @property
    def leaves(self) -> int:
        """Cells found so far."""
        return self.coordinator.leaves

    @property
    def seconds(self) -> float:
        """Seconds spent so far, those of earlier processes included."""
        return self.before + self.watch.seconds

    @property
    def stop(self) -> str:
        """Why the search ended before its end; see `Coordinator.run`."""
        return self.coordinator.stop

    def stats(self) -> dict[str, int]:
        """How many decisions each argument took, over all workers."""
        return {name: self.coordinator.stats[name] for name in self.search.stats()}

    def run(self, limit: int | None, seconds: float | None) -> Iterator[list[Leaves]]:
        """Walk on; yields now and then, with the cells found since. See `Coordinator.run`."""
        self.watch = Stopwatch()
        due = 0.0
        try:
            for cells in self.coordinator.run(limit, seconds):
                if self.file is not None and time.perf_counter() >= due:
                    due = self._save()
                yield unpack(cells, self.search.compiled.cuts)
            if self.file is not None:
                self._save()
        finally:
            self.search.coincident = self.coordinator.coincident
            if self.file is not None:
                self.file.close()

    # -- on disk ----------------------------------------------------------------------

    def _save(self) -> float:
        """Save all; returns when to do it again."""
        assert self.file is not None
        begin, done = time.perf_counter(), self.coordinator
        self.file.save(
            State(
                done.leaves, done.coincident, self.seconds, dict(done.stats), done.finished,
                done.open, {} if done.question is None else done.question.pack(),
            )
        )  # fmt: skip
        now = time.perf_counter()
        return now + max(EVERY, (now - begin) / SHARE)

    def _restore(self, state: State) -> None:
        done = self.coordinator
        done.leaves, done.coincident, self.before = (
            state.leaves,
            state.coincident,
            state.seconds,
        )
        done.stats.update(state.stats)
        if done.question is not None:
            done.question.unpack(state.question)
        done.add(state.bundles)


def _whole_tree(search: Search) -> list[Bundle]:
    return [[whole(search)] if search.cursor is None else list(hand_over(search))]
