"""Branches without a float point, walked node by node.

`Exact.leaves` walks such a subtree in one go; here what is left can be kept, pickled and handed to
someone else at any time. Both make the same decisions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import fmpq

from ..exact.rows import Point, negative
from ..network.pattern import crown, pair
from ..progress import check
from .rational_branch import RationalBranch, rational_branch
from .search import Search


def whole(search: Search) -> RationalBranch:
    """The tree of a search that has no cursor."""
    exact = search.rational
    domain = exact.domain_rows()
    x = search._rational_witness(domain)
    cuts = search.compiled.cuts
    cand = exact.layout.candidates(0) if len(exact.cut) > 1 else []
    signs = np.ones(cuts, np.int8)
    return rational_branch(0, range(cuts, cuts + len(domain)), cand, signs, x)


def walk_node(search: Search, given: RationalBranch) -> list[RationalBranch]:
    """Walk one node: its children, or none where it is a cell, which the search then counts."""
    exact, signs = search.rational, given.sign.copy()
    rows = exact.cell(given.con, signs)
    x: Point = [fmpq(p, q) for p, q in given.point]
    if given.cand and exact.layout.is_max(given.layer):
        return _fan(search, given, rows, x, signs)
    survivors: list[tuple[int, int, Point, Point]] = []
    for c in given.cand:
        check()
        g = exact.row(c, signs)
        s, x, other, tie = exact.place(rows, x, g)
        search.coincident += tie
        signs[c] = s
        if other is not None:
            survivors.append((c, s, x, other))
    if survivors:
        u, s, near, other = survivors[0]
        rest, out = [c for c, *_ in survivors[1:]], []
        for t, start in ((-s, other), (s, near)):
            half = signs.copy()
            half[u] = t
            out.append(rational_branch(given.layer, (*given.con, u), rest, half, start))
        return out
    if given.layer + 1 < len(exact.cut) - 1:
        after = exact.layout.candidates(given.layer + 1)
        return [rational_branch(given.layer + 1, given.con, after, signs, x)]
    search.extra += 1
    if search.emits:
        search.keep(signs, x)
    return []


def _fan(
    search: Search, given: RationalBranch, rows: list[Any], x: Point, signs: np.ndarray
) -> list[RationalBranch]:
    """One child for each argument of a max unit that wins somewhere; see `Exact.clipped`."""
    exact, first = search.rational, given.cand[0]
    m, out = exact.layout.arguments(first), []
    for w in range(m):
        cell, con, y = list(rows), list(given.con), x
        for j in range(m):
            if j == w:
                continue
            c = pair(first, m, w, j)
            g = exact.row(c, signs)
            s, y, other, tie = exact.place(cell, y, g)
            search.coincident += tie
            t = 1 if w > j else -1
            if other is None and s != t:
                break
            if other is not None:
                y = y if s == t else other
                cell.append(g if t > 0 else negative(g))
                con.append(c)
        else:
            crowned = signs.copy()
            crown(crowned, first, m, w)
            out.append(rational_branch(given.layer, con, given.cand[1:], crowned, y))
    return out
