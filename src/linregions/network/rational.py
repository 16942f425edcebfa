"""Floats as the rationals that they are: conversions between numpy, Fraction and FLINT.

Every finite float64 is ``m * 2**e`` with integers m, e. Exact decisions work on integer
matrices over one common denominator (``fmpz_mat`` or `digits.Digits`, and ``int``); only signs
matter in the end, so a positive denominator never has to be divided out.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from flint import fmpq, fmpz, fmpz_mat
from scipy import sparse

from ..progress import check
from .digits import Digits, Factor

LARGE = 1 << 16  # entries of a matrix that are made row by row
AT_ONCE = 1 << 22  # products of numbers between two looks at the clock
SMALL = 10_000  # entries of a matrix that FLINT multiplies as quickly when it is dense

Matrix = Any  # float64 ndarray, object ndarray of Fraction, or scipy CSR array of float64


class IntMatrix:
    """The exact matrix ``num / den`` with an integer matrix and one positive denominator.

    The integers are FLINT's or `Digits`, each made from the other when it is asked for.
    """

    def __init__(self, num: fmpz_mat | None, den: int, digits: Digits | None = None) -> None:
        self.den, self._num, self._digits = den, num, digits

    @property
    def num(self) -> fmpz_mat:
        """The integers as a FLINT matrix."""
        if self._num is None:
            assert self._digits is not None
            self._num = fmpz_mat(*self._digits.shape, self._digits.integers())
        return self._num

    @property
    def digits(self) -> Digits:
        """The integers as digits."""
        if self._digits is None:
            self._digits = Digits.of_integers(self.num.entries(), self.shape)
        return self._digits

    @property
    def in_digits(self) -> bool:
        """Whether the digits are at hand."""
        return self._digits is not None

    def __matmul__(self, other: IntMatrix | SparseIntMatrix) -> IntMatrix:
        if isinstance(other, SparseIntMatrix):
            return (other.transposed @ self.transposed).transposed
        return IntMatrix(_product(self.num, other.num), self.den * other.den)

    def __add__(self, other: IntMatrix) -> IntMatrix:
        den = math.lcm(self.den, other.den)
        a, b = self._times(den // self.den), other._times(den // other.den)
        if a.in_digits and b.in_digits:
            return IntMatrix(None, den, a.digits + b.digits)
        return IntMatrix(a.num + b.num, den)

    def _times(self, factor: int) -> IntMatrix:
        """The integers times a positive factor."""
        if factor == 1:
            return self
        if self.in_digits and factor & (factor - 1) == 0:
            return IntMatrix(None, 1, self.digits.shifted(factor.bit_length() - 1))
        return IntMatrix(self.num * fmpz(factor), 1)

    @property
    def transposed(self) -> IntMatrix:
        """The transposed matrix."""
        if self._digits is not None:
            return IntMatrix(None, self.den, self._digits.transposed)
        return IntMatrix(self.num.transpose(), self.den)

    @property
    def shape(self) -> tuple[int, int]:
        if self._digits is not None:
            return self._digits.shape
        return self.num.nrows(), self.num.ncols()

    def to_fractions(self) -> np.ndarray:
        """Object array of Fraction."""
        flat = np.empty(self.shape[0] * self.shape[1], dtype=object)
        flat[:] = [Fraction(int(v), self.den) for v in self.num.entries()]
        return flat.reshape(self.shape)


class SparseIntMatrix:
    """An exact CSR matrix of floats over one denominator, for products from either side."""

    def __init__(self, matrix: Any, power: int | None = None) -> None:
        self.matrix = matrix
        self.power = finest(matrix.data) if power is None else power

    @property
    def den(self) -> int:
        return 1 << self.power

    @property
    def shape(self) -> tuple[int, int]:
        return self.matrix.shape

    @cached_property
    def factor(self) -> Factor:
        """The integers, digit by digit."""
        return Factor.of_floats(self.matrix, self.power)

    @cached_property
    def transposed(self) -> SparseIntMatrix:
        """The transposed matrix."""
        turned: Any = sparse.csr_array(self.matrix.T)
        return SparseIntMatrix(turned, self.power)

    def __matmul__(self, other: IntMatrix) -> IntMatrix:
        check()
        return IntMatrix(None, self.den * other.den, self.factor @ other.digits)


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
    """`integers`, but a CSR matrix stays sparse, unless it is small."""
    if not sparse.issparse(matrix) or matrix.shape[0] * matrix.shape[1] <= SMALL:
        return integers(matrix)
    return SparseIntMatrix(sparse.csr_array(matrix))


def _odd(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Floats as odd integers times powers of two (0 as it is): the integers, the exponents."""
    mantissa, exponent = np.frexp(values)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    some = whole != 0
    zeros = np.frexp(np.where(some, whole & -whole, 1).astype(np.float64))[1] - 1
    return whole >> zeros, np.where(some, exponent - 53 + zeros, 0).astype(np.int64)


def finest(values: np.ndarray) -> int:
    """The least p >= 0 for which all floats are integers times ``2^-p``."""
    return -int(np.min(_odd(values)[1], initial=0))


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
    if is_rational(matrix):
        pairs = [x.as_integer_ratio() for x in array.ravel()]
        den = math.lcm(*(d for _, d in pairs))
        return IntMatrix(fmpz_mat(rows, cols, [n * (den // d) for n, d in pairs]), den)
    whole, exponent = _odd(np.asarray(array, dtype=np.float64))
    power = -int(exponent.min(initial=0))
    exponent += power
    if rows * cols <= LARGE:
        pairs = zip(whole.ravel().tolist(), exponent.ravel().tolist(), strict=True)
        return IntMatrix(fmpz_mat(rows, cols, [w << e for w, e in pairs]), 1 << power)
    out = fmpz_mat(rows, cols)
    for i in range(rows):  # no slower, and it can be stopped
        check()
        for j, (w, e) in enumerate(zip(whole[i].tolist(), exponent[i].tolist(), strict=True)):
            out[i, j] = w << e
    return IntMatrix(out, 1 << power)


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


def fraction(value: Any) -> Fraction:
    """A number, a Fraction or a decimal string, exactly."""
    return Fraction(value.item() if isinstance(value, np.generic) else value)


def fraction_array(values: Any) -> np.ndarray:
    """Object array of Fractions from numbers, Fractions or decimal strings."""
    array = np.asarray(values, dtype=object)
    out = np.empty(array.shape, dtype=object)
    for index in np.ndindex(array.shape):
        out[index] = fraction(array[index])
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
