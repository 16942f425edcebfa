"""Theorem 3 of Hanin and Rolnick (ICML 2019), as corrected, seen to hold.

Random networks are drawn and the volume of the boundary between their regions is measured: exactly
up to three inputs, along random lines (Crofton) in ten. The mean over networks stands against the
right-hand side of the theorem, which counts nothing: an integral of gradients and densities of
biases. Weights are He-normal and biases N(0, 1) except where a row says otherwise; the domain is
[-1, 1]^n. Prints the table of docs/volume.md and draws it.

    python examples/boundary_theorem.py -o docs/gallery
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gallery import options, save

import linregions as lr
from linregions.network.units import HARDTANH

SQUARE = (2, 8, 8, 8, 1)  # the architecture of the picture


@dataclass(frozen=True)
class Case:
    """A distribution of networks, and which part of the boundary is measured."""

    name: str
    ensemble: lr.RandomNetworks
    kind: str = "activation"
    codimension: int = 1
    lines: int | None = None  # for each network; None is exact

    @property
    def domain(self) -> lr.Box:
        return lr.Box(np.full(self.ensemble.widths[0], -1.0), 1.0)

    def measured(self, network: lr.Network, seed: int) -> float:
        """One network; each has lines of its own."""
        return lr.boundary_volume(
            network, self.domain, kind=self.kind, codimension=self.codimension, lines=self.lines,
            seed=seed,
        ).value  # fmt: skip

    def expected(self, networks: int, seed: int) -> lr.ExpectedVolume:
        """The theorem's side."""
        return lr.expected_boundary_volume(
            self.ensemble, self.domain, kind=self.kind, codimension=self.codimension,
            networks=networks, seed=seed,
        )  # fmt: skip


def cases() -> list[Case]:
    """One layer to three, one input to ten; lower faces; linear regions; two breakpoints."""
    nets = lr.RandomNetworks
    return [
        Case("1-[10], N(0, 1) weights: kinks", nets((1, 10, 1), weight_std=1.0)),
        Case("2-[16]: length", nets((2, 16, 1))),
        Case("2-[8, 8]: length", nets((2, 8, 8, 1))),
        Case("2-[8, 8, 8]: length", nets(SQUARE)),
        Case("2-[16, 16]: length", nets((2, 16, 16, 1))),
        Case("2-[4, 4], linear regions: length", nets((2, 4, 4, 1)), kind="linear"),
        Case("2-[4, 4]: vertices", nets((2, 4, 4, 1)), codimension=2),
        Case("3-[6, 6]: area", nets((3, 6, 6, 1))),
        Case("3-[4, 4]: length of edges", nets((3, 4, 4, 1)), codimension=2),
        Case("2-[6, 6], hard tanh: length", nets((2, 6, 6, 1), HARDTANH)),
        Case("2-[6, 6], hard tanh, uniform biases", nets((2, 6, 6, 1), HARDTANH, bias="uniform")),
        Case("10-[16, 16], by lines: 9-volume", nets((10, 16, 16, 1)), lines=16),
    ]


@dataclass(frozen=True)
class Row:
    """Both sides of the theorem, with standard errors."""

    name: str
    mean: float
    error: float
    theorem: lr.ExpectedVolume

    @property
    def ratio(self) -> float:
        return self.mean / self.theorem.value

    @property
    def ratio_error(self) -> float:
        parts = self.error / self.mean, self.theorem.standard_error / self.theorem.value
        return self.ratio * math.hypot(*parts)


def compare(case: Case, networks: int, seed: int) -> Row:
    """Measure many networks; the theorem's side draws twenty times as many others."""
    rng = np.random.default_rng([seed, 1])
    seen = np.array([case.measured(case.ensemble.network(rng), i) for i in range(networks)])
    error = float(seen.std(ddof=1) / math.sqrt(networks))
    return Row(case.name, float(seen.mean()), error, case.expected(20 * networks, seed))


def main() -> None:
    """Compare, print, draw."""
    chosen = options(__doc__ or "", networks=1000)
    rows = []
    print("| networks | measured | theorem | ratio | difference / s.e. |")
    print("| --- | --- | --- | --- | --- |")
    for i, case in enumerate(cases()):
        row = compare(case, 40 if chosen.quick else chosen.networks, 100 * chosen.seed + i)
        t, rows = row.theorem, [*rows, row]
        z = (row.mean - t.value) / math.hypot(row.error, t.standard_error)
        print(
            f"| {row.name} | {number(row.mean, row.error)} | {number(t.value, t.standard_error)} "
            f"| {row.ratio:.3f} ± {row.ratio_error:.3f} | {z:+.1f} |",
            flush=True,
        )
    draw(rows, chosen.seed, chosen.output / "boundary_theorem.png")


def number(value: float, error: float) -> str:
    """A mean and its standard error with the digits that the error leaves."""
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:,.{digits}f} ± {error:.{digits}f}"


def short(value: float) -> str:
    """Four digits or so."""
    return f"{value:,.2f}" if value < 1000 else f"{value:,.0f}"


def draw(rows: list[Row], seed: int, path: Path) -> None:
    """One network's boundary; measured over expected for every case, with 95 % intervals."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(
        1, 2, figsize=(11.5, 4.7), width_ratios=(1, 1.15), layout="constrained"
    )
    one_network(left, seed)
    y = np.arange(len(rows))[::-1]
    ratio, error = np.array([(r.ratio, 1.96 * r.ratio_error) for r in rows]).T
    right.axvline(1, color="0.6", linewidth=1)
    right.errorbar(ratio, y, xerr=error, fmt="o", color="C0", markersize=4, capsize=2)
    reach = 1.15 * max(abs(ratio - 1) + error)
    right.set(xlim=(1 - reach, 1 + reach), ylim=(-0.7, len(rows) - 0.3))
    right.set_yticks(y, [r.name for r in rows], fontsize=8.5)
    columns = ((1.12, "measured", [r.mean for r in rows]),
               (1.26, "theorem", [r.theorem.value for r in rows]))  # fmt: skip
    for x, title, values in columns:
        for place, words in [(len(rows) - 0.15, title), *zip(y, map(short, values), strict=True)]:
            right.text(
                x, place, words, fontsize=8.5, ha="right", va="center",
                transform=right.get_yaxis_transform(),
            )  # fmt: skip
    right.set_xlabel("measured mean / right-hand side of the theorem, 95 %", fontsize=9)
    right.tick_params(axis="y", length=0)
    right.spines[["top", "right", "left"]].set_visible(False)
    save(figure, path)


def one_network(ax: Any, seed: int) -> None:
    """The boundary of one network, each edge in the colour of the layer of its unit."""
    from matplotlib.collections import LineCollection

    ensemble, box = lr.RandomNetworks(SQUARE), lr.Box(-1, 1)
    cells = lr.subdivide(ensemble.network(np.random.default_rng([seed, 1])), box)
    inner = cells.facet_cells[:, 1] >= 0
    layer, segments = cells.facet_layer[inner], cells.points[cells.edges[inner]]
    for number, width in zip(range(1, len(SQUARE) - 1), (1.7, 1.4, 1.1), strict=True):
        some = segments[layer == number]
        ax.add_collection(
            LineCollection(list(some), colors=f"C{number - 1}", linewidths=width,
                           label=f"units of layer {number}")
        )  # fmt: skip
    length = np.linalg.norm(segments[:, 0] - segments[:, 1], axis=1).sum()
    ax.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    ax.set_title(f"one 2-[8, 8, 8] network: boundary of length {length:.2f}", fontsize=9.5)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=3, fontsize=8, frameon=False)


if __name__ == "__main__":
    main()
