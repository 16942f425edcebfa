"""Seven activation regions, five linear regions.

Figure 1 of Wang, "Estimation and Comparison of Linear Regions for ReLU Networks" (IJCAI 2022):
two inputs, two units, then one unit with a ReLU; where that unit is off, three activation
regions share the value 0 and are one linear region. The weights of the paper's drawing are lost
(its text does not give them), so small integers with the same counts are searched for here.

    python examples/wang_figure1.py -o pictures
"""

from __future__ import annotations

from gallery import options, save

import linregions as lr
from linregions.papers.wang2022 import BOX, seven_and_five
from linregions.papers.wang2022_drawing import diagram, regions


def main() -> None:
    """Search, count, draw the network and its regions."""
    import matplotlib.pyplot as plt

    chosen = options(__doc__ or "")
    net = seven_and_five()["network"]
    cells = lr.subdivide(net, BOX)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained",
                                         width_ratios=(1, 1.25))  # fmt: skip
    diagram(left, net)
    regions(right, cells)
    print(f"weights {net}")
    print(f"{cells.count()} activation regions, {cells.count('linear')} linear regions")
    save(figure, chosen.output / "wang_figure1.png")


if __name__ == "__main__":
    main()
