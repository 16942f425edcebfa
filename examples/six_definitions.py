"""Draw the network on which all six definitions of a region differ.

f = relu(m1) - relu(m1 - 1) + relu(m2) - relu(m2 - 1),  m1 = min(x, y),  m2 = min(2x + y, -x - y).

Every panel colours the plane by the regions of one definition. Activation cells, and from
them the linear regions and the affine maps, come from the library; the patterns of lower
dimension, the convex split and the closed join are drawn on top of them. Needs matplotlib
(pip install "linregions[draw]").

    python examples/six_definitions.py -o docs/pictures/six_definitions.png
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import linregions as lr

HALF_WIDTH = 6.0
TITLES = {
    "pattern": "patterns, also on lines and points",
    "activation": "activation: cells of one pattern",
    "convex": "convex: least convex pieces",
    "linear": "linear: open connected sets",
    "closed": "closed: closed connected sets",
    "affine": "affine: distinct maps",
}


def cells() -> list[dict[str, Any]]:
    """Activation cells over R^2: pattern, polygon in the window, affine map."""
    net = lr.constructions.six_definitions("D")
    found = []
    for region in lr.regions(net):
        A, b, _ = region.half_spaces
        affine = region.affine_map
        key = tuple(np.round([*affine.W[0], affine.b[0]], 9) + 0.0)
        found.append({"pattern": tuple(region.pattern), "map": key, "polygon": _polygon(A, b)})
    return found


def _polygon(A: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The window cut by half-planes ``A x <= b`` (Sutherland and Hodgman)."""
    w = HALF_WIDTH
    points = [np.array(p) for p in ((-w, -w), (w, -w), (w, w), (-w, w))]
    for a, c in zip(A, b, strict=True):
        kept = []
        for p, q in zip(points, points[1:] + points[:1], strict=True):
            u, v = c - a @ p, c - a @ q
            if u >= 0:
                kept.append(p)
            if u * v < 0:
                kept.append(p + (q - p) * u / (u - v))
        points = kept
    return np.array(points)


def _share_an_edge(p: np.ndarray, q: np.ndarray) -> bool:
    """Whether two convex polygons meet in more than a point."""
    near = [v for v in p if _distance(v, q) < 1e-7] + [v for v in q if _distance(v, p) < 1e-7]
    return max((np.linalg.norm(a - b) for a in near for b in near), default=0.0) > 1e-6


def _distance(v: np.ndarray, polygon: np.ndarray) -> float:
    best = np.inf
    for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        t = np.clip((v - a) @ (b - a) / max((b - a) @ (b - a), 1e-18), 0, 1)
        best = min(best, float(np.linalg.norm(v - a - t * (b - a))))
    return best


def labels(found: list[dict[str, Any]]) -> dict[str, list[int]]:
    """The region of each cell under every definition that puts cells together."""
    n, maps = len(found), sorted({c["map"] for c in found})
    linear = list(range(n))
    for i in range(n):
        for j in range(i):
            same = found[i]["map"] == found[j]["map"]
            if same and _share_an_edge(found[i]["polygon"], found[j]["polygon"]):
                old, new = linear[i], linear[j]
                linear = [new if v == old else v for v in linear]
    # The two wedges where f = 0 meet in the origin: one closed region.
    zero = {linear[i] for i in range(n) if not any(found[i]["map"])}
    closed = [min(zero) if v in zero else v for v in linear]
    # One of the wedges has an angle of more than 180 degrees; a line through the origin that
    # prolongs one of its sides cuts it into two convex pieces.
    convex = _split(found, linear, zero)
    return {
        "pattern": list(range(n)),
        "activation": list(range(n)),
        "convex": convex,
        "linear": linear,
        "closed": closed,
        "affine": [maps.index(c["map"]) for c in found],
    }


def _split(found: list[dict[str, Any]], linear: list[int], zero: set[int]) -> list[int]:
    """`linear` with the zero wedge that is not convex cut in two."""
    out = list(linear)
    for label in zero:
        mine = [i for i, v in enumerate(linear) if v == label]
        angles = sorted(_angle(found[i]["polygon"]) for i in mine)
        if _opening(found, mine) > np.pi + 1e-9:
            middle = angles[len(angles) // 2]
            for i in mine:
                if _angle(found[i]["polygon"]) >= middle:
                    out[i] = len(found) + label
    return out


def _angle(polygon: np.ndarray) -> float:
    centre = polygon.mean(axis=0)
    return float(np.arctan2(centre[1], centre[0]) % (2 * np.pi))


def _opening(found: list[dict[str, Any]], mine: list[int]) -> float:
    """The angle at the origin that cells take up together."""
    total = 0.0
    for i in mine:
        rays = [p / np.linalg.norm(p) for p in found[i]["polygon"] if np.linalg.norm(p) > 1e-9]
        total += max(float(np.arccos(np.clip(a @ b, -1, 1))) for a in rays for b in rays)
    return total


def draw(path: Path) -> dict[str, int]:
    """Write the picture; the number of regions drawn, by definition."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    found, expected = cells(), lr.constructions.six_definitions("D").regions
    groups = labels(found)
    figure, axes = plt.subplots(2, 3, figsize=(9, 6.4), constrained_layout=True)
    colours = plt.get_cmap("tab20").colors  # type: ignore[attr-defined]
    for axis, (kind, title) in zip(axes.ravel(), TITLES.items(), strict=True):
        seen = list(dict.fromkeys(groups[kind]))
        for cell, label in zip(found, groups[kind], strict=True):
            colour = colours[seen.index(label) % 20]
            edge = "white" if kind in ("pattern", "activation") else colour
            axis.fill(*cell["polygon"].T, facecolor=colour, edgecolor=edge, linewidth=0.8)
        if kind == "pattern":
            _lower_dimensional(axis)
        axis.set(xlim=(-HALF_WIDTH, HALF_WIDTH), ylim=(-HALF_WIDTH, HALF_WIDTH))
        axis.set(aspect="equal", xticks=[], yticks=[])
        axis.set_title(f"{expected[kind]}  {title}", fontsize=9)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return {kind: len(set(g)) for kind, g in groups.items()}


def lower_dimensional() -> dict[tuple[int, ...], list[tuple[float, float]]]:
    """Patterns that only points on lines have, each with the points where it was met.

    A unit at zero counts as off. All boundaries of the first layer pass through the origin;
    the points tried are the origin and some on each of their rays.
    """
    net = lr.constructions.six_definitions("D")
    seen = {tuple(r.pattern) for r in lr.regions(net)}
    rays = [(0, 1), (1, 1), (1, -2), (2, -3)]  # directions of the kernels of its rows
    points = [(0.0, 0.0)]
    points += [(s * t * x, s * t * y) for x, y in rays for s in (1, -1) for t in (0.1, 0.6, 2, 9)]
    out: dict[tuple[int, ...], list[tuple[float, float]]] = {}
    for point in points:
        pattern = tuple(net.exactly(point)[1])
        if pattern not in seen:
            out.setdefault(pattern, []).append(point)
    return out


def _lower_dimensional(axis: Any) -> None:
    for points in lower_dimensional().values():
        x, y = np.array(points).T
        axis.plot(x, y, color="black", linewidth=1.6, marker="o" if len(points) == 1 else "")


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw, and print what is drawn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("six_definitions.png"))
    options = parser.parse_args(arguments)
    drawn = draw(options.output)
    drawn["pattern"] += len(lower_dimensional())
    print(", ".join(f"{kind} {n}" for kind, n in drawn.items()))


if __name__ == "__main__":
    main()
