"""How many dimensions of its input a network sees: the rank of its first affine maps."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from flint import nmod_mat
from scipy import sparse

from .affine import INPUT, Affine
from .network import Network
from .rational import IntMatrix

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


PRIME = (1 << 61) - 1


def residues(matrix: np.ndarray) -> np.ndarray:
    """Float64 entries modulo the prime, uint64."""
    mantissa, e = np.frexp(matrix)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    size = np.abs(whole).astype(np.uint64)
    turn = ((e - 53) % 61).astype(np.uint64)
    p = np.uint64(PRIME)
    out = (((size << turn) & p) + (size >> (np.uint64(61) - turn))) % p  # a rotation
    return np.where(whole < 0, (p - out) % p, out)


def residue(x: Any) -> int:
    """One exact number modulo the prime."""
    x = Fraction(x)
    return x.numerator * pow(x.denominator, -1, PRIME) % PRIME


def exactly_modulo(matrix: IntMatrix) -> np.ndarray:
    inverse = pow(matrix.den, -1, PRIME)
    rows = [[int(x) * inverse % PRIME for x in row] for row in matrix.num.tolist()]
    return np.array(rows, dtype=np.uint64).reshape(matrix.shape)


def surely_full_rank(rows: list[Any], k: int) -> bool:
    """A cheap proof of rank k: one k x k minor of the first rows is non-zero mod a prime."""
    from flint import nmod_mat

    if len(rows) < k:
        return False
    head = [int(x) % PRIME for row in rows[:k] for x in row]
    return nmod_mat(k, k, head, PRIME).rank() == k


def pivots(matrix: Any) -> list[int]:
    """Columns that hold the pivots of the row echelon form modulo the prime."""
    echelon, rank = matrix.rref()
    pivots, j = [], 0
    for i in range(rank):
        while int(echelon[i, j]) == 0:
            j += 1
        pivots.append(j)
    return pivots
