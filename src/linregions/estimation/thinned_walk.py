"""Unbiased passes over the tree of cells: `thin` with its rational side and its importances.

A `Thinned` search repeats passes. Each gives an unbiased estimate of the number of leaves,
and all of them teach the next ones how many leaves a branch of each stratum (its layer, and how
many units of that layer are still to be placed) holds on average. Branches are taken with
probability ``min(1, weight x that number / threshold)``: the threshold is the number of leaves
that one branch stands for, so that about ``leaves / threshold`` paths are followed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..domain.restrict import Restricted
from ..exact.forms import Exact
from ..exact.rows import Point, Row
from ..progress import check, current
from ..search import kernel as K
from ..search.program import Compiled
from ..search.search import Search
from . import thin_kernel as T
from .tree_model import TreeModel

KNUTH = -1.0  # as a threshold: of every two children exactly one
DEAREST = 1e5  # steps of the kernel that one of a rational walk is charged for at most
ASKED = 100.0  # steps of the kernel that a rational decision is charged for


class Pass(NamedTuple):
    """What one pass found: weighted leaves, leaves seen, and its work."""

    estimate: float
    seen: int  # leaves met
    steps: float  # work done, in steps of the kernel
    all_steps: float  # unbiased estimate of the steps of the whole tree
    lps: float
    all_lps: float
    raised: int  # how often the threshold was raised on the way
    complete: bool  # nothing was left out: the estimate is the count


class SampledExact(Exact):
    """Rational walks that leave branches out at random, each with its own draw.

    ``weight`` is that of the branch under way, hence of the leaf that was just given.
    """

    def __init__(self, compiled: Compiled, owner: Thinned) -> None:
        super().__init__(compiled)
        self.owner = owner
        self.weight = 1.0

    def leaves(
        self, layer: int, rows: list[Row], x: Point, signs: np.ndarray, cand: list[int]
    ) -> Iterator[tuple[np.ndarray, Point, bool]]:
        """The leaves that are taken. (`Exact.leaves` comes back here for every child.)"""
        outside = self.weight
        factor = self.owner.draw(layer, len(cand), outside)
        if factor == 0.0:
            return
        self.weight = outside * factor
        yield from super().leaves(layer, rows, x, signs, cand)
        self.weight = outside


class SampledSearch(Search):
    """A search whose rational subtrees are sampled too."""

    def __init__(self, problem: Restricted, owner: Thinned) -> None:
        self.owner = owner
        super().__init__(problem)

    @cached_property
    def rational(self) -> SampledExact:
        """As that of `Search`, leaving branches out."""
        seen = self.compiled.zonotope
        compiled = self.compiled if seen is None else Compiled(seen.problem)
        return SampledExact(compiled, self.owner)


class Thinned:
    """Passes over the tree of one restricted network.

    Parameters
    ----------
    problem
        What `restrict` gave.
    rng
        Where all draws come from.
    """

    def __init__(self, problem: Restricted, rng: np.random.Generator) -> None:
        self.rng = rng
        self.search = SampledSearch(problem, self)
        self.compiled = self.search.compiled
        self.state = T.thinning(self.compiled.program)
        self.most = 1  # the most leaves that one pass met: a certain lower bound (a domain that
        # a search is made for has an interior point, hence a cell)
        self._raised = 0
        self.deadline = np.inf  # of `time.perf_counter`: thresholds rise from then on
        self._root: list[np.ndarray] = []
        if self.search.cursor is not None:
            C = self.search.cursor
            self._root = [a[0].copy() for a in (C.F, C.cand, C.con, C.pts)]
        self.ranks = min(self.compiled.k, T.BUCKETS) + 1
        self._model = TreeModel(self.state.first, self.ranks)
        first = self.state.first
        self._top = int(first[1]) - 1 if len(first) > 1 else -1  # stratum of the root
        self.learn()

    @property
    def rational(self) -> SampledExact:
        """The rational side, made when it is first needed."""
        return self.search.rational

    # -- importances ------------------------------------------------------------------

    @property
    def forecast(self) -> float:
        """Leaves of the whole tree, by the passes so far."""
        return float(self.state.share[self._top]) if self._top >= 0 else 1.0

    def learn(self) -> None:
        """How many leaves a branch of each stratum holds on average, by the passes so far."""
        self._model.solve(self.state.share)

    # -- passes -----------------------------------------------------------------------

    def go(self, threshold: float, limit: float) -> Pass:
        """One pass; its threshold is raised whenever ``limit`` more steps have been made."""
        self.start(threshold, limit)
        C = self.search.cursor
        if C is None:
            return self.finish(self._whole())
        before = int(C.st[K.S_LEAVES])
        try:
            beside = self._walk(C)
        except KeyboardInterrupt:  # the pass is lost, but for the leaves that it met
            self.most = max(self.most, int(C.st[K.S_LEAVES]) - before)
            raise
        return self.finish(beside + int(C.st[K.S_LEAVES]) - before)

    def start(self, threshold: float, limit: float) -> None:
        """Put the walk at the root."""
        state, C = self.state, self.search.cursor
        state.v[:] = 0.0
        state.v[T.THRESHOLD], state.v[T.LIMIT] = threshold, limit
        self._raised, self._limit = 0, limit
        state.top[0] = 0
        state.node[0] = max(self._top, 0), 0, self.compiled.k
        state.weight[0] = 1.0
        state.before[0] = 0.0
        state.met[:] = 0.0
        if self._top >= 0:
            state.met[0, self._top] = 1.0
        state.draw[:] = self.rng.random(len(state.draw))
        if C is not None:
            for a, saved in zip((C.F, C.cand, C.con, C.pts), self._root, strict=True):
                a[0] = saved
            C.st[[K.DEPTH, K.ANSWER]] = 0

    def finish(self, seen: int) -> Pass:
        """Close a pass in which ``seen`` leaves were met."""
        v = self.state.v
        self._model.add(self.state.met, self.state.edges[: int(v[T.EDGES])])
        self.most = max(self.most, seen)
        return Pass(
            float(v[T.TOTAL]), seen, float(v[T.STEPS]), float(v[T.ALL_STEPS]), float(v[T.LPS]),
            float(v[T.ALL_LPS]), self._raised, bool(v[T.LEFT] == 0.0),
        )  # fmt: skip

    def step(self) -> int:
        """One step of the kernel at the weight of node 0, for callers that keep branches.

        Returns -1, or the number of leaves met in rational arithmetic, after which the walk is to
        be stepped again.
        """
        v, C, search = self.state.v, self.search.cursor, self.search
        assert C is not None
        before, weight = int(C.st[K.S_LEAVES]), self.weight
        with current().wire(C.st, K.TRIP):
            status = K.advance(self.compiled.program, C, 1)
        check()
        v[T.TOTAL] += weight * (int(C.st[K.S_LEAVES]) - before)
        v[T.STEPS] += 1.0
        v[T.ALL_STEPS] += weight
        if status != K.UNDECIDED:
            return -1
        self._charge(ASKED, weight)
        search._decide()
        if search._side is None:
            return 0
        met = self._beside(search._side)
        search._side = None
        return met

    def _walk(self, C) -> int:
        """Run the kernel to the end of a pass; returns the leaves met in rational arithmetic."""
        seen, state, search = 0, self.state, self.search
        budget, late = 64, self.deadline < np.inf
        while True:
            check()
            before = time.perf_counter() if late else 0.0
            with current().wire(C.st, K.TRIP):
                status = T.thin(self.compiled.program, C, state, budget if late else 1 << 40)
            if late:
                now = time.perf_counter()
                if now - before >= 0.05:
                    budget = max(budget // 2, 16)
                elif status == K.SPENT:  # else it was not all used, so its time says nothing
                    budget *= 2
                if now > self.deadline and state.v[T.THRESHOLD] >= 0.0:
                    self._raise()
            if status == K.DONE:
                return seen
            if status == T.OVER:
                self._raise()
            elif status == K.UNDECIDED:
                self._charge(ASKED, self.weight)
                search._decide()
                if search._side is not None:
                    seen += self._beside(search._side)
                    search._side = None

    def _beside(self, side: Iterator[tuple[np.ndarray, Point, bool]]) -> int:
        """Walk a rational subtree; returns the leaves met."""
        v, seen, found = self.state.v, 0, 0.0
        self.rational.weight = self.weight
        for _ in side:
            seen += 1
            found += self.rational.weight
        v[T.TOTAL] += found
        self.state.met[1, self.state.node[self.state.top[0], T.KEY]] += found / self.weight
        return seen

    def _whole(self) -> int:
        """A pass over a tree that only rational arithmetic can walk."""
        if self.compiled.cuts == 0 or self.compiled.k == 0:
            self.state.v[T.TOTAL] = 1.0
            return 1
        domain = self.rational.domain_rows()
        x = self.search._rational_witness(domain)
        signs = np.ones(self.compiled.cuts, np.int8)
        return self._beside(
            self.rational.leaves(0, domain, x, signs, self.rational.layout.candidates(0))
        )

    @property
    def weight(self) -> float:
        """Weight of the branch that the walk is in."""
        return float(self.state.weight[self.state.top[0]])

    def draw(self, layer: int, units: int, weight: float) -> float:
        """Whether a branch of the rational walk is taken: 0, or 1 over the probability."""
        v = self.state.v
        cost = min(50.0 + 3.0 * self.rational.k**2, DEAREST)
        self._charge(cost, weight)
        if v[T.STEPS] >= v[T.LIMIT]:
            self._raise()
        if v[T.THRESHOLD] == 0.0:
            return 1.0
        first = self.state.first[layer] + units * self.ranks
        share = self.state.share[first : first + self.ranks].max()
        p = min(1.0, weight * share / v[T.THRESHOLD] / np.sqrt(cost))
        if v[T.THRESHOLD] < 0.0:
            p = 1.0 if units == len(self.rational.layout.candidates(layer)) else 0.5
        if p >= 1.0:
            return 1.0
        if self.rng.random() < p:
            return 1.0 / p
        v[T.LEFT] += 1.0
        return 0.0

    def _charge(self, cost: float, weight: float) -> None:
        """Account for work in rational arithmetic, in steps of the kernel."""
        self.state.v[T.STEPS] += cost
        self.state.v[T.ALL_STEPS] += cost * weight

    def _raise(self) -> None:
        """A higher threshold for the rest of the pass, with fresh draws: no bias.

        Twice as high, then 4 times, 8 times, ...: a forecast may be wrong by any power.
        """
        v = self.state.v
        self._raised += 1
        factor = 2.0 ** min(self._raised, 1000)
        with np.errstate(over="ignore"):  # beyond floats: whatever may be left out is
            v[T.THRESHOLD] = max(factor * v[T.THRESHOLD], 1e-3 * self.forecast)
        v[T.LIMIT] += self._limit
        self.state.draw[:] = self.rng.random(len(self.state.draw))
