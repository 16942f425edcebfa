"""Hanin and Rolnick, Complexity of Linear Regions in Deep Networks (ICML 2019): the pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

import linregions as lr

from ..network.affine import Affine
from ..theory import arrangements
from ._data import Labelled, digits, three_examples
from ._item import Compared, ItemRun, Result, canvas, item
from ._networks import Layers, he
from ._train import Training, epoch

PAPER = "hanin2019"


def trained(run: ItemRun, data: Labelled, widths: Sequence[int], epochs: int) -> Iterator[Layers]:
    """The network at the start and after every epoch: Adam, rate 1e-3, batches of 128."""
    sizes = [data.images.shape[1], *widths, 10]
    training = Training([he(sizes, run.rng(*widths))])
    yield training.layers()
    for k in range(epochs):
        for _ in epoch(training, data.images, data.labels, run.rng(*widths, k, 1)):
            pass
        yield training.layers()


def accuracy(net: Layers, data: Labelled) -> float:
    """On the test images."""
    return float(np.mean(lr.load(net)(data.test).argmax(axis=1) == data.test_labels))


@item(
    PAPER, "figure1", "linear regions in a plane through the input space",
    full={"width": 64, "epochs": 2, "digits": False},
    quick={"width": 16, "epochs": 10, "digits": True},
)  # fmt: skip
def figure1(run: ItemRun) -> Result:
    """Three hidden layers; the plane through a 0, a 1 and a 2."""
    data = digits(small=run["digits"])
    *_, net = trained(run, data, [run["width"]] * 3, run["epochs"])
    cells = lr.subdivide(net, lr.Plane.through(*three_examples(data)))
    row = run.unit(
        lambda: {"activation": cells.count(), "linear": cells.count("linear"),
                 "accuracy": accuracy(net, data)}, part="plane",
    )  # fmt: skip
    searched = run.unit(
        lambda: {"activation": int(lr.count(net, lr.Plane.through(*three_examples(data)),
                                            engine="search"))}, part="search engine",
    )  # fmt: skip
    compared = [
        Compared("regions in the plane", "(a picture)", row["activation"],
                 f"the paper says neither which plane nor how long it trained; {data.name} here"),
        Compared("the same by the other engine", "", searched["activation"]),
        Compared("linear regions", "", row["linear"]),
        Compared("test accuracy", "95 to 98 % (at the end)", f"{row['accuracy']:.1%}"),
    ]  # fmt: skip
    figure, axes = canvas(1, 1, (5.5, 5.5))
    lr.draw.draw(cells, ax=axes[0, 0], edges="none")
    return Result({"": [row, searched]}, compared, figure)


@item(
    PAPER, "figure2", "regions after each layer of a network of two inputs",
    full={"width": 8, "layers": 3, "bias": 0.3}, quick={},
)  # fmt: skip
def figure2(run: ItemRun) -> Result:
    """Lines, bent lines, regions; biases of deviation 0.3 spread the lines over the square."""
    net = lr.load(he([2, *[run["width"]] * run["layers"], 1], run.rng(2), run["bias"]))
    cells = lr.subdivide(net, lr.Box(-1, 1))
    rows = [
        run.unit(lambda k=k: {"regions": int(lr.count(_upto(net, k), lr.Box(-1, 1)))}, layers=k)
        for k in range(1, run["layers"] + 1)
    ]
    most = arrangements.generic(run["width"], 2)
    compared = [
        Compared(f"regions after layer {r['layers']}", "(a picture)", r["regions"],
                 f"lines of {run['width']} units make {most} regions at most"
                 if r["layers"] == 1 else "")
        for r in rows
    ]  # fmt: skip
    compared.append(Compared("cells of the whole complex", "", cells.count()))
    return Result({"": rows}, compared, lr.draw.layers(cells))


def _upto(net: lr.Network, layers: int) -> lr.Network:
    """The first hidden layers, all of their units as outputs."""
    size = net.layers[layers - 1].size
    output = Affine.dense(np.eye(size), np.zeros(size), layers)
    return lr.Network(net.inputs, net.layers[:layers], output)


@item(
    PAPER, "figure3", "a sawtooth, and the same with noise in its weights",
    full={"depth": 5, "noise": 0.1, "noisy": 1000}, quick={"noisy": 50},
)  # fmt: skip
def figure3(run: ItemRun) -> Result:
    """2^n pieces on [0, 1] from 2n units; noise of deviation 0.1 leaves few of them."""
    n, unit = run["depth"], lr.Box(0, 1)
    net = lr.constructions.sawtooth(n)
    pairs = _pairs(net)

    def noisy(i: int) -> Layers:
        rng = run.rng(3, i)
        return [(W + rng.normal(0, run["noise"], W.shape), b + rng.normal(0, run["noise"], b.shape))
                for W, b in pairs]  # fmt: skip

    clean = run.unit(
        lambda: {"regions": int(lr.count(net, unit, kind="linear")),
                 "line": int(lr.count(net, kind="linear"))}, part="sawtooth",
    )  # fmt: skip
    rough = run.unit(
        lambda: {"counts": [int(lr.count(noisy(i), unit, kind="linear"))
                            for i in range(run["noisy"])]}, part="noisy",
    )  # fmt: skip
    found = np.array(rough["counts"])
    compared = [
        Compared(f"linear pieces on [0, 1], n = {n}", f"2^n = {2**n} teeth", clean["regions"],
                 f"a tooth has two pieces; here 2n = {2 * n} units make 2^n pieces"),
        Compared("linear regions on all of R", "", clean["line"]),
        Compared(f"with noise {run['noise']}: mean and most of {len(found)}", "greatly simplified",
                 [round(float(found.mean()), 2), int(found.max())]),
    ]  # fmt: skip
    figure, axes = canvas(1, 2, (9, 3.2))
    x = np.linspace(0, 1, 2000)[:, None]
    for ax, some, title in zip(axes[0], (pairs, noisy(0)), ("sawtooth", "with noise"), strict=True):
        ax.plot(x, lr.load(some)(x))
        ax.set_title(title, fontsize=10)
    return Result({"": [clean], "noisy": [{"regions": int(v)} for v in found]}, compared, figure)


def _pairs(net: lr.Network) -> Layers:
    """The (W, b) of a plain feed-forward network."""
    maps = [*(layer.affine for layer in net.layers), net.output]
    out, size = [], net.inputs
    for i, affine in enumerate(maps):
        out.append((affine.rounded(i, size)[0], affine.rounded(-1, 1)[0].ravel()))
        size = affine.size
    return out


@item(
    PAPER, "figure4", "the graph of a network of one input at initialisation",
    full={"width": 20, "reach": 0.006}, quick={},
)  # fmt: skip
def figure4(run: ItemRun) -> Result:
    """He normal weights, biases of variance 1e-6."""
    net = he([1, *[run["width"]] * 3, 1], run.rng(4))
    near = lr.Box(-run["reach"], run["reach"])
    row = run.unit(
        lambda: {"near": int(lr.count(net, near)), "line": int(lr.count(net)),
                 "sweep": int(lr.crossings(net, lr.Line([0.0], [1.0])).regions[0])}, part="count",
    )  # fmt: skip
    units = 3 * run["width"]
    compared = [
        Compared(f"regions on all of R, {units} units", "about one a unit", row["line"]),
        Compared("the same by sweeping the line", "", row["sweep"]),
        Compared(f"of them within {run['reach']} of zero", "(a picture)", row["near"],
                 "biases have deviation 0.001, so that is where units switch"),
    ]  # fmt: skip
    figure, axes = canvas(1, 1, (6, 4))
    lr.draw.graph(lr.subdivide(net, near), ax=axes[0, 0])
    return Result({"": [row]}, compared, figure)


@item(
    PAPER, "figure8", "regions in a plane through training, depth 3 and width 64",
    full={"width": 64, "epochs": [0, 1, 2, 5, 10, 20], "digits": False},
    quick={"width": 24, "epochs": [0, 4, 12], "digits": True},
)  # fmt: skip
def figure8(run: ItemRun) -> Result:
    """The square around the circumcentre of a 0, a 1 and a 2."""
    data, width = digits(small=run["digits"]), run["width"]
    three = three_examples(data)
    plane, kept, rows = lr.Plane.through(*three), [], []
    for k, net in enumerate(trained(run, data, [width] * 3, max(run["epochs"]))):
        if k in run["epochs"]:
            cells = lr.subdivide(net, plane)
            kept.append(cells)
            rows.append(run.unit(
                lambda cells=cells, net=net: {
                    "activation": cells.count(), "linear": cells.count("linear"),
                    "accuracy": accuracy(net, data)}, epoch=k,
            ))  # fmt: skip
    square = (3 * width) ** 2
    counts = [r["activation"] for r in rows]
    half = arrangements.generic(3 * width, 2)
    start = next(trained(run, data, [width] * 3, 0))
    far = run.unit(
        lambda: {"activation": int(lr.count(start, lr.Plane.through(*three, size=100)))}, size=100
    )
    compared = [
        Compared("regions in the square (half-width 1.2 circumradii)",
                 f"in the order of (3 x {width})^2 = {square:,}", counts,
                 f"{min(counts) / square:.2f} to {max(counts) / square:.2f} of it: our square cuts "
                 "the plane off (next line)"),
        Compared("at the start, in a square of 100 circumradii", "", far["activation"],
                 f"as many lines in general position make {half:,}, half of the square of units"),
        Compared("epochs", "(pictures)", run["epochs"]),
        Compared("test accuracy", "95 to 98 %", [f"{r['accuracy']:.1%}" for r in rows]),
        Compared("fewer at first, then more again", "yes",
                 "yes" if min(counts) < min(counts[0], counts[-1]) else "not in this run"),
    ]  # fmt: skip
    columns = min(3, len(kept))
    lines = -(-len(kept) // columns)
    figure, axes = canvas(lines, columns, (2.6 * columns, 2.8 * lines))
    for ax, cells, r in zip(axes.flat, kept, rows, strict=False):
        lr.draw.draw(cells, ax=ax, edges="none", points=three, labels=[0, 1, 2], legend=False)
        ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
        ax.set_title(f"epoch {r['epoch']}: {r['activation']:,} regions", fontsize=9)
    return Result({"": rows}, compared, figure)
