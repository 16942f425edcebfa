"""Names of the places in the arrays of a cursor; see `program.Cursor`.

The arrays: ``st`` scalars and statistics; ``F`` frames;
``cand``, ``con`` candidates and constraints of each frame; ``pts`` its known points (first
those inside, the witness leading, then some beyond the last split); ``sign`` of each row;
``G`` rows; ``A`` the constraints of the current frame; ``T, S, I, MR`` scratch; ``box`` a
certified bounding box per layer (middle, half-width); ``log`` (see
`records`), ``reals`` records, and ``divides``
says of a placed row whether it split the cells of the path or was refused (see `records`). BORN:
the leaves found when a frame was split.
"""

from __future__ import annotations

# what `kernel.advance` returns
DONE, SPENT, FULL, UNDECIDED, STOPPED = range(5)
# phases of a frame, see `kernel`
NEW, TEST, SECOND, FAN, CLIP = range(5)
# columns of F
LAYER, PHASE, ENTRY, POS, NCAND, NSURV, NCON, NIN, NPT, SPLIT, PARENT, CHAMP, RIVAL, BORN = range(
    14
)
# places in st (others in `records`; TRIP in `lp`)
DEPTH, NOUT, ANSWER, UNIT, EMIT, BOUNDED = range(6)
ZONOTOPE = 2  # what st[BOUNDED] says where the domain is one
# answers to UNDECIDED, and what `place` finds (HALTED: nothing, for the trip wire is raised)
NONE, MINUS, PLUS, CUTS, DROP, HALTED = range(6)
# statistics, from st[16] on
(
    S_LEAVES, S_NODES, S_TESTS, S_POINTS, S_SEGMENTS, S_RAYS, S_LP_CUT, S_CONSTANT, S_BOX,
    S_FLOAT, S_INTEGER, S_ASKED, S_COINCIDENT, S_LPS, S_PRUNE,
) = range(16, 31)  # fmt: skip
BIG = 1e300
