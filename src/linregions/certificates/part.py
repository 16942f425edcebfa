"""One part of a proof: a branch walked with its reasons, and the branches that it gives away."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..domain.restrict import Restricted
from ..search import kernel as K
from ..search import records as R
from ..search.branch import Branch, adopt, branch
from ..search.forms import KIND
from ..search.program import Cursor, Program
from ..search.recorded import Recorder
from ..search.search import Search
from .stream import Stream

LEAVES = 20_000  # of a part, from where on it gives branches away
SHARE = 4  # a branch is given away if its elder sibling has a quarter of that or more


class Task(NamedTuple):
    """A branch to be proved: its number, the records of its path, and what the search needs.

    Number 0 is the root, which has no branch.
    """

    number: int
    path: np.ndarray
    branch: Branch | None


class Unfinished(Exception):
    """The part was not finished; the argument: leaves found in it."""


class Prover:
    """Walks branches of one problem, one after the other."""

    def __init__(self, problem: Restricted) -> None:
        self.recorder = Recorder(self._take)
        self.search = Search(problem, recorder=self.recorder)
        self._stream: Stream | None = None

    def _take(self, ints: np.ndarray, reals: np.ndarray, text: str) -> None:
        assert self._stream is not None
        self._stream.take(ints, reals, text)

    def prove(
        self, task: Task, target: Path, child: int, tick: Callable[[int], bool]
    ) -> tuple[dict[str, object], list[Task]]:
        """Write one part to a file.

        Parameters
        ----------
        task
            What to prove.
        target
            The file.
        child
            Number of the first branch that is given away; the others follow it.
        tick
            Called several times a second with the leaves so far; True ends it.

        Returns
        -------
        dict, list of Task
            ``sha256``, ``count``, ``size`` and ``crc`` of the part, and the branches given away.

        Raises
        ------
        Unfinished
            When ``tick`` said so; the file is then of no use.
        """
        stream = self._stream = Stream(target)
        try:
            search = self.search
            if task.branch is not None:
                adopt(search, task.branch)
                self._mark(task.path)
                stream.take(task.path, np.zeros(0))
            before, given = search.leaves, self._walk(tick)
            self.recorder.drain()
            children = [t._replace(number=child + i) for i, t in enumerate(given)]
            stubs = [v for t in children for v in (R.PART, t.number)]
            if stubs:
                stream.take(np.array(stubs, np.int32), np.zeros(0))
        except BaseException:
            stream.close()
            raise
        digest = stream.close()
        leaves = search.leaves - before
        found = {"sha256": digest, "count": leaves, "size": stream.size, "crc": stream.crc}
        return found, children

    def _mark(self, path: np.ndarray) -> None:
        """What split the cells of a path, as the cursor that walked it had noted it."""
        C, groups = self.search.cursor, self.search.compiled.program.groups
        assert C is not None
        for code, which, _ in path[:-1].reshape(-1, 3).tolist():
            row = which if code in (R.SPLIT, R.REFUSED) else int(groups[which, 0])
            C.divides[row] = code in (R.SPLIT, R.FAN)

    def _walk(self, tick: Callable[[int], bool]) -> list[Task]:
        """Walk the branch; the branches given away, deepest first."""
        search, nodes, given = self.search, 256, []
        start = search.leaves
        while True:
            before = time.perf_counter()
            more = search.run(nodes)
            if not more:
                return given
            if tick(search.leaves - start):
                raise Unfinished(search.leaves - start)
            took = time.perf_counter() - before
            if took < 0.02:
                nodes = min(2 * nodes, 1 << 14)
            elif took > 0.1:
                nodes = max(nodes // 2, 16)
            if search.leaves - start >= LEAVES:
                given = self._give() + given

    def _give(self) -> list[Task]:
        """Take away the shallow branches that look large, by what their elder siblings hold.

        Only whole second children, and only from the bottom of the stack up: their records come
        after all others, so that numbers of parts can stand for them at the end.
        """
        search, C = self.search, self.search.cursor
        if C is None or search._side is not None:
            return []
        depth, found, n = int(C.st[K.DEPTH]), int(C.st[K.S_LEAVES]), 0
        while n < depth and C.F[n, K.PHASE] == K.SECOND:
            if SHARE * (found - int(C.F[n, K.BORN])) < LEAVES:
                break
            n += 1
        out = [Task(0, path_of(search.compiled.program, C, d), branch(C, d)) for d in range(n)]
        if n:
            for table in (C.F, C.cand, C.con, C.pts):
                table[: depth + 1 - n] = table[n : depth + 1].copy()
            C.st[K.DEPTH] = depth - n
        return out[::-1]


def path_of(P: Program, C: Cursor, d: int) -> np.ndarray:
    """The records of the path to the second child of frame d: what is decided, and how."""
    last, split = int(C.F[d, K.LAYER]), int(C.F[d, K.SPLIT])
    undecided = set(C.cand[d, : C.F[d, K.NSURV]].tolist()) - {split}
    out: list[int] = []
    for layer in range(last + 1):
        first, end = int(P.layers_cut[layer]), int(P.layers_cut[layer + 1])
        if P.layers[layer, KIND] > 0:
            for unit in sorted(set(P.owner[first:end].tolist())):
                row, m = int(P.groups[unit, 0]), int(P.groups[unit + 1, 1] - P.groups[unit, 1])
                won = next((j for j in range(1, m) if C.sign[row + j - 1] > 0), 0)
                out += [R.FAN if C.divides[row] else R.WINS, unit, won]
            continue
        for c in range(first, end):
            upper = (C.sign[c] > 0) != (c == split)
            if c not in undecided:
                out += [R.SPLIT if c == split or C.divides[c] else R.REFUSED, c, int(upper)]
    return np.array([*out, R.PATH_END], np.int32)
