"""Patterns of many cells, as bits; bits that all cells share are kept once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..jit import kernel

LONG = 1024  # bits from which it is worth looking for those that all cells share


@dataclass(frozen=True, eq=False)
class Patterns:
    """``words[c]`` holds bits ``slots[0]``, ``slots[1]``, ... of cell c; ``base`` all others."""

    words: np.ndarray
    slots: np.ndarray
    base: np.ndarray

    @staticmethod
    def none(cells: int, bits: int) -> Patterns:
        """Patterns of which nothing is known."""
        return Patterns(
            np.zeros((cells, 0), np.uint64), np.zeros(0, np.int64), np.zeros(bits, np.uint8)
        )

    def of(self, cells: np.ndarray) -> np.ndarray:
        """(n, bits) of 0 and 1."""
        out = np.repeat(self.base[None], len(cells), axis=0)
        out[:, self.slots] = unpack(self.words[cells])[:, : len(self.slots)]
        return out

    def then(self, parent: np.ndarray, own: np.ndarray, first: int, count: int) -> Patterns:
        """Those of new cells: their parents', and their own ``count`` bits from ``first``."""
        own, slots, base = _shared(own, first, count, self.base)
        old, words = len(self.slots), (len(self.slots) + len(slots) + 63) // 64
        out = np.empty((len(parent), words), np.uint64)
        join(self.words, parent, own, old, out)
        return Patterns(out, np.concatenate([self.slots, slots]), base)


def unpack(words: np.ndarray) -> np.ndarray:
    """Rows of 64-bit words as rows of 0 and 1."""
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1, bitorder="little")


def _shared(own: np.ndarray, first: int, count: int, base: np.ndarray):
    """Without the bits that all cells share, where that makes a difference."""
    slots = first + np.arange(count)
    if count < LONG or not len(own):
        return own, slots, base
    every = np.bitwise_and.reduce(own, axis=0)
    some = np.bitwise_or.reduce(own, axis=0)
    differ = unpack((every ^ some)[None])[0, :count].astype(bool)
    if 2 * int(differ.sum()) > count:
        return own, slots, base
    base = base.copy()
    base[slots] = unpack(every[None])[0, :count]
    kept = np.flatnonzero(differ)
    base[slots[kept]] = 0
    out = np.zeros((len(own), (len(kept) + 63) // 64), np.uint64)
    gather(own, kept, out)
    return out, slots[kept], base


@kernel("patterns")
def gather(words, chosen, out):
    """Some bits of every row, packed."""
    for c in range(len(words)):
        for b in range(len(chosen)):
            at = chosen[b]
            bit = (words[c, at >> 6] >> np.uint64(at & 63)) & np.uint64(1)
            out[c, b >> 6] |= bit << np.uint64(b & 63)


@kernel("patterns")
def join(before, parent, own, first, out):
    """Patterns of new cells: the parent's bits, and behind the first ones the new cells' own."""
    shift = np.uint64(first & 63)
    for c in range(len(parent)):
        for w in range(out.shape[1]):
            out[c, w] = 0
        for w in range(before.shape[1]):
            out[c, w] = before[parent[c], w]
        for w in range(own.shape[1]):
            to = (first >> 6) + w
            if to < out.shape[1]:
                out[c, to] |= own[c, w] << shift
            if shift > 0 and to + 1 < out.shape[1]:
                out[c, to + 1] |= own[c, w] >> (np.uint64(64) - shift)
