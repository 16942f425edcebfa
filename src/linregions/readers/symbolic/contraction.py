"""Sums of products of a value and a constant: matrix products with batches, and Einsum."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import prod

import numpy as np
from scipy import sparse

from ...errors import LinregionsError, UnsupportedNetwork
from ...network.operators import LARGEST_CONVOLUTION
from .values import Value, constant

Labels = Sequence[Hashable]


def contracted(value: Value, mine: Labels, other: np.ndarray, theirs: Labels, out: Labels) -> Value:
    """``out[o] = sum value[m] other[t]`` over all labels of axes that are not in ``out``.

    A label that ``mine`` or ``theirs`` repeats is a diagonal; an axis of length 1 spreads.
    Every label of ``other`` must be one of the value or of the output, so that each pair of
    an input and an output meets once and nothing is rounded. Numpy's einsum is the same.
    """
    sizes = _sizes((mine, value.shape), (theirs, other.shape))
    if missing := [t for t in (*theirs, *out) if t not in {*mine, *out} or t not in sizes]:
        raise LinregionsError(f"the axes {missing} belong to the constant alone")
    value = value.broadcast(tuple(sizes[label] for label in mine))
    names = list(dict.fromkeys((*out, *mine)))
    total = prod(sizes[label] for label in names)
    if total > LARGEST_CONVOLUTION:
        raise LinregionsError(
            f"a product of {total:,} multiplications is too large to be written out (at most "
            f"{LARGEST_CONVOLUTION:,}); give a smaller input shape"
        )
    number = {label: i for i, label in enumerate(names)}
    kept = list(dict.fromkeys(theirs))
    plain = np.einsum(other, [number[t] for t in theirs], [number[t] for t in kept])
    order = sorted(range(len(kept)), key=lambda i: number[kept[i]])
    plain = plain.transpose(order)
    ones = [1] * len(names)
    for i in order:
        ones[number[kept[i]]] = plain.shape[order.index(i)]
    whole = tuple(sizes[label] for label in names)
    data = np.broadcast_to(plain.reshape(ones), whole).ravel()
    columns, rows = (_positions(labels, names, sizes) for labels in (mine, out))
    used = np.flatnonzero(data)
    shape = tuple(sizes[label] for label in out)
    entries = (data[used], (rows[used], columns[used]))
    matrix = sparse.csr_array(entries, shape=(prod(shape), value.size))
    return value.mapped(matrix, shape)


def _sizes(*operands: tuple[Labels, tuple[int, ...]]) -> dict[Hashable, int]:
    sizes: dict[Hashable, int] = {}
    for labels, shape in operands:
        if len(labels) != len(shape):
            raise LinregionsError(f"{len(labels)} labels for a tensor of shape {shape}")
        for label, n in zip(labels, shape, strict=True):
            known = sizes.setdefault(label, n)
            if 1 not in (known, n) and known != n:
                raise LinregionsError(f"axes of {known} and of {n} entries have one label")
            sizes[label] = n if known == 1 else known
    return sizes


def _positions(labels: Labels, names: Labels, sizes: dict[Hashable, int]) -> np.ndarray:
    """Flat position in a tensor of the given axes, for every point of all labels."""
    steps = dict.fromkeys(names, 0)
    step = 1
    for label in reversed(labels):
        steps[label] += step
        step *= sizes[label]
    out: np.ndarray = np.zeros((1,) * len(names), np.int64)
    for i, name in enumerate(names):
        shape = [1] * len(names)
        shape[i] = sizes[name]
        out = out + (steps[name] * np.arange(sizes[name])).reshape(shape)
    return np.broadcast_to(out, tuple(sizes[name] for name in names)).ravel()


def product(a: Value | np.ndarray, b: Value | np.ndarray) -> Value:
    """``a @ b`` by numpy's rules, batches of matrices included; one of the two is constant."""
    if isinstance(a, Value) and isinstance(b, Value):
        raise UnsupportedNetwork("a product of two values that depend on the input is quadratic")
    if not (isinstance(a, Value) or isinstance(b, Value)):
        return constant(a @ b)
    if not a.shape or not b.shape or a.shape[-1] != b.shape[-2:][0]:
        raise LinregionsError(f"a product of shapes {a.shape} and {b.shape}")
    array = b if isinstance(a, Value) else a
    other = a if isinstance(a, Value) else b
    if prod(array.shape[:-2]) == 1 and not (len(array.shape) > 2 and len(other.shape) < 2):
        return a.times(np.asarray(b)) if isinstance(a, Value) else b.after(np.asarray(a))  # type: ignore[union-attr]
    batch = max(len(a.shape), len(b.shape)) - 2
    front = [(i,) for i in range(batch)]
    left: list[Hashable] = [
        *front[batch - len(a.shape[:-2]) :],
        *(["m"] if len(a.shape) > 1 else []),
        "k",
    ]
    right: list[Hashable] = [
        *front[batch - len(b.shape[:-2]) :],
        "k",
        *(["n"] if len(b.shape) > 1 else []),
    ]
    out: list[Hashable] = [*front, *(x for x in (*left, *right) if x in ("m", "n"))]
    if isinstance(a, Value):
        return contracted(a, left, np.asarray(b), right, out)
    return contracted(b, right, np.asarray(a), left, out)  # type: ignore[arg-type]


def einsum(equation: str, operands: Sequence[Value | np.ndarray]) -> tuple[Value, bool]:
    """Einsum with one operand that depends on the input, and whether constants were combined.

    Combining two constants, or summing one over an axis of its own, rounds in their type.
    """
    inputs, out = labels_of(equation, [len(x.shape) for x in operands])
    places = [i for i, x in enumerate(operands) if isinstance(x, Value)]
    if len(places) != 1:
        raise UnsupportedNetwork("a product of two values that depend on the input is quadratic")
    value, mine = operands[places[0]], inputs[places[0]]
    assert isinstance(value, Value)
    rest = [(np.asarray(x), inputs[i]) for i, x in enumerate(operands) if i not in places]
    if not rest:
        return contracted(value, mine, np.ones(()), (), out), False
    kept = [t for t in dict.fromkeys(t for _, labels in rest for t in labels) if t in {*mine, *out}]
    if len(rest) == 1 and set(rest[0][1]) <= {*mine, *out}:
        return contracted(value, mine, *rest[0], out), False
    number = {t: i for i, t in enumerate(dict.fromkeys(t for _, labels in rest for t in labels))}
    flat = [part for x, labels in rest for part in (x, [number[t] for t in labels])]
    combined = np.einsum(*flat, [number[t] for t in kept])
    return contracted(value, mine, np.asarray(combined), kept, out), True


def labels_of(equation: str, ranks: Sequence[int]) -> tuple[list[list[Hashable]], list[Hashable]]:
    """The labels of the operands and of the output of an Einsum, an ellipsis written out."""
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    parts = left.split(",")
    if len(parts) != len(ranks):
        raise LinregionsError(f"the equation {equation!r} for {len(ranks)} operands")
    longest = max(
        (r - len(p.replace("...", "")) for p, r in zip(parts, ranks, strict=True)), default=0
    )

    def labels(part: str, dots: int) -> list[Hashable]:
        before, found, after = part.partition("...")
        middle = [(i,) for i in range(longest - dots, longest)] if found else []
        return [*before, *middle, *after]

    inputs = [labels(p, r - len(p.replace("...", ""))) for p, r in zip(parts, ranks, strict=True)]
    for part, rank in zip(inputs, ranks, strict=True):
        if len(part) != rank:
            raise LinregionsError(f"the equation {equation!r} for operands of {list(ranks)} axes")
    if arrow:
        return inputs, labels(right, longest)
    letters = "".join(parts).replace(".", "")
    once = sorted(x for x in set(letters) if letters.count(x) == 1)
    return inputs, [*([(i,) for i in range(longest)] if "..." in left else []), *once]
