"""Regions through training on MNIST: along lines, and the distance to the nearest boundary.

After sections 3.1 and 3.2 of Hanin and Rolnick (ICML 2019), whose figures 5 and 6 have lost their
legends, so these are our settings: hidden widths 16^3, 32^3, 64^3, [16, 32, 64] and [64, 32, 16],
weights of variance 2 / fan-in, biases of variance 1e-6, Adam with rate 1e-3, batches of 128,
cross-entropy, pixels in [0, 1]. Regions are counted along whole lines through the origin and an
image, and distances taken at normal points with MNIST's mean and variance in every pixel, at
training images and at test images. Writes a figure and the table of everything measured.

    python examples/hanin_rolnick_training.py -o pictures --epochs 20 --runs 5 --points 10000

has the length of the paper's own runs; the defaults take minutes on one core.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from gallery import digits, he_network, options, save, test_digits

import linregions as lr

WIDTHS = [[16] * 3, [32] * 3, [64] * 3, [16, 32, 64], [64, 32, 16]]
BATCH, RATE = 128, 1e-3


def main() -> None:
    """Train and track every network, save the table, draw, print a summary."""
    chosen = options(__doc__ or "", epochs=4, runs=1, lines=100, points=500)
    images, labels, name = digits()
    test, test_labels = test_digits()
    if name != "MNIST":  # one set of digits: hold the test images out
        images, labels = images[: -len(test)], labels[: -len(test)]
    if chosen.quick:
        images, labels, test, test_labels = (a[:2000] for a in (images, labels, test, test_labels))
    epochs, runs = (2, 1) if chosen.quick else (chosen.epochs, chosen.runs)
    some = (20, 100) if chosen.quick else (chosen.lines, chosen.points)
    normal = lr.training.normal_points(images, some[1], chosen.seed)
    tables, tracked = {}, {}
    for widths in WIDTHS[:1] + WIDTHS[3:] if chosen.quick else WIDTHS:
        table, start, cost = lr.training.Table(), time.perf_counter(), 0.0
        for seed in range(chosen.seed, chosen.seed + runs):
            measures = [
                lr.training.Lines(images, number=some[0], name="lines train"),
                lr.training.Lines(test, number=some[0], name="lines test"),
                lr.training.Distance(normal, number=some[1], name="distance normal"),
                lr.training.Distance(images, number=some[1], name="distance train"),
                lr.training.Distance(test, number=some[1], name="distance test"),
                ("accuracy", lambda net: np.mean(net(test).argmax(axis=1) == test_labels)),
            ]
            total = epochs * -(-len(images) // BATCH)
            tracker = lr.training.Tracker(measures, every="log", total=total, seed=seed)
            train(widths, images, labels, epochs, seed, tracker)
            table, cost = table + tracker.table, cost + tracker.cost["seconds"]
        took = time.perf_counter() - start
        label = title(widths)
        tables[label], tracked[label] = table, sum(widths)
        table.save(chosen.output / f"hanin_rolnick_training_{label.replace(', ', '-')}.csv")
        print(f"{label}: {took:.1f} s, of which {cost / took:.0%} tracking", flush=True)
    print(f"{name}: {len(images):,} images, {epochs} epochs, {runs} runs")
    report(tables, tracked)
    draw(tables, tracked, chosen.output / "hanin_rolnick_training.png")


def title(widths: list[int]) -> str:
    """``16^3``, or ``16, 32, 64``."""
    one = len(set(widths)) == 1
    return f"{widths[0]}^{len(widths)}" if one else ", ".join(map(str, widths))


def train(
    widths: list[int], images: np.ndarray, labels: np.ndarray, epochs: int, seed: int, tracker: Any
) -> None:
    """An ordinary loop; the tracker is called before it and after every batch."""
    import torch

    torch.set_num_threads(1)  # layers are small: more threads only get in the way
    model = module(he_network([images.shape[1], *widths, 10], seed))
    optimiser = torch.optim.Adam(model.parameters(), RATE)
    loss = torch.nn.CrossEntropyLoss()
    x, y = torch.from_numpy(images.astype(np.float32)), torch.from_numpy(labels.astype(np.int64))
    order = torch.Generator().manual_seed(seed)
    step, batches = 0, -(-len(x) // BATCH)
    tracker(model, step=0, epoch=0)
    for _ in range(epochs):
        for part in torch.randperm(len(x), generator=order).split(BATCH):
            optimiser.zero_grad()
            loss(model(x[part]), y[part]).backward()
            optimiser.step()
            step += 1
            tracker(model, step=step, epoch=step / batches)


def module(layers: list[Any]) -> Any:
    """A torch module with these weights and ReLU between them."""
    import torch

    parts: list[Any] = []
    for weight, bias in layers:
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            linear.weight[:], linear.bias[:] = torch.from_numpy(weight), torch.from_numpy(bias)
        parts += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*parts[:-1])


def series(table: Any, measure: str, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Steps, and the mean over runs of a measure, scaled."""
    rows = table.select(measure)
    steps = np.unique(rows["step"])
    return steps, np.array([scale * rows["value"][rows["step"] == s].mean() for s in steps])


def report(tables: dict[str, Any], neurons: dict[str, int]) -> None:
    """A line of a Markdown table for each network and measure: start, extreme, end."""
    print("| widths | measure | start | least (step) | greatest (step) | end |")
    print("| --- | --- | --- | --- | --- | --- |")
    for label, table in tables.items():
        for measure in table.measures:
            n = neurons[label]
            scale = 1 / n if "lines" in measure else n if "distance" in measure else 1.0
            steps, v = series(table, measure, scale)
            low, high = int(v.argmin()), int(v.argmax())
            print(
                f"| {label} | {measure} | {v[0]:.3f} | {v[low]:.3f} ({steps[low]}) | "
                f"{v[high]:.3f} ({steps[high]}) | {v[-1]:.3f} |"
            )


def draw(tables: dict[str, Any], neurons: dict[str, int], path: Path) -> None:
    """Regions per neuron, distance times neurons, and distance against accuracy."""
    import matplotlib.pyplot as plt

    panels = [
        ("lines train", "regions / neurons, lines through training images"),
        ("lines test", "regions / neurons, lines through test images"),
        ("accuracy", ""),
        ("distance normal", "distance x neurons, normal points"),
        ("distance train", "distance x neurons, training images"),
        ("distance test", "distance x neurons, test images"),
    ]
    figure, axes = plt.subplots(2, 3, figsize=(11.5, 6.4), layout="constrained")
    for ax, (measure, words) in zip(axes.flat, panels, strict=True):
        for label, table in tables.items():
            n = neurons[label]
            if measure == "accuracy":
                against(ax, table, label, n)
                continue
            scale = 1 / n if "lines" in measure else float(n)
            table.plot(measure, ax=ax, scale=scale, label=label, linewidth=1.2)
            ax.set_title(words, fontsize=9)
            ax.set_ylabel("")
    axes[0, 0].legend(fontsize=8, title="hidden widths", title_fontsize=8)
    save(figure, path)


def against(ax: Any, table: Any, label: str, n: int) -> None:
    """Distance at normal points against test accuracy, as their Figure 6 (c)."""
    accuracy, distance = (series(table, m, 1.0)[1] for m in ("accuracy", "distance normal"))
    (line,) = ax.plot(accuracy, n * distance, marker=".", linewidth=1.2, label=label)
    ax.plot(accuracy[-1], n * distance[-1], marker="o", color=line.get_color())  # the end
    ax.set_title("distance x neurons against accuracy (dot: the end)", fontsize=9)
    ax.set_xlabel("test accuracy")


if __name__ == "__main__":
    main()
