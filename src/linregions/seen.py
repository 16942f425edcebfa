"""How many dimensions of its input a network sees: the rank of its first affine maps."""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import nmod_mat
from scipy import sparse

from .affine import INPUT, Affine
from .network import Network
from .search.modular import PRIME, residues

LARGEST = 10_000_000  # entries of a dense matrix modulo a prime
WORK = 2e9  # products of an elimination modulo a prime


def seen_dimension(network: Network) -> int | None:
    """Rank of all rows that read the input, certified from below modulo a prime.

    None where these rows would fill a matrix of more than 10^7 entries. The rank modulo
    2^61 - 1 is never above the true one, and falls short of it only where the prime divides
    a minor.
    """
    every = (*(layer.affine for layer in network.layers), network.output)
    readers = [a for a in every if INPUT in a.sources]
    k, rows = network.inputs, sum(a.size for a in readers)
    if k * rows == 0:
        return 0
    if k * rows > LARGEST:
        return None
    entries = np.concatenate([_residues(a, k).ravel() for a in readers])
    return nmod_mat(rows, k, entries.tolist(), PRIME).rank()


def seen_at_most(network: Network) -> int | None:
    """How many dimensions the network sees, where that is plain from where its weights are.

    No matrix has a greater rank than there are pairs of rows and columns with an entry each, no
    two in one line. That number is given where the true rank reaches it, modulo a prime, or
    where to compute that would take many seconds; None where it is less.
    """
    from scipy.sparse.csgraph import structural_rank

    every = (*(layer.affine for layer in network.layers), network.output)
    readers = [a for a in every if INPUT in a.sources]
    k = network.inputs
    if not readers or not k:
        return 0
    reads: Any = sparse.vstack([a.reads(INPUT, k) for a in readers], format="csr")
    filled = int((np.diff(reads.indptr) > 0).sum()), int((reads.sum(axis=0) > 0).sum())
    most = min(filled)
    if reads.nnz < reads.shape[0] * k // 2:
        most = int(structural_rank(reads))
    if k * reads.shape[0] * most > WORK:
        return most
    return most if seen_dimension(network) == most else None


def _residues(affine: Affine, columns: int) -> np.ndarray:
    value, error = affine.rounded(INPUT, columns)
    if error is None:
        return residues(value)
    exact = affine.exact(INPUT, columns)  # its one denominator does not change a rank of rows
    flat = [int(x) % PRIME for row in exact.num.tolist() for x in row]
    return np.array(flat, dtype=np.uint64)
