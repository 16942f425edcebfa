"""Any receptive sets: sweep the positions and remember what the rest must know.

After some positions have taken t_1, t_2, ... inputs, the future depends only on the family
of smallest "used" vectors on the live groups (those that a later position sees as well):
the bases of a matroid. States are such families. Vectors are mixed-radix numbers, and a
family of them is one Python integer with bit u set for vector u, so that "one more of group
k in every vector" is a mask and a shift; where there are too many numbers for that, it is a
frozen set.

A position takes what only it can still see first; what it takes beyond goes to live groups
in every possible way. Exchange in matroids makes larger vectors useless.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from ._check import OutOfReach

Places = list[tuple[int, int]]
DENSE = 1 << 17  # bits: above, sets of numbers are faster than integers as bit sets


class _Slots:
    """Digits of the mixed-radix numbers: (place, size) of each live group.

    A digit that is free again serves the next group of the same size.
    """

    def __init__(self) -> None:
        self.places: dict[tuple[int, ...], tuple[int, int]] = {}
        self.free: dict[int, list[int]] = {}
        self.span = 1

    def open(self, group: tuple[int, ...], size: int) -> None:
        if self.free.get(size):
            place = self.free[size].pop()
        else:
            place, self.span = self.span, self.span * (size + 1)
        self.places[group] = (place, size)

    def close(self, group: tuple[int, ...]) -> tuple[int, int]:
        place, size = self.places.pop(group)
        self.free.setdefault(size, []).append(place)
        return place, size


@lru_cache(maxsize=4096)
def _mask(span: int, place: int, size: int, low: int, high: int) -> int:
    """Numbers below ``span`` whose digit at ``place`` (radix size + 1) is in low..high."""
    block = ((1 << ((high - low + 1) * place)) - 1) << (low * place)
    length = place * (size + 1)
    while length < span:
        block |= block << length
        length *= 2
    return block & ((1 << span) - 1)


def total(
    positions: int,
    groups: dict[tuple[int, ...], int],
    weights: Sequence[int],
    work: int,
    progress: Callable[[int, int], None] | None,
) -> int:
    """The weighted sum. ``work`` bounds the words of memory moved; `OutOfReach` beyond."""
    plan = _plan(positions, groups)
    span = max(step.span for step in plan)
    dense = span <= DENSE
    states: dict = {1: 1} if dense else {frozenset([0]): 1}
    for p, (private, shared, here) in enumerate(plan):
        if progress is not None:
            progress(p, positions)
        size = 1 + here // 512 if dense else max(map(len, states)) // 4 + 8
        work -= len(states) * size * (1 + len(shared)) * min(len(weights), 16)
        if work < 0:
            raise OutOfReach(
                f"{len(states):,} states over {here:,} vectors at position {p + 1} of {positions}"
            )
        if dense:
            states = _step(states, private, shared, here, weights)
        else:
            states = _sparse_step(states, private, shared, weights)
    if progress is not None:
        progress(positions, positions)
    return sum(states.values())


class _Step(NamedTuple):
    """Groups seen for the last time at a position, the other ones that it sees, and the span."""

    private: Places
    shared: Places
    span: int


def _plan(positions: int, groups: dict[tuple[int, ...], int]) -> list[_Step]:
    slots, out = _Slots(), []
    for p in range(positions):
        for group, size in groups.items():
            if group[0] == p:
                slots.open(group, size)
        last = [g for g in groups if g[-1] == p]
        shared = [slots.places[g] for g in groups if p in g and g[-1] != p]
        out.append(_Step([slots.places[g] for g in last], shared, slots.span))
        for g in last:
            slots.close(g)
    return out


def _step(
    states: dict[int, int],
    private: Places,
    shared: Places,
    span: int,
    weights: Sequence[int],
) -> dict[int, int]:
    """All families after one more position."""
    room = [(place, _mask(span, place, size, 0, size - 1)) for place, size in shared]
    after: dict[int, int] = {}
    for family, w in states.items():
        by_free = _split(family, private, span)
        least = min(by_free)
        now = by_free[least]
        for t, weight in enumerate(weights):
            if t > least:
                grown = by_free.get(t, 0)
                for place, mask in room:
                    grown |= (now & mask) << place
                now = grown
                if not now:
                    break
            after[now] = after.get(now, 0) + w * weight
    return after


def _split(family: int, private: Places, span: int) -> dict[int, int]:
    """Vectors by free capacity in the private groups, with their private digits erased."""
    parts = {0: family}
    for place, size in private:
        split: dict[int, int] = {}
        for free, vectors in parts.items():
            for digit in range(size + 1):
                mine = vectors & _mask(span, place, size, digit, digit)
                if mine:
                    at = free + size - digit
                    split[at] = split.get(at, 0) | (mine >> (digit * place))
        parts = split
    return parts


def _sparse_step(
    states: dict[frozenset[int], int], private: Places, shared: Places, weights: Sequence[int]
) -> dict[frozenset[int], int]:
    """`_step` for families that are sets; what a vector turns into is kept."""
    after: dict[frozenset[int], int] = {}
    erased: dict[int, tuple[int, int]] = {}
    more: dict[int, tuple[int, ...]] = {}
    for family, w in states.items():
        by_free: dict[int, set[int]] = {}
        for v in family:
            if v not in erased:
                digits = [(v // place) % (size + 1) for place, size in private]
                free = sum(size - x for (_, size), x in zip(private, digits, strict=True))
                taken = sum(place * x for (place, _), x in zip(private, digits, strict=True))
                erased[v] = (free, v - taken)
            free, rest = erased[v]
            by_free.setdefault(free, set()).add(rest)
        least = min(by_free)
        now = by_free[least]
        for t, weight in enumerate(weights):
            if t > least:
                for v in now:
                    if v not in more:
                        more[v] = tuple(
                            v + place for place, size in shared if (v // place) % (size + 1) < size
                        )
                now = by_free.get(t, set()).union(*[more[v] for v in now])
                if not now:
                    break
            key = frozenset(now)
            after[key] = after.get(key, 0) + w * weight
    return after
