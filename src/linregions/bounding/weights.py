"""The bound that reads the weights: units that switch, ranks, dimensions."""

from __future__ import annotations

from math import prod

import numpy as np
from scipy import sparse

from ..domain.restrict import Restricted
from ..network.affine import Affine
from ..network.rational import integers
from ..theory._dimension import start, step
from ..theory.arrangements import elementary, mixed
from .bound import THIS, Bound
from .shape import Shape
from .stability import reaches


def of_weights(problem: Restricted, shape: Shape, lp: bool) -> list[Bound]:
    """Section "weight-dependent" of the documentation: units that switch, ranks, dimensions."""
    layers, reach = problem.network.layers, reaches(problem, lp)
    F, total, dims = start(shape.inputs), 1, shape.dimensions()
    stable = 0
    for layer, mine, kind, d in zip(layers, reach, shape.layers, dims, strict=True):
        switching = mine.pieces > 1
        stable += int((~switching).sum())
        pieces = mine.pieces[switching].tolist()
        if shape.plain:
            rank = _rank(layer.affine, problem)
            few = _rank(layer.affine.rows(np.flatnonzero(switching)), problem)
            a = elementary([1] * len(pieces), min(len(F) - 1, few))
            on = int(mine.active.sum())
            F = step(F, a, on, cap=min(rank, on))
        else:
            rank = layer.affine.size if kind.most else _rank(layer.affine, problem)
            total *= mixed(pieces, min(d, rank))
    value = sum(F) if shape.plain else total
    how = "linear programs" if lp else "intervals"
    over = problem.domain.describe()
    where = f"{THIS} over {over}"
    conditions = (f"{stable} units stable by {how}",)
    status = "from memory" if any(m.most for m in shape.layers) else "proved"
    paper = "down-shift lemma with stable units and ranks (after Serra and Ramalingam 2018)"
    return [Bound("weights", value, "upper", where, conditions, status, paper)]


def _rank(affine: Affine, problem: Restricted, largest: int = 40_000) -> int:
    """An upper bound for the rank of an affine map's linear part; exact for small ones.

    The number of rows or columns that are not zero; less only if exact elimination says so,
    which is tried when the rank modulo a prime is smaller.
    """
    from flint import nmod_mat

    sources = affine.sources
    size = problem.network.size_of
    if not sources or affine.size == 0:
        return 0
    entries = sum(prod(f.shape) for t in affine.terms for f in t.factors)
    if entries > largest:
        reads = sparse.hstack([affine.reads(s, size(s)) for s in sources], format="csr")
        return int(min((reads.sum(axis=1) > 0).sum(), (reads.sum(axis=0) > 0).sum()))
    blocks = [affine.rounded(s, size(s)) for s in sources]
    exact = all(error is None for _, error in blocks)
    W = np.hstack([w for w, _ in blocks])
    if not exact:
        W = np.hstack([(w != 0) | (e is not None and e != 0) for w, e in blocks]).astype(float)
    loose = min(int(W.any(axis=1).sum()), int(W.any(axis=0).sum()))
    if loose == 0:
        return loose
    matrix = (
        integers(W)
        if exact
        else integers(np.hstack([affine.exact(s, size(s)).to_fractions() for s in sources]))
    )
    prime = (1 << 61) - 1
    flat = [int(v) % prime for row in matrix.num.tolist() for v in row]
    if nmod_mat(W.shape[0], W.shape[1], flat, prime).rank() == loose:
        return loose
    return matrix.num.rank()
