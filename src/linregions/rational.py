"""Floats as the rationals that they are: conversions between numpy, Fraction and FLINT.

Every finite float64 is ``m * 2**e`` with integers m, e. Exact decisions work on integer
matrices over one common denominator (``fmpz_mat`` and ``int``); only signs matter in the
end, so a positive denominator never has to be divided out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq, fmpz, fmpz_mat
from scipy import sparse

from .progress import check

AT_ONCE = 1 << 22  # products of numbers between two looks at the clock
Matrix = Any  # float64 ndarray, object ndarray of Fraction, or scipy CSR array of float64


@dataclass(frozen=True, eq=False)
class IntMatrix:
    """The exact matrix ``num / den`` with an integer matrix and one positive denominator."""

    num: fmpz_mat
    den: int

    def __matmul__(self, other: IntMatrix) -> IntMatrix:
        return IntMatrix(_product(self.num, other.num), self.den * other.den)

    def __add__(self, other: IntMatrix) -> IntMatrix:
        if self.den == other.den:
            return IntMatrix(self.num + other.num, self.den)
        if self.den % other.den == 0:
            return IntMatrix(self.num + other.num * fmpz(self.den // other.den), self.den)
        if other.den % self.den == 0:
            return IntMatrix(self.num * fmpz(other.den // self.den) + other.num, other.den)
        return IntMatrix(
            self.num * fmpz(other.den) + other.num * fmpz(self.den), self.den * other.den
        )

    @property
    def shape(self) -> tuple[int, int]:
        return self.num.nrows(), self.num.ncols()

    def to_fractions(self) -> np.ndarray:
        """Object array of Fraction."""
        rows, cols = self.shape
        out = np.empty((rows, cols), dtype=object)
        for i in range(rows):
            for j in range(cols):
                out[i, j] = Fraction(int(self.num[i, j]), self.den)
        return out


@dataclass(frozen=True, eq=False)
class SparseIntMatrix:
    """An exact CSR matrix ``data / den`` of shape (rows, columns), for products from the left."""

    data: list[fmpz]
    indices: list[int]
    indptr: list[int]
    den: int
    shape: tuple[int, int]

    def __matmul__(self, other: IntMatrix) -> IntMatrix:
        rows = other.num.tolist()
        columns = other.shape[1]
        out = []
        for start, end in zip(self.indptr, self.indptr[1:], strict=False):
            check()
            total = [fmpz(0)] * columns
            for a, j in zip(self.data[start:end], self.indices[start:end], strict=True):
                total = [t + a * v for t, v in zip(total, rows[j], strict=True)]
            out += total
        return IntMatrix(fmpz_mat(self.shape[0], columns, out), self.den * other.den)


def _product(a: fmpz_mat, b: fmpz_mat) -> fmpz_mat:
    """``a b``; a large one in blocks of rows, for nothing can stop FLINT while it multiplies."""
    rows, inner, columns = a.nrows(), a.ncols(), b.ncols()
    block = max(1, AT_ONCE // max(1, inner * columns))
    if block >= rows:
        return a * b
    table, flat = a.tolist(), []
    for i in range(0, rows, block):
        check()
        part = [v for row in table[i : i + block] for v in row]
        flat += (fmpz_mat(min(block, rows - i), inner, part) * b).entries()
    return fmpz_mat(rows, columns, flat)


def exact_form(matrix: Matrix) -> IntMatrix | SparseIntMatrix:
    """`integers`, but a CSR matrix stays sparse."""
    if not sparse.issparse(matrix):
        return integers(matrix)
    csr: Any = sparse.csr_array(matrix)
    pairs = [x.as_integer_ratio() for x in csr.data.tolist()]
    den = max((d for _, d in pairs), default=1)
    data = [fmpz(n * (den // d)) for n, d in pairs]
    return SparseIntMatrix(data, csr.indices.tolist(), csr.indptr.tolist(), den, csr.shape)


def is_rational(matrix: Matrix) -> bool:
    """True for an object array of Fractions."""
    return isinstance(matrix, np.ndarray) and matrix.dtype == object


def dense(matrix: Matrix) -> np.ndarray:
    """A dense array with the same exact entries."""
    return matrix.toarray() if sparse.issparse(matrix) else matrix


def integers(matrix: Matrix) -> IntMatrix:
    """Exact integer form of a float64, CSR or Fraction matrix (2-D)."""
    array = dense(matrix)
    rows, cols = array.shape
    check()
    pairs = [x.as_integer_ratio() for x in array.ravel().tolist()]
    check()
    if is_rational(matrix):
        den = math.lcm(*(d for _, d in pairs))
    else:
        den = max((d for _, d in pairs), default=1)  # all powers of two
    return IntMatrix(fmpz_mat(rows, cols, [n * (den // d) for n, d in pairs]), den)


def nearest(x: Any) -> float:
    """The float64 next to an exact number (Fraction, FLINT or int); infinite beyond them all."""
    try:
        return float(x)
    except OverflowError:
        return math.inf if x > 0 else -math.inf


def rounded(matrix: Matrix) -> np.ndarray:
    """Float64 entries, correctly rounded; a float matrix is returned as it is (dense).

    Fractions beyond the floats become infinite.
    """
    if is_rational(matrix):
        flat = [nearest(x) for x in matrix.ravel()]
        return np.array(flat, dtype=np.float64).reshape(matrix.shape)
    return dense(matrix)


def fraction_array(values: Any) -> np.ndarray:
    """Object array of Fractions from numbers, Fractions or decimal strings."""
    array = np.asarray(values, dtype=object)
    out = np.empty(array.shape, dtype=object)
    for index in np.ndindex(array.shape):
        value: Any = array[index]
        out[index] = (
            Fraction(value) if not isinstance(value, np.generic) else Fraction(value.item())
        )
    return out


def simplest(values: np.ndarray) -> np.ndarray:
    """Float64 if every Fraction is a float64 exactly, else the Fractions unchanged."""
    floats = rounded(values)
    pairs = zip(floats.ravel().tolist(), values.ravel(), strict=True)
    if all(math.isfinite(f) and Fraction(f) == x for f, x in pairs):
        return floats
    return values


def to_fmpq(value: float | int | Fraction) -> fmpq:
    """Exact FLINT rational of a Python number."""
    if isinstance(value, Fraction):
        return fmpq(value.numerator, value.denominator)
    n, d = value.as_integer_ratio()
    return fmpq(n, d)
