"""Receptive sets on a line: intervals whose two ends ascend with the position.

Handing out the leftmost free input is then always right, and what is taken right of the
next start is contiguous, so the whole state is one integer: the first free slot.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

Chain = list[tuple[int, int]]


def chain(positions: int, groups: dict[tuple[int, ...], int]) -> Chain | None:
    """Half-open intervals of slots, both ends ascending, or None where there are none.

    Inputs are ordered by their first and last viewer; the sets are such intervals exactly
    when every input is seen by consecutive positions.
    """
    if any(seen[-1] - seen[0] + 1 != len(seen) for seen in groups):
        return None
    ends: list[list[int]] = [[] for _ in range(positions)]
    slot = 0
    for seen, size in sorted(groups.items(), key=lambda item: (item[0][0], item[0][-1])):
        for p in seen:
            if not ends[p]:
                ends[p] = [slot, slot]
            if ends[p][1] != slot:
                return None
            ends[p][1] = slot + size
        slot += size
    out = [(a, b) for a, b in (e or [slot, slot] for e in ends)]
    ascending = all(a <= c and b <= d for (a, b), (c, d) in itertools.pairwise(out))
    return out if ascending else None


def total(intervals: Chain, weights: Sequence[int]) -> int:
    """The weighted sum, in O(positions x slots seen x largest t) big-integer operations."""
    states = {0: 1}
    for low, high in intervals:
        after: dict[int, int] = {}
        starts: dict[int, int] = {}
        for first_free, w in states.items():
            start = max(first_free, low)
            starts[start] = starts.get(start, 0) + w
        for start, w in starts.items():
            for t in range(min(len(weights), high - start + 1)):
                after[start + t] = after.get(start + t, 0) + w * weights[t]
        states = after
    return sum(states.values())
