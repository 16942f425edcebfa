"""Integer matrices as digits to the base 2^20, whose products are products of float matrices.

An entry is ``sum_l d_l 2^(20 l)`` with digits -2^19 <= d_l < 2^19 (the highest one may be 2^19
too). A float64 product of two matrices of such digits is exact while a sum has at most 2^15
terms: ``2^15 2^19 2^19 = 2^53``. So a product of integers of any length takes a few products of
float matrices, dense (BLAS) or sparse (scipy), and one pass of carries.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

BITS = 20
BASE, HALF = 1 << BITS, 1 << (BITS - 1)
TERMS = 1 << 15  # of a sum of products of digits that floats hold exactly
NUMBERS = 1 << 23  # of one product in floats


class Digits:
    """An integer matrix; ``array`` is (rows, digits, columns), int32, the lowest digit first."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    @property
    def shape(self) -> tuple[int, int]:
        return self.array.shape[0], self.array.shape[2]

    @staticmethod
    def of_integers(values: list[Any], shape: tuple[int, int]) -> Digits:
        """From integers, row by row (Python's or FLINT's)."""
        whole = [int(v) for v in values]
        bits = max((v.bit_length() for v in whole), default=0) + 2  # and a sign
        pairs = -(-bits // (2 * BITS))
        packed = b"".join([v.to_bytes(5 * pairs, "little", signed=True) for v in whole])
        raw = np.frombuffer(packed, np.uint8).reshape(shape[0], shape[1], pairs, 5)
        raw = raw.astype(np.int64)
        out = np.empty((*shape, 2 * pairs), np.int64)
        out[..., ::2] = raw[..., 0] | raw[..., 1] << 8 | (raw[..., 2] & 15) << 16
        out[..., 1::2] = raw[..., 2] >> 4 | raw[..., 3] << 4 | raw[..., 4] << 12
        out[..., -1] -= (out[..., -1] >= HALF) * BASE  # two's complement
        return Digits(carried(out.transpose(0, 2, 1)))

    def integers(self) -> list[int]:
        """The entries as Python integers, row by row."""
        rows, count, columns = self.array.shape
        pairs = count // 2 + 1
        d = np.zeros((rows, columns, 2 * pairs), np.int64)
        d[..., :count] = self.array.transpose(0, 2, 1)
        for i in range(2 * pairs - 1):  # digits from 0 on, but the highest
            below = d[..., i] >> BITS
            d[..., i] -= below << BITS
            d[..., i + 1] += below
        low, high = d[..., ::2], d[..., 1::2]
        raw = np.empty((rows, columns, pairs, 5), np.uint8)
        raw[..., 0], raw[..., 1] = low & 255, low >> 8 & 255
        raw[..., 2] = (low >> 16 & 15) | (high & 15) << 4
        raw[..., 3], raw[..., 4] = high >> 4 & 255, high >> 12 & 255
        packed, size = raw.tobytes(), 5 * pairs
        read = int.from_bytes
        ends = range(0, len(packed), size)
        return [read(packed[a : a + size], "little", signed=True) for a in ends]

    def __add__(self, other: Digits) -> Digits:
        long = max(self.array.shape[1], other.array.shape[1])
        out = np.zeros((self.shape[0], long, self.shape[1]), np.int64)
        out[:, : self.array.shape[1]] = self.array
        out[:, : other.array.shape[1]] += other.array
        return Digits(carried(out))

    def shifted(self, by: int) -> Digits:
        """The matrix times ``2^by``."""
        whole, rest = divmod(by, BITS)
        rows, count, columns = self.array.shape
        out = np.zeros((rows, count + whole, columns), np.int64)
        out[:, whole:] = self.array.astype(np.int64) << rest
        return Digits(carried(out))

    @property
    def transposed(self) -> Digits:
        """The transposed matrix."""
        return Digits(np.ascontiguousarray(self.array.transpose(2, 1, 0)))

    def rows(self, index: Any) -> Digits:
        """Some rows."""
        return Digits(self.array[index])

    def masked(self, keep: np.ndarray) -> Digits:
        """The matrix with the other rows 0."""
        return Digits(self.array * keep[:, None, None].astype(np.int32))


class Factor:
    """A matrix to multiply digits with, from the left: dense or CSR, digit by digit in floats."""

    def __init__(self, parts: list[Any], shape: tuple[int, int]) -> None:
        self.parts, self.shape = parts, shape

    @staticmethod
    def of_floats(matrix: Any, power: int) -> Factor:
        """``2^power`` times a float64 matrix, all of whose entries that makes integers."""
        if sparse.issparse(matrix):
            csr: Any = sparse.csr_array(matrix)
            digits = of_floats(csr.data, power)
            parts = [sparse.csr_array((d, csr.indices, csr.indptr), csr.shape) for d in digits]
        else:
            parts = list(of_floats(matrix, power))
        return Factor(parts, matrix.shape)

    @cached_property
    def most(self) -> int:
        """Most terms in the sum of a row of the product."""
        if self.parts and sparse.issparse(self.parts[0]):
            return int(np.diff(self.parts[0].indptr).max(initial=0))
        return self.shape[1]

    def __matmul__(self, other: Digits) -> Digits:
        if self.most > TERMS:
            return self._blocks(other)
        rows, (inner, count, columns) = self.shape[0], other.array.shape
        out = np.empty((rows, len(self.parts) + count, columns), np.int64)
        step = max(1, NUMBERS // max(1, max(rows, inner) * count))
        for a in range(0, columns, step):
            block = other.array[:, :, a : a + step]
            wide = block.shape[2]
            flat = block.astype(np.float64).reshape(inner, count * wide)
            total = np.zeros((rows, len(self.parts) + count, wide), np.int64)
            for i, part in enumerate(self.parts):
                total[:, i : i + count] += (part @ flat).astype(np.int64).reshape(rows, count, wide)
            out[:, :, a : a + step] = total
        return Digits(carried(out))

    def _blocks(self, other: Digits) -> Digits:
        """A product of long sums: block by block of columns."""
        total = None
        for a in range(0, self.shape[1], TERMS):
            parts = [p[:, a : a + TERMS] for p in self.parts]
            block = Factor(parts, (self.shape[0], parts[0].shape[1]))
            some = block @ Digits(other.array[a : a + TERMS])
            total = some if total is None else total + some
        assert total is not None
        return total


def of_floats(values: np.ndarray, power: int) -> list[np.ndarray]:
    """Digits, each an array of floats, of ``values 2^power``, which are integers."""
    mantissa, exponent = np.frexp(values)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    shift = np.where(whole == 0, 0, exponent.astype(np.int64) + (power - 53))
    low = np.minimum(shift, 0)  # these bits are 0
    whole, shift = whole >> -low, shift - low
    places, rest = np.divmod(shift, BITS)
    count = int(places.max(initial=0)) + 5
    out = np.zeros((count, *values.shape), np.int64)
    index = np.indices(values.shape, sparse=True)
    for i in range(3):  # 53 bits and a sign
        piece = whole if i == 2 else whole & (BASE - 1)
        whole = whole >> BITS
        out[(places + i, *index)] += piece << rest
    digits = _carry(out)
    return [d.astype(np.float64) for d in digits]


def carried(d: np.ndarray) -> np.ndarray:
    """Digits (rows, any int64, columns) brought into range, without needless high ones; int32."""
    out = _carry(np.moveaxis(d, 1, 0))
    return np.ascontiguousarray(np.moveaxis(out, 0, 1), dtype=np.int32)


def _carry(d: np.ndarray) -> np.ndarray:
    """The same, digits first."""
    done, rest = [], np.zeros(d.shape[1:], np.int64)
    i = 0
    while i < len(d) or rest.any():
        if i < len(d):
            rest = rest + d[i]
        up = (rest + HALF) >> BITS
        done.append(rest - (up << BITS))
        rest = up
        i += 1
    while len(done) > 1 and not done[-1].any():
        done.pop()
    return np.array(done) if done else np.zeros((1, *d.shape[1:]), np.int64)
