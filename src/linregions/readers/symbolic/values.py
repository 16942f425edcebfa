"""Values on their way through a model: exact affine expressions that know a tensor shape.

The graph readers (`onnx`, `torch`) share this room. A `Value` is a sum of addends, each a
chain of exact factors applied to one source, with its entries in C order of ``shape``.
Transposing, slicing or concatenating is then a choice of rows, which rounds nothing; a
scaling that no float holds stays a diagonal of Fractions until the value is written out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
from scipy import sparse

from ...errors import LinregionsError, UnsupportedNetwork
from ...network.affine import ONE, Affine
from ...network.rational import Matrix, fraction_array, simplest
from .factors import Addend, applied, merged, rows_of, scaled, term

Shape = tuple[int, ...]


def words(text: str) -> frozenset[str]:
    """The set of the words of a text: how the readers write lists of operators."""
    return frozenset(text.split())


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
class Value:
    """A tensor that depends on the input: shape, addends, output functions dropped so far.

    Behind a dropped function the entries are those in front of it; ``outward`` is then the
    shape that the tensor has by now, where that is another one.
    """

    shape: Shape
    addends: tuple[Addend, ...]
    dropped: tuple[str, ...] = ()
    outward: Shape | None = None

    @property
    def now(self) -> Shape:
        """The shape that the model's tensor has."""
        return self.shape if self.outward is None else self.outward

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
        return Value(index.shape, tuple(rows_of(a, flat) for a in self.addends))

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
                if (both := merged(old, new)) is not None:
                    terms[i] = both
                    break
            else:
                terms.append(new)
        return Value(shape, tuple(terms))

    def scaled(self, factor: Any) -> Value:
        """Entrywise product with a constant array of floats or Fractions."""
        factor = np.asarray(factor)
        shape = np.broadcast_shapes(self.shape, factor.shape)
        # made plain before it is repeated: there are often few numbers and many entries
        plain = factor.astype(np.float64) if factor.dtype.kind in "fiu" else None
        plain = simplest(fraction_array(factor)) if plain is None else plain
        if not np.any(plain):
            return Value(shape, ())
        if np.all(plain == 1):
            return self.broadcast(shape)
        values = np.broadcast_to(plain, shape).ravel()
        addends = (scaled(a, values) for a in self.broadcast(shape).addends)
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
        return Value(shape, tuple(applied(a, matrix) for a in self.addends))

    def affine(self, rounding: Callable[[np.ndarray], None] | None = None) -> Affine:
        """The value as an affine map in canonical form; ``rounding`` as for `factors.term`."""
        return Affine(self.size, tuple(term(a, rounding) for a in self.addends))


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


def chosen(mask: np.ndarray, yes: Value, no: Value) -> Value:
    """Entries of ``yes`` where a constant mask holds, else of ``no``."""
    shape = np.broadcast_shapes(mask.shape, yes.shape, no.shape)
    mask = np.broadcast_to(mask, shape).astype(bool)
    yes, no = yes.broadcast(shape), no.broadcast(shape)
    return yes.select(np.where(mask, yes.grid(), -1)) + no.select(np.where(mask, -1, no.grid()))


def inverse(divisor: np.ndarray) -> np.ndarray:
    """``1 / divisor`` as exact Fractions."""
    if not np.all(divisor):
        raise LinregionsError("division by zero")
    out = np.empty(divisor.size, dtype=object)
    out[:] = [1 / Fraction(d) for d in divisor.ravel().tolist()]
    return out.reshape(divisor.shape)


def stripped(value: Value) -> Value:
    """The value, unless a softmax or the like came before: then it is not piecewise linear."""
    if value.dropped:
        raise UnsupportedNetwork(
            f"it comes after {value.dropped[-1]}, which is not piecewise linear; such a function "
            "can be left out only at the very end"
        )
    return value


def ended(value: Value, what: str, shape: Shape | None = None) -> Value:
    """The value behind a function that is left out at the output, such as a softmax."""
    now = value.now if shape is None else shape
    same = now == value.shape
    return replace(value, dropped=(*value.dropped, what), outward=None if same else now)


def moved_behind(value: Value, results: Sequence[np.ndarray], grid: np.ndarray) -> list[Value]:
    """Moves of entries behind a dropped function, as their effect on ``grid`` of positions.

    A permutation moves what stands in front as well. A choice leaves it whole, for a
    softmax depends on all of its arguments.
    """
    out = []
    for index in results:
        whole = value.outward is None and index.size == value.size
        if whole and np.array_equal(np.sort(index, axis=None), grid.ravel()):
            out.append(replace(value.select(index), dropped=value.dropped))
        else:
            out.append(replace(value, outward=tuple(index.shape)))
    return out


def beside_behind(values: Sequence[Value]) -> Value:
    """Values side by side, some of them behind dropped functions: a vector of all entries."""
    flat = [replace(v.reshaped((v.size,)), dropped=(), outward=None) for v in values]
    dropped = tuple(dict.fromkeys(what for v in values for what in v.dropped))
    return replace(concatenated(flat, 0), dropped=dropped)


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
