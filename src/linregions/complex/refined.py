"""A finished refinement, and what one round of it tests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from .bits import Patterns, unpack
from .lattice import Faces


@dataclass
class Round:
    """Tests ``first`` to ``last`` of a layer (0-based), and the bits that they take."""

    layer: int
    first: int
    last: int
    bit: int
    bits: int


@dataclass
class Refined:
    """A finished refinement.

    ``faces`` is the complex (without patterns), ``before`` the patterns of the cells one round
    earlier, ``parent`` the cell of that round that holds each cell; ``bits`` their own ``count``
    bits, from number ``first``.
    """

    faces: Faces | None
    cells: int
    before: Patterns
    parent: np.ndarray
    bits: np.ndarray
    first: int
    count: int
    seconds: float
    stats: dict[str, int] = field(default_factory=dict)
    complete: bool = True
    stopped: str = ""

    def bits_of(self, cells: np.ndarray) -> np.ndarray:
        """Patterns of cells as 0 and 1, (n, bits); 0 for bits still to come."""
        out = self.before.of(self.parent[cells])
        if self.count:
            mine = unpack(self.bits[cells])[:, : self.count]
            out[:, self.first : self.first + self.count] = mine
        return out

    def patterns(self) -> Patterns:
        """Those of all cells."""
        return self.before.then(self.parent, self.bits, self.first, self.count)

    def without_faces(self) -> Refined:
        """Without the lattice, which the complex holds."""
        return replace(self, faces=None)
