"""Wang, Estimation and Comparison of Linear Regions for ReLU Networks (IJCAI 2022)."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

import linregions as lr

from ._item import Compared, ItemRun, Result, Row, canvas, item, whole
from ._networks import Layers, uniform

PAPER = "wang2022"
INPUTS = 7
PUBLISHED = {  # mean and deviation of the linear regions of 5,000 networks; NC; see Table 1
    (8, 2): (647.69, 72.24),
    (7, 3): (616.8046, 94.02),
    (5, 5): (297.32, 66.52),
    (5, 3, 2): (181.69, 68.06),
    (4, 3, 3): (108.60, 39.90),
    (3, 3, 2, 2): (31.35, 18.60),
    (2, 2, 2, 2, 2): (8.0, 6.07),
}
BOX = lr.Box(-3, 3)
BLOCK = 250
WHY = "same law, definition and size of sample; not explained by chance"


def name_of(widths: tuple[int, ...]) -> str:
    """``8, 2``."""
    return ", ".join(map(str, widths))


# -- Figure 1 ------------------------------------------------------------------------------------


@item(PAPER, "figure1", "seven activation regions, five linear regions", full={}, quick={})
def figure1(run: ItemRun) -> Result:
    """Two inputs, two units, one unit: small integers with the counts of the caption."""
    from .wang2022_drawing import diagram, regions

    found = run.unit(seven_and_five, part="search")
    net = [(np.array(W), np.array(b)) for W, b in found["network"]]
    counts = {
        kind: run.unit(lambda kind=kind: {"value": int(whole(lr.count(net, kind=kind)))}, kind=kind)
        for kind in ("activation", "linear")
    }
    compared = [
        Compared("activation regions", 7, counts["activation"]["value"]),
        Compared("linear regions", 5, counts["linear"]["value"]),
        Compared("weights", "lost with the picture", str(found["network"]),
                 "the first small integers in a fixed order with these counts"),
    ]  # fmt: skip
    figure, axes = canvas(1, 2, (9, 4.6), width_ratios=(1, 1.25))
    diagram(axes[0, 0], found["network"])
    regions(axes[0, 1], lr.subdivide(net, BOX))
    return Result({"": list(counts.values())}, compared, figure)


def seven_and_five() -> dict[str, Any]:
    """The first network of that shape with the counts of Figure 1, over the plane and in BOX."""
    signs = (1, -1, 2, -2)
    for a, b, c, d, p, q, u, v, w in product(signs, signs, signs, signs, (1, -1), (1, -1),
                                             (-1, 1), (-1, 1), (1, 2)):  # fmt: skip
        if a * d == b * c or a * b > 0 < c * d:
            continue
        net = [([[a, b], [c, d]], [p, q]), ([[u, v]], [w]), ([[1]], [0])]
        if all(
            lr.count(net, where) == 7 and lr.count(net, where, kind="linear") == 5
            for where in (None, BOX)
        ):
            return {"network": net}
    raise RuntimeError("no such network among those tried")


# -- Figures 3 and 4 -----------------------------------------------------------------------------


def both(net: Layers) -> tuple[int, int]:
    """Linear and activation regions over all of R^n."""
    found = whole(lr.count(net, kind="linear"))
    return int(found), int(found.also["activation"])


def block(run: ItemRun, sizes: tuple[int, ...], many: int, at: int) -> Row:
    """Counts of the networks number ``at`` to ``at + many``, one unit of work."""

    def work() -> dict[str, Any]:
        found = [both(uniform(sizes, run.rng(*sizes, i))) for i in range(at, at + many)]
        return {"linear": [f[0] for f in found], "activation": [f[1] for f in found]}

    return run.unit(work, sizes="-".join(map(str, sizes)), first=at, networks=many)


def means(run: ItemRun, sizes: tuple[int, ...], many: int) -> dict[str, np.ndarray]:
    """Counts of so many networks, in blocks."""
    rows = [block(run, sizes, min(BLOCK, many - at), at) for at in range(0, many, BLOCK)]
    return {k: np.concatenate([r[k] for r in rows]).astype(float) for k in ("linear", "activation")}


def summary(linear: np.ndarray, activation: np.ndarray) -> Row:
    """Means, deviations, ratio, and the same without constant networks (NC)."""
    rest = linear[linear > 1]
    return {
        "networks": len(linear),
        "linear": float(linear.mean()),
        "linear_deviation": float(linear.std()),
        "standard_error": float(linear.std() / np.sqrt(len(linear))),
        "activation": float(activation.mean()),
        "activation_deviation": float(activation.std()),
        "ratio": float((linear / activation).mean()),
        "constant": float(np.mean(linear == 1)),
        "nc_linear": float(rest.mean()) if len(rest) else 1.0,
        "nc_deviation": float(rest.std()) if len(rest) else 0.0,
    }


@item(
    PAPER, "figure3", "regions of random networks of ten units on seven inputs",
    full={"networks": 5000}, quick={"networks": 60},
)  # fmt: skip
def figure3(run: ItemRun) -> Result:
    """Seven architectures, weights and biases uniform in (-1, 1)."""
    run.total = len(PUBLISHED) * -(-run["networks"] // BLOCK)
    rows, every, compared = [], {}, []
    for widths, (mean, deviation) in PUBLISHED.items():
        found = every[widths] = means(run, (INPUTS, *widths, 1), run["networks"])
        s = summary(**found)
        apart = (s["linear"] - mean) / np.hypot(s["standard_error"], deviation / np.sqrt(5000))
        rows.append({"widths": name_of(widths), **s, "published": mean, "errors_apart": apart})
        why = "" if abs(apart) < 4 else WHY
        compared.append(
            Compared(f"({name_of(widths)}): linear regions, mean and deviation",
                     f"{mean}, {deviation}",
                     f"{s['linear']:.2f}, {s['linear_deviation']:.2f} ({apart:+.1f} s.e.)", why)
        )  # fmt: skip
    figure, axes = canvas(len(rows), 2, (8, 1.5 * len(rows)))
    for (ratio, counts), (widths, found) in zip(axes, every.items(), strict=True):
        ratio.hist(found["linear"] / found["activation"], bins=50, range=(0, 1), color="C3")
        ratio.set_ylabel(name_of(widths), fontsize=8)
        top = max(found["activation"].max(), 2)
        for key, colour in (("activation", "#f4a9a0"), ("linear", "#a02020")):
            counts.hist(found[key], bins=50, range=(0, top), color=colour, alpha=0.7, label=key)
    axes[0, 0].set_title("linear / activation regions", fontsize=9)
    axes[0, 1].set_title("regions", fontsize=9)
    axes[0, 1].legend(frameon=False, fontsize=7)
    lists = [
        {"widths": name_of(w), "linear": int(a), "activation": int(b)}
        for w, f in every.items() for a, b in zip(f["linear"], f["activation"], strict=True)
    ]  # fmt: skip
    return Result({"": rows, "networks": lists}, compared, figure)


@item(
    PAPER, "figure4", "one input: n layers of two units against one layer of 2n",
    full={"networks": 5000}, quick={"networks": 200},
)  # fmt: skip
def figure4(run: ItemRun) -> Result:
    """n = 2, 4, 6, 8; both have 4n weights and 2n + 1 biases between hidden units and output."""
    depths, rows, every, compared = (2, 4, 6, 8), [], {}, []
    run.total = 2 * len(depths) * -(-run["networks"] // BLOCK)
    for n in depths:
        deep = every[n] = means(run, (1, *[2] * n, 1), run["networks"])
        flat = means(run, (1, 2 * n, 1), run["networks"])
        rows += [
            {"shape": f"2 x {n}", **summary(**deep)},
            {"shape": f"{2 * n} x 1", **summary(**flat)},
        ]
        compared += [
            Compared(f"{2 * n} x 1: regions, every network", 2 * n + 1,
                     sorted({int(v) for v in flat["linear"]})),
            Compared(f"2 x {n}: linear regions, mean", "fewer (a histogram)",
                     f"{deep['linear'].mean():.2f}; one region only in {rows[-2]['constant']:.0%}"),
        ]  # fmt: skip
    figure, axes = canvas(2, 2, (8, 5))
    for ax, n in zip(axes.flat, depths, strict=True):
        bins = np.arange(0.5, max(every[n]["activation"].max(), 2 * n + 1) + 1.5)
        for key, colour in (("activation", "#f4a9a0"), ("linear", "#a02020")):
            ax.hist(every[n][key], bins=bins, color=colour, alpha=0.7, label=key)
        ax.axvline(2 * n + 1, color="k", ls="--", lw=1, label=f"{2 * n} x 1: {2 * n + 1}")
        ax.set_title(f"2 x {n}", fontsize=9)
        ax.legend(frameon=False, fontsize=7)
    return Result({"": rows}, compared, figure)
