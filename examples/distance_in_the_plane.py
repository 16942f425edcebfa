"""Distances to the nearest boundary, of activation and of linear regions, beside the exact complex.

python examples/distance_in_the_plane.py
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

import linregions as lr


def nearest_edge(cells: lr.CellComplex, x: np.ndarray, label: np.ndarray) -> float:
    """Distance of a point from the nearest edge between two cells of different labels."""
    a, b = cells.facet_cells.T
    inner = (b >= 0) & (label[a] != label[b])
    p, q = cells.points[cells.edges[inner]].transpose(1, 0, 2)
    along = q - p
    t = np.clip(((x - p) * along).sum(1) / (along**2).sum(1), 0, 1)
    return float(np.linalg.norm(p + t[:, None] * along - x, axis=1).min())


def main() -> None:
    """Twenty points of a small network."""
    rng = np.random.default_rng(1)
    sizes = (2, 5, 4, 3, 1)
    net = lr.Network.from_layers(
        [(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in pairwise(sizes)]
    )
    x, box = rng.uniform(-1, 1, (20, 2)), lr.Box(-3, 3)
    cells = lr.subdivide(net, box)
    print(f"{cells.count()} activation regions, {cells.count('linear')} linear regions")
    for kind, label in (("activation", np.arange(cells.cells)), ("linear", cells.linear)):
        found = lr.distance(net, x, kind=kind, domain=box)
        exact = np.array([nearest_edge(cells, p, label) for p in x])
        worst = abs(found.distance - exact).max()
        print(
            f"{kind}: median distance {np.median(found.distance):.4f}, "
            f"{found.crossed.sum()} boundaries walked through, largest difference {worst:.1e}"
        )


if __name__ == "__main__":
    main()
