"""Counts of patterns by 128-bit keys, in bounded memory.

A pattern of at most 128 bits is its own key; a longer one has a 128-bit hash of it. When more
keys arrive than the memory holds, the table keeps those whose mixed bits begin with one more
zero: half of them, chosen by the key alone, with all their counts from the first point on
(adaptive sampling, Flajolet 1990). At level t it holds a random 2^-t of the patterns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..jit import inner, kernel


@inner(inline="always")
def _mixed(lo, hi):
    z = (lo ^ (hi * np.uint64(0xD6E8FEB86659FD93))) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
    z = (z ^ (z >> np.uint64(29))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(32))


@inner(inline="always")
def put(table, a, b):
    """Count a key in a small table of rows (lo, hi, count, -), one cache line each; 1 if new."""
    mask = np.int64(len(table) - 1)
    at = np.int64(_mixed(a, b)) & mask
    new = 0
    while True:
        row = table[at]
        if row[2] == np.uint64(0):
            row[0], row[1], row[2] = a, b, np.uint64(1)
            new = 1
            break
        if row[0] == a and row[1] == b:
            row[2] += np.uint64(1)
            break
        at = (at + 1) & mask
    return new


class _Index(NamedTuple):
    """Slots of a hash table: keys, and the row of each (the last entry counts the rows)."""

    lo: np.ndarray
    hi: np.ndarray
    row: np.ndarray


@kernel("tables of patterns")
def _merge(index, keys, where, start, level, most):
    """Rows of keys from ``start`` on: ``where`` gets the row of each, -1 where it is thinned out.

    Returns the position reached and the number of rows: it stops before a row beyond ``most``.
    """
    lo, hi, row = index.lo, index.hi, index.row
    mask, rows = np.int64(len(lo) - 1), row[-1]
    for i in range(start, keys.shape[1]):
        a, b = keys[0, i], keys[1, i]
        z = _mixed(a, b)
        if level > 0 and z >> np.uint64(64 - level) != np.uint64(0):
            where[i] = -1
            continue
        at = np.int64(z & np.uint64(mask))
        while row[at] >= 0 and not (lo[at] == a and hi[at] == b):
            at = (at + 1) & mask
        if row[at] < 0:
            if rows >= most:
                row[-1] = rows
                return i, rows
            lo[at], hi[at], row[at] = a, b, rows
            rows += 1
        where[i] = row[at]
    row[-1] = rows
    return keys.shape[1], rows


@kernel("tables of patterns")
def hashed(words, keys):
    """Two 64-bit hashes of each row of words, as keys (2, rows)."""
    for i in range(len(words)):
        a, b = np.uint64(0x243F6A8885A308D3), np.uint64(0x13198A2E03707344)
        for w in words[i]:
            a = _mixed(a + w, np.uint64(0xA4093822299F31D0))
            b = _mixed(b ^ w, a)
        keys[0, i], keys[1, i] = a, b


def keys_of(words: np.ndarray) -> np.ndarray:
    """(2, rows) keys of packed patterns (rows, words)."""
    if words.shape[1] == 2:
        return np.ascontiguousarray(words.T)
    keys = np.empty((2, len(words)), np.uint64)
    hashed(words, keys)
    return keys


@dataclass
class NewPatterns:
    """Patterns and how often each was met: ``keys`` (2, m), ``count`` (m,), packed ``words``."""

    keys: np.ndarray
    count: np.ndarray
    words: np.ndarray


class PatternTable:
    """Rows (key, counts by law, packed pattern if kept), at most as many as the memory allows.

    Parameters
    ----------
    laws, words
        Columns of counts; words of a pattern that are kept (0: none).
    memory
        Bytes, all arrays together.
    """

    def __init__(self, laws: int, words: int, memory: int) -> None:
        # keys twice (slots at a load of one half to one quarter), a row number, counts, words
        each = 4 * (8 + 8 + 4) + 16 + 2 * 8 * (laws + words)
        self.most = max(1 << 10, min(memory // each, 1 << 30))
        self.level, self.rows = 0, 0
        self.keys = np.zeros((2, 1 << 10), np.uint64)
        self.count = np.zeros((1 << 10, laws), np.int64)
        self.words = np.zeros((1 << 10, words), np.uint64)
        self._index(1 << 11)

    def _index(self, slots: int) -> None:
        row = np.full(slots + 1, -1, np.int32)
        row[-1] = 0
        self.index = _Index(np.zeros(slots, np.uint64), np.zeros(slots, np.uint64), row)
        where = np.zeros(self.rows, np.int64)
        keys = np.ascontiguousarray(self.keys[:, : self.rows])
        _merge(self.index, keys, where, 0, 0, max(self.rows, 1))

    def add(self, found: NewPatterns, law: int) -> None:
        """Add what a block found."""
        where = np.zeros(found.keys.shape[1], np.int64)
        at, keys = 0, np.ascontiguousarray(found.keys)
        while True:
            most = min(self.most, (len(self.index.lo)) // 2)
            end, rows = _merge(self.index, keys, where, at, self.level, most)
            self._store(found, law, where, at, end, rows)
            at = end
            if at == len(where):
                return
            if self.rows >= self.most:
                self.thin(self.level + 1)
            else:
                self._index(2 * len(self.index.lo))

    def _store(
        self, found: NewPatterns, law: int, where: np.ndarray, a: int, b: int, rows: int
    ) -> None:
        if rows > len(self.count):
            size = max(rows, 2 * len(self.count))
            self.keys = _longer(self.keys, size, 1)
            self.count, self.words = _longer(self.count, size), _longer(self.words, size)
        self.rows = rows
        kept = np.flatnonzero(where[a:b] >= 0) + a
        self.keys[:, where[kept]] = found.keys[:, kept]
        np.add.at(self.count[:, law], where[kept], found.count[kept])
        if self.words.shape[1]:
            self.words[where[kept]] = found.words[kept]

    def thin(self, level: int) -> None:
        """Keep the keys of a level."""
        self.level = level
        where = _mixed_all(self.keys[0, : self.rows], self.keys[1, : self.rows])
        keep = np.flatnonzero(where >> np.uint64(64 - level) == 0)
        self.rows = len(keep)
        self.keys = np.ascontiguousarray(self.keys[:, keep])
        self.count, self.words = self.count[keep], self.words[keep]
        self._index(len(self.index.lo))

    def sorted(self) -> PatternTable:
        """The rows in the order of their keys."""
        order = np.lexsort(self.keys[:, : self.rows])
        self.keys = np.ascontiguousarray(self.keys[:, order])
        self.count, self.words = self.count[order], self.words[order]
        self._index(len(self.index.lo))
        return self

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file needs."""
        n = self.rows
        return {"keys": self.keys[:, :n], "count": self.count[:n], "words": self.words[:n]}

    def fill(self, level: int, keys: np.ndarray, count: np.ndarray, words: np.ndarray) -> None:
        """Take what a file held."""
        self.level, self.rows = level, keys.shape[1]
        self.keys, self.count, self.words = np.ascontiguousarray(keys), count, words
        self._index(1 << max(11, (2 * self.rows).bit_length() + 1))
        while self.rows > self.most:
            self.thin(self.level + 1)


@kernel("tables of patterns", _nrt=True)
def _mixed_all(lo, hi):
    out = np.empty(len(lo), np.uint64)
    for i in range(len(lo)):
        out[i] = _mixed(lo[i], hi[i])
    return out


def _longer(array: np.ndarray, size: int, axis: int = 0) -> np.ndarray:
    shape = list(array.shape)
    shape[axis] = size
    out = np.zeros(shape, array.dtype)
    out[(slice(None),) * axis + (slice(0, array.shape[axis]),)] = array
    return out
