"""How work is divided: what is split, how many tasks are under way, how long each walks.

`Coordinator` follows it, and so does the simulation in ``benchmarks/splitting.py``.
"""

from __future__ import annotations

import heapq
from typing import TypeVar

T = TypeVar("T")
ALONE = 1.0  # seconds that a count walks here before processes are started
LONG, SHORT = 1.0, 0.05  # seconds of a task: as a rule, and while there are too few bundles
RESULTS = 100  # a second: so many workers make their tasks longer


def wanted(width: int) -> int:
    """Bundles under way for so many workers: one walked and one waiting for each."""
    return 2 * width


def budget(width: int, bundles: int, target: int) -> float:
    """Seconds of a task, where there are so many bundles and ``target`` are wanted."""
    if bundles >= target:
        return LONG * max(1.0, width / RESULTS)
    return SHORT * max(1.0, bundles / RESULTS)


def divide(queue: list[list[T]], number: int) -> None:
    """Split bundles, the largest first, until there are so many, or all are single branches.

    A bundle gives away its shallowest branch, which is likely to hold the most.
    """
    if len(queue) >= number:
        return
    heap = [(-len(bundle), i) for i, bundle in enumerate(queue) if len(bundle) > 1]
    heapq.heapify(heap)
    while heap and len(queue) < number:
        size, i = heap[0]
        queue.append([queue[i].pop(0)])
        if size < -2:
            heapq.heapreplace(heap, (size + 1, i))
        else:
            heapq.heappop(heap)
