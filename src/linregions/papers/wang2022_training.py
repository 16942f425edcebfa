"""Wang 2022, Table 1: linear regions of networks trained on two spirals, by test accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._data import spirals
from ._item import Compared, ItemRun, Result, Row, canvas, item
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
UNNAMED = "more than two standard errors: optimiser and rate are ours"
EVERY = 20  # steps between two looks at the accuracy


@item(
    PAPER, "table1", "linear regions of networks trained on two spirals, by test accuracy",
    full={"random": 5000, "each": 30, "side_by_side": 40, "steps": 4000, "rounds": 20, "rate": 0.01,
          "faster": 0.1},
    quick={"random": 50, "each": 3, "side_by_side": 6, "steps": 400, "rounds": 1},
)  # fmt: skip
def table1(run: ItemRun) -> Result:
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
        slow = _bands(run, widths, row, _by_band(run, widths))
        fast = _bands(run, widths, row, _round(run, widths, 0, run["faster"])["states"])
        for r in fast:
            r["accuracy"] += f", rate {run['faster']}"
        rows += slow + fast
        compared += map(_line, slow)
        compared.append(_fast_line(run, fast))
    notes = [
        "Full-batch Adam on the logistic loss from weights and biases uniform in (-1, 1), inputs "
        "standardised (an affine change of coordinates); the paper names neither optimiser nor "
        f"start. Test accuracy is looked at every {EVERY} steps; the first network state in a band "
        "is counted there, so later bands hold later states. NC: without constant networks.",
        f"The rate decides how training moves the counts. At {run['rate']} shallow networks keep "
        f"their regions and deep ones gain some; at {run['faster']} (one round of networks) units "
        "die: all means fall and the deviations of shallow networks grow. The paper prints a fall "
        "for shallow networks and a gain for deep ones, so it lies between.",
    ]
    return Result({"": rows}, compared, _figure(rows), notes)


def _bands(run: ItemRun, widths: tuple[int, ...], row: Row, states: list[Row]) -> list[Row]:
    """A row for every band of accuracy, over the first networks that came into it."""
    rows = []
    for (low, high), (mean, deviation) in zip(BANDS, TRAINED[widths], strict=True):
        mine = [s for s in states if low <= s["accuracy"] <= high][: run["each"]]
        values = np.array([s["linear"] for s in mine], float)
        rows.append(
            {
                **row, "accuracy": f"{low}-{high} %", "networks": len(mine),
                "linear": float(values.mean()) if len(mine) else None,
                "deviation": float(values.std()) if len(mine) else None,
                "printed": mean, "printed_deviation": deviation,
            }
        )  # fmt: skip
    return rows


def _fast_line(run: ItemRun, rows: list[Row]) -> Compared:
    """All bands in one line, after training ten times as fast."""
    here = [f"{r['linear']:.2f}, {r['deviation']:.2f} ({r['networks']})" if r["networks"]
            else "none" for r in rows]  # fmt: skip
    return Compared(
        f"({rows[0]['widths']}), the four bands at a rate of {run['faster']}",
        "; ".join(f"{r['printed']}, {r['printed_deviation']}" for r in rows),
        "; ".join(here),
        "not named in the paper: see the note",
    )


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
    why = "" if abs(apart) < (4 if random else 2) else WHY if random else UNNAMED
    few = "" if random else f" ({r['networks']} networks, {apart:+.1f} s.e.)"
    return Compared(what, says, f"{r['linear']:.2f}, {r['deviation']:.2f}{few}", why)


def _by_band(run: ItemRun, widths: tuple[int, ...]) -> list[Row]:
    """States of networks in training, rounds of them until every band is full."""
    found: list[Row] = []
    for number in range(run["rounds"]):
        found += _round(run, widths, number)["states"]
        if all(
            sum(low <= s["accuracy"] <= high for s in found) >= run["each"] for low, high in BANDS
        ):
            break
    return found


def _round(run: ItemRun, widths: tuple[int, ...], number: int, faster: float | None = None) -> Row:
    """Networks trained side by side, each counted when it first comes into a band."""
    rate, key = faster or run["rate"], {} if faster is None else {"rate": faster}
    return run.unit(
        lambda: {"states": _states(run, widths, number, rate)}, widths=widths, round=number, **key
    )


def _states(
    run: ItemRun, widths: tuple[int, ...], number: int, rate: float
) -> list[dict[str, Any]]:
    x, labels, test, test_labels = spirals(run.seed)
    key = (*widths, number)
    many = run["side_by_side"]
    nets = [uniform((INPUTS, *widths, 1), run.rng(*key, i, 1)) for i in range(many)]
    training = Training(nets, rate, "f8")
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
        found = [r for r in rows if r["accuracy"].split(", rate")[0] == label]
        slow = [r for r in found if r["accuracy"] == label]
        fast = [r for r in found if r["accuracy"] != label]
        for style, key, spread, mine in (
            ("o", "linear", "deviation", slow),
            ("v", "linear", None, fast),
            ("_", "printed", None, slow),
        ):
            mine = [r for r in mine if r[key] is not None]
            ax.errorbar([names.index(r["widths"]) + 0.15 * (k - 2) for r in mine],
                        [r[key] for r in mine], [r[spread] for r in mine] if spread else None,
                        fmt=style, color=f"C{k}", ms=12 if style == "_" else 5, mfc="none",
                        label=label if style == "o" else None)  # fmt: skip
    ax.set(yscale="log", ylabel="linear regions")
    ax.set_xticks(range(len(names)), names, fontsize=8)
    ax.set_title("circles: means and deviations; triangles: the faster rate; bars: printed means",
                 fontsize=9)  # fmt: skip
    ax.legend(frameon=False, fontsize=8)
    return figure
