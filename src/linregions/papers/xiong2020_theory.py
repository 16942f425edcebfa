"""Xiong et al. 2020: the examples, the growth of Theorem 3, the comparisons of section 5."""

from __future__ import annotations

from math import comb, prod
from typing import Any

from ..theory import Conv, arrangements, comparison, conv, deepconv, dense
from ._item import Compared, ItemRun, Result, Row, canvas, item
from .xiong2020 import LOWER, PAPER


@item(
    PAPER, "examples", "Examples 1 to 5, Lemma 3, Theorems 3 and 4",
    full={"largest": 4096}, quick={"largest": 256},
)  # fmt: skip
def examples(run: ItemRun) -> Result:
    """Every example from the general formulas, and growth in the number of filters."""
    first = Conv((3,), (2,), 1)
    c = conv.polynomial(first)
    compared = [
        Compared("Example 1: R_N in d1, coefficients from 1 up", [1, 1, 1, 1], c,
                 "in the text S_2,1 must be S_1,2, and '2 d_i choose i' is 2 d_1"),
    ]  # fmt: skip
    whole_kernel = Conv((2, 3), (2, 3), 9)
    compared.append(
        Compared("Example 2: a filter as large as the input (2 x 3, 9 filters)",
                 arrangements.generic(9, 6), conv.eq4(whole_kernel))
    )  # fmt: skip
    ones = Conv((2, 2), (1, 1), 7, 3)
    per = sum(comb(7, t) for t in range(4))
    compared.append(
        Compared("Example 3: 1 x 1 x 3 filters, 2 x 2 positions, 7 filters", per**4, conv.eq4(ones))
    )
    lower = [deepconv.lower(deepconv.chain((4,), 1, [((2,), 2), ((2,), d)])) for d in range(1, 9)]
    compared.append(Compared("Example 4: lower bounds", LOWER, lower))
    dense_like = deepconv.chain((1,), 3, [((1,), w) for w in (7, 6, 8)])
    compared += [
        Compared("Example 5: one position, 3-7-6-8, lower", dense.montufar2014(3, [7, 6, 8]),
                 deepconv.lower(dense_like)),
        Compared("Example 5: upper", prod(arrangements.generic(w, 3) for w in (7, 6, 8)),
                 deepconv.upper(dense_like)),
        Compared("Theorem 4: filters 3 x 3, stride 2, then 2 x 2", "5 x 5, stride 2",
                 _composed(3, 2, 2)),
    ]  # fmt: skip
    growth = _growth(run)
    for name, layer in LAYERS.items():
        mine = [r for r in growth if r["layer"] == name]
        t = conv.saturating(layer)
        compared.append(
            Compared(
                f"Theorem 3 and Lemma 3, {name}: exponent, inputs used by t in K",
                f"{conv.exponent(layer)}, {conv.exponent(layer)}",
                f"{mine[-1]['slope']:.3f} (slope at d1 = {mine[-1]['filters']:,}), "
                f"{sum(t.values())}",
                "the slope tends to the exponent as 1 / d1",
            )
        )
    return Result({"": growth}, compared, _growth_figure(growth))


LAYERS = {
    "input 3, filter 2": Conv((3,), (2,), 1),
    "input 6, filter 3": Conv((6,), (3,), 1),
    "input 3 x 3, filter 2 x 2": Conv((3, 3), (2, 2), 1),
    "input 7, filter 2, stride 3 (4 used)": Conv((7,), (2,), 1, stride=3),
}


def _composed(kernel: int, stride: int, second: int) -> str:
    a = Conv((11, 11), (kernel, kernel), 2, 1, stride)
    found = deepconv.compose(a, Conv(a.output, (second, second), 1, 2))
    return f"{' x '.join(map(str, found.kernel))}, stride {found.stride[0]}"


def _growth(run: ItemRun) -> list[Row]:
    """Equation (4) for d1 = 1, 2, 4, ...: the slope in log-log, and the ratio to its limit."""
    rows = []
    for name, layer in LAYERS.items():
        leading = conv.polynomial(layer)[-1]
        filters = 1
        while filters <= run["largest"]:
            many = layer.with_filters(filters)

            def one(many: Conv = many, leading: Any = leading) -> dict[str, Any]:
                e, n = conv.exponent(many), many.filters
                value = conv.eq4(many)
                twice = conv.eq4(many.with_filters(2 * n))
                slope = comparison.Side("", 1, twice).log10 - comparison.Side("", 1, value).log10
                return {
                    "regions": str(value),
                    "slope": slope / 0.30102999566398120,
                    "ratio": float(value / (leading * n**e)),
                }

            rows.append(run.unit(one, layer=name, filters=filters))
            filters *= 2
    return rows


def _growth_figure(rows: list[Row]) -> Any:
    figure, axes = canvas(1, 1, (6, 3.8))
    ax = axes[0, 0]
    for name in LAYERS:
        mine = [r for r in rows if r["layer"] == name]
        ax.plot([r["filters"] for r in mine], [r["ratio"] for r in mine], label=name)
    ax.axhline(1, color="k", lw=0.8)
    ax.set(xscale="log", yscale="log", xlabel="filters $d_1$",
           ylabel="$R_N$ / its leading term")  # fmt: skip
    ax.legend(frameon=False, fontsize=8)
    return figure


@item(
    PAPER, "theorem6", "deep against shallow, convolutional against dense",
    full={"depths": 40, "filters": [2, 4, 8, 16, 32], "side": 2},
    quick={"depths": 12, "filters": [2, 4, 8]},
)  # fmt: skip
def theorem6(run: ItemRun) -> Result:
    """Regions per parameter of the two sides of Theorem 6 and of section 5.2."""
    n = run["side"]
    rows = []
    for d in run["filters"]:
        for depth in range(1, run["depths"] + 1):

            def one(d: int = d, depth: int = depth) -> dict[str, Any]:
                shallow = comparison.deep_and_shallow((n, n), 1, d, depth)
                wide = comparison.cnn_and_dense((n, n), 1, d, depth)
                return {
                    "deep_parameters": shallow.first.parameters,
                    "shallow_parameters": shallow.second.parameters,
                    "dense_parameters": wide.second.parameters,
                    "deep_per_parameter": shallow.first.per_parameter,
                    "shallow_per_parameter": shallow.second.per_parameter,
                    "dense_per_parameter": wide.second.per_parameter,
                    "deep_wins": shallow.decided,
                    "cnn_wins": wide.decided,
                }

            rows.append(run.unit(one, filters=d, depth=depth))
    figure, axes = canvas(1, 2, (9, 3.8), sharey=True)
    compared = []
    for k, d in enumerate(run["filters"]):
        mine = [r for r in rows if r["filters"] == d]
        x, style = [r["depth"] for r in mine], {"color": f"C{k}"}
        axes[0, 0].plot(x, [r["deep_per_parameter"] for r in mine], label=f"d = {d}", **style)
        axes[0, 0].plot(x, [r["shallow_per_parameter"] for r in mine], "--", **style)
        axes[0, 1].plot(x, [r["deep_per_parameter"] for r in mine], label=f"d = {d}", **style)
        axes[0, 1].plot(x, [r["dense_per_parameter"] for r in mine], ":", **style)
        compared += [
            Compared(f"d = {d}: depth from which the deep CNN surely has more than the shallow",
                     "large enough L and d", _from(mine, "deep_wins")),
            Compared(f"d = {d}: ... than the dense network of the same depth",
                     "large enough n", _from(mine, "cnn_wins"),
                     "a lower bound against an upper one: what they leave open is not decided"),
        ]  # fmt: skip
    axes[0, 0].set(title="deep CNN (at least), shallow CNN (at most, dashed)", xlabel="depth L",
                   ylabel="log10 of regions per parameter")  # fmt: skip
    axes[0, 1].set(title="deep CNN (at least), dense (at most, dotted)", xlabel="depth L")
    axes[0, 0].legend(frameon=False)
    note = (
        f"Input {n} x {n} x 1, filters 1 x 1. In section 5.2 of the paper the hidden width must be "
        "d, not d_0, and the ratio compared is R_N1 / R_N3."
    )
    return Result({"": rows}, compared, figure, [note])


def _from(rows: list[Row], key: str) -> str:
    """The depth from which a side wins, as far as we looked."""
    lost = [r["depth"] for r in rows if not r[key]]
    first, last = max(lost, default=0) + 1, rows[-1]["depth"]
    return str(first) if first <= last else f"not up to {last}"
