"""Affine maps of several sources that keep their exact factors.

An affine map is a sum of terms ``F_m ... F_2 F_1 h`` where ``h`` is the input, the output
of an earlier layer or the constant 1 (``ONE``; its first factor is a column, so a bias is
a term like any other). The factors are never multiplied out exactly until an exact
decision asks for it; fast paths use the rounded product and its error bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from ..errors import LinregionsError
from ..progress import check
from ..roundoff import ROUNDOFF
from .operators import Convolution, expanded
from .rational import (
    IntMatrix,
    Matrix,
    SparseIntMatrix,
    dense,
    exact_form,
    integers,
    is_rational,
    rounded,
)

ONE = -1  # the constant source: a bias is a term of it
INPUT = 0  # layer i (1-based) has source number i


@dataclass(frozen=True, eq=False)
class Term:
    """``parts[-1] @ ... @ parts[0] @ h_source``; each part is a 2-D matrix or a `Convolution`."""

    source: int
    parts: tuple[Any, ...]

    @property
    def factors(self) -> tuple[Matrix, ...]:
        """The parts as matrices: large convolutions are written out here."""
        return tuple(expanded(part) for part in self.parts)

    @property
    def rows(self) -> int:
        return self.parts[-1].shape[0]

    @property
    def columns(self) -> int:
        return self.parts[0].shape[1]

    def __getstate__(self) -> dict[str, Any]:
        return {"source": self.source, "parts": self.parts}  # exact forms are made anew

    @cached_property
    def _integers(self) -> tuple[IntMatrix | SparseIntMatrix, ...]:
        return tuple(exact_form(factor) for factor in self.factors)

    def applied(self, values: IntMatrix) -> IntMatrix:
        """The term's map on a matrix of exact columns, factor by factor."""
        for factor in self._integers:
            check()
            values = factor @ values
        return values

    def pulled(self, rows: IntMatrix) -> IntMatrix:
        """Exact rows over the term's value as rows over its argument, factor by factor."""
        for factor in reversed(self._integers):
            check()
            rows = rows @ factor
        return rows

    def after(self, matrix: Matrix) -> Term:
        """The term with one more map applied on the left."""
        return Term(self.source, (*self.parts, matrix))

    def before(self, matrix: Matrix, source: int) -> Term:
        """The term with its argument replaced by ``matrix @ h_source``."""
        return Term(source, (matrix, *self.parts))


def _product(factors: tuple[Matrix, ...]) -> tuple[Matrix, Matrix | None]:
    """Rounded product and elementwise error bound (None when it is exact).

    Both are CSR while all factors are: a convolution never becomes a dense matrix here.
    """
    if len(factors) == 1 and not is_rational(factors[0]):
        return factors[0], None
    value, bound, steps = None, None, 0
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for factor in factors:
            f = rounded(factor) if is_rational(factor) else factor
            size = abs(f)
            value = f if value is None else f @ value
            bound = size if bound is None else size @ bound
            steps += _longest(f) + 2
        assert value is not None and bound is not None
        bound = bound * (1.01 * steps * ROUNDOFF)
    if sum(map(_least, factors)) < -960:  # products may be lost altogether
        met = None
        for factor in factors:
            some = (factor != 0).astype(np.float64)
            met = some if met is None else some @ met
        bound = bound + (met != 0).astype(np.float64) * (steps * 2.0**-1060)
    return value, bound


def _least(matrix: Matrix) -> int:
    """Binary exponent of the smallest non-zero entry."""
    if is_rational(matrix):
        sizes = [_bits(x) for x in matrix.ravel() if x]
        return min(sizes, default=0)
    data = matrix.data if sparse.issparse(matrix) else matrix
    return int(np.min(np.frexp(data)[1], where=data != 0.0, initial=0))


def _bits(x: Fraction) -> int:
    return x.numerator.bit_length() - x.denominator.bit_length()


def _longest(matrix: Matrix) -> int:
    """Most terms in the sum of one row of a product."""
    if not sparse.issparse(matrix):
        return matrix.shape[1]
    return int(np.diff(sparse.csr_array(matrix).indptr).max(initial=0))


def _sum(a: Matrix, b: Matrix) -> Matrix:
    """Sum of two matrices, CSR only where both are."""
    both = sparse.issparse(a) and sparse.issparse(b)
    return a + b if both else dense(a) + dense(b)


@dataclass(frozen=True, eq=False)
class Affine:
    """A sum of `Term` s with ``size`` rows: ``h -> sum_t F_t h_{source(t)}``.

    Parameters
    ----------
    size
        Number of rows (outputs).
    terms
        Any number of terms; several may share a source. No term means zero.
    """

    size: int
    terms: tuple[Term, ...]

    def __getstate__(self) -> dict[str, Any]:
        return {"size": self.size, "terms": self.terms}

    def __post_init__(self) -> None:
        for term in self.terms:
            if term.rows != self.size:
                raise LinregionsError(
                    f"a weight with {term.rows} rows in an affine map of {self.size} rows"
                )
            for first, second in zip(term.parts, term.parts[1:], strict=False):
                if second.shape[1] != first.shape[0]:
                    raise LinregionsError(
                        f"weights of shapes {first.shape} and {second.shape} cannot follow "
                        "each other"
                    )

    @staticmethod
    def dense(weight: np.ndarray, bias: np.ndarray | None, source: int) -> Affine:
        """``W h_source + b`` for one source."""
        terms = [Term(source, (weight,))]
        if bias is not None and np.any(bias):
            terms.append(Term(ONE, (np.asarray(bias)[:, None],)))
        return Affine(weight.shape[0], tuple(terms))

    @staticmethod
    def identity(size: int, source: int) -> Affine:
        """The map ``h_source -> h_source``."""
        return Affine(size, (Term(source, (np.eye(size),)),))

    @property
    def sources(self) -> tuple[int, ...]:
        """Sources read, ascending, without the constant."""
        return tuple(sorted({t.source for t in self.terms} - {ONE}))

    def then(self, matrix: Matrix) -> Affine:
        """The composition ``matrix @ self``."""
        return Affine(matrix.shape[0], tuple(t.after(matrix) for t in self.terms))

    def __add__(self, other: Affine) -> Affine:
        return Affine(self.size, self.terms + other.terms)

    def rows(self, index: Iterable[int]) -> Affine:
        """The affine map of some rows only."""
        index = list(index)

        def pick(t: Term) -> Term:
            return Term(t.source, (*t.parts[:-1], expanded(t.parts[-1])[index]))

        return Affine(len(index), tuple(pick(t) for t in self.terms))

    def replace(self, change: Callable[[Term], Iterable[Term]]) -> Affine:
        """Every term replaced by the terms that ``change`` gives for it."""
        return Affine(self.size, tuple(new for t in self.terms for new in change(t)))

    @cached_property
    def _rounded(self) -> dict[int, tuple[Matrix, Matrix | None]]:
        out: dict[int, tuple[Matrix, Matrix | None]] = {}
        for term in self.terms:
            value, error = _product(term.factors)
            if term.source in out:  # a sum of terms rounds once more
                old, old_error = out[term.source]
                both = _sum(value, old)
                extra = abs(both) * ROUNDOFF
                for e in (error, old_error):
                    extra = extra if e is None else _sum(extra, e)
                value, error = both, extra
            out[term.source] = value, error
        return out

    def rounded(self, source: int, columns: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Dense float64 matrix for one source and its elementwise error bound (None: exact)."""
        if source not in self._rounded:
            return np.zeros((self.size, columns)), None
        value, error = self._rounded[source]
        return dense(value), None if error is None else dense(error)

    def product(self, source: int) -> Matrix:
        """The rounded matrix for a source that is read, dense or CSR."""
        return self._rounded[source][0]

    def product_error(self, source: int) -> Matrix | None:
        """Elementwise bound of the error of `product` (None: exact)."""
        return self._rounded[source][1]

    def is_sparse(self, source: int) -> bool:
        """Whether the rounded matrix for a source is kept as CSR (or is zero)."""
        return source not in self._rounded or sparse.issparse(self._rounded[source][0])

    def csr(
        self, source: int, columns: int
    ) -> tuple[sparse.csr_array, sparse.csr_array | np.ndarray | None]:
        """`rounded` with the matrix as CSR; the bound is CSR or dense."""
        if source not in self._rounded:
            return sparse.csr_array((self.size, columns)), None
        value, error = self._rounded[source]
        return sparse.csr_array(value), error

    def reads(self, source: int, columns: int) -> sparse.csr_array:
        """Which entries of the matrix for a source may be other than 0: boolean, CSR."""
        value, error = self.csr(source, columns)
        some = value != 0
        return some if error is None else sparse.csr_array(some + (sparse.csr_array(error) != 0))

    def exact(self, source: int, columns: int) -> IntMatrix:
        """Exact matrix for one source."""
        total: IntMatrix | None = None
        for term in self.terms:
            if term.source != source:
                continue
            part = integers(term.factors[0])
            for factor in term.factors[1:]:
                part = integers(factor) @ part
            total = part if total is None else total + part
        return integers(np.zeros((self.size, columns))) if total is None else total

    def applied(self, values: dict[int, IntMatrix], columns: int) -> IntMatrix:
        """Exact forms from the exact forms of the sources, each with ``columns`` columns.

        The constant's form is a row too: ``values[ONE]`` has one row. Sparse factors are
        applied as they are, so that a convolution costs what its kernel does.
        """
        total: IntMatrix | None = None
        for term in self.terms:
            part = term.applied(values[term.source])
            total = part if total is None else total + part
        return integers(np.zeros((self.size, columns))) if total is None else total

    def __call__(self, values: dict[int, np.ndarray]) -> np.ndarray:
        """Float evaluation; ``values[source]`` has shape (points, size of that source)."""
        points = next(iter(values.values())).shape[0]
        out = np.zeros((points, self.size))
        for source, (matrix, _) in self._rounded.items():
            if source == ONE:
                out += dense(matrix)[:, 0]
            else:  # CSR from the left: scipy is slow the other way round
                csr = sparse.issparse(matrix)
                out += (matrix @ values[source].T).T if csr else values[source] @ matrix.T
        return out

    def at(self, values: dict[int, np.ndarray]) -> np.ndarray:
        """Exact evaluation on one point: object arrays of Fraction in and out."""
        columns = {ONE: _column([Fraction(1)])}
        for source in self.sources:
            columns[source] = _column(values[source])
        return self.applied(columns, 1).to_fractions()[:, 0]


def _column(vector: Iterable[Fraction]) -> IntMatrix:
    vector = list(vector)
    column = np.empty((len(vector), 1), dtype=object)
    column[:, 0] = vector
    return integers(column)


def check_finite(matrix: Matrix, what: str) -> None:
    """Raise when a float matrix holds NaN or an infinity."""
    data: Any = matrix.weight if isinstance(matrix, Convolution) else matrix
    data = data.data if sparse.issparse(data) else data
    if data.dtype != object and not np.isfinite(data).all():
        bad = "NaN" if np.isnan(data).any() else "infinite"
        raise LinregionsError(f"{what} holds {bad} values; a count needs finite weights")
