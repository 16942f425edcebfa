"""Any receptive sets: sweep the positions and remember what the rest must know.

After some positions have taken t_1, t_2, ... inputs, the future depends only on the family
of smallest "used" vectors on the live groups (those that a later position sees as well):
the bases of a matroid. States are such families. A family is one Python integer, bit u set
when the vector with mixed-radix number u belongs to it, so that "one more of group k in
every vector" is a mask and a shift.

A position takes what only it can still see first; what it takes beyond goes to live groups
in every possible way. Exchange in matroids makes larger vectors useless.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from ._check import OutOfReach


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
    slots = _Slots()
    states: dict[int, int] = {1: 1}
    for p in range(positions):
        if progress is not None:
            progress(p, positions)
        for group, size in groups.items():
            if group[0] == p:
                slots.open(group, size)
        last = [g for g in groups if g[-1] == p]
        shared = [slots.places[g] for g in groups if p in g and g[-1] != p]
        private = [slots.places[g] for g in last]
        if slots.span > 1 << 22:
            raise OutOfReach(f"a frontier of {slots.span:,} vectors at position {p + 1}")
        work -= len(states) * (1 + slots.span // 512) * (1 + len(shared)) * len(weights)
        if work < 0:
            raise OutOfReach(
                f"{len(states):,} states of up to {slots.span:,} vectors at position {p + 1} "
                f"of {positions}"
            )
        states = _step(states, private, shared, slots.span, weights)
        for g in last:
            slots.close(g)
    if progress is not None:
        progress(positions, positions)
    return sum(states.values())


def _step(
    states: dict[int, int],
    private: list[tuple[int, int]],
    shared: list[tuple[int, int]],
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


def _split(family: int, private: list[tuple[int, int]], span: int) -> dict[int, int]:
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
