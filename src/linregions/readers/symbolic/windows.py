"""Where the windows of a convolution or a pooling lie, in any number of dimensions.

A window is described axis by axis; a `table` then holds, for every output position, the
flat input positions that its window covers in C order, -1 where it reaches into padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod

import numpy as np

from ...errors import LinregionsError
from .values import Shape


@dataclass(frozen=True)
class Window:
    """Sizes, steps and padding of a sliding window, one entry per spatial axis.

    ``before`` and ``after`` are the padding of each side; a negative one crops. ``ceil``
    rounds the number of positions up instead of down; a last window that would begin in
    the padding behind the input is left out, as torch and newer ONNX versions do.
    """

    kernel: Shape
    strides: Shape
    dilations: Shape
    before: Shape
    after: Shape
    ceil: bool = False

    def __post_init__(self) -> None:
        lists = (self.kernel, self.strides, self.dilations, self.before, self.after)
        if len({len(x) for x in lists}) > 1:
            raise LinregionsError(f"kernel, strides, dilations and pads of lengths {lists}")
        if min((*self.kernel, *self.strides, *self.dilations), default=1) < 1:
            raise LinregionsError(
                f"kernel {self.kernel}, strides {self.strides} and dilations {self.dilations} "
                "must be positive"
            )

    @staticmethod
    def of(
        kernel: Sequence[int],
        strides: Sequence[int] | None = None,
        dilations: Sequence[int] | None = None,
        before: Sequence[int] | None = None,
        after: Sequence[int] | None = None,
        ceil: bool = False,
    ) -> Window:
        """A window; by default with steps of 1 and without padding, ``after`` like ``before``."""
        n = len(kernel)
        one, zero = (1,) * n, (0,) * n
        before = zero if before is None else before
        rest = (strides or one, dilations or one, before, before if after is None else after)
        k, s, d, b, a = (tuple(int(x) for x in part) for part in (kernel, *rest))
        return Window(k, s, d, b, a, ceil)

    @property
    def spans(self) -> Shape:
        """Length of the window along each axis, gaps included."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    def outputs(self, shape: Shape) -> Shape:
        """Number of positions along each axis of an input."""
        if len(shape) != len(self.kernel):
            raise LinregionsError(f"a window {self.kernel} over {len(shape)} axes")
        out = []
        rest = (self.spans, self.strides, self.before, self.after)
        for n, span, step, before, after in zip(shape, *rest, strict=True):
            room = n + before + after - span
            if room < 0:
                raise LinregionsError(
                    f"a window of length {span} is longer than the padded input "
                    f"({n} + {before} + {after})"
                )
            count = (room + (step - 1 if self.ceil else 0)) // step + 1
            if self.ceil and (count - 1) * step >= n + before:
                count -= 1
            out.append(count)
        return tuple(out)

    def axes(self, outputs: Shape) -> list[np.ndarray]:
        """Input positions along each axis, of shape (outputs, kernel); padding is outside."""
        parts = (outputs, self.kernel, self.strides, self.dilations, self.before)
        return [
            np.arange(o)[:, None] * s + np.arange(k)[None, :] * d - b
            for o, k, s, d, b in zip(*parts, strict=True)
        ]

    def table(self, shape: Shape, outputs: Shape | None = None) -> np.ndarray:
        """Flat positions that each window covers, shape (output positions, kernel size)."""
        return combined(self.axes(self.outputs(shape) if outputs is None else outputs), shape)

    def covered(self, shape: Shape) -> np.ndarray:
        """Entries of each window that lie in the input or its padding: what averages count."""
        whole = tuple(n + b + a for n, b, a in zip(shape, self.before, self.after, strict=True))
        axes = [x + b for x, b in zip(self.axes(self.outputs(shape)), self.before, strict=True)]
        return (combined(axes, whole) >= 0).sum(axis=1)


def combined(axes: Sequence[np.ndarray], shape: Shape) -> np.ndarray:
    """A table from positions along each axis (outputs, kernel); those outside become -1."""
    index: np.ndarray = np.zeros((1, 1), dtype=np.int64)
    valid: np.ndarray = np.ones((1, 1), dtype=bool)
    for where, n in zip(axes, shape, strict=True):
        inside = (where >= 0) & (where < n)
        size = (len(index) * len(where), -1)
        index = (index[:, None, :, None] * n + where[None, :, None, :]).reshape(size)
        valid = (valid[:, None, :, None] & inside[None, :, None, :]).reshape(size)
    return np.where(valid, index, -1)


def same_padding(
    shape: Shape, kernel: Shape, strides: Shape, dilations: Shape, extra_after: bool = True
) -> tuple[Shape, Shape]:
    """Padding that gives ceil(n / stride) positions; an odd one goes after, or before."""
    before, after = [], []
    for n, k, s, d in zip(shape, kernel, strides, dilations, strict=True):
        total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
        small, large = total // 2, total - total // 2
        before.append(small if extra_after else large)
        after.append(large if extra_after else small)
    return tuple(before), tuple(after)


def adaptive_axes(shape: Shape, sizes: Shape) -> list[np.ndarray]:
    """Windows of adaptive pooling: entry i covers floor(i n / m) up to ceil((i + 1) n / m)."""
    out = []
    for n, m in zip(shape, sizes, strict=True):
        start = np.arange(m) * n // m
        end = -(-(np.arange(m) + 1) * n // m)
        where = start[:, None] + np.arange(int((end - start).max()))[None, :]
        out.append(np.where(where < end[:, None], where, -1))
    return out


def over_channels(table: np.ndarray, channels: int, positions: int) -> np.ndarray:
    """A table of one channel repeated for all, each with ``positions`` entries."""
    start = np.arange(channels)[:, None, None] * positions
    return np.where(table < 0, -1, table + start).reshape(-1, table.shape[1])


def spatial(shape: Shape) -> tuple[Shape, int, int]:
    """Spatial part of (batch, channels, ...), the number of planes and of positions in one."""
    if len(shape) < 3:
        raise LinregionsError(
            f"a value of shape {shape}; (batch, channels, length, ...) is expected"
        )
    return shape[2:], shape[0] * shape[1], prod(shape[2:])


def nearest(value_shape: Shape, axes: Sequence[np.ndarray]) -> np.ndarray:
    """Flat positions of a choice of indices along every axis."""
    grid = np.arange(prod(value_shape)).reshape(value_shape)
    return reduce(lambda g, a: np.take(g, axes[a], axis=a), range(len(axes)), grid)
