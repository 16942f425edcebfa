"""One addend of a value: a chain of exact factors applied to one source.

Everything here is exact: a product or a sum is carried out in floats only where it is
certain to round nothing, else the two factors are kept, or Fractions take over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from scipy import sparse

from ...network.affine import ONE, Term
from ...network.operators import Convolution
from ...network.rational import Matrix, dense, fraction_array, is_rational, rounded, simplest

# A canonical factor that is rational is a dense matrix. Up to so many rows a diagonal of
# rationals is written out as one; beyond, it is rounded once and the reader notes that.
LARGEST_RATIONAL_DIAGONAL = 512


@dataclass(frozen=True, eq=False)
class Diagonal:
    """A diagonal matrix (float64 or Fractions), kept apart while it may still be folded away."""

    values: np.ndarray

    @property
    def uniform(self) -> bool:
        return len(self.values) > 0 and bool(np.all(self.values == self.values[0]))


@dataclass(frozen=True, eq=False)
class Addend:
    """``factors[-1] ... factors[0] h_source[pick]``, where h_source has ``columns`` entries.

    ``pick`` None is everything, an entry -1 a zero; factors are matrices or `Diagonal` s.
    """

    source: int
    columns: int
    factors: tuple[Any, ...] = ()
    pick: np.ndarray | None = None


def rows_of(addend: Addend, index: np.ndarray) -> Addend:
    """The rows ``index`` of an addend, -1 for a zero row."""
    if not addend.factors:
        pick = np.arange(addend.columns) if addend.pick is None else addend.pick
        return replace(addend, pick=np.where(index < 0, -1, pick[index]))
    *rest, last = addend.factors
    if isinstance(last, Diagonal):
        inner = rows_of(replace(addend, factors=tuple(rest)), index)
        return replace(inner, factors=(*inner.factors, Diagonal(last.values[index])))
    if isinstance(last, Convolution):
        return replace(addend, factors=(*addend.factors, selection(index, last.shape[0])))
    if sparse.issparse(last):
        chosen = sparse.csr_array(selection(index, last.shape[0]) @ last)
    else:
        chosen = last[index]
        chosen[index < 0] = Fraction(0) if is_rational(last) else 0.0
    return replace(addend, factors=(*rest, chosen))


def selection(index: np.ndarray, columns: int) -> sparse.csr_array:
    """The 0/1 matrix of a choice of entries."""
    rows = np.flatnonzero(index >= 0)
    entries = (np.ones(len(rows)), (rows, index[rows]))
    return sparse.csr_array(entries, shape=(len(index), columns))


def scaled(addend: Addend, values: np.ndarray) -> Addend | None:
    """Rows multiplied by values (float64 or Fractions), exactly; None where nothing is left."""
    if not addend.factors:
        return replace(addend, factors=(Diagonal(values),))
    *rest, last = addend.factors
    if isinstance(last, Diagonal):
        both = None
        if not (is_rational(values) or is_rational(last.values)):
            both = exact_product(last.values, values)
            if both is None:  # two float factors are exact, and stay sparse
                return replace(addend, factors=(*addend.factors, Diagonal(values)))
        if both is None:
            both = simplest(fraction_array(last.values) * fraction_array(values))
        new: Any = Diagonal(both)
    elif addend.source == ONE and not rest:
        new = _column_product(last, values)
        if not np.any(new):
            return None
    else:
        new = _times_exactly(last, values, axis=0)
        if new is None:
            rest, new = list(addend.factors), Diagonal(values)
    return replace(addend, factors=(*rest, new))


def _column_product(column: np.ndarray, values: np.ndarray) -> np.ndarray:
    if not (is_rational(column) or is_rational(values)):
        product = exact_product(column, values[:, None])
        if product is not None:
            return product
    return simplest(fraction_array(column) * fraction_array(values)[:, None])


def _times_exactly(matrix: Matrix, values: np.ndarray, axis: int) -> Matrix | None:
    """``matrix`` with its rows (axis 0) or columns scaled, or None if that would round."""
    if is_rational(values) or is_rational(matrix):
        return None
    if isinstance(matrix, Convolution):
        each = matrix.by_channel(values) if axis == 0 else None
        weight = None if each is None else exact_product(matrix.weight, each)
        return None if weight is None else matrix.scaled(weight)
    if sparse.issparse(matrix):
        csr = sparse.csr_array(matrix)
        each = np.repeat(values, np.diff(csr.indptr)) if axis == 0 else values[csr.indices]
        entries = exact_product(csr.data, each)
        if entries is None:
            return None
        return sparse.csr_array((entries, csr.indices, csr.indptr), shape=csr.shape)
    return exact_product(matrix, values[:, None] if axis == 0 else values[None, :])


def exact_product(a: np.ndarray, b: np.ndarray) -> np.ndarray | None:
    """The float64 product where it is certainly exact, else None."""
    with np.errstate(all="ignore"):
        product = a * b
        # two 24-bit mantissas fit into 53 bits, and float32 exponents add up safely
        if np.array_equal(a.astype(np.float32), a) and np.array_equal(b.astype(np.float32), b):
            return product
        powers = np.isin(np.abs(np.frexp(b)[0]), (0.0, 0.5)).all()
        back = np.where(b == 0, a, product / np.where(b == 0, 1.0, b))
        return product if powers and np.array_equal(back, np.broadcast_to(a, back.shape)) else None


def _exact_sum(a: np.ndarray, b: np.ndarray) -> np.ndarray | None:
    """The float64 sum where it is exact (Knuth's two-sum leaves no error), else None."""
    with np.errstate(all="ignore"):
        total = a + b
        part = total - a
        error = (a - (total - part)) + (b - part)
    return total if not np.any(error) and np.isfinite(total).all() else None


def merged(a: Addend, b: Addend) -> Addend | None:
    """One addend for a sum of two of one source, where nothing is rounded."""
    if a.source != b.source or len(a.factors) != len(b.factors):
        return None
    if not a.factors:
        if a.pick is None or b.pick is None or np.any((a.pick >= 0) & (b.pick >= 0)):
            return None
        return replace(a, pick=np.where(a.pick >= 0, a.pick, b.pick))
    (f, *more), (g, *_) = a.factors, b.factors
    if more:
        return None
    if any(isinstance(m, Diagonal | Convolution) for m in (f, g)):
        return None
    total: Matrix | None = None
    if a.source == ONE:
        if not is_rational(f) and not is_rational(g):
            total = _exact_sum(f, g)
        if total is None:
            total = simplest(fraction_array(f) + fraction_array(g))
    elif sparse.issparse(f) and sparse.issparse(g):
        total = sparse.csr_array(f + g) if abs(f).multiply(abs(g)).nnz == 0 else None
    elif not (sparse.issparse(f) or sparse.issparse(g) or is_rational(f) or is_rational(g)):
        total = _exact_sum(f, g)
    return None if total is None else replace(a, factors=(total,))


def applied(addend: Addend, matrix: Matrix) -> Addend:
    """``matrix`` applied on the left, folded into a scaling or a selection where exact."""
    rest, last = addend.factors[:-1], addend.factors[-1] if addend.factors else None
    if isinstance(last, Diagonal):
        return _after_diagonal(replace(addend, factors=rest), last, matrix)
    pick = addend.pick
    if last is not None or pick is None:
        return replace(addend, factors=(*addend.factors, matrix))
    used = pick[pick >= 0]
    apart = isinstance(matrix, Convolution)
    if apart or len(np.unique(used)) < len(used):  # adding up columns would round
        factors = (selection(pick, addend.columns), matrix)
    elif sparse.issparse(matrix):
        factors = (sparse.csr_array(matrix @ selection(pick, addend.columns)),)
    else:
        wide = np.zeros((matrix.shape[0], addend.columns), dtype=matrix.dtype)
        if is_rational(matrix):
            wide[:] = Fraction(0)
        wide[:, used] = matrix[:, pick >= 0]
        factors = (wide,)
    return Addend(addend.source, addend.columns, factors)


def _after_diagonal(inner: Addend, last: Diagonal, matrix: Matrix) -> Addend:
    """``matrix`` applied to an addend ``inner`` that was scaled by ``last``."""
    values = last.values
    if (folded := _times_exactly(matrix, values, axis=1)) is not None:
        return applied(inner, folded)
    if last.uniform:  # a number commutes, and there are often fewer rows than columns
        after = applied(inner, matrix)
        return scaled(after, np.full(matrix.shape[0], values[0])) or after
    small = isinstance(matrix, np.ndarray) and matrix.shape[0] < matrix.shape[1]
    if small and (is_rational(values) or is_rational(matrix)):
        return applied(inner, fraction_array(matrix) * fraction_array(values)[None, :])
    return replace(inner, factors=(*inner.factors, last, matrix))


def term(addend: Addend, rounding: Callable[[np.ndarray], None] | None = None) -> Term:
    """The addend in canonical form: selections as CSR, scalings folded or written out.

    ``rounding`` is told about rational scalings that are too long to be written out: they
    are rounded once to float64.
    """
    chain: list[Any] = list(addend.factors)
    if addend.pick is not None:
        chain.insert(0, selection(addend.pick, addend.columns))
    out: list[Matrix] = []
    for factor in chain or [sparse.eye_array(addend.columns, format="csr")]:
        if not isinstance(factor, Diagonal):
            out.append(factor)
            continue
        values = simplest(factor.values) if is_rational(factor.values) else factor.values
        previous = out[-1].shape if out else (0, 0)
        long = len(values) > LARGEST_RATIONAL_DIAGONAL and not 0 < previous[1] <= 64
        if is_rational(values) and long:
            if rounding is not None:
                rounding(values)
            values = rounded(values)
        if not is_rational(values):
            out.append(sparse.csr_array(sparse.diags_array(values, format="csr")))
        elif out and previous[1] < previous[0]:
            out[-1] = fraction_array(dense(out[-1])) * values[:, None]
        else:
            square = np.full((len(values), len(values)), Fraction(0), dtype=object)
            square[np.diag_indices(len(values))] = values
            out.append(square)
    return Term(addend.source, tuple(out))
