"""What a search writes down about its decisions: the records of `docs/proofs.md`.

The kernel appends to two arrays of its cursor, ``log`` (int32) and ``reals`` (float64), while
``st[LOGGING]`` is set; whoever runs it takes them away when it says FULL. Multipliers and bounds
are written for the exact rows and the coordinates of the domain: the powers of two by which rows
and coordinates are scaled in the kernel are undone.

The log is a vector where the kernel is compiled with records and max units. Otherwise it is a
matrix, and the branches behind ``C.log.ndim == 1`` are not compiled at all: most searches need
neither.
"""

# ruff: noqa: SIM102 (a branch is left out when compiled only where nothing else is asked)

from __future__ import annotations

import math

import numpy as np

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
def record_side(C, d, c, upper):
    """Row c is on one side of the cell of frame d, for the reason in ``st[HOW]``."""
    if C.log.ndim == 1:
        if C.st[LOGGING] > 0:
            how = C.st[HOW]
            write(C, np.int64(how))
            write(C, np.int64(c))
            if how != SLOPELESS:
                write(C, np.int64(upper))
            _multipliers(C, d, c)


@inner()
def record_refused(C, d, c, upper):
    """The same, of a row that is no comparison of arguments."""
    if C.log.ndim == 1:
        if C.st[LOGGING] > 0:
            C.divides[c] = False
            record_side(C, d, c, upper)


@inner()
def record_lost(C, d, c):
    """The argument of a max unit loses the comparison c on the cell of frame d."""
    if C.log.ndim == 1:
        if C.st[LOGGING] > 0:
            write(C, np.int64(LOST))
            write(C, C.st[HOW])
            write(C, np.int64(c))
            if C.st[HOW] > SOLVED:
                write(C, np.int64(0))
            _multipliers(C, d, c)


@inner()
def _multipliers(C, d, c):
    """The rows that refuse a side of row c and, where they are floats, their multipliers."""
    if C.st[HOW] > SOLVED:
        return
    k, count = C.pts.shape[2], C.st[MULTIPLIERS]
    write(C, np.int64(count))
    for n in range(count):
        r = C.con[d, C.I[BASIS, n]]
        write(C, np.int64(r))
        if C.st[HOW] == REFUSED:
            power = int(C.G[r, k + POWER] - C.G[c, k + POWER])
            write_real(C, math.ldexp(C.S[MULT, n], power))


@inner()
def record_bound(C, d, end, limit, count):
    """A bound of one coordinate of the cell of frame d: even ends are lower, odd ones upper."""
    if C.log.ndim == 1:
        if C.st[LOGGING] > 0:
            k, unit = C.pts.shape[2], C.S[SCALE, end >> 1]
            write(C, np.int64(BOUND))
            write(C, np.int64(end))
            write(C, np.int64(count))
            write_real(C, limit * unit)
            for n in range(count):
                r = C.con[d, C.I[BASIS, n]]
                write(C, np.int64(r))
                write_real(C, math.ldexp(C.S[MULT, n] * unit, int(C.G[r, k + POWER])))


@inner()
def record_leaf(C, d):
    """The witness of a finished cell."""
    if C.log.ndim == 1:
        if C.st[LOGGING] > 0:
            write(C, np.int64(LEAF))
            for j in range(C.pts.shape[2]):
                write_real(C, C.pts[d, 0, j] * C.S[SCALE, j])


@inner()
def record_split(C, c, upper):
    """The cell is split by row c, on which side first."""
    if C.log.ndim == 1:
        if C.st[LOGGING] > 0:
            C.divides[c] = True
            write(C, np.int64(SPLIT))
            write(C, np.int64(c))
            write(C, np.int64(upper))


@inner()
def record_fan(C, c, unit):
    """The cell is split by the max unit whose first row is c."""
    if C.log.ndim == 1:
        if C.st[LOGGING] > 0:
            C.divides[c] = True
            write(C, np.int64(FAN))
            write(C, np.int64(unit))


@inner()
def record_kept(C):
    """Something is left of a child of such a cell."""
    if C.log.ndim == 1:
        if C.st[LOGGING] > 0:
            write(C, np.int64(KEPT))


@inner()
def record_wins(C, c, unit, argument):
    """One argument of the max unit whose first row is c wins on the whole cell."""
    if C.log.ndim == 1:
        if C.st[LOGGING] > 0:
            C.divides[c] = False
            write(C, np.int64(WINS))
            write(C, np.int64(unit))
            write(C, np.int64(argument))
