"""The Stanford ``.nnet`` text format of ReLU networks, with its input normalisation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..errors import LinregionsError
from ..files import about
from ..network.network import Network
from ..network.units import RELU
from .symbolic.builder import Builder
from .symbolic.values import Value, constant, inverse


def read(path: str | Path) -> Network:
    """Read a ReLU network from a ``.nnet`` file, as a function of its raw inputs.

    The network is ``raw(( x - mean) / range) * range_out + mean_out``. Decimals are read as
    the nearest float64; the division by a range is exact. The clipping of inputs to the
    file's [min, max] is left out: it is for the caller to choose a domain. A single 0 in the
    place of the means and ranges stands for no normalisation.
    """
    with about(path):
        text = Path(path).read_text(encoding="utf-8")
        if not text.strip():
            raise LinregionsError("the file is empty")
        return _parse(text)


class _Lines:
    """Lines of numbers, with errors that name the line."""

    def __init__(self, text: str) -> None:
        lines = [(i, s.strip()) for i, s in enumerate(text.splitlines(), start=1)]
        self.lines: Iterator[tuple[int, str]] = iter(
            [(i, s) for i, s in lines if s and not s.startswith("//")]
        )

    def text(self, what: str) -> tuple[int, str]:
        try:
            return next(self.lines)
        except StopIteration:
            raise LinregionsError(
                f"the file ends before {what}; it is truncated, or its header is wrong"
            ) from None

    def numbers(self, what: str, count: int | None = None) -> np.ndarray:
        number, line = self.text(what)
        try:
            out = np.array([float(s) for s in line.split(",") if s.strip()])
        except ValueError as error:
            raise LinregionsError(f"line {number} ({what}): {error}") from None
        if count is not None and len(out) != count:
            raise LinregionsError(f"line {number} ({what}): {len(out)} numbers, expected {count}")
        if not np.isfinite(out).all():
            raise LinregionsError(f"line {number} ({what}): NaN or an infinite number")
        return out

    def integers(self, what: str) -> list[int]:
        out = self.numbers(what).tolist()
        if not out or any(x != int(x) or x < 1 for x in out):
            raise LinregionsError(f"{what}: expected positive whole numbers, got {out}")
        return [int(x) for x in out]


def _parse(text: str) -> Network:
    lines = _Lines(text)
    header = lines.integers("the header: layers, inputs, outputs, largest layer")
    sizes = lines.integers("the layer sizes")
    if len(sizes) != header[0] + 1:
        raise LinregionsError(f"the header says {header[0]} layers, but gives {len(sizes)} sizes")
    if len(header) > 2 and header[1:3] != [sizes[0], sizes[-1]]:
        raise LinregionsError(
            f"the header says {header[1]} inputs and {header[2]} outputs, the sizes {sizes}"
        )
    for what in ("the unused flag", "the input minima", "the input maxima"):
        lines.text(what)
    means = _normalisation(lines, "means", sizes[0])
    ranges = _normalisation(lines, "ranges", sizes[0])

    builder = Builder()
    builder.rounding("decimals are read as the nearest float64")
    value = builder.input((sizes[0],))
    if means is None or ranges is None:
        builder.note("the file gives no normalisation")
        means, ranges = np.zeros(sizes[0] + 1), np.ones(sizes[0] + 1)
    elif not np.all(ranges):
        raise LinregionsError("a range is 0, and inputs are divided by it")
    else:
        builder.note("inputs are not clipped to the file's [min, max]")
        builder.note(_described(means, ranges, sizes[0]))
        value = value + constant(-means[: sizes[0]])
        value = value.scaled(inverse(ranges[: sizes[0]]))
    value = _layers(lines, sizes, builder, value)
    if len(means) > sizes[0]:
        value = value.scaled(ranges[-1:]) + constant(means[-1:])
    return builder.network(sizes[0], value)


def _normalisation(lines: _Lines, what: str, inputs: int) -> np.ndarray | None:
    """Numbers for every input and one for the outputs (which may be absent); None for '0'."""
    out = lines.numbers(f"the {what}")
    if len(out) == 1 and out[0] == 0:
        return None
    if len(out) not in (inputs, inputs + 1):
        raise LinregionsError(
            f"{len(out)} {what} for {inputs} inputs; expected {inputs + 1}, the last one for "
            "the outputs"
        )
    return out


def _described(means: np.ndarray, ranges: np.ndarray, inputs: int) -> str:
    trivial = not np.any(means) and bool(np.all(ranges == 1))
    if trivial:
        return "the normalisation is the identity"
    text = "inputs are normalised exactly by (x - mean) / range"
    if len(means) > inputs:
        text += f"; outputs are scaled back by range {ranges[-1]:g} and mean {means[-1]:g}"
    return text


def _layers(lines: _Lines, sizes: list[int], builder: Builder, value: Value) -> Value:
    for i, (columns, rows) in enumerate(pairwise(sizes), start=1):
        what = f"of layer {i}"
        weight = [lines.numbers(f"row {r + 1} of {rows} {what}", columns) for r in range(rows)]
        bias = [lines.numbers(f"bias {r + 1} of {rows} {what}", 1) for r in range(rows)]
        value = value.mapped(np.array(weight), (rows,)) + constant(np.concatenate(bias))
        if i + 1 < len(sizes):
            value = builder.pointwise(value, RELU)
    if (left := next(lines.lines, None)) is not None:
        raise LinregionsError(f"line {left[0]} comes after the last bias; the header is wrong")
    return value
