"""What the sweep of segments reads and writes: names of columns, and named tuples; see `kernel`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

GAP = 1e-12  # mesh points closer than this part of the segment are left to rationals
TINY = 1e-290  # far above what underflow can hide
SMALL = 1e-150  # what underflow of a square can hide
SPAN = 8  # mesh cells between evaluations of the whole last layer
FAST = {"contract", "nsz", "reassoc"}

# columns of the layer table: units, first column of the outputs, columns read, places in W, T
# and C, rows of C per point (0: one row for all), first row, first unit, all breaks at 0,
# first column still needed after the next layer, later layers read nothing before this one
N, COL, LO, HI, W_AT, T_AT, C_AT, C_ROW, ROW, UNIT, PLAIN, LIVE, NECK = range(13)
LENGTH, DEAD = 0, 1  # of units
PIECE, FIRST = 0, 1  # of places
PLACE, BEND = 0, 1  # of rows
WEIGHT, SIZE, ROUNDED = 0, 1, 2  # of ends
# norms of a layer: of W (bound of the spectral one), Frobenius, error of the factors; the same
# for the input's part; bias; largest slope; value at 0; largest row, largest column
(
    SPEC, FRO, W_ERR, IN_FRO, IN_ERR, BIAS, B_ERR, LIP, AT_ZERO, WIDEST, N_IN,
) = range(11)  # fmt: skip
END = -1  # of a mesh: no row made it
# outcomes of a segment
GOOD, DOUBT, FULL, STOPPED = range(4)
ROWS = 64  # products between looks at the trip wire


class LineProgram(NamedTuple):
    """A network along segments, as flat arrays; see the names of the columns above.

    ``W`` holds the weights of each layer by rows, ``T`` those of the layer just before by
    columns. Units are numbered through, and so are rows (breakpoints of units).
    """

    table: np.ndarray
    norms: np.ndarray
    W: np.ndarray
    T: np.ndarray
    units: np.ndarray  # (2, units): Euclidean norm of the weights; 1e300 for a constant unit
    places: np.ndarray  # (2, units + 1): first piece, first row
    pieces: np.ndarray  # (pieces, 2): slope, shift
    rows: np.ndarray  # (2, rows): place of the breakpoint; slope above minus slope below
    unit_of: np.ndarray  # unit of each row, within its layer


class Points(NamedTuple):
    """Ends of segments: what they give to every layer, their weights and lengths."""

    C: np.ndarray
    ends: np.ndarray  # (3, points): weight, Euclidean norm, rounding of the point itself


class Leg(NamedTuple):
    """One layer along one segment: its ends and their weights, the old mesh, the error bound."""

    layer: int
    old: int
    i0: int
    i1: int
    w0: float
    w1: float
    e: float


class LineJob(NamedTuple):
    """Segments, each between two of the points, and what becomes of each."""

    ends: np.ndarray
    starts: np.ndarray  # signs of the rows at the first end
    outcome: np.ndarray
    counts: np.ndarray


class Found(NamedTuple):
    """Room for breakpoints, segment after segment."""

    s: np.ndarray
    row: np.ndarray


class Scratch(NamedTuple):
    """Work space for one segment of at most ``cap`` mesh points: two meshes, old and new."""

    mesh: np.ndarray  # (2, 2, cap): positions, half-widths
    row: np.ndarray  # (2, cap) the row that made the point, -1 for an end
    X: np.ndarray  # (2, cap, columns) outputs of the layers
    Z: np.ndarray  # (3, cap, widest) pre-activations: old, new, next layer at old points
    F: np.ndarray  # (3, cap) the cuts of a cell or window: places, half-widths, jumps
    R: np.ndarray  # (cap,) their rows
    work: np.ndarray  # (3, widest): slope of the next layer, its values, margins or own values
    sizes: np.ndarray  # (layers, 3): bounds of outputs, of their errors, of their slopes
    tree: np.ndarray  # (3, nodes) of a window: first and last point of a node; nodes to visit
    dev: np.ndarray  # (2, nodes): distance from the chord; a unit's values at the points
    trip: np.ndarray  # (1,) the trip wire, one for all threads
