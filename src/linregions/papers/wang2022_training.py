"""Wang 2022, Table 1: linear regions of networks trained on two spirals, by test accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._data import spirals
from ._item import Compared, Result, Row, Run, canvas, item
from ._networks import uniform
from ._train import Training
from .wang2022 import INPUTS, PAPER, PUBLISHED, WHY, both, means, name_of, summary

BANDS = ((60, 69), (70, 79), (80, 89), (90, 99))
TRAINED = {  # the printed means and deviations of each band of accuracy
    (8, 2): ((645.24, 63.23), (612.44, 98.96), (635, 74.13), (563.8, 166.05)),
    (7, 3): ((597.52, 125.49), (563.44, 144.02), (634.52, 111.47), (547.16, 111.86)),
    (5, 5): ((277.52, 53.46), (299.68, 71.20), (295.44, 62.24), (268.28, 72.31)),
    (5, 3, 2): ((209.96, 75.53), (205.28, 71.76), (171.96, 72.56), (224.64, 61.49)),
    (4, 3, 3): ((90.63, 38.11), (114.4, 26.64), (115.64, 42.04), (122.76, 39.04)),
    (3, 3, 2, 2): ((41.36, 19.44), (31.2, 14.34), (37.68, 21.15), (27.8, 12.49)),
    (2, 2, 2, 2, 2): ((12.36, 6.96), (11.4, 3.38), (14.2, 4.06), (14.6, 5.97)),
}
NC = {(3, 3, 2, 2): (34.00, 16.99), (2, 2, 2, 2, 2): (10.39, 5.20)}
EVERY = 20  # steps between two looks at the accuracy


@item(
    PAPER, "table1", "linear regions of networks trained on two spirals, by test accuracy",
    full={"random": 5000, "each": 30, "side_by_side": 40, "steps": 4000, "rounds": 6, "rate": 0.01},
    quick={"random": 50, "each": 3, "side_by_side": 6, "steps": 400, "rounds": 1},
)  # fmt: skip
def table1(run: Run) -> Result:
    """Snapshots on the way: each network gives at most one to a band of accuracy."""
    rows, compared = [], []
    for widths in PUBLISHED:
        start = summary(**means(run, (INPUTS, *widths, 1), run["random"]))
        mean, deviation = PUBLISHED[widths]
        row = {"widths": name_of(widths), "accuracy": "random"}
        rows.append({**row, "networks": start["networks"], "linear": start["linear"],
                     "deviation": start["linear_deviation"], "printed": mean,
                     "printed_deviation": deviation})  # fmt: skip
        compared.append(_line(rows[-1]))
        if widths in NC:
            rows.append({**row, "accuracy": "random, NC", "networks": start["networks"],
                         "linear": start["nc_linear"], "deviation": start["nc_deviation"],
                         "printed": NC[widths][0], "printed_deviation": NC[widths][1]})  # fmt: skip
            compared.append(_line(rows[-1]))
        found = _by_band(run, widths)
        for (low, high), (mean, deviation) in zip(BANDS, TRAINED[widths], strict=True):
            mine = [s for s in found if low <= s["accuracy"] <= high][: run["each"]]
            values = np.array([s["linear"] for s in mine], float)
            rows.append(
                {
                    **row, "accuracy": f"{low}-{high} %", "networks": len(mine),
                    "linear": float(values.mean()) if len(mine) else None,
                    "deviation": float(values.std()) if len(mine) else None,
                    "printed": mean, "printed_deviation": deviation,
                }
            )  # fmt: skip
            compared.append(_line(rows[-1]))
    notes = [
        "Full-batch Adam on the logistic loss from weights and biases uniform in (-1, 1), inputs "
        "standardised (an affine change of coordinates); the paper names neither optimiser nor "
        f"start. Test accuracy is looked at every {EVERY} steps; the first network state in a band "
        "is counted there, so later bands hold later states. NC: without constant networks."
    ]
    return Result({"": rows}, compared, _figure(rows), notes)


def _line(r: Row) -> Compared:
    """A line of the page, and whether chance explains the difference."""
    what = f"({r['widths']}), {r['accuracy']}"
    says = f"{r['printed']}, {r['printed_deviation']}"
    if not r["networks"]:
        return Compared(what, says, "no network got there", "in the steps and rounds given")
    random = str(r["accuracy"]).startswith("random")
    theirs = 5000 if random else 30
    spread = max(r["deviation"], r["printed_deviation"])  # few networks may agree by chance
    apart = (r["linear"] - r["printed"]) / (spread * np.sqrt(1 / r["networks"] + 1 / theirs))
    why = "" if abs(apart) < 4 else WHY if random else "optimiser and start are ours"
    few = "" if random else f" ({r['networks']} networks, {apart:+.1f} s.e.)"
    return Compared(what, says, f"{r['linear']:.2f}, {r['deviation']:.2f}{few}", why)


def _by_band(run: Run, widths: tuple[int, ...]) -> list[Row]:
    """States of networks in training, rounds of them until every band is full."""
    found: list[Row] = []
    for number in range(run["rounds"]):
        row = run.unit(
            lambda number=number: {"states": _round(run, widths, number)},
            widths=widths, round=number,
        )  # fmt: skip
        found += row["states"]
        if all(
            sum(low <= s["accuracy"] <= high for s in found) >= run["each"] for low, high in BANDS
        ):
            break
    return found


def _round(run: Run, widths: tuple[int, ...], number: int) -> list[dict[str, Any]]:
    x, labels, test, test_labels = spirals(run.seed)
    key = (*widths, number)
    many = run["side_by_side"]
    nets = [uniform((INPUTS, *widths, 1), run.rng(*key, i, 1)) for i in range(many)]
    training = Training(nets, run["rate"], "f8")
    seen, states = set(), []
    for step in range(run["steps"] + 1):
        if step % EVERY == 0:
            for i, share in enumerate(training.accuracy(test, test_labels)):
                percent = round(100 * float(share))
                band = min(percent, 99) // 10
                if 60 <= percent <= 99 and (i, band) not in seen:
                    seen.add((i, band))
                    linear, activation = both(training.layers(i))
                    states.append({"network": i, "step": step, "accuracy": percent,
                                   "linear": linear, "activation": activation})  # fmt: skip
        training.step(x, labels)
    return states


def _figure(rows: list[Row]) -> Any:
    names = list(dict.fromkeys(r["widths"] for r in rows))
    figure, axes = canvas(1, 1, (8, 4))
    ax = axes[0, 0]
    labels = ["random", *(f"{a}-{b} %" for a, b in BANDS)]
    for k, label in enumerate(labels):
        for style, key, spread in (
            ("o", "linear", "deviation"),
            ("_", "printed", "printed_deviation"),
        ):
            mine = [r for r in rows if r["accuracy"] == label and r[key] is not None]
            ax.errorbar([names.index(r["widths"]) + 0.15 * (k - 2) for r in mine],
                        [r[key] for r in mine], [r[spread] for r in mine] if style == "o" else None,
                        fmt=style, color=f"C{k}", ms=5 if style == "o" else 12,
                        label=label if style == "o" else None)  # fmt: skip
    ax.set(yscale="log", ylabel="linear regions (bars: printed means)")
    ax.set_xticks(range(len(names)), names, fontsize=8)
    ax.legend(frameon=False, fontsize=8)
    return figure
