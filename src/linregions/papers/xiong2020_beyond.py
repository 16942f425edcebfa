"""Beyond Xiong et al. 2020: what its section 7 leaves open, measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import linregions as lr

from ..network.affine import Affine
from ..network.units import ABS, HARDTANH, RELU, leaky_relu
from ..theory import Conv, conv, deepconv
from ._item import Compared, ItemRun, Result, Row, canvas, item, whole
from ._networks import conv_dense, conv_draw
from .xiong2020 import PAPER, counts, two_layers

KINDS = ("plain", "zero padding", "max-pooling", "average pooling", "dense head")
UNITS = {"relu": RELU, "leaky relu": leaky_relu(0.1), "abs": ABS, "hard tanh": HARDTANH}


@item(
    PAPER, "beyond", "pooling, padding, heads, depth, small changes, training, other units",
    full={"networks": 100, "depth": 4, "moved": 60, "steps": 2000, "trained": 8},
    quick={"networks": 5, "depth": 3, "moved": 5, "steps": 300, "trained": 2},
)  # fmt: skip
def beyond(run: ItemRun) -> Result:
    """One table for each open question of section 7."""
    variants = [_variant(run, kind) for kind in KINDS]
    deep = [_depth(run, depth) for depth in range(1, run["depth"] + 1)]
    moved = [_moved(run, size) for size in (1e-4, 1e-3, 1e-2, 0.1, 1.0)]
    trained = [_trained(run, i) for i in range(run["trained"])]
    units = [_units(run, name, filters) for name in UNITS for filters in (2, 4)]
    rate = {r["size"]: r for r in moved}
    plain, ends = variants[0]["mean"], [r["counts"] for r in trained]
    starts, stops = np.mean([e[0] for e in ends]), np.mean([e[-1] for e in ends])
    compared = [
        *(Compared(f"(1) mean regions, {r['kind']}", "open", r["mean"],
                   "" if r["kind"] == "plain" else f"{r['mean'] / plain:.2f} times the plain one")
          for r in variants),
        *(Compared(f"(2) mean of {r['depth']} layers, and over the upper bound", "open",
                   f"{r['mean']:,.1f}, {r['mean'] / r['upper']:.2g}") for r in deep),
        Compared("(4) networks with another count after a relative change of 0.01 %, 1 %, 100 %",
                 "open", [f"{rate[s]['changed']:.0%}" for s in (1e-4, 1e-2, 1.0)]),
        Compared("(4) mean regions before and after training", "open",
                 [round(float(starts), 1), round(float(stops), 1)]),
        *(Compared(f"(5) one layer, {r['filters']} filters of {r['units']}: bound, every network",
                   "open", [r["bound"], r["least"], r["most"]]) for r in units),
    ]  # fmt: skip
    tables = {"variants": variants, "depth": deep, "moved": moved, "units": units}
    curves = [
        {"network": r["network"], "step": step, "regions": n}
        for r in trained for step, n in zip(r["at"], r["counts"], strict=True)
    ]  # fmt: skip
    return Result(tables | {"training": curves}, compared, _figure(deep, moved, trained))


# -- (1) pooling, padding, heads -----------------------------------------------------------------


def _variant(run: ItemRun, kind: str) -> Row:
    """Input 1 x 5 x 1, two filters of 2, then two of 2: in between or after it, the variant."""
    one = Conv((5,), (2,), 2, padding=1 if kind == "zero padding" else 0)

    def nets() -> Iterator[Any]:
        for i in range(run["networks"]):
            rng = run.rng(1, i)
            length = one.output[0]
            if kind.endswith("pooling"):
                length //= 2
            layers = [one, Conv((length,), (2,), 2, 2)]
            filters = conv_draw(layers, rng)
            if not kind.endswith("pooling"):
                dense = conv_dense(layers, filters)
                if kind == "dense head":
                    n = len(dense[-2][1])
                    head = (rng.normal(0, np.sqrt(2 / n), (3, n)), rng.normal(0, np.sqrt(2 / n), 3))
                    dense[-1:] = [head, (np.ones((1, 3)), np.zeros(1))]
                yield dense
            else:
                yield _pooled(one, layers[1], filters, kind == "max-pooling")

    return run.unit(lambda: counts(nets()), part="variant", kind=kind)


def _pooled(one: Conv, two: Conv, filters: np.ndarray, largest: bool) -> lr.Network:
    """A network with pooling by pairs of neighbours after the first layer."""
    first = conv_dense([one], filters[: one.parameters])[0]
    second, output = conv_dense([two], filters[one.parameters :])
    positions, shorter = one.output[0], two.size[0]
    pairs = [
        (f * positions + 2 * p, f * positions + 2 * p + 1)
        for f in range(one.filters) for p in range(shorter)
    ]  # fmt: skip
    order = np.arange(len(pairs)).reshape(one.filters, shorter).T.ravel()
    W = np.empty_like(second[0])
    W[:, order] = second[0]  # a convolution reads by position, then channel
    mean = np.zeros((len(pairs), one.units))
    for row, (a, b) in zip(mean, pairs, strict=True):
        row[[a, b]] = 0.5
    if not largest:
        return lr.Network.from_layers([first, (W @ mean, second[1]), output])
    units = lr.MaxUnits(tuple(pairs), one.units)
    relu = [lr.Pointwise.uniform(RELU, n) for n in (one.units, two.units)]
    layers = (
        lr.Layer(Affine.dense(*first, 0), relu[0]),
        lr.Layer(Affine.dense(np.eye(one.units), np.zeros(one.units), 1), units),
        lr.Layer(Affine.dense(W, second[1], 2), relu[1]),
    )
    return lr.Network(one.inputs, layers, Affine.dense(*output, 3))


# -- (2) means of deeper networks ----------------------------------------------------------------


def _depth(run: ItemRun, depth: int) -> Row:
    """Input 1 x 5 x 1 and so many layers of two filters of 2."""
    layers = deepconv.chain((5,), 1, [((2,), 2)] * depth)

    def work() -> dict[str, Any]:
        nets = (
            conv_dense(layers, conv_draw(layers, run.rng(2, i))) for i in range(run["networks"])
        )
        return {**counts(nets), "upper": deepconv.upper_by_receptive_field(layers)}

    return run.unit(work, part="depth", depth=depth)


# -- (4) small changes, and training -------------------------------------------------------------


def _moved(run: ItemRun, size: float) -> Row:
    """Networks of Table 2 (d2 = 3), each parameter moved by ``size`` standard deviations."""
    layers = two_layers(3)

    def work() -> dict[str, Any]:
        before, after = [], []
        for i in range(run["moved"]):
            at, by = (conv_draw(layers, run.rng(3, i, k)) for k in (0, 1))
            for where, found in ((at, before), (at + size * by, after)):
                found.append(int(whole(lr.count(conv_dense(layers, where)))))
        a, b = np.array(before, float), np.array(after, float)
        return {"networks": len(a), "changed": float(np.mean(a != b)),
                "mean_change": float(np.mean(abs(a - b) / a))}  # fmt: skip

    return run.unit(work, part="moved", size=size)


def _trained(run: ItemRun, i: int) -> Row:
    """The same network fitted to a smooth function of four inputs by Adam, and counted."""
    layers = two_layers(3)
    at = sorted({0, *(int(run["steps"] * 2.0**-k) for k in range(9))})

    def work() -> dict[str, Any]:
        rng = run.rng(4, i)
        x = rng.normal(0, 1, (256, 4))
        y = np.sin(2 * x[:, 0] * x[:, 1]) + x[:, 2] * x[:, 3]
        theta, found = conv_draw(layers, rng), []
        maps = _linear_maps(layers)
        m, v, loss = np.zeros_like(theta), np.zeros_like(theta), 0.0
        for step in range(run["steps"] + 1):
            if step in at:
                found.append(int(whole(lr.count(conv_dense(layers, theta)))))
            loss, slope = _slope(conv_dense(layers, theta), maps, x, y)
            m, v = 0.9 * m + 0.1 * slope, 0.999 * v + 0.001 * slope**2
            size = 0.01 * np.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
            theta = theta - size * m / (np.sqrt(v) + 1e-8)
        return {"at": at, "counts": found, "loss": loss}

    return run.unit(work, part="trained", network=i)


def _linear_maps(layers: list[Conv]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Dense weights are linear in the parameters: the matrices of that map, layer by layer."""
    size = sum(layer.parameters for layer in layers)
    columns = [conv_dense(layers, row)[: len(layers)] for row in np.eye(size)]
    return [
        (np.stack([c[k][0] for c in columns]), np.stack([c[k][1] for c in columns]))
        for k in range(len(layers))
    ]


def _slope(dense: Any, maps: Any, x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean squared error and its derivative by the parameters."""
    values = [x]
    for W, b in dense[:-1]:
        values.append(np.maximum(values[-1] @ W.T + b, 0))
    error = (values[-1] @ dense[-1][0].T)[:, 0] - y
    back = 2 * error[:, None] / len(y) * dense[-1][0]
    slope = np.zeros(len(maps[0][0]))
    for k in range(len(maps) - 1, -1, -1):
        back = back * (values[k + 1] > 0)
        slope += np.einsum("pij,ij->p", maps[k][0], back.T @ values[k])
        slope += maps[k][1] @ back.sum(axis=0)
        back = back @ dense[k][0]
    return float(np.mean(error**2)), slope


# -- (5) units of other pieces -------------------------------------------------------------------


def _units(run: ItemRun, name: str, filters: int) -> Row:
    """The layer of Table 1 with other units; the bound is equation (4) for K pieces."""
    layer, kind = Conv((3,), (2,), filters), UNITS[name]

    def work() -> dict[str, Any]:
        nets = (
            lr.Network.from_layers(conv_dense([layer], conv_draw([layer], run.rng(5, i))), kind)
            for i in range(run["networks"])
        )
        bound = conv.eq4(layer, pieces=len(kind.breaks) + 1)
        return {**counts(nets), "bound": bound}

    return run.unit(work, part="units", units=name, filters=filters)


def _figure(deep: list[Row], moved: list[Row], trained: list[Row]) -> Any:
    figure, axes = canvas(1, 3, (10.5, 3.3))
    a, b, c = axes[0]
    a.plot([r["depth"] for r in deep], [r["upper"] for r in deep], "k-", label="upper bound")
    a.errorbar([r["depth"] for r in deep], [r["mean"] for r in deep],
               [r["deviation"] for r in deep], fmt="o-", label="mean of random CNNs")  # fmt: skip
    a.set(yscale="log", xlabel="layers of 2 filters", ylabel="regions")
    a.legend(frameon=False, fontsize=8)
    b.plot([r["size"] for r in moved], [r["changed"] for r in moved], "o-", label="count changed")
    b.plot([r["size"] for r in moved], [r["mean_change"] for r in moved], "s-",
           label="mean relative change")  # fmt: skip
    b.set(xscale="log", xlabel="change of the parameters (in deviations)", ylim=(0, None))
    b.legend(frameon=False, fontsize=8)
    for r in trained:
        c.plot(r["at"], r["counts"], "-", lw=1)
    c.set(xscale="symlog", xlabel="step of Adam", ylabel="regions", ylim=(0, None))
    return figure
