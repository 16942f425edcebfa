"""Seven activation regions, five linear regions.

Figure 1 of Wang, "Estimation and Comparison of Linear Regions for ReLU Networks" (IJCAI 2022):
two inputs, two units, then one unit with a ReLU; where that unit is off, three activation
regions share the value 0 and are one linear region. The weights of the paper's drawing are lost
(its text does not give them), so small integers with the same counts are searched for here.

    python examples/wang_figure1.py -o pictures
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from gallery import options, save

import linregions as lr
from linregions import draw

BOX = lr.Box(-3, 3)


def search() -> list[Any]:
    """The first network with the counts of the figure, over the whole plane and in the box."""
    signs = (1, -1, 2, -2)
    for a, b, c, d, p, q, u, v, w in product(signs, signs, signs, signs, (1, -1), (1, -1),
                                             (-1, 1), (-1, 1), (1, 2)):  # fmt: skip
        if a * d == b * c or a * b > 0 < c * d:
            continue
        net = [([[a, b], [c, d]], [p, q]), ([[u, v]], [w]), ([[1]], [0])]
        both = all(
            lr.count(net, domain) == 7 and lr.count(net, domain, kind="linear") == 5
            for domain in (None, BOX)
        )
        if both:
            return net
    raise RuntimeError("no such network among those tried")


def diagram(ax: Any, net: list[Any]) -> None:
    """The network: weights at the edges, biases above the units."""
    places = [[(0, 0.7), (0, -0.7)], [(1.2, 0.7), (1.2, -0.7)], [(2.4, 0)]]
    for k, (weight, bias) in enumerate(net[:2]):
        for (i, end), (j, begin) in product(enumerate(places[k + 1]), enumerate(places[k])):
            part = 0.28 if k == 0 else 0.5
            ax.plot(*zip(begin, end, strict=True), color="#777777", linewidth=1, zorder=1)
            at = np.array(begin) + part * (np.array(end) - begin)
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


def main() -> None:
    """Search, count, draw the network and its regions."""
    import matplotlib.pyplot as plt

    chosen = options(__doc__ or "")
    net = search()
    cells = lr.subdivide(net, BOX)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained",
                                         width_ratios=(1, 1.25))  # fmt: skip
    diagram(left, net)
    draw.draw(cells, ax=right)
    merged = np.bincount(cells.linear)[cells.linear] > 1
    order = np.lexsort((-cells.interior_points[:, 1], merged))  # those of value 0 come last
    for number, i in enumerate(order, start=1):
        right.text(*cells.interior_points[i], str(number), ha="center", va="center", fontsize=12)
    print(f"weights {net}")
    print(f"{cells.count()} activation regions, {cells.count('linear')} linear regions")
    save(figure, chosen.output / "wang_figure1.png")


if __name__ == "__main__":
    main()
