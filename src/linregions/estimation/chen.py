"""Chen's heterogeneous sampling: one representative of each stratum, weighted for all of it."""

from __future__ import annotations

import heapq

from ..search import kernel as K
from ..search.branch import Branch, adopt, branch
from . import thin_kernel as T
from .samplers import WalkSampler


class Representatives(WalkSampler):
    """One representative per stratum (Chen 1992, "Heuristic sampling").

    Strata are taken in an order in which branches only lead to later ones. A branch that meets
    an occupied stratum adds its weight there and takes the place of the representative with
    probability (its weight) / (the sum).
    """

    def sample(self, doublings: int) -> float:
        """The mean of 1, 2, 4, ... passes."""
        n = 1 << doublings
        return sum(self._pass() for _ in range(n)) / n

    def _pass(self) -> float:
        walker, rng = self.walker, self.walker.rng
        if walker.search.cursor is None:
            return self._take(walker.go(-1.0, float("inf")))  # rational arithmetic alone
        walker.start(-1.0, float("inf"))
        C, before = walker.search.cursor, int(walker.search.cursor.st[K.S_LEAVES])
        beside = 0
        waiting: dict[tuple[int, int, int], tuple[float, Branch, int]] = {}
        order: list[tuple[int, int, int]] = []
        first = (0, 0, 0)
        waiting[first] = (1.0, branch(C, 0), walker.compiled.k)
        heapq.heappush(order, first)
        while order:
            weight, held, rank = waiting.pop(heapq.heappop(order))
            adopt(walker.search, held)
            walker.state.weight[0] = weight
            found, met = self._expand(rank)
            beside += met
            for stratum, other, r in found:
                if stratum not in waiting:
                    waiting[stratum] = (weight, other, r)
                    heapq.heappush(order, stratum)
                    continue
                walker.state.v[T.LEFT] += 1.0
                total, kept, kept_rank = waiting[stratum]
                total += weight
                if rng.random() * total < weight:
                    kept, kept_rank = other, r
                waiting[stratum] = (total, kept, kept_rank)
        return self._take(walker.finish(int(C.st[K.S_LEAVES]) - before + beside))

    def _expand(self, rank: int) -> tuple[list[tuple[tuple[int, int, int], Branch, int]], int]:
        """Branches of the cell in frame 0, and the leaves met in rational arithmetic."""
        walker, out, beside = self.walker, [], 0
        C, program = walker.search.cursor, walker.compiled.program
        assert C is not None

        def candidate(e: int) -> None:
            key, r = T.stratum(program, C, walker.state.first, e, rank)
            layer = int(C.F[e, K.LAYER])
            units, z = divmod(int(key - walker.state.first[layer]), walker.ranks)
            out.append(((layer, -units, z), branch(C, e), int(r)))

        while True:
            status = walker.step()
            if status >= 0:
                beside += status
                continue
            d = int(C.st[K.DEPTH])
            if d == 1:
                candidate(1)
                C.st[K.DEPTH] = d = 0
            if d < 0 or C.F[0, K.PHASE] in (K.SECOND, K.NEW):
                if d == 0:
                    candidate(0)
                return out, beside
