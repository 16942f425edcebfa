"""Curves of a tracker's table, and two partitions compared; needs matplotlib (extra ``draw``)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ..draw.packages import need, new_axes
from ..errors import LinregionsError


def curves(
    table: Any,
    measure: str | None = None,
    *,
    ax: Any = None,
    x: str = "step",
    log: bool = True,
    scale: float = 1.0,
    band: bool = False,
    label: str | None = None,
    **style: Any,
) -> Any:
    """One measure over training; the mean over runs where the table holds several.

    Parameters
    ----------
    table
        Of one architecture, from one run or several (``table + table``).
    measure
        Which; the first by default.
    ax
        Matplotlib axes; a new figure by default.
    x
        ``step`` or ``epoch``.
    log
        A logarithmic time axis (linear below the first point, so that 0 is there).
    scale
        A factor on the values, such as 1 / neurons.
    band
        Shade one standard deviation of the lines or points to either side.
    label, **style
        Of the curve.

    Returns
    -------
    matplotlib.axes.Axes
    """
    if x not in ("step", "epoch"):
        raise LinregionsError(f"x={x!r}: give step or epoch")
    names = table.measures
    measure = measure if measure is not None else (names[0] if names else "")
    chosen = table.select(measure)
    if not len(chosen):
        raise LinregionsError(
            f"no rows of measure {measure!r} to draw; there are {', '.join(names) or 'none'}"
        )
    if x == "epoch" and np.isnan(chosen["epoch"]).any():
        raise LinregionsError("x='epoch': the tracker was called without epoch=; give x='step'")
    times, which = np.unique(chosen[x], return_inverse=True)
    number = np.bincount(which)
    value = scale * np.bincount(which, chosen["value"]) / number
    spread = abs(scale) * np.bincount(which, chosen["spread"]) / number
    need("matplotlib", "drawing")
    ax = new_axes(ax, (5.2, 3.6))
    (curve,) = ax.plot(times, value, label=label or measure, **{"marker": ".", **style})
    if band:
        ax.fill_between(times, value - spread, value + spread, color=curve.get_color(), alpha=0.15,
                        linewidth=0)  # fmt: skip
    positive = times[times > 0]
    if log and len(positive):
        ax.set_xscale("symlog", linthresh=float(positive[0]))
        ax.set_xlim(left=0)
    ax.set_xlabel(x)
    ax.set_ylabel(measure)
    return ax


def compared(changes: Any, axes: Any = None) -> Any:
    """Two partitions of a plane: kept regions grey, gone ones red before, born ones blue after."""
    if changes.before.dimension != 2:
        raise LinregionsError(
            f"a picture of changes needs a plane; this slice has {changes.before.dimension} "
            "dimensions"
        )
    if axes is None:
        pyplot = need("matplotlib.pyplot", "drawing")
        _, axes = pyplot.subplots(1, 2, figsize=(8, 4.2), layout="constrained")
    sides = [
        (changes.before, changes.gone_cells, "#c8553d", "gone", changes.gone),
        (changes.after, changes.born_cells, "#3a6ea5", "born", changes.born),
    ]
    collections = need("matplotlib.collections", "drawing")
    for ax, (cells, new, colour, word, number) in zip(np.ravel(axes), sides, strict=True):
        ptr, idx = cells.polygons()
        polygons = [cells.points[idx[a:b]] for a, b in pairwise(ptr)]
        face = np.full(len(polygons), "#e4e4e4", dtype=object)
        face[new] = colour
        ax.add_collection(
            collections.PolyCollection(polygons, facecolors=list(face), edgecolors="white",
                                       linewidths=0.3)
        )  # fmt: skip
        ax.autoscale_view()
        ax.set_aspect("equal")
        ax.set_title(f"{word}: {number:,} of {cells.cells:,}", fontsize=10)
    return axes
