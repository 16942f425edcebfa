"""``linregions bounds``: the bounds that apply to a model file or to an architecture."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from ..bounding import Bound, Dense, bounds, tightest
from ..domain.restrict import Restricted
from ..errors import LinregionsError
from ..figures import dump, magnitude
from ..theory import Conv, deepconv
from .options import ShapeOption, domain_of

Model = Annotated[Path | None, Parameter(help="A .onnx, .nnet, .npz, .pt2 or TorchScript file.")]
Box = Annotated[str | None, Parameter(help="As for count; for a model only.")]
Polytope = Annotated[Path | None, Parameter(help="As for count; for a model only.")]
Json = Annotated[bool, Parameter(negative="", help="Print one JSON list and nothing else.")]
Switch = Annotated[bool, Parameter(negative="")]


def add_bounds(app: App, load: Callable[..., Any], progress: Callable[[], Any]) -> None:
    """Register the command; ``load`` reads a model, ``progress`` shows how it goes."""

    @app.command(name="bounds")
    def bounds_command(
        model: Model = None,
        /,
        *,
        widths: str | None = None,
        conv: str | None = None,
        maxout: int | None = None,
        activation: str | None = None,
        shape: ShapeOption = None,
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
        lp
            Sharpen the bound that reads the weights by linear programs (bounded domains).
        seconds
            Stop then, with the bounds so far.
        """
        given = [
            name
            for name, v in (("MODEL", model), ("--widths", widths), ("--conv", conv))
            if v is not None
        ]
        if len(given) != 1:
            raise LinregionsError(
                f"bounds: give one of MODEL, --widths and --conv (got {', '.join(given) or 'none'})"
            )
        if widths is None and (maxout is not None or activation is not None):
            raise LinregionsError("bounds: --maxout and --activation go with --widths")
        if model is None and (lp or any(v is not None for v in (shape, box, polytope))):
            raise LinregionsError("bounds: --shape, --box, --polytope and --lp go with a model")
        source: Any
        domain, title = None, f"--conv {conv}"
        if model is not None:
            source, domain, title = load(model, shape), domain_of(box, polytope), model.name
        elif widths is not None:
            source, title = _dense(widths, maxout, activation), f"--widths {widths}"
        else:
            source = _conv(conv or "")
        with progress() as report:
            found = bounds(
                source, domain, lp=lp, seconds=seconds, progress=report, on_interrupt="return"
            )
        if json:
            print(dump([b.to_dict() for b in found]))
            for line in found.skipped:
                print(f"linregions: left out: {line}", file=sys.stderr)
        else:
            print(table(title, found, found.skipped))
        return 130 if found.stopped == "interrupt" else 0


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


def table(title: str, found: list[Bound], skipped: tuple[str, ...] = ()) -> str:
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


def upper_bound(problem: Restricted) -> tuple[int, str]:
    """The tightest proved upper bound of a network over a domain, for ``linregions count``."""
    best = tightest(problem)
    return int(best.value), f"{magnitude(best.value)} ({best.name})"
