"""``linregions draw``: options to pictures."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from ..domain.domains import Domain, Space
from ..draw.animation import animate
from ..draw.curve import graph
from ..draw.html import page
from ..draw.packages import need
from ..draw.panels import layers as panels
from ..draw.plane import COLOURS, draw
from ..draw.solids import solid
from ..draw.subject import check_choice, complex_of, in_domain
from ..errors import LinregionsError
from ..files import beside, check_target
from ..network.network import Network
from ..progress import current, watched
from ..watching import check_seconds
from .model import Shape, read_model
from .options import Bounded, Json, Switch, Target
from .output import answered
from .progress import shown
from .values import read_points

FIGURES = (".png", ".svg", ".pdf")
FORMATS = (*FIGURES, ".html", ".gif")
Models = Annotated[Path, Parameter(help="A model file, or several checkpoints.")]


@Parameter(name="*")
@dataclass(frozen=True)
class Look:
    """How a picture looks.

    Parameters
    ----------
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
    """

    color: str = "linear"
    edges: str = "depth"
    boundary: Switch = False
    points: Path | None = None
    layers: Switch = False

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of `draw` and `animate`."""
        return {"color": self.color, "edges": self.edges, "boundary": self.boundary}


@dataclass(frozen=True)
class Scene:
    """What is drawn: complexes of one dimension, with the names of their models, and points."""

    cells: list[Any]
    names: list[str]
    dimension: int
    points: np.ndarray | None


def command(
    *models: Models,
    output: Target = None,
    shape: Shape = None,
    where: Bounded = Bounded(),
    look: Look = Look(),
    seconds: float | None = None,
    json: Json = False,
) -> int:
    """Draw the linear regions of a network over a plane, a segment or a solid.

    Example: linregions draw network.onnx --plane three.npy -o slice.html

    A picture (.png, .svg, .pdf), an interactive page (.html) or, of several checkpoints, an
    animation (.gif, .html). The domain must be bounded.

    Parameters
    ----------
    output
        The file to write: .png, .svg, .pdf, .html or .gif.
    seconds
        Give up then: there is no picture of a part.
    """
    target = _target(output)
    if not where.given():
        raise LinregionsError("no domain; give --box, --polytope, --plane or --segment")
    domain, points = where.domain(), None if where.plane is None else where.corners()
    if look.points is not None:
        points = read_points(look.points, "--points")
    if not models:
        raise LinregionsError("no model; give an .onnx, .nnet, .npz, .pt2 or TorchScript file")
    nets = [(model.stem, read_model(model, shape)) for model in models]

    def work(_: Any) -> dict[str, Any]:
        return _render(nets, domain, target, points, look)

    check_seconds(seconds)
    with shown() as report:
        facts = watched(work, seconds, report)
    return answered(facts, lambda: _prose(facts), json)


def _target(output: Path | None) -> Path:
    if output is None:
        raise LinregionsError("where to? give -o FILE, a name ending in " + ", ".join(FORMATS))
    return check_target(output, FORMATS)


def _render(
    nets: list[tuple[str, Network]],
    domain: Domain,
    target: Path,
    points: np.ndarray | None,
    look: Look,
) -> dict[str, Any]:
    """Draw networks over a domain into a file; what was drawn, as data."""
    start = time.perf_counter()
    check_choice("color", look.color, COLOURS)
    if isinstance(domain, Space):
        raise LinregionsError("all of R^n cannot be drawn; give a bounded domain, such as --box")
    if len(nets) > 1 and target.suffix.lower() in FIGURES:
        raise LinregionsError(f"{target}: several checkpoints make a .gif or an .html file")
    dimension = _dimension(nets[0][1], domain)
    cells = [complex_of(net, domain, dimension) for _, net in nets]
    scene = Scene(cells, [name for name, _ in nets], dimension, points)
    current().stage, current().known = "drawing", lambda: 0
    _write(scene, target, look)
    counted = [
        {"model": n, "regions": c.count("activation"), "linear": c.count("linear"),
         "exact": bool(c.exact)}
        for n, c in zip(scene.names, scene.cells, strict=True)
    ]  # fmt: skip
    last = {k: v for k, v in counted[-1].items() if k != "model"}
    facts = {"output": str(target), **last, "domain": domain.describe(), "dimension": dimension}
    if len(nets) > 1:
        facts["checkpoints"] = counted
    return {**facts, "seconds": time.perf_counter() - start}


def _dimension(net: Network, domain: Domain) -> int:
    k = domain.chart(net.inputs).dimension
    if k not in (1, 2, 3):
        raise LinregionsError(
            f"the domain has dimension {k}; a picture has 1, 2 or 3: give --plane, --segment, or "
            "a box with sides of width zero"
        )
    return k


def _write(scene: Scene, target: Path, look: Look) -> None:
    suffix, dimension = target.suffix.lower(), scene.dimension
    cells, names, points = scene.cells, scene.names, scene.points
    if points is not None and dimension == 2:
        in_domain(cells[0], points)  # what does not fit is refused before anything is drawn
    if dimension == 2 and suffix == ".html":
        page(cells, target, points=points, names=names, title=f"Linear regions of {names[0]}")
    elif dimension == 2 and suffix == ".gif":
        animate(cells, target, names=names, points=points, **look.options)
    elif dimension == 3 and suffix == ".html" and len(cells) == 1:
        solid(cells[0], color=look.color, path=target)
    elif suffix in FIGURES and dimension < 3:
        _figure(scene, target, look)
    else:
        remedy = {1: ".png, .svg or .pdf", 3: ".html, of one model"}[dimension]
        raise LinregionsError(f"{target}: a domain of dimension {dimension} is drawn to {remedy}")


def _figure(scene: Scene, target: Path, look: Look) -> None:
    need("matplotlib", "drawing").use("Agg")  # no window: the picture goes to a file
    cells, points = scene.cells[0], scene.points
    if scene.dimension == 1:
        figure = graph(cells).figure
    elif look.layers:
        figure = panels(cells, edges=look.edges, points=points)
    else:
        figure = draw(cells, points=points, **look.options).figure
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
