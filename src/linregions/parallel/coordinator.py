"""The coordinator: bundles of branches go out to workers and come back smaller."""

from __future__ import annotations

import queue
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from typing import Any

from ..errors import LinregionsError
from ..progress import Stopwatch, current, reason_of
from ..search.search import Leaves
from . import policy, pool
from .question import Question
from .task import Bundle, Done, Job, Size, work

LARGE = 1 << 16  # bytes of a job that are not sent with every task
LOSSES = 3  # times in a row that workers may die without any result
LEARNT = 0.3  # seconds after which a task with a question says what it knows
GRACE = 0.3  # seconds to wait for the tasks under way when the search is to stop


class Coordinator:
    """Walks a search with an executor; what it has counted is exactly what came back.

    Parameters
    ----------
    job
        What to search.
    workers
        Number of processes; 1 walks in this process.
    executor
        Where tasks go instead; ``workers`` is then how many it runs at a time (asked for where
        None).
    log
        Called with the `Size` of every subtree that was walked whole.
    batch
        Cells that a task finds at most (about), where they are listed.
    question
        What is asked of the cells; it learns from every task that comes back.

    Attributes
    ----------
    leaves, coincident, stats
        Sums over the results so far.
    seconds
        Spent in workers.
    """

    def __init__(
        self,
        job: Job,
        workers: int | None = None,
        executor: Executor | None = None,
        log: Callable[[Size], None] | None = None,
        batch: int | None = None,
        question: Question | None = None,
    ) -> None:
        self.job, self.workers, self.executor = job, workers, executor
        self.log, self.batch, self.question = log, batch, question
        self.leaves = self.coincident = 0
        self.seconds = 0.0
        self.stats: Counter[str] = Counter()
        self._queue: list[Bundle] = []
        self._flights: dict[Future[Done], Bundle] = {}
        self._landed: queue.SimpleQueue[Future[Done]] = queue.SimpleQueue()
        self._pool: Executor | None = None
        self._losses = 0
        self._warming: list[Future[None]] = []  # processes of a pool that are starting
        self._cells: list[Any] = []
        self._unknown = 0  # workers that asked for the job
        self._told, self._seasoned = "", False
        self._watch = Stopwatch()
        self._width, self._asked = 1, 0.0
        self.stop = ""

    def add(self, bundles: list[Bundle]) -> None:
        """More to walk."""
        self._queue += [list(b) for b in bundles if b]

    @property
    def open(self) -> list[Bundle]:
        """Everything that is not counted yet, tasks under way included."""
        return [*self._queue, *self._flights.values()]

    @property
    def finished(self) -> bool:
        """Nothing is left."""
        return not self._queue and not self._flights

    # -- the loop ---------------------------------------------------------------------

    def run(
        self, limit: int | None = None, seconds: float | None = None
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Walk on; yields now and then, with the cells that came in since (if they are listed).

        After the last one, ``stop`` says why it ended: empty, ``limit``, ``seconds`` or
        ``interrupt``. Closing the iterator early abandons the tasks under way, uncounted.
        """
        self._watch, self.stop, self._told = Stopwatch(), "", ""
        try:
            while not self.finished:
                self.stop = self._due(limit, seconds)
                if self.stop:
                    break
                try:
                    self._send(limit, seconds)
                except KeyboardInterrupt as stop:  # in a walk here: its bundle is back
                    self.stop = reason_of(stop)
                    break
                yield self._receive(0.1)
            deadline = time.perf_counter() + GRACE
            while self._flights and time.perf_counter() < deadline:
                yield self._receive(0.05)
            if self.finished and self.stop != "interrupt":
                self.stop = ""
        finally:
            self._abandon()

    def halt(self, reason: str) -> None:
        """Stop for a reason: what is under way may still land, then `run` ends."""
        self._told = self._told or reason

    def _due(self, limit: int | None, seconds: float | None) -> str:
        if self._told:
            return self._told
        if current().reason:
            return current().reason
        if limit is not None and self.leaves >= limit:
            return "limit"
        if seconds is not None and self._watch.seconds >= seconds:
            return "seconds"
        return ""

    # -- sending ----------------------------------------------------------------------

    def _send(self, limit: int | None, seconds: float | None) -> None:
        if not self._worth_processes():
            self._walk_here(limit)
            return
        width = self._capacity()
        target = 1 if isinstance(self._executor(), pool.Here) else policy.wanted(width)
        if not self._is_up():
            self._walk_here(limit)
            return
        policy.divide(self._queue, target - len(self._flights))
        budget = policy.budget(width, len(self._queue) + len(self._flights), target)
        left = float("inf") if seconds is None else max(0.01, seconds - self._watch.seconds)
        if self.question is not None:  # what it has learnt comes back often, and before the end
            budget, left = min(budget, LEARNT), 0.5 * left
        budget = min(budget, left)
        while self._queue and len(self._flights) < target:
            self._submit(budget, self._most(limit))

    def _worth_processes(self) -> bool:
        """Whether to have processes of our own: not before a count has shown that it takes long.

        One that is over sooner than they would start is faster without them.
        """
        ours = self.executor is None and (self.workers or 1) > 1
        if not ours or self._pool is not None or self._seasoned:
            return True
        self._seasoned = self._watch.seconds >= policy.ALONE
        return self._seasoned

    def _most(self, limit: int | None) -> int | None:
        """How many cells a task may find before it comes back."""
        left = None if limit is None else max(1, limit - self.leaves)
        return left if self.batch is None else min(self.batch, left or self.batch)

    def _how(self, most: int | None) -> tuple[int | None, bool, Question | None]:
        """The last arguments of `work`."""
        return most, self.log is not None, self.question

    def _is_up(self) -> bool:
        """Whether a process of our own pool is ready (True for any other executor)."""
        if self._warming and any(f.done() for f in self._warming):
            failed = [e for f in self._warming if f.done() and (e := f.exception()) is not None]
            self._warming = []
            if failed:
                self._lost(failed[0])
                return False
        return not self._warming

    def _walk_here(self, limit: int | None) -> None:
        """Walk a little in this process, while those of the pool start."""
        if not self._queue:
            return
        bundle = self._queue.pop()
        known = self.job.key, self.job.blob
        try:
            done = work(*known, bundle, policy.SHORT, *self._how(self._most(limit)))
        except BaseException:
            self._queue.append(bundle)
            raise
        self._add(done)

    def _submit(self, budget: float, most: int | None) -> None:
        blob, executor = self.job.blob, self._executor()
        if len(blob) > LARGE and not self._unknown and not isinstance(executor, pool.Here):
            blob = None  # the worker says so if it does not have it
        elif self._unknown:
            self._unknown -= 1
        bundle = self._queue.pop()
        try:
            future = executor.submit(work, self.job.key, blob, bundle, budget, *self._how(most))
        except BrokenExecutor as error:
            self._queue.append(bundle)
            self._lost(error)
            return
        except BaseException:
            self._queue.append(bundle)
            raise
        self._flights[future] = bundle
        future.add_done_callback(self._landed.put)

    def _executor(self) -> Executor:
        if self.executor is not None:
            return self.executor
        if self._pool is None:
            here = self.workers is None or self.workers == 1
            self._pool = pool.Here() if here else pool.processes(self.workers or 1)
            if not here:
                self._warming = [self._pool.submit(pool.warm) for _ in range(self.workers or 1)]
        return self._pool

    def _capacity(self) -> int:
        if self.workers is not None:
            return self.workers
        now = time.perf_counter()
        if now >= self._asked:
            self._asked = now + 1.0
            self._width = 1 if self.executor is None else pool.width(self.executor)
        return self._width

    # -- receiving --------------------------------------------------------------------

    def _receive(self, wait: float) -> list[Any]:
        """Count what has come in, and hand over the cells; wait a moment if nothing has."""
        wait = 0.0 if self._warming else wait
        while True:
            try:
                future = self._landed.get(timeout=wait) if wait else self._landed.get_nowait()
            except queue.Empty:
                cells, self._cells = self._cells, []
                return cells
            wait = 0.0
            bundle = self._flights.pop(future, None)
            if bundle is not None:  # else it was given up before
                self._land(future, bundle)

    def _land(self, future: Future[Done], bundle: Bundle) -> None:
        try:
            done = future.result()
        except Exception as error:
            self._queue.append(bundle)
            if not _is_loss(error):
                raise
            self._lost(error)
            return
        if done.missing:
            self._unknown += 1
            self._queue.append(bundle)
            return
        self._losses = 0
        self._add(done)

    def _add(self, done: Done) -> None:
        """Count a result."""
        self.leaves += done.leaves
        self.coincident += done.coincident
        self.seconds += done.seconds
        self.stats.update(done.stats)
        if done.left:
            self._queue.append(done.left)
        self._cells += done.cells
        if self.question is not None:
            self.question.merge(done.question)
        if self.log is not None:
            for size in done.sizes:
                self.log(size)

    def _lost(self, error: BaseException) -> None:
        """A worker died: its bundle is walked again, in a new pool where the pool is ours."""
        self._losses += 1
        ours = self.executor is None
        many = LOSSES if ours else LOSSES * (1 + len(self._flights))
        if self._losses > many or (not ours and isinstance(error, BrokenExecutor)):
            raise LinregionsError(
                f"workers died {self._losses} times without a result ({_why(error)}); "
                "they may have run out of memory: give fewer workers"
                if ours
                else f"the executor lost its workers ({_why(error)}); give a new one"
            ) from error
        if ours and isinstance(error, BrokenExecutor) and self._pool is not None:
            self._queue += self._flights.values()  # all of them broke with it
            self._flights.clear()
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _abandon(self) -> None:
        """Leave no process behind; what is under way counts as not done."""
        for future in self._flights:
            future.cancel()
        self._queue += self._flights.values()
        self._flights.clear()
        if self._pool is not None:
            end(self._pool)
            self._pool = None


def end(executor: Executor) -> None:
    """Shut a pool of ours down without waiting for tasks that nobody counts."""
    alive = list((getattr(executor, "_processes", None) or {}).values())
    executor.shutdown(wait=False, cancel_futures=True)
    for process in alive:
        process.terminate()
    for process in alive:
        process.join()


def _is_loss(error: BaseException) -> bool:
    """Whether an exception says that a worker is gone, rather than that the task is wrong."""
    return isinstance(error, BrokenExecutor | CancelledError | ConnectionError) or (
        type(error).__name__ in ("KilledWorker", "FutureCancelledError", "CommClosedError")
    )


def _why(error: BaseException) -> str:
    return str(error).split("\n")[0] or type(error).__name__


def unpack(cells: list[Any], rows: int) -> list[Leaves]:
    """Cells that `Coordinator.run` yields, as the search gives them."""
    return Done(cells=tuple(cells)).unpacked(rows)
