"""Claim: the whole complex of networks A, B, C, D, exactly, in 0.010, 0.35, 0.15 and 0.25 s.

Networks of the shared data over [-1, 1]^k, k = 2, 2, 3, 4; two threads, compilation apart, cells
and adjacency included. Beside it in the same run: the count alone (the last layer's cells are not
built), the search engine, the plain matrix products of the hidden layers at every vertex (numpy,
two threads), and other programs: --peer CASE=COMMAND (repeatable) runs a command that prints one
JSON object with "seconds" (and "regions"). Memory: what the finished complex holds, and the peak of
a process of its own above the imports; time against size is that of 2-[w, w, w] networks.
"""

# ruff: noqa: E402 (the number of threads is read when numpy loads)

import os

for _name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "2")

import common  # isort: skip

import json
import shlex
import subprocess
import sys
from itertools import pairwise
from typing import Any

import numpy as np

import linregions as lr

CASES = {"A": (14_353, 0.010), "B": (262_431, 0.35), "C": (133_592, 0.15), "D": (146_603, 0.25)}
BYTES = {2: 150, 3: 300, 4: 700}


def whole(net: lr.Network) -> lr.CellComplex:
    """Cells and adjacency."""
    cells = lr.subdivide(net, lr.Box(-1, 1))
    _ = cells.facet_cells
    return cells


def products(net: lr.Network, points: int) -> Any:
    """The products of the hidden layers with themselves at so many points."""
    weights = [
        layer.affine.rounded(i, net.size_of(i))[0] for i, layer in enumerate(net.layers) if i
    ]
    values = np.random.default_rng(0).standard_normal((points, weights[0].shape[1]))
    return lambda: [values @ w.T for w in weights]


def random_net(width: int, inputs: int = 2) -> lr.Network:
    """inputs-[width, width, width]-1 in the way of the shared networks."""
    rng = np.random.default_rng(0)
    sizes = [inputs, width, width, width, 1]
    return lr.load(
        [
            (rng.standard_normal((m, n)) * np.sqrt(2 / n), 0.1 * rng.standard_normal(m))
            for n, m in pairwise(sizes)
        ]
    )


def peak(case: str) -> dict[str, Any]:
    """Memory of one case in a process of its own: peak and kept, above the imports."""
    code = f"""
import complex_against_peers as here, common, json, gc, tracemalloc
net = here.case_net({case!r})
lr = here.lr
here.whole(here.random_net(6, net.inputs))
gc.collect()
before = common.status("VmRSS")
cells = here.whole(net)
top = common.status("VmHWM")
count = cells.cells
del cells
gc.collect()
tracemalloc.start()
cells = here.whole(net)
gc.collect()
kept = tracemalloc.get_traced_memory()[0] / 2**20
print(json.dumps({{"cells": cells.cells, "peak": top - before, "kept": kept}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=common.ROOT / "benchmarks",
    )  # fmt: skip
    return json.loads(done.stdout)


def case_net(case: str) -> lr.Network:
    """A network of the shared data, or 2-[w, w, w] for a number w."""
    if case.isdigit():
        return random_net(int(case))
    path = common.data(f"bench/{case}.npz")
    if path is None:
        sys.exit("the shared data is absent; set LINREGIONS_DATA")
    return lr.load(path)


def peers(given: list[str]) -> dict[str, list[list[str]]]:
    """Commands by case."""
    out: dict[str, list[list[str]]] = {}
    for text in given:
        case, command = text.split("=", 1)
        out.setdefault(case, []).append(shlex.split(command))
    return out


def main() -> None:
    p = common.parser(__doc__)
    p.add_argument("--peer", action="append", default=[], metavar="CASE=COMMAND")
    options = p.parse_args()
    report = common.Report("Cell complexes", options)
    others = peers(options.peer)
    from linregions.complex.subdivide import compile_complex

    print(f"\nCompile or read from cache: {compile_complex():.2f} s.")
    rows, runs = [], 3 if options.quick else 12
    for case, (regions, bar) in CASES.items():
        net = case_net(case)
        seconds, cells = common.best(lambda net=net: whole(net), runs, 20)
        counted, _ = common.best(
            lambda net=net: lr.count(net, lr.Box(-1, 1), engine="complex"), runs, 20
        )
        product, _ = common.best(products(net, cells.face_counts[0]), 3)
        search = None
        if not options.quick and case != "B":
            search, _ = common.best(
                lambda net=net: lr.count(net, lr.Box(-1, 1), engine="search"), 1
            )
        row = {
            "network": case, "regions": cells.cells, "complex s": seconds, "count s": counted,
            "bar s": bar, "products s": product, "search s": search,
        }  # fmt: skip
        for n, command in enumerate(others.get(case, []), start=1):
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            said = json.loads(done.stdout.strip().splitlines()[-1])
            row[f"peer {n}"] = said.get("peer", command[0].split("/")[-1])
            row[f"peer {n} s"] = said["seconds"]
            row[f"ratio {n}"] = said["seconds"] / seconds
        rows.append(row)
        report.claim(
            f"{case}: {regions:,} regions, exactly", cells.cells == regions and cells.exact
        )
        report.claim(f"{case}: in {bar} s", seconds <= bar, f"{seconds:.4f} s")
    report.table("Seconds on two threads (ratio: the peer's seconds over the complex's)", rows)

    memory = []
    for case in ("A", "C", "D") if options.quick else CASES:
        got = peak(case)
        k = case_net(case).inputs
        per = {name: got[name] * 2**20 / got["cells"] for name in ("peak", "kept")}
        memory.append(
            {"network": case, "cells": got["cells"], "kept bytes a cell": per["kept"],
             "peak bytes a cell": per["peak"]}
        )  # fmt: skip
        report.claim(
            f"{case}: at most {BYTES[k]} bytes kept a cell in {k}-D",
            per["kept"] <= BYTES[k], f"{per['kept']:.0f}",
        )  # fmt: skip
    report.table("Memory above the imports", memory)

    growth = []
    for width in (16, 32, 64, 128) if options.quick else (16, 32, 64, 128, 256, 512):
        seconds, cells = common.best(lambda width=width: whole(random_net(width)), 3, 10)
        growth.append(
            {"network": f"2-[{width}, {width}, {width}]", "cells": cells.cells, "seconds": seconds,
             "cells a second": int(cells.cells / seconds)}
        )  # fmt: skip
    for width in (250, 500) if options.quick else (250, 500, 1000, 1900):
        rng = np.random.default_rng(0)
        layer = rng.standard_normal((width, 2)), 0.5 * rng.standard_normal(width)
        net = lr.load([layer, (np.ones((1, width)), np.zeros(1))])
        seconds, cells = common.best(lambda net=net: whole(net), 3, 10)
        growth.append(
            {"network": f"2-[{width}]", "cells": cells.cells, "seconds": seconds,
             "cells a second": int(cells.cells / seconds)}
        )  # fmt: skip
    report.table("Time against cells, in the plane", growth)
    if not options.quick:
        report.claim(
            "a million cells in the plane in 2 s (2-[1900])",
            seconds <= 2 and cells.cells > 1_000_000, f"{seconds:.2f} s",
        )  # fmt: skip
    report.end()


if __name__ == "__main__":
    main()
