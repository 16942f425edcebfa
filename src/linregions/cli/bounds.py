"""``linregions bounds``: the bounds that apply to a model file or to an architecture."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ..bounding import Bound, Dense, bounds
from ..errors import LinregionsError
from ..figures import magnitude
from ..theory import Conv, deepconv
from .model import FORMATS, Shape, read_model
from .options import Bounded, Switch
from .output import answered
from .progress import shown

Model = Annotated[Path | None, Parameter(help=FORMATS)]
Box = Annotated[str | None, Parameter(help="As for count; for a model only.")]
Polytope = Annotated[Path | None, Parameter(help="As for count; for a model only.")]
Json = Annotated[bool, Parameter(negative="", help="Print one JSON list and nothing else.")]


@Parameter(name="*")
@dataclass(frozen=True)
class Architecture:
    """The options that stand for a network without weights.

    Parameters
    ----------
    widths
        Input dimension and hidden widths of a dense network: 784,11,11.
    conv
        Input and layers of a convolutional network, SIZExCHANNELS:KERNELxFILTERS,...
        with /STRIDE, +PADDING and @DILATION behind a layer: 28x28x1:3x3x8/2+1,2x2x16.
    maxout
        Rank of maxout units (with --widths).
    activation
        relu, leaky_relu, abs, hardtanh, relu6, hardsigmoid or a number of pieces (with
        --widths).
    """

    widths: str | None = None
    conv: str | None = None
    maxout: int | None = None
    activation: str | None = None

    def check(self, model: Path | None) -> None:
        """Raise unless there is one of a model, widths and a convolution, and what goes with it."""
        sources = {"MODEL": model, "--widths": self.widths, "--conv": self.conv}
        given = [name for name, value in sources.items() if value is not None]
        if len(given) != 1:
            raise LinregionsError(
                f"bounds: give one of MODEL, --widths and --conv (got {', '.join(given) or 'none'})"
            )
        if self.widths is None and (self.maxout is not None or self.activation is not None):
            raise LinregionsError("bounds: --maxout and --activation go with --widths")

    def read(self) -> tuple[Dense | list[Conv], str]:
        """The architecture and its title."""
        if self.widths is not None:
            dense = _dense(self.widths, self.maxout, self.activation)
            return dense, f"--widths {self.widths}"
        return _conv(self.conv or ""), f"--conv {self.conv}"


def command(
    model: Model = None,
    /,
    *,
    architecture: Architecture = Architecture(),
    shape: Shape = None,
    box: Box = None,
    polytope: Polytope = None,
    lp: Switch = False,
    seconds: float | None = None,
    json: Json = False,
) -> int:
    """Bounds for the number of regions of a model file or an architecture.

    Example: linregions bounds --widths 784,11,11

    Parameters
    ----------
    lp
        Sharpen the bound that reads the weights by linear programs (bounded domains).
    seconds
        Stop then, with the bounds so far.
    """
    architecture.check(model)
    if model is None and (lp or any(v is not None for v in (shape, box, polytope))):
        raise LinregionsError("bounds: --shape, --box, --polytope and --lp go with a model")
    source: Any
    domain = None
    if model is not None:
        source, domain, title = (
            read_model(model, shape),
            Bounded(box, polytope).domain(),
            model.name,
        )
    else:
        source, title = architecture.read()
    with shown() as report:
        found = bounds(
            source, domain, lp=lp, seconds=seconds, progress=report, on_interrupt="return"
        )
    facts, words = [b.to_dict() for b in found], partial(_table, title, found, found.skipped)
    code = answered(facts, words, json, found.stopped)
    for line in found.skipped if json else ():
        print(f"linregions: left out: {line}", file=sys.stderr)
    return code


def _dense(widths: str, maxout: int | None, activation: str | None) -> Dense:
    try:
        sizes = [int(v) for v in widths.split(",")]
    except ValueError:
        sizes = []
    if len(sizes) < 2:
        raise LinregionsError(f"--widths {widths}: give INPUTS,WIDTH,... such as 784,11,11")
    kind: str | int = activation or "relu"
    with suppress(ValueError):
        kind = int(kind)
    try:
        return Dense(sizes[0], sizes[1:], kind, maxout)
    except LinregionsError as error:
        raise LinregionsError(f"--widths {widths}: {error}") from None


LAYER = re.compile(r"^(\d+(?:x\d+)+)(?:/([\dx]+))?(?:\+([\dx]+))?(?:@([\dx]+))?$")


def _conv(text: str) -> list[Conv]:
    """``28x28x1:3x3x8/2+1,2x2x16`` as a list of `Conv` s."""

    def numbers(part: str) -> list[int]:
        return [int(v) for v in part.split("x")]

    try:
        first, rest = text.split(":")
        *size, channels = numbers(first)
        layers: list[Conv] = []
        for part in rest.split(","):
            match = LAYER.match(part)
            if match is None or not size:
                raise ValueError(part)
            *kernel, filters = numbers(match[1])
            stride, padding, dilation = (
                d if v is None else (n[0] if len(n := numbers(v)) == 1 else tuple(n))
                for v, d in zip(match.groups()[1:], (1, 0, 1), strict=True)
            )
            layers.append(
                Conv(tuple(size), tuple(kernel), filters, channels, stride, padding, dilation)
            )
            size, channels = list(layers[-1].output), filters
    except LinregionsError as error:
        raise LinregionsError(f"--conv {text}: {error}") from None
    except ValueError:
        raise LinregionsError(
            f"--conv {text}: give SIZExCHANNELS:KERNELxFILTERS[/STRIDE][+PADDING][@DILATION],..., "
            "such as 28x28x1:3x3x8/2+1,2x2x16"
        ) from None
    return deepconv.checked(layers)


HEADINGS = {"upper": "at most", "lower": "at least", "equal": "exactly"}


def _table(title: str, found: list[Bound], skipped: tuple[str, ...] = ()) -> str:
    """Bounds for a person, grouped by what they bound; then what was left out."""
    lines, groups = [title], dict.fromkeys(b.bounds for b in found)
    for what in groups:
        mine = [b for b in found if b.bounds == what]
        rows = [
            (HEADINGS[b.direction], magnitude(b.value), b.name, b.status, _source(b)) for b in mine
        ]
        size = [max(len(r[i]) for r in rows) for i in range(4)]
        lines += ["", f"  {what}"]
        for heading, value, name, status, source in rows:
            lines.append(
                f"    {heading:<{size[0]}}  {value:>{size[1]}}  {name:<{size[2]}}  "
                f"{status:<{size[3]}}  {source}"
            )
    lines += ["", *(f"  left out: {line}" for line in skipped)] if skipped else []
    return "\n".join(lines)


def _source(b: Bound) -> str:
    return b.source + (f" ({'; '.join(b.conditions)})" if b.conditions else "")
