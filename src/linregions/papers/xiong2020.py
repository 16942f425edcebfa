"""Xiong et al., On the Number of Linear Regions of Convolutional Neural Networks (ICML 2020)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

import numpy as np

import linregions as lr

from ..theory import Conv, arrangements, conv, deepconv, shared
from . import _search
from ._item import Compared, ItemRun, Result, canvas, item, whole
from ._networks import Layers, conv_dense, conv_draw

PAPER = "xiong2020"
TABLE1 = (4, 15, 40, 85, 156, 259, 400, 585)
THEOREM1 = (4, 15, 42, 93, 176, 299, 470, 697)
UPPER = (220, 880, 3520, 13585, 46640, 138050, 356180, 819115)
SAMPLED = (170, 261, 685, 1186, 1796, 2725, 3398, 4822)
LOWER = (32, 120, 320, 680, 1248, 2072, 3200, 4680)
FILTERS = range(1, 9)


def one_layer(filters: int) -> Conv:
    """The CNN of Table 1: input 1 x 3 x 1, filters 1 x 2 x 1."""
    return Conv((3,), (2,), filters)


def two_layers(filters: int) -> list[Conv]:
    """The CNN of Table 2: input 1 x 4 x 1, two filters 1 x 2 x 1, then filters 1 x 2 x 2."""
    return deepconv.chain((4,), 1, [((2,), 2), ((2,), filters)])


def sampled(run: ItemRun, net: Layers, filters: int) -> dict[str, Any]:
    """Distinct patterns at random points: for the best v, as the paper reports, and in all."""
    found = whole(
        lr.sample(net, points=int(run["points"]), seed=run.seed, device="cpu",
                  progress=run.progress(f"sampling, {filters} filters"))
    )  # fmt: skip
    return {"best": int(found.best.distinct), "v": found.best.law, "all": int(found)}


def counts(nets: Iterable[Any]) -> dict[str, Any]:
    """Least, mean, most and standard deviation of exact counts."""
    found = [int(whole(lr.count(net))) for net in nets]
    return {
        "networks": len(found),
        "least": min(found),
        "mean": float(np.mean(found)),
        "most": max(found),
        "deviation": float(np.std(found)),
    }


@item(
    PAPER, "table1", "regions of a one-layer CNN",
    full={"networks": 200, "points": 2e9},
    quick={"networks": 20, "points": 1e6},
)  # fmt: skip
def table1(run: ItemRun) -> Result:
    """By formula, by exact count of random networks, and by sampling one of them."""
    run.total = 3 * len(FILTERS)
    rows = []
    for d, says in zip(FILTERS, TABLE1, strict=True):
        layer = one_layer(d)
        formula = run.unit(
            lambda layer=layer: {"value": conv.eq4(layer)}, part="formula", filters=d
        )
        nets = (
            conv_dense([layer], conv_draw([layer], run.rng(d, i))) for i in range(run["networks"])
        )
        exact = run.unit(lambda nets=nets: counts(nets), part="exact", filters=d)
        net = conv_dense([layer], conv_draw([layer], run.rng(d, 0)))
        sample = run.unit(lambda net=net, d=d: sampled(run, net, d), part="sampled", filters=d)
        rows.append(
            {
                "filters": d, "paper": says, "formula": formula["value"],
                "exact_least": exact["least"], "exact_most": exact["most"],
                "sampled": sample["best"], "sampled_all_v": sample["all"],
                "theorem1": arrangements.generic(layer.units, 3), "lemma2": 2**layer.units,
            }
        )  # fmt: skip
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    least = all(r["exact_least"] == r["exact_most"] == r["formula"] for r in rows)
    missed = [r["formula"] - r["sampled"] for r in rows]
    compared = [
        Compared("R_N by Theorem 2", TABLE1, columns["formula"]),
        Compared(
            f"exact count of {run['networks']} random networks each",
            "(not done)",
            "every one the value of Theorem 2" if least else columns["exact_least"],
            "" if least else "a random network of finite precision may be degenerate",
        ),
        Compared(
            f"met by {run['points']:.0e} random points",
            "all R_N",
            columns["sampled"],
            "" if not any(missed) else
            f"thin cells: {sum(missed)} of {sum(TABLE1)} are not met at any point of the best v; "
            "which network is sampled decides it, and the paper's are not given",
        ),
        Compared("upper bounds by Theorem 1", THEOREM1, columns["theorem1"]),
        Compared("upper bounds by Lemma 2", "4, 16, 64, ..., 65,536", columns["lemma2"]),
    ]  # fmt: skip
    figure, axes = canvas(1, 1, (5.5, 3.8))
    ax = axes[0, 0]
    ax.plot(FILTERS, columns["lemma2"], ":", label="Lemma 2")
    ax.plot(FILTERS, columns["theorem1"], "--", label="Theorem 1")
    ax.plot(FILTERS, columns["formula"], "-", label="Theorem 2 = exact counts")
    ax.plot(FILTERS, columns["sampled"], "o", mfc="none", label="sampled")
    ax.set(xlabel="filters $d_1$", ylabel="regions", yscale="log")
    ax.legend(frameon=False)
    return Result({"": rows}, compared, figure)


@item(
    PAPER, "table2", "bounds, samples and exact counts of a two-layer CNN",
    full={"points": 2e9, "networks": 200, "draws": 1000, "climbs": 8, "steps": 600},
    quick={"points": 1e6, "networks": 10, "draws": 60, "climbs": 1, "steps": 60},
)  # fmt: skip
def table2(run: ItemRun) -> Result:
    """The printed rows, the corrected ones, and the largest exact count that a search finds."""
    run.total = 3 * len(FILTERS)
    rows, best = [], []
    for d in FILTERS:
        layers = two_layers(d)
        net = conv_dense(layers, conv_draw(layers, run.rng(d, 0)))
        sample = run.unit(lambda net=net, d=d: sampled(run, net, d), part="sampled", filters=d)
        nets = (
            conv_dense(layers, conv_draw(layers, run.rng(d, i))) for i in range(run["networks"])
        )
        random = run.unit(lambda nets=nets: counts(nets), part="random", filters=d)
        found = run.unit(
            lambda layers=layers, d=d: _search.largest(
                layers, run.rng(d, 0, 1), run["draws"], run["climbs"], run["steps"]
            ),
            part="search", filters=d,
        )  # fmt: skip
        best.append({"filters": d, "regions": found["regions"], "parameters": found["parameters"]})
        rows.append(
            {
                "filters": d,
                "upper_printed": UPPER[d - 1],
                "upper_eq9": deepconv.upper(layers),
                "upper_dimension": deepconv.upper_by_dimension(layers),
                "upper_refined": deepconv.upper_by_receptive_field(layers),
                "largest_found": found["regions"],
                "largest_of_draws": found["of_draws"],
                "random_mean": random["mean"],
                "random_most": random["most"],
                "sampled_printed": SAMPLED[d - 1],
                "sampled": sample["best"],
                "sampled_all_v": sample["all"],
                "sampled_exact": int(whole(lr.count(net))),
                "lower": deepconv.lower(layers),
            }
        )
    c = {name: [row[name] for row in rows] for name in rows[0]}
    beaten = sum(a > b for a, b in zip(c["largest_found"], SAMPLED, strict=True))
    compared = [
        Compared(
            "upper bounds by Theorem 5", UPPER, c["upper_eq9"],
            "equation (9) sums to n0 = 4; the print follows from 55 Z(2 d2, 6), the width 6 of "
            "layer 1 in place of 4: valid, but not what the theorem gives",
        ),
        Compared("with the dimension of the image", "(not there)", c["upper_dimension"]),
        Compared("and receptive fields", "(not there)", c["upper_refined"]),
        Compared(
            "largest exact count found", "(not there)", c["largest_found"],
            f"random draws and local search; above the paper's estimate in {beaten} of 8 columns",
        ),
        Compared(
            f"sampled, {run['points']:.0e} points", SAMPLED, c["sampled"],
            "one random network each; the paper's weights are not given, and counts of random "
            "networks spread widely (next row)",
        ),
        Compared("exact count of the network sampled", "(not there)", c["sampled_exact"]),
        Compared(
            f"mean exact count of {run['networks']} networks",
            "(not there)", [round(v, 1) for v in c["random_mean"]],
        ),
        Compared("lower bounds by Theorem 5", LOWER, c["lower"]),
    ]  # fmt: skip
    return Result({"": rows, "best": best}, compared, _table2_figure(c))


def _table2_figure(c: dict[str, list[Any]]) -> Any:
    figure, axes = canvas(1, 1, (6.5, 4.4))
    ax = axes[0, 0]
    ax.plot(FILTERS, c["upper_printed"], "k:", label="upper, printed")
    ax.plot(FILTERS, c["upper_eq9"], "k--", label="upper, equation (9)")
    ax.plot(FILTERS, c["upper_refined"], "k-", label="upper, refined")
    ax.plot(FILTERS, c["largest_found"], "C3o-", label="largest exact count found")
    ax.plot(FILTERS, c["random_mean"], "C0-", label="mean of random networks")
    ax.plot(FILTERS, c["sampled_printed"], "C1s", mfc="none", label="sampled, printed")
    ax.plot(FILTERS, c["lower"], "k-.", label="lower")
    ax.set(xlabel="filters $d_2$", ylabel="regions", yscale="log")
    ax.legend(frameon=False, fontsize=8)
    return figure


@item(PAPER, "counterexample", "255 regions where Theorem 2 says 256", full={}, quick={})
def counterexample(run: ItemRun) -> Result:
    """The smallest layer for which equation (4) is not the maximum."""
    layer = Conv((3, 3), (2, 2), 2)
    net = lr.constructions.xiong_counterexample()

    def absent() -> dict[str, Any]:
        seen = {tuple(int(v) for v in r.pattern) for r in lr.regions(net)}
        gone = set(product((0, 1), repeat=8)) - seen
        return {"absent": ["".join("-+"[v] for v in p) for p in sorted(gone)]}

    e4 = run.unit(lambda: {"value": conv.eq4(layer)}, part="equation (4)")["value"]
    found = run.unit(
        lambda: {"value": int(answer := whole(lr.count(net))), "exact": answer.exact}, part="count"
    )
    missing = run.unit(absent, part="patterns")["absent"]
    generic = run.unit(lambda: {"value": shared.generic_count(layer)}, part="generic")["value"]
    rows = []
    for size, kernel, filters in (
        ((3, 3), (2, 2), 2), ((3, 3), (2, 2), 3), ((3, 3), (2, 2), 4), ((3, 4), (2, 2), 2),
        ((4, 4), (2, 2), 2), ((5, 5), (3, 3), 2),
    ):  # fmt: skip
        one = Conv(size, kernel, filters)
        row = run.unit(
            lambda one=one: {"eq4": conv.eq4(one), "true": shared.generic_count(one)},
            size="x".join(map(str, size)), kernel="x".join(map(str, kernel)), filters=filters,
        )  # fmt: skip
        rows.append(row)
    compared = [
        Compared("maximum of a 3 x 3 input, two 2 x 2 filters", e4, found["value"],
                 "filters are shared and convolutions commute: one combination of the eight "
                 "pre-activations is constant, so one pattern is impossible for all weights"),
        Compared("generic weights modulo 2^61 - 1", e4, generic, "the same"),
        Compared("the missing pattern (filter, then position)", "none", missing[0]),
    ]  # fmt: skip
    compared += [
        Compared(f"{r['size']}, {r['kernel']}, {r['filters']} filters", r["eq4"], r["true"])
        for r in rows[1:]
    ]
    figure, axes = canvas(1, 1, (6, 3.2))
    ax = axes[0, 0]
    names = [f"{r['size']}\n{r['kernel']}, {r['filters']}" for r in rows]
    ax.bar(names, [r["eq4"] - r["true"] for r in rows])
    ax.set(yscale="log", ylabel="equation (4) minus the maximum")
    ax.tick_params(axis="x", labelsize=8)
    return Result({"": rows}, compared, figure)
