"""Single networks: the six definitions, and satisfiability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import LinregionsError
from ..network.affine import ONE, Affine, Term
from ..network.network import Layer, Network
from ..network.units import RELU, Pointwise
from ..theory._check import whole, wholes
from ._construction import Construction, built

KINDS = ("pattern", "activation", "convex", "linear", "closed", "affine")


def six_definitions(name: str = "D") -> Construction:
    """Networks that tell the six published definitions of a region apart.

    ======  ===========================================  ==========================
    A       relu(min(x, y))                              7, 5, 4, 3, 3, 3
    B       relu(min(x, y)) + relu(min(-x, -y))          11, 6, 6, 6, 5, 5
    C       relu(x) - 2 relu(x - 1) + relu(x - 2)        4, 4, 4, 4, 4, 3
    D       clipped min(x, y) + min(2x + y, -x - y)      19, 14, 9, 8, 7, 6
    ======  ===========================================  ==========================

    The numbers are for `pattern`, `activation`, `convex`, `linear`, `closed`, `affine`.

    Source: the definitions are those of Stargalla et al.; D was made to tell all apart.

    Examples
    --------
    >>> six_definitions("D").regions["linear"]
    8
    """
    m1, m2 = [1, -1, -1, 0, 0, 0], [0, 0, 0, 1, -1, -1]
    six_rows = [[1, 0], [-1, 0], [1, -1], [2, 1], [-2, -1], [3, 2]]
    networks = {
        "A": (
            [([[1, 0], [-1, 0], [1, -1]], [0] * 3), ([[1, -1, -1]], [0]), ([[1]], [0])],
            (7, 5, 4, 3, 3, 3),
        ),
        "B": (
            [
                ([[1, 0], [-1, 0], [1, -1], [-1, 1]], [0] * 4),
                ([[1, -1, -1, 0], [-1, 1, 0, -1]], [0, 0]),
                ([[1, 1]], [0]),
            ],
            (11, 6, 6, 6, 5, 5),
        ),
        "C": ([([[1]] * 3, [0, -1, -2]), ([[1, -2, 1]], [0])], (4, 4, 4, 4, 4, 3)),
        "D": (
            [(six_rows, [0] * 6), ([m1, m1, m2, m2], [0, -1, 0, -1]), ([[1, -1, 1, -1]], [0])],
            (19, 14, 9, 8, 7, 6),
        ),
    }
    if name not in networks:
        raise LinregionsError(f"unknown network {name!r}; give one of {', '.join(networks)}")
    pairs, counts = networks[name]
    return built(pairs, dict(zip(KINDS, counts, strict=True)), "the six definitions")


def from_sat(clauses: Sequence[Sequence[int]], regions: int = 1) -> Network:
    """A network that has more than K linear regions if and only if a formula is satisfiable.

    Hence counting linear regions is NP-hard for every K (Wang 2022, Theorem 3.2; the network
    is another). With ``c_i = clip(x_i, 0, 1)``, let V sum over the clauses what they lack,
    ``relu(1 - sum of literals)``, and F sum the distances ``min(c_i, 1 - c_i)``. Then::

        f = relu(1/2 - V - F)

    is 1/2 at a satisfying assignment. Without one it is zero: rounding c moves every literal
    sum by at most F in all, and the rounded point lacks 1 in some clause, so V + F >= 1. The
    other K - 1 regions are kinks in one more input.

    Parameters
    ----------
    clauses
        Signed variable numbers as in DIMACS files: ``[[1, -2], [2, 3]]`` is
        (x1 or not x2) and (x2 or x3).
    regions
        K.

    Examples
    --------
    >>> import linregions as lr
    >>> int(lr.count(from_sat([[1], [-1]]), kind="linear"))
    1
    """
    K = whole(regions, "the number of regions K", 1)
    formula = [[int(v) for v in wholes(c, "a clause", -(10**9))] for c in clauses]
    if not formula or any(0 in c for c in formula):
        raise LinregionsError("a formula is a non-empty list of clauses of signed numbers, not 0")
    n = max(abs(v) for c in formula for v in c)
    extra = K - 1
    W1, b1 = np.zeros((2 * n + extra, n + (extra > 0))), np.zeros(2 * n + extra)
    for i in range(n):
        W1[[2 * i, 2 * i + 1], i], b1[2 * i + 1] = 1, -1
    for i in range(extra):
        W1[2 * n + i, n], b1[2 * n + i] = 1, -i
    clip = np.kron(np.eye(n), [[1.0, -1.0]])
    clip = np.hstack([clip, np.zeros((n, extra))])
    literals, lacks = np.zeros((len(formula), n)), np.ones(len(formula))
    for k, clause in enumerate(formula):
        for v in set(clause):
            literals[k, abs(v) - 1] += 1 if v > 0 else -1
            lacks[k] -= v < 0
    W2, b2 = np.vstack([-literals @ clip, clip]), np.concatenate([lacks, np.full(n, -0.5)])
    last = Affine(
        1,
        (
            Term(1, (-np.ones((1, n)) @ clip,)),
            Term(2, (np.hstack([-np.ones((1, len(formula))), np.full((1, n), 2.0)]),)),
            Term(ONE, (np.array([[0.5]]),)),
        ),
    )
    kinks = np.hstack([np.zeros((1, 2 * n)), np.ones((1, extra))])
    output = Affine(1, (Term(1, (kinks,)), Term(3, (np.ones((1, 1)),))))
    affines = (Affine.dense(W1, b1, 0), Affine.dense(W2, b2, 1), last)
    layers = tuple(Layer(a, Pointwise.uniform(RELU, a.size)) for a in affines)
    return Network(W1.shape[1], layers, output)
