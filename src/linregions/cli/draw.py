"""``linregions draw``: options to pictures. `register` adds the command to the application."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import App, Parameter

from ..domain.domains import Domain, Space
from ..draw.subject import check_choice, complex_of, in_domain
from ..errors import LinregionsError
from ..figures import dump
from ..files import beside, check_target
from ..progress import current, watched
from ..watching import check_seconds
from .options import (
    BoxOption,
    PlaneOption,
    PolytopeOption,
    SegmentOption,
    ShapeOption,
    SizeOption,
    Where,
    read_points,
)

FIGURES = (".png", ".svg", ".pdf")
FORMATS = (*FIGURES, ".html", ".gif")
Models = Annotated[Path, Parameter(help="A model file, or several checkpoints.")]
Output = Annotated[Path | None, Parameter(name=["-o", "--output"])]
Switch = Parameter(negative="")


def register(
    app: App,
    load: Callable[..., Any],
    progress: Callable[[], Any],
) -> None:
    """Add ``draw`` to an application that knows how to read a model and to show progress."""

    @app.command(name="draw")
    def draw_command(
        *models: Models,
        output: Output = None,
        shape: ShapeOption = None,
        box: BoxOption = None,
        polytope: PolytopeOption = None,
        plane: PlaneOption = None,
        size: SizeOption = None,
        segment: SegmentOption = None,
        color: str = "linear",
        edges: str = "depth",
        boundary: Annotated[bool, Switch] = False,
        points: Path | None = None,
        layers: Annotated[bool, Switch] = False,
        seconds: float | None = None,
        json: Annotated[bool, Switch] = False,
    ) -> int:
        """Draw the linear regions of a network over a plane, a segment or a solid.

        Example: linregions draw network.onnx --plane three.npy -o slice.html

        A picture (.png, .svg, .pdf), an interactive page (.html) or, of several checkpoints, an
        animation (.gif, .html). The domain must be bounded.

        Parameters
        ----------
        output
            The file to write: .png, .svg, .pdf, .html or .gif.
        color
            linear, activation, affine (slope), output, depth or none.
        edges
            depth (by layer), none, or one colour.
        boundary
            Draw the decision boundary.
        points
            FILE.npy of data points to draw, in input coordinates.
        layers
            One panel after each layer.
        seconds
            Give up then: there is no picture of a part.
        json
            Print one JSON object and nothing else.
        """
        target = _target(output)
        where = Where(box, polytope, plane, size, segment)
        if not where.given():
            raise LinregionsError("no domain; give --box, --polytope, --plane or --segment")
        domain, shown = where.domain(), None if plane is None else where.corners()
        if points is not None:
            shown = read_points(points, "--points")
        if not models:
            raise LinregionsError("no model; give an .onnx, .nnet, .npz, .pt2 or TorchScript file")
        options = {"color": color, "edges": edges, "boundary": boundary, "layers": layers}
        nets = [load(model, shape) for model in models]
        names = [model.stem for model in models]

        def work(_: Any) -> dict[str, Any]:
            return render(nets, domain, target, names=names, points=shown, **options)

        check_seconds(seconds)
        with progress() as report:
            facts = watched(work, seconds, report)
        print(dump(facts) if json else _prose(facts))
        return 0


def _target(output: Path | None) -> Path:
    if output is None:
        raise LinregionsError("where to? give -o FILE, a name ending in " + ", ".join(FORMATS))
    return check_target(output, FORMATS)


def render(
    nets: list[Any],
    domain: Domain,
    target: Path,
    *,
    names: list[str],
    points: np.ndarray | None = None,
    color: str = "linear",
    edges: str = "depth",
    boundary: bool = False,
    layers: bool = False,
) -> dict[str, Any]:
    """Draw networks over a domain into a file; what was drawn, as data."""
    from ..draw.plane import COLOURS

    start = time.perf_counter()
    check_choice("color", color, COLOURS)
    suffix = target.suffix.lower()
    if isinstance(domain, Space):
        raise LinregionsError("all of R^n cannot be drawn; give a bounded domain, such as --box")
    if len(nets) > 1 and suffix in FIGURES:
        raise LinregionsError(f"{target}: several checkpoints make a .gif or an .html file")
    dimension = _dimension(nets[0], domain)
    cells = [complex_of(net, domain, dimension) for net in nets]
    options = {"color": color, "edges": edges, "boundary": boundary}
    current().stage, current().known = "drawing", lambda: 0
    _write(cells, dimension, target, names, points, layers, options)
    counted = [
        {"model": n, "regions": c.count("activation"), "linear": c.count("linear"),
         "exact": bool(c.exact)}
        for n, c in zip(names, cells, strict=True)
    ]  # fmt: skip
    last = {k: v for k, v in counted[-1].items() if k != "model"}
    facts = {"output": str(target), **last, "domain": domain.describe(), "dimension": dimension}
    if len(cells) > 1:
        facts["checkpoints"] = counted
    return {**facts, "seconds": time.perf_counter() - start}


def _dimension(net: Any, domain: Domain) -> int:
    k = domain.chart(net.inputs).dimension
    if k not in (1, 2, 3):
        raise LinregionsError(
            f"the domain has dimension {k}; a picture has 1, 2 or 3: give --plane, --segment, or "
            "a box with sides of width zero"
        )
    return k


def _write(
    cells: list[Any],
    dimension: int,
    target: Path,
    names: list[str],
    points: np.ndarray | None,
    layers: bool,
    options: dict[str, Any],
) -> None:
    suffix = target.suffix.lower()
    if points is not None and dimension == 2:
        in_domain(cells[0], points)  # what does not fit is refused before anything is drawn
    if dimension == 2 and suffix == ".html":
        from ..draw.html import page

        page(cells, target, points=points, names=names, title=f"Linear regions of {names[0]}")
    elif dimension == 2 and suffix == ".gif":
        from ..draw.animation import animate

        animate(cells, target, names=names, points=points, **options)
    elif dimension == 3 and suffix == ".html" and len(cells) == 1:
        from ..draw.solids import solid

        solid(cells[0], color=options["color"], path=target)
    elif suffix in FIGURES and dimension < 3:
        _figure(cells[0], dimension, target, points, layers, options)
    else:
        remedy = {1: ".png, .svg or .pdf", 3: ".html, of one model"}[dimension]
        raise LinregionsError(f"{target}: a domain of dimension {dimension} is drawn to {remedy}")


def _figure(
    cells: Any,
    dimension: int,
    target: Path,
    points: np.ndarray | None,
    layers: bool,
    options: dict[str, Any],
) -> None:
    from ..draw.packages import need

    need("matplotlib", "drawing").use("Agg")  # no window: the picture goes to a file
    if dimension == 1:
        from ..draw.curve import graph

        figure = graph(cells).figure
    elif layers:
        from ..draw.panels import layers as panels

        figure = panels(cells, edges=options["edges"], points=points)
    else:
        from ..draw.plane import draw

        figure = draw(cells, points=points, **options).figure
    with beside(target) as part:
        figure.savefig(part, dpi=200)
    need("matplotlib.pyplot", "drawing").close(figure)


def _prose(facts: dict[str, Any]) -> str:
    lines = [f"{facts['output']}"]
    for one in facts.get("checkpoints", [facts]):
        name = f"{one['model']}: " if "model" in one else ""
        sure = "" if one["exact"] else " (not certified)"
        lines.append(
            f"  {name}{one['regions']:,} activation regions, {one['linear']:,} linear{sure}"
        )
    lines.append(f"  over {facts['domain']}, {facts['seconds']:.3g} s")
    return "\n".join(lines)
