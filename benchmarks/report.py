"""Make report.md: the networks A to G of the peers' table, ours measured in this one run.

    python benchmarks/report.py            # writes benchmarks/report.md

Two threads, exact answers, compilation apart. Other programs are measured beside where they are
there: SCIP where pyscipopt is installed, edge subdivision from a checkout (--edge-subdivision), and
any command given as --peer NAME:CASE=COMMAND that prints a JSON object with "seconds". What is not
there has a dash. A second table puts our times beside those of a survey of all peers on the same
class of machine. Scaling: seconds of 2-[w, w, w] (the complex) and of n-[10, 10] (the search).
"""

import os

os.environ.setdefault("NUMBA_NUM_THREADS", "2")

import common  # isort: skip

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import linregions as lr

CASES: dict[str, tuple[str, float | None, int]] = {  # shape and domain, half-width, regions
    "A": ("2-[64, 64, 64], [-1, 1]^2", 1.0, 14_353),
    "B": ("2-[256, 256, 256], [-1, 1]^2", 1.0, 262_431),
    "C": ("3-[32, 32, 32], [-1, 1]^3", 1.0, 133_592),
    "D": ("4-[16, 16, 16], [-1, 1]^4", 1.0, 146_603),
    "E": ("6-[12, 12], [-1, 1]^6", 1.0, 77_455),
    "F": ("7-[8, 2], R^7", None, 894),
    "G": ("784-[256, 256, 256], 100 segments", None, 17_627),
}
SURVEY: dict[str, dict[str, str]] = {  # seconds, or regions a second where it did not finish
    "SyReNN (float32, 2 threads)": {"A": "0.061", "B": "3.3", "G": "0.074"},
    "edge subdivision (float32, 2 threads)": {
        "A": "0.59", "B": "112", "C": "1.3", "D": "0.74", "E": "0.71", "F": "0.05",
    },
    "Hanin-Rolnick style, numpy": {"A": "17", "G": "19"},
    "SplineCam on CPU": {"A": "118"},
    "SCIP countsols": {"A": "5/s", "C": "22/s", "D": "43/s", "E": "103/s", "F": "0.13"},
    "relucent 1.0": {"A": "13/s", "B": "3/s", "C": "59/s", "D": "100/s", "E": "140/s", "F": "6-10"},
    "canonicalpoly v1": {"A": "did not finish", "F": "39"},
    "parx 0.1.3": {"F": "17 (886 regions: wrong)"},
}  # fmt: skip
BAR = {"A": 0.010, "B": 0.35, "C": 0.15, "D": 0.25, "E": 0.25, "F": 0.005, "G": 0.025}


def ours(case: str) -> tuple[float, int]:
    """Seconds and regions; cells and adjacency where the complex is used."""
    net = lr.load(common.data(f"bench/{case}.npz"))
    half = CASES[case][1]
    if case == "G":
        with np.load(common.data("bench/G_lines.npz")) as file:
            segments = np.stack([file["p"], file["q"]], axis=1)
        seconds, found = common.best(lambda: lr.crossings(net, segments))
        return seconds, int(found.regions.sum())
    if case in "EF":
        box = lr.Space() if half is None else lr.Box(-half, half)
        seconds, found = common.best(lambda: lr.count(net, box), 9)
        return seconds, int(found)

    def whole() -> Any:
        cells = lr.subdivide(net, lr.Box(-1, 1))
        _ = cells.facet_cells
        return cells

    seconds, found = common.best(whole, 9)
    return seconds, found.count()


def edges(checkout: Path | None, case: str) -> float | None:
    """Seconds of edge subdivision; None without it, for lines and where it takes minutes."""
    if checkout is None or case in "BG":
        return None
    peers = common.module(
        "small_networks_against_peers", Path(__file__).with_name("small_networks_against_peers.py")
    )
    run = peers.EdgeSubdivision(checkout)
    run.torch.set_num_threads(2)
    return run(peers.stored(case), CASES[case][1] or 1e3, 2)[0]


def scip(case: str) -> float | None:
    """Seconds of SCIP on the box of half-width 1000 of network F; None elsewhere or without it."""
    if case != "F":
        return None
    try:
        import pyscipopt  # noqa: F401
    except ImportError:
        return None
    referee = common.module("scip_referee", common.ROOT / "tests" / "scip_referee.py").scip_count
    with np.load(common.data("bench/F.npz")) as file:
        layers = [(file[f"W{i}"], file[f"b{i}"]) for i in range(len(file.files) // 2)]
    start = time.perf_counter()
    referee(layers, [-1000.0] * 7, [1000.0] * 7)
    return time.perf_counter() - start


def commands(given: list[str]) -> dict[str, dict[str, float]]:
    """Seconds by peer and case of the commands given."""
    out: dict[str, dict[str, float]] = {}
    for text in given:
        try:
            name, rest = text.split(":", 1)
            case, command = rest.split("=", 1)
        except ValueError:
            sys.exit(f"--peer {text}: give NAME:CASE=COMMAND")
        done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True)
        out.setdefault(name, {})[case] = float(json.loads(done.stdout)["seconds"])
    return out


def scaling(quick: bool) -> list[dict[str, Any]]:
    """Seconds against regions for growing networks."""
    rows = []
    rng = np.random.default_rng(0)

    def random_net(sizes: list[int]) -> lr.Network:
        pairs = zip(sizes[1:], sizes, strict=False)
        return lr.load([(rng.normal(0, np.sqrt(2 / n), (m, n)), 0.1 * rng.normal(size=m))
                        for m, n in pairs])  # fmt: skip

    for w in (16, 32, 64) if quick else (16, 32, 64, 128, 256):
        net = random_net([2, w, w, w, 1])
        seconds, found = common.best(lambda net=net: lr.count(net, lr.Box(-1, 1)), 3)
        rows.append({"network": f"2-[{w}, {w}, {w}]", "engine": "complex", "regions": int(found),
                     "seconds": seconds, "regions/s": int(found) / seconds})  # fmt: skip
    for n in (2, 4, 6) if quick else (2, 4, 6, 8, 10):
        net = random_net([n, 10, 10, 1])
        seconds, found = common.best(lambda net=net: lr.count(net, engine="search"), 3)
        rows.append({"network": f"{n}-[10, 10]", "engine": "search, R^n", "regions": int(found),
                     "seconds": seconds, "regions/s": int(found) / seconds})  # fmt: skip
    return rows


def main() -> None:
    p = common.parser(__doc__)
    p.add_argument("--peer", action="append", default=[], metavar="NAME:CASE=COMMAND")
    p.add_argument("--edge-subdivision", type=Path, metavar="PATH", help="its checkout")
    p.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("report.md"))
    options = p.parse_args()
    if common.data("bench/A.npz") is None:
        sys.exit("the shared data is absent; set LINREGIONS_DATA")
    report = common.Report("linregions beside others", options)
    common.compile_apart()
    lr.subdivide([([[1.0, 0.0]], [0.0]), ([[1.0]], [0.0])], lr.Box(-1, 1))
    lr.crossings([([[1.0, 0.0]], [0.0]), ([[1.0]], [0.0])], [[[-1.0, 0.0], [1.0, 0.5]]])
    chosen = "ACF" if options.quick else "".join(CASES)
    peers = commands(options.peer)
    rows, right = [], True
    for case in chosen:
        seconds, regions = ours(case)
        right &= regions == CASES[case][2]
        row: dict[str, Any] = {"": case, "network, domain": CASES[case][0], "regions": regions,
                               "linregions (s)": seconds}  # fmt: skip
        found = {
            "edge subdivision, float32": edges(options.edge_subdivision, case),
            "SCIP": scip(case), **{name: by.get(case) for name, by in peers.items()},
        }  # fmt: skip
        for name, took in found.items():
            row[f"{name} (s)"] = "-" if took is None else took
        rows.append(row)
    report.table("Seconds", rows)
    survey = beside({row[""]: row["linregions (s)"] for row in rows})
    report.table("Beside a survey", survey)
    grown = scaling(options.quick)
    report.table("Scaling", grown)
    report.claim("the counts are those that two programs agree on", right)
    options.output.write_text(page(report, rows, survey, grown), encoding="utf-8")
    report.end()


def beside(mine: dict[str, float]) -> list[dict[str, Any]]:
    """The survey's table, with a line for ours."""
    lines: dict[str, dict[str, Any]] = {
        "linregions, this run": {case: common.show(s) for case, s in mine.items()}, **SURVEY,
        "aimed at": {case: common.show(s) for case, s in BAR.items()},
    }  # fmt: skip
    return [{"": name, **{c: line.get(c, "-") for c in CASES}} for name, line in lines.items()]


def page(report: common.Report, rows: list[dict[str, Any]], *others: list[dict[str, Any]]) -> str:
    """The report as Markdown."""
    titles = (
        "Seconds, exact answers, compilation apart",
        "Beside a survey of all peers",
        "Scaling",
    )
    facts = [", ".join(f"{k} {v}" for k, v in report.content[part].items())
             for part in ("machine", "versions")]  # fmt: skip
    lines = ["# linregions beside others", "", f"One run, two threads. {facts[0]}; {facts[1]}.", ""]
    for title, some in zip(titles, (rows, *others), strict=True):
        heads = list(some[0])
        lines += [f"## {title}", "", "| " + " | ".join(heads) + " |"]
        lines.append("| " + " | ".join("---" for _ in heads) + " |")
        lines += ["| " + " | ".join(common.show(row.get(h)) for h in heads) + " |" for row in some]
        lines.append("")
    lines.append(
        "The survey was made on 2026-11-21 on two cores of the same kind: seconds, or regions a "
        "second (/s) where a program did not finish. "
        "A to D: the whole complex with cells and adjacency; E and F: counts; G: all breakpoints. "
        "A dash: that program is not there, or does not take the case. SCIP counts F over the box "
        "of half-width 1000. Made by `python benchmarks/report.py`.\n"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
