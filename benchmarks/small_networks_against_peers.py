"""Claim: small networks are counted exactly, at 50,000 regions a second or more on one thread.

Networks A, C, D, E, F of the shared data against other programs, in one process, on one thread,
on the same work, where those programs are there:

* edge subdivision (Berzins, "Polyhedral complex extraction from ReLU networks using edge
  subdivision", ICML 2023), vertices and edges in float32 torch on the CPU, from a checkout named
  by --edge-subdivision. Cells are counted from its sign vectors afterwards, untimed.
* SCIP counting the assignments of a big-M model (pyscipopt), where it finishes.

Both want a box, so F over R^7 is given to them as the box of half-width 1000, and ours is timed
there too. F is uniform(-1, 1); the others have He weights and biases 0.1 N(0, 1).
"""

import common  # isort: skip

import contextlib
import io
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import linregions as lr

Layers = list[tuple[np.ndarray, np.ndarray]]
CASES = (  # network, half-width of the box (None: all of R^n), regions
    ("F", None, 894),
    ("F", 1e3, None),
    ("F", 1.0, 422),
    ("E", 1.0, 77_455),
    ("D", 1.0, 146_603),
    ("C", 1.0, 133_592),
    ("A", 1.0, 14_353),
)
RATE = 50_000


def stored(name: str) -> Layers:
    """The (W, b) pairs of a network of the shared data."""
    path = common.data(f"bench/{name}.npz")
    if path is None:
        sys.exit("the shared data is absent; set LINREGIONS_DATA")
    with np.load(path) as file:
        return [(file[f"W{i}"], file[f"b{i}"]) for i in range(len(file.files) // 2)]


def small(seed: int) -> Layers:
    """A random 3-[8, 8] network that SCIP counts in seconds."""
    rng, shape = np.random.default_rng(seed), (3, 8, 8, 1)
    return [
        (rng.normal(0, np.sqrt(2 / n), (m, n)), 0.1 * rng.normal(size=m))
        for n, m in pairwise(shape)
    ]


def domain(half: float | None) -> lr.Domain:
    return lr.Space() if half is None else lr.Box(-half, half)


def shape_of(layers: Layers) -> str:
    hidden = ", ".join(str(len(b)) for _, b in layers[:-1])
    return f"{layers[0][0].shape[1]}-[{hidden}]"


class EdgeSubdivision:
    """An adapter: hidden layers in, seconds and number of cells out."""

    name = "edge subdivision"

    def __init__(self, checkout: Path) -> None:
        import torch

        torch.set_num_threads(1)
        sys.path.insert(0, str(checkout))
        self.torch = torch
        self.run = __import__("edge_subdivision").skeletal_subdivision
        self.net = __import__("NN").Net

    def __call__(self, layers: Layers, half: float, runs: int) -> tuple[float, int]:
        torch = self.torch
        net = self.net(ks=[layers[0][0].shape[1], *(len(b) for _, b in layers[:-1])])
        with torch.no_grad():
            for linear, (W, b) in zip(net.fcs, layers, strict=False):
                linear.weight.copy_(torch.from_numpy(np.asarray(W)))
                linear.bias.copy_(torch.from_numpy(np.asarray(b)))

            def call() -> Any:
                with contextlib.redirect_stdout(io.StringIO()):
                    return self.run(net, bbox=(-half, half), device=torch.device("cpu"))

            seconds, (_, _, signs) = common.best(call, runs)
        return seconds, cells(signs.numpy(), 2 * net.ks[0])


def cells(signs: np.ndarray, sides: int) -> int:
    """Cells of a generic complex from the sign vectors of its vertices.

    The cells around a vertex have + or - for each of its zeros; zeros among the first
    ``sides`` entries, the sides of the box, can only be +.
    """
    codes = np.random.default_rng(1).integers(0, 1 << 63, signs.shape[1], dtype=np.uint64)
    codes[:sides] = 0
    free = signs == 0
    free[:, :sides] = False
    base = np.where(signs > 0, codes, np.uint64(0)).sum(axis=1, dtype=np.uint64)
    seen = np.zeros(0, np.uint64)
    for zeros in np.unique(free.sum(axis=1)):
        mine = np.flatnonzero(free.sum(axis=1) == zeros)
        at = np.nonzero(free[mine])[1].reshape(len(mine), zeros)
        for choice in range(1 << int(zeros)):
            chosen = [j for j in range(int(zeros)) if choice >> j & 1]
            key = base[mine] + codes[at[:, chosen]].sum(axis=1, dtype=np.uint64)
            seen = np.unique(np.concatenate([seen, key]))
    return len(seen)


def scip() -> Any:
    """The counting function of the tests' SCIP referee, or None."""
    try:
        import pyscipopt  # noqa: F401
    except ImportError:
        return None
    path = common.ROOT / "tests" / "scip_referee.py"
    return common.module("scip_referee", path).scip_count if path.exists() else None


def ours(report: common.Report, quick: bool) -> dict[tuple[str, float | None], float]:
    """Our own counts, exact and not; seconds of the exact ones by case."""
    rows, times, right = [], {}, True
    for name, half, known in CASES[:4] if quick else CASES:
        net = lr.load(common.data(f"bench/{name}.npz"))
        for exact in (True, False):
            seconds, answer = common.best(
                lambda net=net, half=half, exact=exact: lr.count(
                    net, domain(half), exact=exact, engine="search"
                ),
                3 if quick else 5,
            )
            right &= known in (None, int(answer)) and answer.exact == exact
            if exact:
                times[name, half] = seconds
            s = answer.stats
            rows.append(
                {
                    "network": f"{name}: {shape_of(stored(name))}",
                    "domain": answer.domain,
                    "exact": exact,
                    "regions": int(answer),
                    "seconds": seconds,
                    "regions/s": int(answer) / seconds,
                    "LPs": s["lps"],
                    "float proofs": s["float_proofs"],
                    "integer proofs": s["integer_proofs"],
                    "rational": s["rational"],
                }
            )
    report.table("linregions", rows)
    report.claim("the counts are the published ones", right)
    slowest = min((r for r in rows if r["exact"]), key=lambda r: r["regions/s"])
    report.claim(
        f"at least {RATE:,} regions a second, exact, on every network",
        slowest["regions/s"] >= RATE,
        f"slowest: {slowest['network']}, {slowest['domain']}, {slowest['regions/s']:,.0f}/s",
    )
    return times


def compare(report: common.Report, times: dict, checkout: Path | None, quick: bool) -> None:
    """Peers on the same work."""
    rows = []

    def row(name: str, half: float, layers: Layers, peer: str, seconds: float, found: int) -> None:
        net = lr.Network.from_layers(layers)
        mine, answer = common.best(
            lambda: lr.count(net, domain(half), engine="search")
        )  # now, for equal terms
        mine = min(mine, times.get((name, half), mine))
        rows.append(
            {
                "network": name,
                "box": f"±{half:g}",
                "peer": peer,
                "peer's regions": found,
                "our regions": int(answer),
                "peer's seconds": seconds,
                "our seconds": mine,
                "ratio": seconds / mine,
            }
        )

    boxes = [(name, half) for name, half, _ in CASES if half is not None and (name, half) in times]
    if checkout is not None:
        peer = EdgeSubdivision(checkout)
        for name, half in boxes:
            layers = stored(name)
            row(name, half, layers, peer.name, *peer(layers, half, 1 if quick else 3))
    referee = scip()
    if referee is not None:
        work = [(name, half, stored(name)) for name, half in boxes if name == "F"]
        work += [(f"3-[8, 8] seed {s}", 1.0, small(s)) for s in range(1 if quick else 3)]
        path = common.data("counted/quadratic_2-16-16-1.onnx")
        if path is not None and not quick:
            net = lr.load(path)
            work.append(("quadratic 2-[16, 16]", 1.0, dense(net)))
        for name, half, layers in work:
            n = layers[0][0].shape[1]
            start = time.perf_counter()
            found = referee(layers, [-half] * n, [half] * n)
            row(name, half, layers, "SCIP", time.perf_counter() - start, found)
    if not rows:
        print("\nNo peer is there: give --edge-subdivision PATH, or install pyscipopt.")
        return
    report.table("Against peers (ours exact; ratio above 1: ours is faster)", rows)
    report.claim(
        "exact counts take no longer than any peer's",
        all(r["ratio"] >= 1 for r in rows),
        "; ".join(f"{r['network']} {r['peer']} {r['ratio']:.2g}" for r in rows if r["ratio"] < 1),
    )


def dense(net: lr.Network) -> Layers:
    """The (W, b) pairs of a plain feed-forward network, from its affine maps."""
    out, size = [], net.inputs
    maps = [*(layer.affine for layer in net.layers), net.output]
    for i, affine in enumerate(maps):
        W, _ = affine.rounded(i, size)
        b, _ = affine.rounded(-1, 1)
        out.append((W, b.ravel()))
        size = affine.size
    return out


def main() -> None:
    p = common.parser(__doc__)
    p.add_argument("--edge-subdivision", type=Path, metavar="PATH", help="its checkout")
    options = p.parse_args()
    report = common.Report("Small networks", options, "torch", "pyscipopt")
    print(f"Compile or read from cache: {common.compile_apart():.2f} s.")
    times = ours(report, options.quick)
    compare(report, times, options.edge_subdivision, options.quick)
    report.end()


if __name__ == "__main__":
    main()
