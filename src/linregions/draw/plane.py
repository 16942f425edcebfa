"""`draw`: the cells of a plane as a matplotlib figure."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..domain.domains import Domain
from ..errors import LinregionsError
from .classes import boundary as boundary_of
from .classes import pieces
from .colours import HUES, label_colours, layer_colours, palette, region_colours
from .growth import Growth
from .packages import need, new_axes
from .subject import axis_names, check_choice, complex_of, counts, in_domain, layer_name

COLOURS = ("linear", "activation", "affine", "output", "depth", "none")
MANY = 5000  # beyond so many cells, vector formats get the cells as one picture
FEW = 40  # labels of up to so many points are written out
INK, HALO = "#111111", "#ffffff"


def draw(
    subject: Any,
    domain: Domain | None = None,
    *,
    color: str = "linear",
    edges: str = "depth",
    points: Any = None,
    labels: Any = None,
    boundary: bool = False,
    legend: bool = True,
    layer: int | None = None,
    ax: Any = None,
) -> Any:
    """Draw the linear regions of a two-dimensional domain.

    Parameters
    ----------
    subject
        A `CellComplex` of dimension 2, or a network (anything that `load` takes).
    domain
        Where, if ``subject`` is a network.
    color
        ``linear``: one colour per linear region, different across every edge;
        ``activation``: one per cell;
        ``affine``: by the slope of the affine map (its spectral norm in domain coordinates);
        ``output``: by the value of one output, shaded as it is, or by the winning class;
        ``depth``: by the deepest layer whose units bound the cell;
        ``none``.
    edges
        ``depth``: by the layer of the unit that made each edge, thinner with depth; ``none``;
        or any one matplotlib colour. An edge inside a linear region is drawn faintly.
    points
        Data points, (m, n) in input coordinates (projected onto the domain) or (m, 2).
    labels
        (m,) class of each data point, written beside it; of more than 40 points, its colour.
    boundary
        Draw the decision boundary: where the top two outputs tie, or one output is zero.
    legend
        Counts and the colours of the edges, under the picture.
    layer
        Draw the partition after so many layers only; the colours are then those of its cells.
    ax
        Matplotlib axes to draw into (a new figure by default).

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    LinregionsError
        When the domain is not two-dimensional, an option is unknown, or matplotlib is absent.

    Examples
    --------
    >>> import linregions as lr
    >>> net = [([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])]
    >>> axes = draw(net, lr.Box(-1, 1))  # doctest: +SKIP
    >>> axes.figure.savefig("plane.png")  # doctest: +SKIP
    """
    check_choice("color", color, COLOURS)
    need("matplotlib", "drawing")
    cells = complex_of(subject, domain, 2)
    growth = Growth(cells)
    depth = len(growth.layer_ends)
    if layer is not None and not 1 <= layer <= depth:
        raise LinregionsError(f"layer={layer} of a network with {depth} layers")
    if labels is not None and (points is None or len(labels) != len(np.atleast_2d(points))):
        raise LinregionsError("labels= needs points=, one label for each")
    ax = new_axes(ax, (6.0, 6.4))
    _fill(ax, cells, growth, color, layer)
    handles = _edges(ax, cells, edges, depth, layer, faint=color in ("linear", "none"))
    if boundary:
        handles.append(_boundary(ax, cells))
    if points is not None:
        handles.append(_points(ax, in_domain(cells, points), labels))
    _frame(ax, cells)
    if legend:
        _legend(ax, handles, _title(cells, growth, layer))
    return ax


def _title(cells: Any, growth: Growth, layer: int | None) -> str:
    if layer is None:
        return counts(cells)
    number = growth.counts[growth.layer_ends[layer - 1]]
    return f"{number:,} cells after layer {layer}"


# -- cells ------------------------------------------------------------------------------------


def _fill(ax: Any, cells: Any, growth: Growth, color: str, layer: int | None) -> None:
    if color == "none":
        return
    if color == "output":
        (_shaded if np.asarray(cells.outputs).shape[1] == 1 else _classes)(ax, cells)
    elif color == "affine":
        _slopes(ax, cells)
    elif color == "depth":
        _depths(ax, cells, layer)
    else:
        if layer is not None:
            labels = growth.labels(int(growth.layer_ends[layer - 1]))
        else:
            labels = cells.linear if color == "linear" else np.arange(cells.cells)
        _collection(ax, _polygons(cells), palette()[region_colours(cells, labels)])


def _polygons(cells: Any) -> list[np.ndarray]:
    ptr, idx = cells.polygons()
    return np.split(np.asarray(cells.points)[np.asarray(idx)], np.asarray(ptr)[1:-1])


def _collection(ax: Any, polygons: list[np.ndarray], faces: Any, **options: Any) -> Any:
    """Filled polygons; each is stroked in its own colour, so that no gaps show between them."""
    collections = need("matplotlib.collections", "drawing")
    out = collections.PolyCollection(
        polygons, facecolors=faces, edgecolors="face", linewidths=0.6, **options
    )
    out.set_rasterized(len(polygons) > MANY)
    return ax.add_collection(out, autolim=False)


def _slopes(ax: Any, cells: Any) -> None:
    """Cells by the spectral norm of their Jacobian."""
    out = _collection(ax, _polygons(cells), None, cmap="viridis")
    out.set_array(spectral_norms(cells.affine_maps()[0]))
    ax.figure.colorbar(out, ax=ax, label="slope (spectral norm)", shrink=0.7, pad=0.02)


def spectral_norms(W: Any) -> np.ndarray:
    """(n,) largest singular value of each of the matrices (n, outputs, k)."""
    W = np.asarray(W)
    if W.shape[1] == 1:
        return np.linalg.norm(W[:, 0], axis=1)
    return np.linalg.norm(W, ord=2, axis=(1, 2))


def _depths(ax: Any, cells: Any, layer: int | None) -> None:
    depth = cell_depths(cells)
    layers = len(cells.problem.network.layers)
    if layer is not None:
        depth = np.minimum(depth, layer)
    light = np.concatenate([[[0.97] * 3], 0.45 + 0.55 * layer_colours(layers)])
    _collection(ax, _polygons(cells), light[depth])


def cell_depths(cells: Any) -> np.ndarray:
    """(cells,) deepest layer whose units bound the cell, 0 where none does."""
    out = np.zeros(cells.cells, dtype=np.int64)
    for side in np.asarray(cells.facet_cells).T:
        np.maximum.at(out, side[side >= 0], np.asarray(cells.facet_layer)[side >= 0])
    return out


def _shaded(ax: Any, cells: Any) -> None:
    """One output, exactly: linear interpolation over triangles of the cells is the function."""
    points, values = np.asarray(cells.points), np.asarray(cells.outputs)[:, 0]
    out = ax.tripcolor(
        *points.T, fans(*cells.polygons()), values, shading="gouraud", cmap="viridis"
    )
    out.set_rasterized(True)
    ax.figure.colorbar(out, ax=ax, label="output", shrink=0.7, pad=0.02)


def fans(ptr: Any, idx: Any) -> np.ndarray:
    """(triangles, 3) vertices: every polygon as a fan around its first corner."""
    ptr, idx = np.asarray(ptr), np.asarray(idx)
    sizes = np.diff(ptr) - 2
    start = np.repeat(ptr[:-1], sizes)
    step = np.arange(len(start)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return idx[np.column_stack([start, start + step + 1, start + step + 2])]


def _classes(ax: Any, cells: Any) -> None:
    split = pieces(cells)
    colours = palette()[class_colours(np.asarray(cells.outputs).shape[1])]
    _collection(ax, split.polygons, colours[split.classes])
    for c in np.unique(split.classes):
        ax.plot([], [], "s", color=colours[c], label=f"class {c}", markersize=8)


def class_colours(classes: int) -> np.ndarray:
    """(classes,) index into the palette: far apart in hue, light and dark in turn."""
    return (np.arange(classes) * 5) % HUES + HUES * (np.arange(classes) % 2)


# -- lines and points -------------------------------------------------------------------------


def _edges(
    ax: Any, cells: Any, edges: str, depth: int, layer: int | None, faint: bool
) -> list[Any]:
    """Edges layer by layer, the deepest first; returns handles for the legend."""
    if edges == "none":
        return []
    colors = need("matplotlib.colors", "drawing")
    if edges != "depth" and not colors.is_color_like(edges):
        raise LinregionsError(f"edges={edges!r}; give depth, none or a matplotlib colour")
    lines = need("matplotlib.lines", "drawing")
    made_by = np.asarray(cells.facet_layer)
    pairs = np.asarray(cells.facet_cells)
    linear = np.asarray(cells.linear)
    inner = (pairs[:, 1] >= 0) & (linear[pairs[:, 0]] == linear[pairs[:, 1]])
    inner &= faint and layer is None
    width = line_width(cells.cells)
    handles = []
    for number in range(depth if layer is None else layer, 0, -1):
        ink = layer_colours(depth)[number - 1] if edges == "depth" else edges
        wide = width * (1.0 - 0.55 * (number - 1) / max(depth - 1, 1))
        _lines(ax, cells, (made_by == number) & ~inner, ink, wide)
        _lines(ax, cells, (made_by == number) & inner, ink, 0.6 * wide, alpha=0.35)
        if edges == "depth":
            label = layer_name(cells, number)
            handles.insert(0, lines.Line2D([], [], color=ink, linewidth=1.6, label=label))
    return handles


def line_width(cells: int) -> float:
    """Points: thick lines in a picture of few cells, hairlines in one of many."""
    return float(np.clip(16 / max(cells, 1) ** 0.45, 0.22, 1.5))


def _lines(ax: Any, cells: Any, chosen: np.ndarray, ink: Any, width: float, **options: Any) -> None:
    collections = need("matplotlib.collections", "drawing")
    ends = np.asarray(cells.points)[np.asarray(cells.edges)[chosen]]
    out = collections.LineCollection(
        ends, colors=[ink], linewidths=width, capstyle="round", **options
    )
    out.set_rasterized(len(ends) > MANY)
    ax.add_collection(out, autolim=False)


def _boundary(ax: Any, cells: Any) -> Any:
    """The level set, dark on a light halo, so that it is seen on any colour."""
    collections = need("matplotlib.collections", "drawing")
    lines = need("matplotlib.lines", "drawing")
    ends = boundary_of(cells)
    for ink, width in ((HALO, 3.6), (INK, 1.8)):
        ax.add_collection(
            collections.LineCollection(
                ends, colors=ink, linewidths=width, capstyle="round", zorder=3
            ),
            autolim=False,
        )
    one = np.asarray(cells.outputs).shape[1] == 1
    name = "zero set" if one else "decision boundary"
    return lines.Line2D([], [], color=INK, linewidth=1.8, label=name)


def _points(ax: Any, at: np.ndarray, labels: Any) -> Any:
    """Dots; a few labels are written beside them, many are told by colour."""
    size = float(np.clip(1500 / len(at), 7, 36))
    edge = 0.8 if len(at) < 200 else 0.2
    written = len(at) <= FEW
    ink = INK if labels is None or written else label_colours(labels)
    out = ax.scatter(
        *at.T, s=size, c=ink, edgecolors=HALO, linewidths=edge, zorder=4, label="data points"
    )
    if labels is not None and written:
        effects = need("matplotlib.patheffects", "drawing")
        halo = [effects.withStroke(linewidth=2.5, foreground=HALO)]
        for y, text in zip(at, labels, strict=True):
            ax.annotate(str(text), y, xytext=(6, 4), textcoords="offset points", zorder=5,
                        fontweight="bold", color=INK, path_effects=halo)  # fmt: skip
    return out


def _frame(ax: Any, cells: Any) -> None:
    points = np.asarray(cells.points)
    low, high = points.min(axis=0), points.max(axis=0)
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    rim = np.asarray(cells.facet_row) < 0
    box = np.any(np.isclose(points, low) | np.isclose(points, high), axis=1)
    if not np.all(
        np.asarray(box)[np.asarray(cells.edges)[rim]]
    ):  # no box: its own outline is the frame
        _lines(ax, cells, rim, INK, 0.8)
        ax.spines[:].set_visible(False)
        ax.margins(0.02)
    ax.tick_params(labelsize=8, length=3)
    names = axis_names(cells)
    ax.set_xlabel(f"${names[0][0]}_{names[0][1]}$", labelpad=2)
    ax.set_ylabel(f"${names[1][0]}_{names[1][1]}$", labelpad=2)


def _legend(ax: Any, handles: list[Any], title: str) -> None:
    """Under the picture, a fixed distance below the axes whatever their size."""
    transforms = need("matplotlib.transforms", "drawing")
    shown = handles + ax.get_legend_handles_labels()[0]
    shown = list({h.get_label(): h for h in shown}.values())
    below = transforms.ScaledTranslation(0, -34 / 72, ax.figure.dpi_scale_trans)
    ax.legend(
        handles=shown, title=title, loc="upper center", bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes + below, ncols=min(max(len(shown), 1), 5), frameon=False,
        fontsize=8, title_fontsize=9, handlelength=1.6, columnspacing=1.4, borderaxespad=0.0,
    )  # fmt: skip
