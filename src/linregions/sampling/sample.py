"""`sample`: distinct activation patterns at random points."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from .. import files
from ..answer import handed_over
from ..domain.domains import Domain
from ..errors import Interrupted, LinregionsError
from ..network.network import Network
from ..processors import available as cores
from ..processors import most_processes
from ..progress import Deadline, Progress, Status, announced, current, tell, watched
from ..readers import load
from . import state as disk
from .answer import Sampled, tally
from .blocks import Block, Sampler, check_device
from .laws import source
from .table import PatternTable

MEMORY = 1 << 30
AHEAD = 8  # blocks per thread between two looks at the clock
SAVE_EVERY = 30.0  # seconds between two saves of the state
HOPELESS = 1 << 21  # draws that all missed the domain before we give up


def sample(
    network: Any,
    domain: Domain | None = None,
    *,
    points: int = 10_000_000,
    v: Any = None,
    seed: int = 0,
    keep: bool = False,
    state: str | Path | None = None,
    seconds: float | None = None,
    memory: int = MEMORY,
    threads: int | None = None,
    device: str | None = "auto",
    progress: Callable[[Status], None] | None = None,
    on_interrupt: str = "raise",
    shape: Sequence[int] | None = None,
) -> Sampled:
    """Count the distinct activation patterns at random points.

    A lower bound of the number of activation regions, with estimates of what was not met
    (Xiong et al. 2020, section 6). Points are drawn one by one, each coordinate on its own:
    normal with mean 0 and standard deviation v over all of R^n, or uniform in a bounded domain
    (in its own coordinates; a polytope by rejection from the box around it).

    Parameters
    ----------
    network
        A `Network`, or anything that `load` takes.
    domain
        None for normal points over R^n, or a bounded domain for uniform ones.
    points
        Points in all, shared equally by the laws.
    v
        Standard deviations; (3, 5, 7, 9, 11, 13) by default.
    seed
        The answer depends on it, on the network, the laws and the number of points, and not on
        the number of threads or on interruptions. (Points of a GPU are others than those of
        a processor.)
    keep
        Keep the patterns themselves (`Sampled.patterns`). Up to 128 bits they always are.
    state
        A ``.npz`` file that holds the run: saved every half minute and at the end, taken up
        where it ended if it exists. More ``points`` than last time continue the run.
    seconds
        Stop after so much time.
    memory
        Bytes for the table of patterns. Where it is full, a random half of the patterns is
        dropped for good, again and again, and the numbers of patterns become estimates.
    threads
        Processors; all by default.
    device
        ``auto`` takes a GPU where torch sees one, ``cpu`` never, else the name of a torch device
        (``torch:cpu`` for torch's own processor).
    progress
        Called with a `Status` every few blocks.
    on_interrupt
        As in `count`.
    shape
        Shape of one input without the batch dimension, for a module that does not say it; see
        `load`.

    Raises
    ------
    LinregionsError
        For an unbounded domain, a polytope that random points miss, numbers out of range, or a
        state of another run.

    Examples
    --------
    >>> net = Network.from_layers([([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])])
    >>> found = sample(net, points=6000)
    >>> int(found), found.total.coverage
    (4, 1.0)
    """
    net = load(network, shape=shape)
    _check(points, seed, seconds, memory, threads)
    path = None if state is None else files.check_target(state, (".npz",))
    width = cores() if threads is None else min(threads, most_processes())
    runs: list[_Run] = []

    def work(report: Progress | None) -> Sampled:
        run = _Run(net, domain, v, seed, keep, memory, check_device(device))
        if path is not None and path.exists():
            run.resume(path)
        run.plan(points)
        runs.append(run)
        stopped = run.go(width, path, report)
        if stopped != "interrupt":
            run.check_hits(least=1)
        if path is not None:
            run.save(path)
        return run.answer(stopped)

    def nothing(clock: Deadline) -> Sampled:
        if not runs:
            raise (
                Interrupted
                if clock.reason == "interrupt"
                else LinregionsError(
                    f"sample: stopped after {clock.seconds:g} s, before the first point; give more"
                )
            )
        return runs[0].answer(clock.reason)

    return handed_over(watched(work, seconds, progress, nothing, on_interrupt), on_interrupt)


def _check(points: Any, seed: Any, seconds: Any, memory: Any, threads: Any) -> None:
    def whole(value: Any) -> bool:
        return isinstance(value, int | np.integer) and not isinstance(value, bool)

    if not whole(points) or not 1 <= points < 2**62:
        raise LinregionsError(f"points={points!r}: give a whole number, 1 or more")
    if not whole(seed) or not 0 <= seed < 2**64:
        raise LinregionsError(f"seed={seed!r}: give a whole number from 0 to 2^64 - 1")
    if seconds is not None and not (isinstance(seconds, int | float) and seconds >= 0):
        raise LinregionsError(f"seconds={seconds!r}: give a number, 0 or more")
    if not whole(memory) or memory < 1 << 20:
        raise LinregionsError(f"memory={memory!r}: give bytes, at least a million")
    if threads is not None and not (whole(threads) and threads >= 1):
        raise LinregionsError(f"threads={threads!r}: give a whole number, 1 or more")


class _Run:
    """A run: its laws, its table, and how many points of each law are done."""

    def __init__(
        self,
        net: Network,
        domain: Domain | None,
        v: Any,
        seed: int,
        keep: bool,
        memory: int,
        device: str | None,
    ) -> None:
        self.net, self.seed = net, int(seed)
        self.source = source(net, domain, v)
        self.sampler = Sampler(self.source, self.seed, device)
        layout = self.sampler.layout
        self.words = layout.words if keep and layout.words > 2 else 0
        self.kept = keep or layout.words == 2
        laws = len(self.source.scales)
        self.table = PatternTable(laws, self.words, memory)
        # by law: points drawn, outside, skipped, settled in rationals
        self.done = np.zeros((laws, 4), np.int64)
        self.wanted = np.zeros(laws, np.int64)
        self.elapsed = 0.0

    # -- on disk ----------------------------------------------------------------------------

    def _header(self) -> dict[str, Any]:
        names, gates = list(self.source.names), self.source.network.hash
        return {
            "network": self.net.hash, "domain": self.source.domain, "folded": gates,
            "gates": self.source.gates.tolist(), "laws": names, "seed": self.seed,
            "path": "torch" if self.sampler.torch else "processor",
            "block": self.sampler.size, "words": self.words,
        }  # fmt: skip

    def save(self, path: Path) -> None:
        """Write the state."""
        level = {"level": self.table.level}
        disk.save(path, {**self._header(), **level}, {**self.table.arrays(), "done": self.done})

    def resume(self, path: Path) -> None:
        """Take up a saved state."""
        saved, arrays = disk.read(path, self._header())
        self.done = arrays["done"]
        self.table.fill(int(saved["level"]), arrays["keys"], arrays["count"], arrays["words"])

    # -- work -------------------------------------------------------------------------------

    def plan(self, points: int) -> None:
        """Share points among the laws."""
        laws = len(self.wanted)
        self.wanted[:] = points // laws
        self.wanted[: points % laws] += 1
        if (self.done[:, 0] > self.wanted).any():
            raise LinregionsError(
                f"points={points:,}: the state holds {int(self.done[:, 0].sum()):,} already; "
                "ask for as many or more"
            )

    def _jobs(self, count: int) -> list[tuple[int, int, int, int]]:
        """The next blocks: law, block, first and last point; laws take turns."""
        size, jobs, done = self.sampler.size, [], self.done[:, 0].copy()
        while len(jobs) < count and (done < self.wanted).any():
            law = int(np.argmax(done < self.wanted)) if not jobs else self._after(jobs, done)
            block, first = divmod(int(done[law]), size)
            last = min(size, int(self.wanted[law]) - block * size)
            jobs.append((law, block, first, last))
            done[law] = block * size + last
        return jobs

    def _after(self, jobs: list[tuple[int, int, int, int]], done: np.ndarray) -> int:
        laws = len(done)
        order = [(jobs[-1][0] + 1 + i) % laws for i in range(laws)]
        return next(i for i in order if done[i] < self.wanted[i])

    def go(
        self,
        threads: int,
        path: Path | None,
        progress: Progress | None,
    ) -> str:
        """Draw until the plan is fulfilled; why it was not, or an empty string."""
        self._compile()
        start = saved = time.perf_counter()
        clock, stopped = current(), ""
        clock.known, clock.stage = lambda: self.table.rows, "sample"
        with (
            ThreadPoolExecutor(threads, thread_name_prefix="linregions") as pool,
            clock.wire(self.sampler.trip, 0),
        ):
            while not stopped and (jobs := self._jobs(threads * AHEAD)):
                self._round(pool, jobs)
                now = time.perf_counter()
                self.elapsed = now - start
                tell(progress, Status(self.table.rows, self.elapsed, "sample"))
                self.check_hits(HOPELESS)
                if path is not None and now - saved > SAVE_EVERY:
                    self.save(path)
                    saved = now
                if (self.done[:, 0] < self.wanted).any():
                    stopped = clock.reason
        return stopped

    def _compile(self) -> None:
        with announced():
            self.sampler(0, 0, 0, 1)

    def _round(self, pool: ThreadPoolExecutor, jobs: list[tuple[int, int, int, int]]) -> None:
        """A number of blocks, in order: all of them, or those that were done when it stopped."""
        clock, broken = current(), set()
        context = contextvars.copy_context()
        futures = [pool.submit(context.copy().run, self.sampler, *job) for job in jobs]
        for future, job in zip(futures, jobs, strict=True):
            if clock.reason:
                future.cancel()
            if job[0] in broken:
                continue  # later blocks of a law wait for this one
            try:
                block = future.result()
                self._take(block, job)
                if block.points < job[3] - job[2]:
                    broken.add(job[0])
            except (KeyboardInterrupt, CancelledError):
                broken.add(job[0])

    def _take(self, block: Block, job: tuple[int, int, int, int]) -> None:
        law = job[0]
        for found in block.found:
            if not self.words:
                found.words = found.words[:, :0]
            self.table.add(found, law)
        self.done[law] += (block.points, block.outside, block.skipped, block.rational)

    def check_hits(self, least: int) -> None:
        """Raise where so many points or more were drawn and none of them is an answer."""
        drawn, outside, skipped = (int(v) for v in self.done[:, :3].sum(axis=0))
        if drawn < max(least, 1) or outside + skipped < drawn:
            return
        what = f"{self.source.domain}: none of {drawn:,} points"
        if not outside:
            raise LinregionsError(
                f"{what} lies further from all boundaries than rounding; scale the domain or the "
                "weights"
            )
        near = f" ({skipped:,} lie too near its faces to tell)" if skipped else ""
        raise LinregionsError(
            f"{what} of the box around it fell into it{near}; give more points or a box inside "
            "it, or lower the dimension with a Slice"
        )

    # -- the answer -------------------------------------------------------------------------

    def answer(self, stopped: str) -> Sampled:
        """What the table holds."""
        table = self.table.sorted()
        counts, t = table.count[: table.rows], table.level
        valid = self.done[:, 0] - self.done[:, 1] - self.done[:, 2]
        laws = tuple(
            tally(name, counts[:, i], int(valid[i]), int(self.done[i, 1]), int(self.done[i, 2]), t)
            for i, name in enumerate(self.source.names)
        )
        whole = counts.sum(axis=1)
        outside, skipped = int(self.done[:, 1].sum()), int(self.done[:, 2].sum())
        out = Sampled(table.rows if not t else max(table.rows, table.most + 1))
        out.total = tally("all", whole, int(valid.sum()), outside, skipped, t)
        out.laws, out.complete, out.stopped = laws, not stopped, stopped
        out.path, out.seed, out.network = self.sampler.path, self.seed, self.net.hash
        out.domain, out.seconds = self.source.domain, self.elapsed
        out.rational = int(self.done[:, 3].sum())
        out._table, out._layout, out._kept = table, self.sampler.layout, self.kept
        return out
