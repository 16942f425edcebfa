"""The thinned search: walk the tree depth first, but leave branches out at random.

A branch that is left out with probability ``1 - p`` counts ``1/p`` times where it is taken, so
that the weighted number of leaves met is an unbiased estimate of all of them. With the
threshold at 0 nothing is left out and the walk is the count.

Everything goes through `kernel.advance` one step at a time: after each step the frame on top
is a new branch (a first child, or the same cell at the door of its next layer), or the stack
has shrunk and the frame on top is about to become its own second child. Either is a *candidate*,
to be taken or left out. The candidates on one path are numbered; number j of every path draws
from its own systematic sample (an accumulator that takes a candidate whenever it passes a whole
number). What number j meets is settled by numbers below j alone, so each candidate is taken
with exactly its p, and neighbours in the tree share the sample evenly.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..held import held
from ..jit import inner, kernel
from ..search import cursor as K
from ..search.forms import KIND
from ..search.kernel import advance
from ..search.program import Program

# places in v
TOTAL, THRESHOLD, STEPS, LIMIT, ALL_STEPS, LPS, ALL_LPS, LEFT, EDGES = range(9)
# columns of node
KEY, FRAME, RANK = range(3)
OVER = 17  # more steps than the limit: the caller raises the threshold, draws anew and goes on


class Thinning(NamedTuple):
    """State of a thinned walk beside the cursor.

    ``v`` scalars; ``top`` the number of the last node on the path; ``node``, ``weight`` and
    ``before`` describe those on the path (stratum, frame, rank; weight; total when it was
    taken); ``draw`` the accumulators; ``met`` per stratum the number of nodes, the leaves that
    they gave themselves, their weights and their weighted sizes; ``edges`` a log of
    (stratum of a node, stratum of a candidate below it); ``first`` the first stratum of each
    layer; ``share`` the importance of every stratum: the number of leaves expected below.
    """

    v: np.ndarray
    top: np.ndarray
    node: np.ndarray
    weight: np.ndarray
    before: np.ndarray
    draw: np.ndarray
    met: np.ndarray
    edges: np.ndarray
    first: np.ndarray
    share: np.ndarray


BUCKETS = 24  # of the rank, at most
LOG = 1 << 16  # edges remembered of one pass


def thinning(program: Program) -> Thinning:
    """The state for a program.

    Strata are (layer, units still to place, rank). The rank is the dimension of the cell's image
    that the rest of the tree can expect: the least of the dimension and the numbers of units on
    their upper piece, layer by layer, with half of those still to place.
    """
    widths = np.diff(program.layers_cut)
    ranks = min(program.k, BUCKETS) + 1
    first = np.concatenate([[0], np.cumsum((widths + 1) * ranks)]).astype(np.int64)
    levels = 2 * int(widths.sum()) + program.n_layers + 4
    return Thinning(
        v=np.zeros(9),
        top=np.zeros(1, np.int64),
        node=np.zeros((levels, 3), np.int64),
        weight=np.zeros(levels),
        before=np.zeros(levels),
        draw=np.zeros(levels),
        met=np.zeros((4, int(first[-1]))),
        edges=np.zeros((LOG, 2), np.int64),
        first=first,
        share=np.ones(int(first[-1])),
    )


@inner()
def _close(N, t, e):
    """Take the nodes that are finished off the path: those of frames above e."""
    while t >= 0 and N.node[t, FRAME] > e:
        key = N.node[t, KEY]
        N.met[2, key] += N.weight[t]
        N.met[3, key] += N.v[TOTAL] - N.before[t]
        t -= 1
    return t


@inner()
def _upper(C, e, lo, hi, left):
    """Twice the number of rows of a layer on their upper side, undecided ones counted half."""
    total, sign = 0, C.sign
    for c in range(lo, hi):
        if sign[c] > 0:
            total += 2
    for n in range(left):
        total += -1 if sign[C.cand[e, n]] > 0 else 1
    return total


@inner()
def _stratum(P, C, first, e, rank):
    """Stratum and rank of the candidate in frame e, below a node of a given rank."""
    F, k = C.F, P.k
    layer, phase = F[e, K.LAYER], F[e, K.PHASE]
    ranks = min(k, BUCKETS) + 1
    lo, hi = P.layers_cut[layer], P.layers_cut[layer + 1]
    if phase == K.NEW:  # at the door: the layer before is complete
        if layer > 0 and P.layers[layer - 1, KIND] == 0:
            upper = _upper(C, e, P.layers_cut[layer - 1], lo, 0)
            rank = min(rank, upper >> 1)
        return first[layer] + (hi - lo) * ranks + rank * (ranks - 1) // k, rank
    second = phase == K.SECOND  # about to become its own second child
    left, expected = F[e, K.NCAND], 2 * rank
    if second:
        left = F[e, K.NSURV]
    if layer < P.n_layers - 1 and P.layers[layer, KIND] == 0:
        upper = _upper(C, e, lo, hi, left)
        if second:
            upper += -1 if C.sign[F[e, K.SPLIT]] > 0 else 1
        expected = min(expected, upper)
    if second:
        left -= 1
    return first[layer] + left * ranks + expected * (ranks - 1) // (2 * k), rank


@inner()
def _candidates(P, C, N, t, e):
    """From the candidate in frame e on, the first that is taken; returns ``(number, frame)``."""
    v, node = N.v, N.node
    while e >= 0:
        if C.F[e, K.PHASE] == K.FAN:  # between two arguments of a max unit: nothing new to decide
            return t, e
        key, rank = _stratum(P, C, N.first, e, node[t, RANK])
        n = int(v[EDGES])
        if n < N.edges.shape[0]:
            N.edges[n, 0], N.edges[n, 1] = node[t, KEY], key
            v[EDGES] += 1.0
        p = 1.0
        if v[THRESHOLD] > 0.0:
            p = min(1.0, N.weight[t] * N.share[key] / v[THRESHOLD])
        elif v[THRESHOLD] < 0.0 and C.F[e, K.PHASE] != K.NEW:
            p = 0.5  # of two children that share a sample exactly one is taken
        taken = True
        if p < 1.0:
            N.draw[t] += p
            taken = N.draw[t] >= 1.0
            if taken:
                N.draw[t] -= 1.0
        if taken:
            N.met[0, key] += 1.0
            N.weight[t + 1] = N.weight[t] / p
            t += 1
            N.before[t] = v[TOTAL]
            node[t, KEY], node[t, FRAME], node[t, RANK] = key, e, rank
            return t, e
        v[LEFT] += 1.0
        e -= 1
        t = _close(N, t, e)
    return t, e


@kernel("estimates")
def stratum(P, C, first, e, rank):
    """Stratum and rank of the candidate in frame e, below a node of a given rank."""
    return _stratum(held(P), held(C), first, e, rank)


@kernel("the walk of estimates")
def thin(P, C, N, budget):
    """Advance a thinned walk by about ``budget`` steps.

    Returns DONE, SPENT, OVER, UNDECIDED or STOPPED; the last two as `kernel.advance` does.
    """
    program, cursor = P, C
    P, C, N = held(P), held(C), held(N)
    st, v = C.st, N.v
    t = N.top[0]
    while True:
        d = st[K.DEPTH]
        if d >= 0 and st[K.ANSWER] == K.DROP:  # the caller counted this whole frame
            st[K.ANSWER] = K.NONE
            d -= 1
            t = _close(N, t, d)
            t, d = _candidates(P, C, N, t, d)
            st[K.DEPTH] = d
        N.top[0] = t
        if d < 0:
            return K.DONE
        if v[STEPS] >= v[LIMIT]:
            return OVER
        if budget <= 0:
            return K.SPENT
        budget -= 1
        leaves, lps = st[K.S_LEAVES], st[K.S_LPS]
        status = advance(program, cursor, 1)
        w, more, found = N.weight[t], st[K.S_LPS] - lps, st[K.S_LEAVES] - leaves
        v[LPS] += more
        v[ALL_LPS] += w * more
        if status == K.STOPPED:  # within a step: it goes on with the next call
            return K.STOPPED
        v[TOTAL] += w * found
        N.met[1, N.node[t, KEY]] += found
        v[STEPS] += 1.0
        v[ALL_STEPS] += w
        if status == K.UNDECIDED:
            return K.UNDECIDED
        e = st[K.DEPTH]
        if e < d:
            t = _close(N, t, e)
        elif e == d and C.F[e, K.PHASE] != K.NEW:
            continue
        t, e = _candidates(P, C, N, t, e)
        st[K.DEPTH] = e
