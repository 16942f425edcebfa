"""How many regions there are close to training images, test images and noise, through training.

A network with three hidden layers of 16 units learns 4,000 digits (He weights, biases of
variance 1e-6, Adam 1e-3, batches of 128). After every epoch regions are counted exactly on a
segment of length 2 r in a random direction around each point: training images, test images, and
normal points with the mean and variance of the pixels. The last lines say how many of the training
images have an activation pattern of their own, and around how many the ball of radius r is
certainly a single region.

    python examples/local_complexity.py -o docs/gallery
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from gallery import accuracy, digits, he_network, held_out, options, save, training

import linregions as lr

RADII = np.geomspace(0.03, 30, 10)
COLOURS = {"training images": "C0", "test images": "C1", "normal points": "C2"}


def main() -> None:
    """Train, count, print, draw."""
    chosen = options(__doc__ or "", width=16, images=4000, points=1000, epochs=20)
    images, labels, name = digits(small=chosen.quick)
    (x, y), (test, test_labels) = held_out(images, labels)
    x, y = x[: chosen.images], y[: chosen.images]
    number, epochs = (60, 2) if chosen.quick else (chosen.points, chosen.epochs)
    radius = 1.0
    points = {
        "training images": x[:number],
        "test images": test[:number],
        "normal points": lr.training.normal_points(x, number, chosen.seed),
    }
    start = he_network([x.shape[1], *[chosen.width] * 3, 10], chosen.seed)
    nets = list(training(start, x, y, epochs, chosen.seed))
    print(f"{name}: {len(x):,} training images, radius {radius:g}, {number} points of each kind")
    curves: dict[str, list[lr.LocalComplexity]] = {kind: [] for kind in points}
    for epoch, net in enumerate(nets):
        for kind, some in points.items():
            curves[kind].append(around(net, some, radius))
        found = ", ".join(f"{kind} {c[-1].mean:.2f}" for kind, c in curves.items())
        right = accuracy(net, x, y), accuracy(net, test, test_labels)
        print(f"epoch {epoch:2}: {right[0]:.1%}, test {right[1]:.1%}; {found}", flush=True)
    ends = {"before": nets[0], "after": nets[-1]}
    for when, net in ends.items():
        own = len(lr.distinct_patterns(net, x))
        ball = lr.local_complexity(net, points["training images"], radius=0.01, shape="ball")
        print(
            f"{when}: {own:,} patterns of {len(x):,} training images; "
            f"{ball.single.mean():.0%} of balls of radius 0.01 are one region"
        )
    by_radius = {
        (when, kind): [density(net, some, float(r)) for r in RADII]
        for when, net in ends.items()
        for kind, some in points.items()
    }
    draw(curves, by_radius, radius, chosen.output / "local_complexity.png")


def around(net: Any, points: np.ndarray, radius: float) -> lr.LocalComplexity:
    """Regions on one segment around each point."""
    return lr.local_complexity(net, points, radius=radius)


def density(net: Any, points: np.ndarray, radius: float) -> float:
    """Boundaries crossed for each unit of length, on four segments around each point."""
    found = lr.local_complexity(net, points, radius=radius, repeats=4)
    return (found.mean - 1) / (2 * radius)


def draw(curves: dict, by_radius: dict, radius: float, path: Path) -> None:
    """The mean through training, its distribution at both ends, and the mean by radius."""
    import matplotlib.pyplot as plt

    figure, (time, spread, size) = plt.subplots(1, 3, figsize=(12, 3.9), layout="constrained")
    for kind, found in curves.items():
        mean = np.array([c.mean for c in found])
        error = 1.96 * np.array([c.standard_error for c in found])
        epochs, colour = np.arange(len(found)), COLOURS[kind]
        time.plot(epochs, mean, colour, label=kind)
        time.fill_between(epochs, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
    time.set(xlabel="epoch", title=f"mean regions on a segment of length {2 * radius:g}")
    time.legend(fontsize=8, frameon=False)
    distribution(spread, curves)
    for (when, kind), mean in by_radius.items():
        style = {"before": "--", "after": "-"}[when]
        size.plot(RADII, mean, style, color=COLOURS[kind])
    size.set(
        xscale="log", xlabel="radius r", title="boundaries per unit of length (dashed: before)"
    )
    size.set_ylim(bottom=0)
    for ax in (time, spread, size):
        ax.title.set_fontsize(9.5)
        ax.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def distribution(ax: Any, curves: dict) -> None:
    """Shares of the points by number of regions, before and after training."""
    most = max(int(c[i].regions.max()) for c in curves.values() for i in (0, -1))
    for kind, found in curves.items():
        for i, style in ((0, "--"), (-1, "-")):
            share = (
                np.bincount(found[i].regions.ravel(), minlength=most + 1) / found[i].regions.size
            )
            ax.plot(range(1, most + 1), share[1:], style, color=COLOURS[kind])
    ax.set(
        xlabel="regions on the segment",
        title="share of the points (dashed: before)",
        ylim=0,
    )


if __name__ == "__main__":
    main()
