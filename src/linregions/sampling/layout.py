"""A pattern as bits: one for each breakpoint of a pointwise unit, the winner of a max unit.

The bit of a breakpoint says whether the pre-activation lies above it, so the piece of a unit is
the number of its bits that are set; the position of a max unit's winner is a binary number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..network.network import Network
from ..network.units import MaxUnits


@dataclass(frozen=True)
class Layout:
    """Where the bits of every unit lie: ``sizes`` bits each; ``binary`` where a number is kept."""

    sizes: np.ndarray
    binary: np.ndarray

    @staticmethod
    def of(network: Network) -> Layout:
        """The layout of a network's patterns."""
        sizes, binary = [], []
        for layer in network.layers:
            winner = isinstance(layer.units, MaxUnits)
            for pieces in layer.units.pieces_per_unit():
                sizes.append((pieces - 1).bit_length() if winner else pieces - 1)
                binary.append(winner)
        return Layout(np.array(sizes, np.int64), np.array(binary, bool))

    @property
    def bits(self) -> int:
        """Bits of a pattern."""
        return int(self.sizes.sum())

    @property
    def words(self) -> int:
        """64-bit words of a pattern, at least two."""
        return max(2, -(-self.bits // 64))

    def pack(self, bits: np.ndarray) -> np.ndarray:
        """(points, bits) of bool to (points, words)."""
        packed = np.packbits(bits, axis=1, bitorder="little")
        out = np.zeros((len(bits), 8 * self.words), np.uint8)
        out[:, : packed.shape[1]] = packed
        return out.view("<u8").astype(np.uint64, copy=False)

    def encode(self, pieces: np.ndarray) -> np.ndarray:
        """(points, units) pieces to (points, words)."""
        place = np.arange(self.bits) - np.repeat(np.cumsum(self.sizes) - self.sizes, self.sizes)
        mine = np.repeat(pieces, self.sizes, axis=1)
        binary = np.repeat(self.binary, self.sizes)
        return self.pack(np.where(binary, (mine >> place) & 1, mine > place).astype(bool))

    def decode(self, words: np.ndarray) -> np.ndarray:
        """(points, words) to (points, units) pieces."""
        raw = np.ascontiguousarray(words.astype("<u8")).view(np.uint8)
        bits = np.unpackbits(raw, axis=1, count=self.bits, bitorder="little").astype(np.int64)
        ends = np.cumsum(self.sizes)
        place = np.arange(self.bits) - np.repeat(ends - self.sizes, self.sizes)
        bits <<= np.where(np.repeat(self.binary, self.sizes), place, 0)
        total = np.zeros((len(words), self.bits + 1), np.int64)
        np.cumsum(bits, axis=1, out=total[:, 1:])
        return (total[:, ends] - total[:, ends - self.sizes]).astype(np.int32)
