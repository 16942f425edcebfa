"""The two halves of Figure 1 of Wang 2022: the network, and its regions."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

import linregions as lr


def diagram(ax: Any, net: list[Any]) -> None:
    """The network: weights at the edges, biases above the units."""
    places = [[(0, 0.7), (0, -0.7)], [(1.2, 0.7), (1.2, -0.7)], [(2.4, 0)]]
    for k, (weight, bias) in enumerate(net[:2]):
        for (i, end), (j, begin) in product(enumerate(places[k + 1]), enumerate(places[k])):
            ax.plot(*zip(begin, end, strict=True), color="#777777", linewidth=1, zorder=1)
            at = np.array(begin) + (0.28 if k == 0 else 0.5) * (np.array(end) - begin)
            ax.text(*at, f"{weight[i][j]}", ha="center", va="center", fontsize=9,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
        for (x, y), value in zip(places[k + 1], bias, strict=True):
            ax.text(x, y + 0.2, f"{value:+d}", ha="center", fontsize=9, color="#a02020")
    for layer, colour in zip(places, ("#dddddd", "#9cc3e6", "#3070c0"), strict=True):
        ax.scatter(*zip(*layer, strict=True), s=260, color=colour, edgecolors="#333333", zorder=3)
    for (x, y), name in zip(places[0], ("$x_1$", "$x_2$"), strict=True):
        ax.text(x, y, name, ha="center", va="center", fontsize=9, zorder=4)
    ax.set(xlim=(-0.4, 2.8), ylim=(-1.3, 1.3), aspect="equal")
    ax.set_axis_off()


def regions(ax: Any, cells: lr.CellComplex) -> None:
    """The cells, numbered; those that make up one linear region come last."""
    lr.draw.draw(cells, ax=ax)
    merged = np.bincount(cells.linear)[cells.linear] > 1
    order = np.lexsort((-cells.interior_points[:, 1], merged))
    for number, i in enumerate(order, start=1):
        ax.text(*cells.interior_points[i], str(number), ha="center", va="center", fontsize=12)
