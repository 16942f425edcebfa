"""Convolutions that are not written out as matrices.

A `Convolution` stands among the factors of a `Term` for the sparse matrix that it is. Engines
that need the matrix get it (`Convolution.matrix`, as large as it is); a slice of few dimensions
is pushed through the convolution itself (`linregions.large`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from scipy import sparse

from ..errors import LinregionsError

LAZY = 1_000_000  # multiplications of a convolution from which it is kept as it is
LARGE = 50_000_000  # multiplications of all from which slices of a network are reduced
LARGEST_CONVOLUTION = 300_000_000  # nonzero weights written out; 12 bytes each


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution (cross-correlation) of one sample, as the linear map of flat values.

    Attributes
    ----------
    weight
        (output channels, input channels / groups, kernel ...), float64.
    groups
        Input and output channels are divided into so many groups.
    spatial, outputs
        Sizes of the spatial axes before and after.
    window
        Kernel, strides, dilations and padding (`readers.symbolic.windows.Window`).
    """

    weight: np.ndarray
    groups: int
    spatial: tuple[int, ...]
    outputs: tuple[int, ...]
    window: Any

    @property
    def channels(self) -> int:
        """Input channels."""
        return self.groups * self.weight.shape[1]

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the matrix."""
        return self.weight.shape[0] * prod(self.outputs), self.channels * prod(self.spatial)

    @property
    def multiplications(self) -> int:
        """Entries that the matrix would have (those in the padding included)."""
        return self.weight.size * prod(self.outputs)

    @cached_property
    def _matrix(self) -> sparse.csr_array:
        return kernel_matrix(self.weight, self.groups, self.spatial, self.window, self.outputs)

    def matrix(self) -> sparse.csr_array:
        """The matrix, written out.

        Raises
        ------
        LinregionsError
            Where it would have more than `LARGEST_CONVOLUTION` entries.
        """
        return self._matrix

    def scaled(self, weight: np.ndarray) -> Convolution:
        """The convolution with other weights of the same shape."""
        return Convolution(weight, self.groups, self.spatial, self.outputs, self.window)

    def by_channel(self, values: np.ndarray) -> np.ndarray | None:
        """One number for each output channel, where ``values`` has one for all its positions."""
        each = values.reshape(self.weight.shape[0], -1)
        same = bool((each == each[:, :1]).all())
        return each[:, 0].reshape(-1, *[1] * (self.weight.ndim - 1)) if same else None


def kernel_matrix(
    weight: np.ndarray, groups: int, shape: tuple[int, ...], window: Any, outputs: tuple[int, ...]
) -> sparse.csr_array:
    """A convolution of one sample as a CSR matrix (channels x positions, both flat).

    ``weight`` has shape (output channels, input channels / groups, kernel ...). Weights
    that are zero are left out, so rows hold what is multiplied and nothing else.
    """
    made, mine = weight.shape[:2]
    entries = weight.size * prod(outputs)
    if entries > LARGEST_CONVOLUTION:
        raise LinregionsError(
            f"a convolution of {entries:,} multiplications is too large to be written out as a "
            f"matrix ({12e-9 * entries:,.0f} GB; at most {12e-9 * LARGEST_CONVOLUTION:.1f} GB); "
            "ask on a plane (--plane), a segment or another slice of at most four dimensions, "
            "which needs no matrix, or give a smaller input shape"
        )
    table = window.table(shape, outputs)
    flat = weight.reshape(made, mine, -1)
    start = np.arange(mine)[:, None] * prod(shape)
    columns = (table[:, None, :] + start).reshape(len(table), -1)
    valid = np.broadcast_to((table >= 0)[:, None, :], (len(table), mine, table.shape[1]))
    valid = valid.reshape(len(table), -1)
    data, indices, counts = [], [], []
    for m in range(made):
        row = flat[m].ravel()
        used = valid & (row != 0)
        shift = (m * groups // made) * mine * prod(shape)
        indices.append((columns[used] + shift).astype(np.int32))
        data.append(np.broadcast_to(row, used.shape)[used])
        counts.append(used.sum(axis=1))
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    size = (made * len(table), groups * mine * prod(shape))
    return sparse.csr_array((np.concatenate(data), np.concatenate(indices), indptr), shape=size)


def expanded(factor: Any) -> Any:
    """The factor as a matrix."""
    return factor.matrix() if isinstance(factor, Convolution) else factor
