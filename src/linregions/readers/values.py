"""Values on their way through a model: exact affine expressions that know a tensor shape.

The graph readers (`onnx`, `torch`) share this room. A `Value` is a sum of addends, each a
chain of exact factors applied to one source, with its entries in C order of ``shape``.
Transposing, slicing or concatenating is then a choice of rows, which rounds nothing; a
scaling that no float holds stays a diagonal of Fractions until the value is written out.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ..affine import INPUT, ONE, Affine, Term
from ..errors import LinregionsError, UnsupportedNetwork
from ..network import Layer, Network
from ..rational import Matrix, dense, fraction_array, is_rational, simplest
from ..units import Activation, MaxUnits, Pointwise, Units

Shape = tuple[int, ...]


def words(text: str) -> frozenset[str]:
    """The set of the words of a text: how the readers write lists of operators."""
    return frozenset(text.split())


@contextmanager
def about(path: str | Path) -> Iterator[None]:
    """Name the file in every error that arises while it is read."""
    try:
        yield
    except LinregionsError as error:
        text = str(error)
        raise type(error)(text if text.startswith(f"{path}:") else f"{path}: {text}") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise LinregionsError(f"{path}: cannot be read ({reason})") from error


def floats(array: Any, what: str) -> np.ndarray:
    """Float64 entries equal to the given numbers; whatever float64 cannot hold is refused."""
    try:
        if hasattr(array, "detach"):  # a torch tensor; numpy has no bfloat16
            array = array.detach().cpu()
            array = array.double() if array.is_floating_point() else array
        given = np.asarray(array)
        if given.dtype == object or given.dtype.kind in "cSUMm":
            raise LinregionsError(f"{what} has entries of type {given.dtype}; give real numbers")
        out = given.astype(np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, LinregionsError):
            raise
        raise LinregionsError(f"{what} is not an array of real numbers: {error}") from None
    if given.dtype.kind in "iu" and given.dtype.itemsize == 8:
        same = all(int(f) == i for f, i in zip(out.ravel(), given.ravel().tolist(), strict=True))
    else:
        same = given.dtype.itemsize <= 8 or bool(np.all((out == given) | np.isnan(out)))
    if not same:
        raise LinregionsError(f"{what} holds numbers that float64 cannot hold exactly")
    return out


@dataclass(frozen=True, eq=False)
class Diagonal:
    """A diagonal matrix of Fractions, kept apart while it may still be folded away."""

    values: np.ndarray

    @property
    def uniform(self) -> bool:
        return len(self.values) > 0 and all(v == self.values[0] for v in self.values[1:])


@dataclass(frozen=True, eq=False)
class Addend:
    """``factors[-1] ... factors[0] h_source[pick]``, where h_source has ``columns`` entries.

    ``pick`` None is everything, an entry -1 a zero; factors are matrices or `Diagonal` s.
    """

    source: int
    columns: int
    factors: tuple[Any, ...] = ()
    pick: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor that depends on the input: shape, addends, output functions dropped so far."""

    shape: Shape
    addends: tuple[Addend, ...]
    dropped: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of entries."""
        return prod(self.shape)

    def reshaped(self, shape: Sequence[int]) -> Value:
        """The same entries in the same order."""
        return replace(self, shape=tuple(int(d) for d in shape))

    def select(self, index: np.ndarray) -> Value:
        """Entries ``index`` (flat positions, -1 for a zero), in the shape of ``index``."""
        flat = index.ravel()
        if len(flat) == self.size and np.array_equal(flat, np.arange(self.size)):
            return self.reshaped(index.shape)
        if len(flat) and not -1 <= flat.min() <= flat.max() < self.size:
            raise IndexError(f"an index outside of the {self.size} entries of the value")
        return Value(index.shape, tuple(_rows(a, flat) for a in self.addends))

    def grid(self) -> np.ndarray:
        """Flat positions in the shape of the value: what a selection acts on."""
        return np.arange(self.size).reshape(self.shape)

    def broadcast(self, shape: Shape) -> Value:
        """Entries repeated up to a shape, by numpy's rules."""
        return self if shape == self.shape else self.select(np.broadcast_to(self.grid(), shape))

    def __add__(self, other: Value) -> Value:
        shape = np.broadcast_shapes(self.shape, other.shape)
        terms = list(self.broadcast(shape).addends)
        for new in other.broadcast(shape).addends:
            for i, old in enumerate(terms):
                if (both := _merged(old, new)) is not None:
                    terms[i] = both
                    break
            else:
                terms.append(new)
        return Value(shape, tuple(terms))

    def scaled(self, factor: Any) -> Value:
        """Entrywise product with a constant array of floats or Fractions."""
        factor = np.asarray(factor)
        shape = np.broadcast_shapes(self.shape, factor.shape)
        values = simplest(fraction_array(np.broadcast_to(factor, shape).ravel()))
        if not np.any(values):
            return Value(shape, ())
        if np.all(values == 1):
            return self.broadcast(shape)
        addends = (_scaled(a, values) for a in self.broadcast(shape).addends)
        return Value(shape, tuple(a for a in addends if a is not None))

    def __neg__(self) -> Value:
        return self.scaled(-1.0)

    def times(self, right: np.ndarray) -> Value:
        """``self @ right`` for a constant matrix or vector."""
        shape = _product_shape(self.shape, right.shape)
        right = right[:, None] if right.ndim == 1 else right.reshape(right.shape[-2:])
        lead = prod(self.shape[:-1])
        return self.mapped(right.T if lead == 1 else _kron(lead, right.T, 1), shape)

    def after(self, left: np.ndarray) -> Value:
        """``left @ self`` for a constant matrix or vector."""
        shape = _product_shape(left.shape, self.shape)
        left = left[None, :] if left.ndim == 1 else left.reshape(left.shape[-2:])
        lead, columns = prod(self.shape[:-2]), self.shape[-1] if len(self.shape) > 1 else 1
        flat = lead == columns == 1
        return self.mapped(left if flat else _kron(lead, left, columns), shape)

    def summed(self, axes: Sequence[int] | None, keep: bool) -> Value:
        """Sums over axes (None: all of them)."""
        rank = len(self.shape)
        over = {int(a) % rank for a in axes} if axes is not None else set(range(rank))
        kept = tuple(1 if i in over else d for i, d in enumerate(self.shape))
        groups = np.broadcast_to(np.arange(prod(kept)).reshape(kept), self.shape).ravel()
        entries = (np.ones(self.size), (groups, np.arange(self.size)))
        matrix = sparse.csr_array(entries, shape=(prod(kept), self.size))
        shape = kept if keep else tuple(d for i, d in enumerate(self.shape) if i not in over)
        return self.mapped(matrix, shape)

    def mapped(self, matrix: Matrix, shape: Shape) -> Value:
        """The value ``matrix @ entries``, in a new shape."""
        return Value(shape, tuple(_applied(a, matrix) for a in self.addends))

    def affine(self) -> Affine:
        """The value as an affine map in canonical form."""
        return Affine(self.size, tuple(_term(a) for a in self.addends))


def constant(array: np.ndarray) -> Value:
    """A value that does not depend on the input."""
    column = array.reshape(-1, 1)
    return Value(array.shape, (Addend(ONE, 1, (column,)),) if np.any(column) else ())


def concatenated(values: Sequence[Value], axis: int) -> Value:
    """Values side by side along an axis."""
    grids, start = [], 0
    for v in values:
        grids.append(v.grid() + start)
        start += v.size
    order = np.concatenate(grids, axis=axis)
    total, start = Value((start,), ()), 0
    for v in values:
        index = np.full(total.size, -1)
        index[start : start + v.size] = np.arange(v.size)
        total, start = total + v.reshaped((v.size,)).select(index), start + v.size
    return total.select(order)


def stripped(value: Value, what: str) -> Value:
    """The value, unless a softmax or the like came before: then it is not piecewise linear."""
    if value.dropped:
        raise UnsupportedNetwork(
            f"{value.dropped[-1]}: not piecewise linear, and {what} comes after it; such a "
            "function can be left out only at the very end"
        )
    return value


@dataclass
class Builder:
    """Layers and notes collected while a reader walks a model."""

    layers: list[Layer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def input(self, shape: Shape) -> Value:
        """The value of the network's input."""
        return Value(tuple(shape), (Addend(INPUT, prod(shape)),))

    def note(self, text: str) -> None:
        """Keep one line for `Network.notes`, once."""
        if text not in self.notes:
            self.notes.append(text)

    def units(self, value: Value, units: Units, shape: Shape | None = None) -> Value:
        """A new layer of units on a value."""
        self.layers.append(Layer(value.affine(), units))
        return Value(
            value.shape if shape is None else shape, (Addend(len(self.layers), units.size),)
        )

    def pointwise(self, value: Value, kind: Activation | Sequence[Activation]) -> Value:
        """A new layer of one activation, or of one for each entry."""
        if isinstance(kind, Activation):
            return self.units(value, Pointwise.uniform(kind, value.size))
        return self.units(value, Pointwise.each(list(kind)))

    def largest(self, values: Sequence[Value]) -> Value:
        """The largest of several values, entry by entry: one max unit for each entry."""
        if len(values) == 1:
            return values[0]
        shape = np.broadcast_shapes(*(v.shape for v in values))
        n = prod(shape)
        rows = concatenated([v.broadcast(shape).reshaped((n,)) for v in values], 0)
        groups = tuple(tuple(range(i, rows.size, n)) for i in range(n))
        return self.units(rows, MaxUnits(groups, rows.size), shape)

    def network(self, inputs: int, value: Value) -> Network:
        """The network whose output is a value."""
        for what in value.dropped:
            text = f"{what}: dropped at the output, it is no part of the linear regions"
            warnings.warn(text, stacklevel=4)
            self.note(text)
        return Network(inputs, tuple(self.layers), value.affine(), tuple(self.notes))


# -- one addend -------------------------------------------------------------------------


def _rows(addend: Addend, index: np.ndarray) -> Addend:
    if not addend.factors:
        pick = np.arange(addend.columns) if addend.pick is None else addend.pick
        return replace(addend, pick=np.where(index < 0, -1, pick[index]))
    *rest, last = addend.factors
    if isinstance(last, Diagonal):
        inner = _rows(replace(addend, factors=tuple(rest)), index)
        return replace(inner, factors=(*inner.factors, Diagonal(last.values[index])))
    if sparse.issparse(last):
        chosen = sparse.csr_array(_selection(index, last.shape[0]) @ last)
    else:
        chosen = last[index]
        chosen[index < 0] = Fraction(0) if is_rational(last) else 0.0
    return replace(addend, factors=(*rest, chosen))


def _selection(index: np.ndarray, columns: int) -> sparse.csr_array:
    rows = np.flatnonzero(index >= 0)
    entries = (np.ones(len(rows)), (rows, index[rows]))
    return sparse.csr_array(entries, shape=(len(index), columns))


def _scaled(addend: Addend, values: np.ndarray) -> Addend | None:
    """Rows multiplied by values (float64 or Fractions), exactly; None where nothing is left."""
    if not addend.factors:
        return replace(addend, factors=(Diagonal(fraction_array(values)),))
    *rest, last = addend.factors
    if isinstance(last, Diagonal):
        new: Any = Diagonal(last.values * fraction_array(values))
    elif addend.source == ONE and not rest:
        new = simplest(fraction_array(last) * fraction_array(values)[:, None])
        if not np.any(new):
            return None
    else:
        new = _times_exactly(last, values, axis=0)
        if new is None:
            rest, new = list(addend.factors), Diagonal(fraction_array(values))
    return replace(addend, factors=(*rest, new))


def _times_exactly(matrix: Matrix, values: np.ndarray, axis: int) -> Matrix | None:
    """``matrix`` with its rows (axis 0) or columns scaled, or None if that would round."""
    if is_rational(values) or is_rational(matrix):
        return None
    if sparse.issparse(matrix):
        coo = matrix.tocoo()
        entries = _exact_product(coo.data, values[coo.coords[axis]])
        if entries is None:
            return None
        return sparse.csr_array((entries, coo.coords), shape=matrix.shape)
    return _exact_product(matrix, values[:, None] if axis == 0 else values[None, :])


def _exact_product(a: np.ndarray, b: np.ndarray) -> np.ndarray | None:
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


def _merged(a: Addend, b: Addend) -> Addend | None:
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
    if isinstance(f, Diagonal) or isinstance(g, Diagonal):
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


def _applied(addend: Addend, matrix: Matrix) -> Addend:
    """``matrix`` applied on the left, folded into a scaling or a selection where exact."""
    rest, last = addend.factors[:-1], addend.factors[-1] if addend.factors else None
    if isinstance(last, Diagonal):
        inner = replace(addend, factors=rest)
        values = simplest(last.values)
        if (folded := _times_exactly(matrix, values, axis=1)) is not None:
            return _applied(inner, folded)
        if last.uniform:  # a number commutes, and there are often fewer rows than columns
            after = _applied(inner, matrix)
            return _scaled(after, np.full(matrix.shape[0], values[0])) or after
        if not sparse.issparse(matrix) and matrix.shape[0] < matrix.shape[1]:
            return _applied(inner, fraction_array(matrix) * last.values[None, :])
        return replace(addend, factors=(*addend.factors, matrix))
    pick = addend.pick
    if last is not None or pick is None:
        return replace(addend, factors=(*addend.factors, matrix))
    used = pick[pick >= 0]
    if len(np.unique(used)) < len(used):  # adding up columns would round
        factors = (_selection(pick, addend.columns), matrix)
    elif sparse.issparse(matrix):
        factors = (sparse.csr_array(matrix @ _selection(pick, addend.columns)),)
    else:
        wide = np.zeros((matrix.shape[0], addend.columns), dtype=matrix.dtype)
        if is_rational(matrix):
            wide[:] = Fraction(0)
        wide[:, used] = matrix[:, pick >= 0]
        factors = (wide,)
    return Addend(addend.source, addend.columns, factors)


def _term(addend: Addend) -> Term:
    """The addend in canonical form: selections as CSR, scalings folded or written out."""
    chain: list[Any] = list(addend.factors)
    if addend.pick is not None:
        chain.insert(0, _selection(addend.pick, addend.columns))
    out: list[Matrix] = []
    for factor in chain or [sparse.eye_array(addend.columns, format="csr")]:
        if not isinstance(factor, Diagonal):
            out.append(factor)
            continue
        values = simplest(factor.values)
        if not is_rational(values):
            out.append(sparse.diags_array(values, format="csr"))
        elif out and out[-1].shape[1] < out[-1].shape[0]:
            out[-1] = fraction_array(dense(out[-1])) * values[:, None]
        else:
            square = np.full((len(values), len(values)), Fraction(0), dtype=object)
            square[np.diag_indices(len(values))] = values
            out.append(square)
    return Term(addend.source, tuple(out))


def _kron(lead: int, matrix: np.ndarray, columns: int) -> sparse.csr_array:
    """``I_lead x matrix x I_columns``."""
    inner = sparse.kron(sparse.csr_array(matrix), sparse.eye_array(columns), format="csr")
    return sparse.csr_array(sparse.kron(sparse.eye_array(lead), inner, format="csr"))


def _product_shape(a: Shape, b: Shape) -> Shape:
    """Shape of ``A @ B``, one of the two being one matrix (no batch of matrices)."""
    rows, columns = a[-2:-1], b[-1:] if len(b) > 1 else ()
    if not a or not b or a[-1] != b[-2:][0]:
        raise LinregionsError(f"a product of shapes {a} and {b}")
    if len(a) > 2 and len(b) > 2 and min(prod(a[:-2]), prod(b[:-2])) > 1:
        raise UnsupportedNetwork("a product with a batch of matrices is not supported yet")
    return (*np.broadcast_shapes(a[:-2], b[:-2]), *rows, *columns)
