"""`solid`: the cells of a three-dimensional domain, to turn about in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..domain.domains import Domain
from ..errors import LinregionsError
from ..files import beside, check_target
from .colours import layer_colours, palette, region_colours
from .packages import need
from .plane import cell_depths, fans, spectral_norms
from .subject import axis_names, check_choice, complex_of, counts

COLOURS = ("linear", "activation", "affine", "depth")


def solid(
    subject: Any,
    domain: Domain | None = None,
    *,
    color: str = "linear",
    opacity: float = 1.0,
    explode: float = 0.25,
    edges: bool = True,
    path: str | Path | None = None,
) -> Any:
    """Draw the cells of a three-dimensional domain with plotly.

    Parameters
    ----------
    subject, domain
        A `CellComplex` of dimension 3, or a network and a domain.
    color
        ``linear``, ``activation``, ``affine`` or ``depth``, as in `draw`.
    opacity
        1 is opaque.
    explode
        How far the cells are moved apart, as a part of their distance from the centre, so that
        inner ones are seen; 0 leaves them in place.
    edges
        Draw the edges of the cells.
    path
        An ``.html`` file to write as well: self-contained, with plotly inside (about 5 MB).

    Returns
    -------
    plotly.graph_objects.Figure
    """
    check_choice("color", color, COLOURS)
    for name, value in (("opacity", opacity), ("explode", explode)):
        if not 0 <= value <= (1 if name == "opacity" else 100):
            raise LinregionsError(f"{name}={value} must lie between 0 and 1")
    target = None if path is None else check_target(path, (".html",))
    plotly = need("plotly.graph_objects", "drawing in three dimensions")
    cells = complex_of(subject, domain, 3)
    mesh = Mesh(cells, explode)
    figure = plotly.Figure(_traces(plotly, cells, mesh, color, opacity, edges))
    names = axis_names(cells)
    figure.update_layout(
        title={"text": counts(cells), "font": {"size": 14}},
        scene={f"{a}axis": {"title": {"text": n}} for a, n in zip("xyz", names, strict=True)}
        | {"aspectmode": "data"},
        margin={"l": 0, "r": 0, "t": 40, "b": 0},
        template="plotly_white",
    )
    if target is not None:
        with beside(target) as part:
            figure.write_html(part, include_plotlyjs=True)
    return figure


class Mesh:
    """Every facet of every cell on its own, moved with the cell.

    Attributes
    ----------
    points
        (corners, 3).
    ptr
        (polygons + 1,) where the corners of each polygon begin.
    cell
        (polygons,) its cell.
    """

    def __init__(self, cells: Any, explode: float) -> None:
        ptr, idx = (np.asarray(x) for x in cells.face_polygons())
        sides = np.asarray(cells.facet_cells)
        face, side = np.nonzero(sides >= 0)
        self.cell = sides[face, side]
        sizes = np.diff(ptr)[face]
        self.ptr = np.concatenate([[0], np.cumsum(sizes)])
        step = np.arange(self.ptr[-1]) - np.repeat(self.ptr[:-1], sizes)
        corners = np.asarray(cells.points)[idx[np.repeat(ptr[face], sizes) + step]]
        points = np.asarray(cells.points)
        away = np.asarray(cells.interior_points) - (points.min(axis=0) + points.max(axis=0)) / 2
        self.points = corners + explode * np.repeat(away[self.cell], sizes, axis=0)

    def outline(self) -> np.ndarray:
        """(n, 3) closed outlines one after the other, NaN between them."""
        out = []
        for a, b in zip(self.ptr[:-1], self.ptr[1:], strict=True):
            out += [self.points[a:b], self.points[a : a + 1], np.full((1, 3), np.nan)]
        return np.concatenate(out)


def _traces(
    plotly: Any, cells: Any, mesh: Mesh, color: str, opacity: float, edges: bool
) -> list[Any]:
    triangles = fans(mesh.ptr, np.arange(mesh.ptr[-1]))
    owner = np.repeat(mesh.cell, np.diff(mesh.ptr) - 2)
    x, y, z = mesh.points.T
    i, j, k = triangles.T
    options: dict[str, Any] = {"opacity": opacity, "flatshading": True, "hoverinfo": "text"}
    options["lighting"] = {"ambient": 0.75, "diffuse": 0.5, "specular": 0.05}
    words = _words(cells)
    options["text"] = [words[c] for c in np.repeat(mesh.cell, np.diff(mesh.ptr))]
    if color == "affine":
        options |= {
            "intensity": spectral_norms(cells.affine_maps()[0])[owner],
            "intensitymode": "cell",
        }
        options |= {"colorscale": "Viridis", "colorbar": {"title": {"text": "slope"}}}
    else:
        options["facecolor"] = _css(_faces(cells, color))[owner]
    out = [plotly.Mesh3d(x=x, y=y, z=z, i=i, j=j, k=k, **options)]
    if edges:
        x, y, z = mesh.outline().T
        line = {"color": "#222222", "width": 2}
        out.append(plotly.Scatter3d(x=x, y=y, z=z, mode="lines", line=line, hoverinfo="skip",
                                    showlegend=False))  # fmt: skip
    return out


def _faces(cells: Any, color: str) -> np.ndarray:
    """(cells, 3) colours."""
    if color == "depth":
        layers = len(cells.problem.network.layers)
        light = np.concatenate([[[0.97] * 3], 0.45 + 0.55 * layer_colours(layers)])
        return light[cell_depths(cells)]
    labels = cells.linear if color == "linear" else np.arange(cells.cells)
    return palette()[region_colours(cells, labels)]


def _css(colours: np.ndarray) -> np.ndarray:
    return np.array(["rgb(%d,%d,%d)" % tuple(np.rint(255 * c)) for c in colours])  # noqa: UP031


def _words(cells: Any) -> list[str]:
    """What the pointer says about each cell."""
    patterns = np.asarray(cells.patterns())
    out = []
    for i in range(cells.cells):
        text = "".join(map(str, patterns[i, :48])) + ("..." if patterns.shape[1] > 48 else "")
        out.append(f"cell {i}<br>linear region {cells.linear[i]}<br>volume "
                   f"{cells.volumes[i]:.4g}<br>pattern {text}")  # fmt: skip
    return out
