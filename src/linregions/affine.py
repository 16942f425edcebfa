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

import numpy as np
from scipy import sparse

from .errors import LinregionsError
from .rational import IntMatrix, Matrix, dense, integers, is_rational, rounded

ONE = -1  # the constant source: a bias is a term of it
INPUT = 0  # layer i (1-based) has source number i
UNIT = 2.0**-53


@dataclass(frozen=True, eq=False)
class Term:
    """``factors[-1] @ ... @ factors[0] @ h_source``; each factor is a 2-D matrix."""

    source: int
    factors: tuple[Matrix, ...]

    @property
    def rows(self) -> int:
        return self.factors[-1].shape[0]

    @property
    def columns(self) -> int:
        return self.factors[0].shape[1]

    def after(self, matrix: Matrix) -> Term:
        """The term with one more map applied on the left."""
        return Term(self.source, (*self.factors, matrix))

    def before(self, matrix: Matrix, source: int) -> Term:
        """The term with its argument replaced by ``matrix @ h_source``."""
        return Term(source, (matrix, *self.factors))


def _product(factors: tuple[Matrix, ...]) -> tuple[np.ndarray, np.ndarray | None]:
    """Rounded product and elementwise error bound (None when it is exact)."""
    if len(factors) == 1 and not is_rational(factors[0]):
        return dense(factors[0]), None
    value, bound, steps = None, None, 0
    for factor in factors:
        f = rounded(factor) if is_rational(factor) else factor
        size = abs(f)
        value = rounded(factor) if value is None else f @ value
        bound = dense(size) if bound is None else size @ bound
        steps += f.shape[1] + 2
    assert value is not None and bound is not None
    return np.asarray(value), np.asarray(bound) * (1.01 * steps * UNIT)


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

    def __post_init__(self) -> None:
        for term in self.terms:
            if term.rows != self.size:
                raise LinregionsError(
                    f"a weight with {term.rows} rows in an affine map of {self.size} rows"
                )
            for first, second in zip(term.factors, term.factors[1:], strict=False):
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
            return Term(t.source, (*t.factors[:-1], t.factors[-1][index]))

        return Affine(len(index), tuple(pick(t) for t in self.terms))

    def replace(self, change: Callable[[Term], Iterable[Term]]) -> Affine:
        """Every term replaced by the terms that ``change`` gives for it."""
        return Affine(self.size, tuple(new for t in self.terms for new in change(t)))

    @cached_property
    def _rounded(self) -> dict[int, tuple[np.ndarray, np.ndarray | None]]:
        out: dict[int, tuple[np.ndarray, np.ndarray | None]] = {}
        for term in self.terms:
            value, error = _product(term.factors)
            if term.source in out:  # a sum of terms rounds once more
                old, old_error = out[term.source]
                both = value + old
                extra = np.abs(both) * UNIT
                for e in (error, old_error):
                    extra = extra if e is None else extra + e
                value, error = both, extra
            out[term.source] = value, error
        return out

    def rounded(self, source: int, columns: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Float64 matrix for one source and its elementwise error bound (None: exact)."""
        return self._rounded.get(source, (np.zeros((self.size, columns)), None))

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

    def __call__(self, values: dict[int, np.ndarray]) -> np.ndarray:
        """Float evaluation; ``values[source]`` has shape (points, size of that source)."""
        points = next(iter(values.values())).shape[0]
        out = np.zeros((points, self.size))
        for source, (matrix, _) in self._rounded.items():
            out += matrix[:, 0] if source == ONE else values[source] @ matrix.T
        return out

    def at(self, values: dict[int, np.ndarray]) -> np.ndarray:
        """Exact evaluation on one point: object arrays of Fraction in and out."""
        out = np.array([Fraction(0)] * self.size, dtype=object)
        for term in self.terms:
            h = np.array([Fraction(1)], dtype=object) if term.source == ONE else values[term.source]
            for factor in term.factors:
                h = _exact_matvec(factor, h)
            out = out + h
        return out


def _exact_matvec(matrix: Matrix, vector: np.ndarray) -> np.ndarray:
    column = np.empty((len(vector), 1), dtype=object)
    column[:, 0] = vector
    return (integers(matrix) @ integers(column)).to_fractions()[:, 0]


def check_finite(matrix: Matrix, what: str) -> None:
    """Raise when a float matrix holds NaN or an infinity."""
    data = matrix.data if sparse.issparse(matrix) else matrix
    if data.dtype != object and not np.isfinite(data).all():
        bad = "NaN" if np.isnan(data).any() else "infinite"
        raise LinregionsError(f"{what} holds {bad} values; a count needs finite weights")
