"""The compiled sweep: breakpoints of a network along segments, layer by layer.

A segment carries a mesh ``0 = s_0 < s_1 < ... < s_m = 1``: its ends and the breakpoints of the
layers placed so far. Between neighbours of the mesh the next layer's pre-activations are
affine, so their values at the mesh points say which units switch in between, and where. Each
switch becomes a mesh point. Two ideas keep it fast:

* values of layer L + 1 at the breakpoints of layer L need no matrix product: from one of them
  to the next the slope changes by a multiple of one column of the weights;
* the last layer, where most points are, is evaluated at every `SPAN`-th mesh point. Between
  those the inputs of the layer stray from their chord by a computed distance, so a unit far
  from zero at both ends has no zero between; the others are looked at more closely, by halves.

What is decided, and when it is certain (`docs/lines.md` has the argument): let ``z`` be the
true pre-activations along the segment and ``Z`` the interpolant of the values computed on the
mesh. `bounds` keeps ``e >= sup |z - Z|``. A unit changes sign only where ``|Z| <= e``, which
around a computed breakpoint is an interval of half-width `tau`. If no mesh point of the layers
before has a value within e of zero and these intervals do not meet, the true breakpoints are
the computed ones, one by one and in the same order. Else the segment is left in doubt.

Everything is homogeneous: an end has a weight, 1 for a point and 0 for a direction at
infinity, which multiplies biases and breakpoints. So half of an infinite line is a segment.
"""

from __future__ import annotations

from ..jit import held, inner, kernel, raised
from .data import (  # noqa: F401 (for all who sweep)
    AT_ZERO,
    B_ERR,
    BIAS,
    C_AT,
    C_ROW,
    COL,
    DOUBT,
    END,
    FRO,
    FULL,
    GAP,
    GOOD,
    HI,
    IN_ERR,
    IN_FRO,
    LIP,
    LIVE,
    LO,
    N_IN,
    NECK,
    PLAIN,
    ROUNDED,
    ROW,
    SIZE,
    SMALL,
    SPAN,
    SPEC,
    STOPPED,
    T_AT,
    UNIT,
    W_AT,
    W_ERR,
    WEIGHT,
    WIDEST,
    Found,
    Leg,
    LineJob,
    LineProgram,
    N,
    Points,
    Scratch,
)
from .last import finish
from .mesh import bounds, keep_bounds, note_start, put, refine
from .values import WeightBlock, constants, products

# -- the last layer ---------------------------------------------------------------------------


# -- one segment, many segments ---------------------------------------------------------------


@inner()
def sweep(P, Q, S, i0, i1, start):
    """All breakpoints between points i0 and i1: ``(outcome, mesh, its size)``."""
    layers = len(P.table)
    old, nv, many, bent, largest = 0, 2, 0, 0.0, 0.0
    put(S, old, 0, 0.0, END, 0.0)
    put(S, old, 1, 1.0, END, 0.0)
    size, rounded = (
        max(Q.ends[SIZE, i0], Q.ends[SIZE, i1]),
        max(Q.ends[ROUNDED, i0], Q.ends[ROUNDED, i1]),
    )
    for v in range(2):
        constants(P, Q, old, i0, i1, S.mesh[0, 0, v], S.Z[0, v])
    for layer in range(layers):
        e, slope = bounds(P, S, layer, size, rounded, many, bent)
        if not e < 1e280:
            return DOUBT, 0, 0
        G = Leg(layer, old, i0, i1, Q.ends[WEIGHT, i0], Q.ends[WEIGHT, i1], e)
        if layer > 0 and layer == layers - 1:
            nv = finish(P, Q, S, G, nv)
        else:
            wanted = layer + 2 < layers
            nv, largest, many, bent = refine(P, Q, S, G, nv, wanted)
            keep_bounds(P, S, layer, e, largest, slope)
        if raised(S.trip, 0):
            return STOPPED, 0, 0
        if nv <= 0:
            return (DOUBT if nv == 0 else FULL), 0, 0
        note_start(P, layer, S.Z[old, 0], Q.ends[WEIGHT, i0], start)
        old = 1 - old
    return GOOD, old, nv


@inner()
def apart(nv, s, tau):
    """Whether the intervals that hold the true breakpoints are disjoint."""
    for k in range(nv - 1):  # noqa: SIM110 (compiled)
        if not s[k + 1] - s[k] > tau[k] + tau[k + 1] + GAP:
            return False
    return True


@kernel("products along lines")
def multiply(x, W, n, first, last, out, trip):
    """``out[v] = W x[v]`` for v = first .. last - 1; W by rows, n of them.

    Returns the next v to do: not yet ``last`` where the trip wire is raised.
    """
    for v in range(first, last, 4):
        end = min(v + 4, last)
        for c in range(v, end):
            for i in range(n):
                out[c, i] = 0.0
        m = end - v
        block = WeightBlock(W, 0, n, 0, x.shape[1])
        products(block, x[v:end], out[v:end], 1, m, trip)
        if raised(trip, 0):
            return v
    return last


@kernel("crossings of lines")
def run(P, Q, S, job, found, first, last, at):
    """Segments first .. last - 1 of a `LineJob`; what is found is appended from place ``at`` on.

    Returns the next segment to do and the next free place: fewer than asked for where the
    work space or the output is too small, and then ``outcome`` says FULL for that segment if
    it was the work space; or STOPPED where the trip wire ``S.trip`` is raised.
    """
    P, Q, S = held(P), held(Q), held(S)
    for k in range(first, last):
        i0, i1 = job.ends[k, 0], job.ends[k, 1]
        result, mesh, nv = sweep(P, Q, S, i0, i1, job.starts[k])
        if result == GOOD and not apart(nv, S.mesh[mesh, 0], S.mesh[mesh, 1]):
            result = DOUBT
        job.outcome[k] = result
        if result >= FULL or (result == GOOD and at + nv > len(found.s)):
            return k, at
        job.counts[k] = 0
        if result == GOOD:
            for v in range(nv):
                if S.row[mesh, v] >= 0:
                    found.s[at], found.row[at] = S.mesh[mesh, 0, v], S.row[mesh, v]
                    job.counts[k] += 1
                    at += 1
    return last, at
