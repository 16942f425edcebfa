"""What a search writes down about its decisions: the records of `docs/proofs.md`.

The kernel appends to two arrays of its cursor, ``log`` (int32) and ``reals`` (float64), while
``st[LOGGING]`` is set; whoever runs it takes them away when it says FULL. Multipliers and bounds
are written for the exact rows and the coordinates of the domain: the powers of two by which rows
and coordinates are scaled in the kernel are undone.
"""

from __future__ import annotations

import math

from ..jit import inner
from .lp import BASIS, MULT, POWER, SCALE

PATH_END, REFUSED, SOLVED, SLOPELESS, BOXED, BOUND, SPLIT = range(7)
FAN, KEPT, LOST, WINS, LEAF, POINT, PART = range(7, 14)
# places in st
HOW, MULTIPLIERS, LOGGING, NLOG, NREALS = 8, 7, 9, 10, 11


@inner()
def write(C, value):
    """Append one integer."""
    C.log[C.st[NLOG]] = value
    C.st[NLOG] += 1


@inner()
def write_real(C, value):
    """Append one float."""
    C.reals[C.st[NREALS]] = value
    C.st[NREALS] += 1


@inner()
def record_side(k, C, d, c, upper):
    """Row c is on one side of the cell of frame d, for the reason in ``st[HOW]``."""
    how = C.st[HOW]
    write(C, how)
    write(C, c)
    if how != SLOPELESS:
        write(C, upper)
    _multipliers(k, C, d, c)


@inner()
def record_lost(k, C, d, c):
    """The argument of a max unit loses the comparison c on the cell of frame d."""
    write(C, LOST)
    write(C, C.st[HOW])
    write(C, c)
    if C.st[HOW] > SOLVED:
        write(C, 0)
    _multipliers(k, C, d, c)


@inner()
def _multipliers(k, C, d, c):
    """The rows that refuse a side of row c and, where they are floats, their multipliers."""
    if C.st[HOW] > SOLVED:
        return
    count = C.st[MULTIPLIERS]
    write(C, count)
    for n in range(count):
        r = C.con[d, C.I[BASIS, n]]
        write(C, r)
        if C.st[HOW] == REFUSED:
            power = int(C.G[r, k + POWER] - C.G[c, k + POWER])
            write_real(C, math.ldexp(C.S[MULT, n], power))


@inner()
def record_bound(k, C, d, end, limit, count):
    """A bound of one coordinate of the cell of frame d: even ends are lower, odd ones upper."""
    unit = C.S[SCALE, end >> 1]
    write(C, BOUND)
    write(C, end)
    write(C, count)
    write_real(C, limit * unit)
    for n in range(count):
        r = C.con[d, C.I[BASIS, n]]
        write(C, r)
        write_real(C, math.ldexp(C.S[MULT, n] * unit, int(C.G[r, k + POWER])))


@inner()
def record_leaf(k, C, d):
    """The witness of a finished cell."""
    write(C, LEAF)
    for j in range(k):
        write_real(C, C.pts[d, 0, j] * C.S[SCALE, j])
