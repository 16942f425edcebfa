"""`layers`: how a partition grows, one panel after each layer."""

from __future__ import annotations

from typing import Any

from ..domain.domains import Domain
from .growth import Growth
from .packages import need
from .plane import draw
from .subject import complex_of


def layers(
    subject: Any,
    domain: Domain | None = None,
    *,
    edges: str = "depth",
    points: Any = None,
    columns: int = 4,
) -> Any:
    """Draw the partition after each layer, one panel per layer, with its number of cells.

    The picture of Hanin and Rolnick, "Complexity of Linear Regions in Deep Networks" (ICML
    2019), Figure 2: lines, then lines that bend where they meet earlier ones.

    Parameters
    ----------
    subject, domain
        A `CellComplex` of dimension 2, or a network and a domain.
    edges, points
        As in `draw`.
    columns
        Panels in a row, at most.

    Returns
    -------
    matplotlib.figure.Figure
    """
    cells = complex_of(subject, domain, 2)
    depth = len(cells.problem.network.layers)
    columns = max(1, min(columns, depth))
    rows = -(-max(depth, 1) // columns)
    pyplot = need("matplotlib.pyplot", "drawing")
    figure, axes = pyplot.subplots(
        rows, columns, figsize=(3.2 * columns, 3.5 * rows), squeeze=False, layout="constrained"
    )
    growth = Growth(cells)
    for number, ax in enumerate(axes.flat, start=1):
        if number > max(depth, 1):
            ax.set_axis_off()
            continue
        last = number >= depth
        draw(cells, color="activation", edges=edges, points=points, legend=False, ax=ax,
             layer=None if last else number)  # fmt: skip
        count = cells.cells if last else int(growth.counts[growth.layer_ends[number - 1]])
        ax.set_title(f"layer {number}: {count:,} cells", fontsize=10)
        ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
    return figure
