"""Branches of a search as things of their own: take one off, and let another search walk it.

A `Branch` is one frame of a cursor: a cell, the units of its layer that are still to be placed,
and the signs of those that are. It is small and can be pickled; the affine forms are composed
anew where it is adopted, from the signs alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..jit import held, kernel
from . import kernel as K
from .forms import compose
from .program import Cursor
from .search import Search


class Branch(NamedTuple):
    """What one frame of a cursor has still to do.

    ``frame`` its row of ``F``; ``cand`` and ``con`` candidates and constraints; ``pts`` known
    points; ``sign`` the sign of every row, meaningful where the unit is placed.
    """

    frame: np.ndarray
    cand: np.ndarray
    con: np.ndarray
    pts: np.ndarray
    sign: np.ndarray


def branch(C: Cursor, d: int) -> Branch:
    """A copy of frame d of a cursor."""
    F = C.F[d]
    cand = C.cand[d, : max(F[K.NCAND], F[K.NSURV])]
    points = C.pts[d, : max(F[K.NPT], F[K.NIN])]
    return Branch(F.copy(), cand.copy(), C.con[d, : F[K.NCON]].copy(), points.copy(), C.sign.copy())


def adopt(search: Search, given: Branch) -> None:
    """Let a search of the same problem walk a branch instead of what it was walking.

    Leaves found so far stay counted.
    """
    C = search.cursor
    assert C is not None, "a branch belongs to a search that has a cursor"
    C.F[0, : len(given.frame)] = given.frame
    C.F[0, K.ENTRY] = 0  # the bounding box stayed behind: it only saves time
    C.cand[0, : len(given.cand)] = given.cand
    C.con[0, : len(given.con)] = given.con
    C.pts[0, : len(given.pts)] = given.pts
    C.sign[:] = given.sign
    composed = int(given.frame[K.LAYER]) + int(given.frame[K.PHASE] != K.NEW)
    calm = C._replace(st=np.zeros_like(C.st))  # a trip wire that nobody raises
    _compose_to(search.compiled.program, calm, composed)
    C.st[[K.DEPTH, K.ANSWER]] = 0
    search.done = False


def hand_over(search: Search) -> list[Branch]:
    """Everything that a search has still to do, shallowest branch first; it is then done.

    A rational subtree under way is walked to its end first, for it has no branches to give. The
    output must have been taken (or must fit): finished cells stay with the search.
    """
    while search._side is not None:
        search._advance_side(1000)
    C = search.cursor
    if C is None or search.done:
        search.done = True
        return []
    last = int(C.st[K.DEPTH])
    if C.st[K.ANSWER] == K.DROP:  # the caller counted this whole frame
        last -= 1
    left = [branch(C, d) for d in range(last + 1)]
    C.st[K.DEPTH], C.st[K.ANSWER] = -1, K.NONE
    search.done = True
    return left


@kernel("branches of a search")
def _compose_to(P, C, layers):
    """Forms of the first layers, as they are on the way to a branch."""
    P, C = held(P), held(C)
    for layer in range(layers):
        compose(P, C, layer)
