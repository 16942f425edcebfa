"""Weighted points of a coverage polymatroid: the sum behind every convolutional bound.

Given sets S_p (positions p, each a set of inputs with capacities), let

    K = {t in N^P : sum_{p in J} t_p <= |union_{p in J} S_p| for all J}

and weights w(t). `Coverage` evaluates ``sum_{t in K} prod_p w(t_p)``. By Hall's theorem t is
in K when inputs can be handed out so that position p gets t_p of its own. Connected parts
multiply; a part whose sets are intervals with ascending ends is done greedily
(`_intervals`), any other by sweeping its frontier (`_frontier`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from . import _frontier, _intervals

Progress = Callable[[int, int], None]


class Coverage:
    """Sets of inputs by position, with equal inputs merged into groups.

    Parameters
    ----------
    sets
        For each position the inputs that it sees, any hashable names. The order of the
        positions is that of the sweep.
    capacity
        How many times each input may be handed out (its channels).
    """

    def __init__(self, sets: Sequence[frozenset], capacity: int) -> None:
        self.positions = len(sets)
        viewers: dict[object, list[int]] = {}
        for p, mine in enumerate(sets):
            for x in mine:
                viewers.setdefault(x, []).append(p)
        groups: dict[tuple[int, ...], int] = {}
        for seen in viewers.values():
            groups[tuple(seen)] = groups.get(tuple(seen), 0) + capacity
        self.groups = groups
        self.used = sum(groups.values())

    @cached_property
    def parts(self) -> list[tuple[list[int], dict[tuple[int, ...], int]]]:
        """Connected parts: the positions of each in order, and its groups, renumbered."""
        parent = list(range(self.positions))

        def root(i: int) -> int:
            while parent[i] != i:
                parent[i] = parent[parent[i]]
                i = parent[i]
            return i

        for seen in self.groups:
            for p in seen[1:]:
                parent[root(p)] = root(seen[0])
        members: dict[int, list[int]] = {}
        for p in range(self.positions):
            members.setdefault(root(p), []).append(p)
        number = {p: i for mine in members.values() for i, p in enumerate(mine)}
        groups: dict[int, dict[tuple[int, ...], int]] = {r: {} for r in members}
        for seen, size in self.groups.items():
            groups[root(seen[0])][tuple(number[p] for p in seen)] = size
        return [(members[r], groups[r]) for r in members]

    def total(
        self, weights: Sequence[int], work: int = 10**9, progress: Progress | None = None
    ) -> int:
        """``sum_{t in K} prod_p weights[t_p]``; weights beyond the list are zero.

        ``work`` bounds what the frontier sweep may cost (`OutOfReach` beyond).
        """
        out, known = 1, {}
        for positions, groups in self.parts:
            key = (len(positions), tuple(sorted(groups.items())))
            if key not in known:
                known[key] = _part(len(positions), groups, weights, work, progress)
            out *= known[key]
        return out


def _part(
    positions: int,
    groups: dict[tuple[int, ...], int],
    weights: Sequence[int],
    work: int,
    progress: Progress | None,
) -> int:
    most = len(weights) - 1
    if (intervals := _intervals.chain(positions, groups)) is not None:
        return _intervals.total(intervals, weights)
    if _saturates(positions, groups, most):
        return sum(weights) ** positions
    return _frontier.total(positions, groups, weights, work, progress)


def _saturates(positions: int, groups: dict[tuple[int, ...], int], t: int) -> bool:
    """Whether t inputs for every position can be had: augmenting paths, breadth first."""
    if t * positions > sum(groups.values()):
        return False
    sees: list[list[tuple[int, ...]]] = [[] for _ in range(positions)]
    for group in groups:
        for p in group:
            sees[p].append(group)
    free = dict(groups)
    given: dict[tuple[int, ...], dict[int, int]] = {g: {} for g in groups}

    def grant(p: int) -> bool:
        asked_by: dict[tuple[int, ...], int] = {}  # who would take one of this group
        loses: dict[int, tuple[int, ...] | None] = {p: None}  # what a position would give up
        queue = [p]
        for asker in queue:
            for group in sees[asker]:
                if group in asked_by:
                    continue
                asked_by[group] = asker
                if free[group]:
                    free[group] -= 1
                    _shift(group, asked_by, loses, given)
                    return True
                for owner, amount in given[group].items():
                    if amount and owner not in loses:
                        loses[owner] = group
                        queue.append(owner)
        return False

    return all(grant(p) for p in range(positions) for _ in range(t))


def _shift(group, asked_by, loses, given) -> None:
    """Hand one input of ``group`` to who asked, whose own goes to who asked for that, ..."""
    while group is not None:
        asker = asked_by[group]
        given[group][asker] = given[group].get(asker, 0) + 1
        group = loses[asker]
        if group is not None:
            given[group][asker] -= 1
