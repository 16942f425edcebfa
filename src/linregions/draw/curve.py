"""`graph`: a network along a segment, with its breakpoints marked."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..domain.domains import Domain
from .colours import layer_colours
from .packages import new_axes
from .subject import axis_names, complex_of, counts, layer_name


def graph(
    subject: Any, domain: Domain | None = None, *, outputs: Any = None, legend: bool = True,
    ax: Any = None,
) -> Any:  # fmt: skip
    """Draw the function that a network computes along a segment, breakpoints and all.

    The picture of Hanin and Rolnick (2019), Figure 4. The curve is exact: straight between
    breakpoints. A breakpoint where the slope does not change (between two activation cells of
    one linear region) is marked by a hollow dot.

    Parameters
    ----------
    subject, domain
        A `CellComplex` of dimension 1, or a network and a domain of dimension 1: a segment, a
        box of one input, or a `Slice` by one direction.
    outputs
        Which outputs to draw (all by default).
    legend
        Counts and the colours of the breakpoints.
    ax
        Matplotlib axes to draw into.

    Returns
    -------
    matplotlib.axes.Axes
    """
    cells = complex_of(subject, domain, 1)
    ax = new_axes(ax, (7.0, 4.2))
    at = np.asarray(cells.points)[:, 0]
    values = np.asarray(cells.outputs)
    order = np.argsort(at, kind="stable")
    chosen = range(values.shape[1]) if outputs is None else np.atleast_1d(outputs)
    for i in chosen:
        label = f"output {i}" if values.shape[1] > 1 else None
        ink = None if values.shape[1] > 1 else "#222222"
        ax.plot(at[order], values[order, i], color=ink, linewidth=1.3, label=label, zorder=2)
        _marks(ax, cells, at, values[:, i], legend=i == chosen[0])
    ax.margins(x=0.01)
    ax.set_xlim(at.min(), at.max())
    name = axis_names(cells)[0]
    single = cells.problem.basis is None
    ax.set_xlabel(f"${name[0]}$" if single else "position on the segment")
    ax.set_ylabel("output")
    ax.spines[["top", "right"]].set_visible(False)
    if legend:
        ax.legend(title=counts(cells), frameon=False, fontsize=8, title_fontsize=9,
                  loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=6)  # fmt: skip
    return ax


def _marks(ax: Any, cells: Any, at: np.ndarray, values: np.ndarray, legend: bool) -> None:
    """A dot per breakpoint in the colour of its layer, hollow where the slope stays."""
    pairs, made_by = np.asarray(cells.facet_cells), np.asarray(cells.facet_layer)
    linear = np.asarray(cells.linear)
    inside = pairs[:, 1] >= 0
    stays = inside & (linear[pairs[:, 0]] == linear[pairs[:, 1]])
    depth = len(cells.problem.network.layers)
    size = float(np.clip(900 / max(inside.sum(), 1), 4, 26))
    for number, ink in enumerate(layer_colours(depth), start=1):
        mine = inside & (made_by == number)
        label = layer_name(cells, number) if legend else None
        ax.scatter(at[mine & ~stays], values[mine & ~stays], s=size, color=[ink], zorder=3,
                   label=label, linewidths=0)  # fmt: skip
        ax.scatter(at[mine & stays], values[mine & stays], s=size, facecolors="white",
                   edgecolors=[ink], linewidths=0.8, zorder=3)  # fmt: skip
