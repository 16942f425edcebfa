"""Claim: 17,627 regions along 100 segments of a 784-[256, 256, 256] network, exactly, in 0.025 s.

Network G of the shared data (weights He, biases 0.1 N(0, 1)) and the segments of `G_lines.npz`.
Two threads, compilation apart; best and median of the runs. Beside it, in the same run: the plain
matrix products of the hidden layers at every breakpoint (numpy, two threads), as a reference; the
same number of infinite lines; and with --peer COMMAND the time of another program, which is started
once and must print its seconds as the last word of its output.
"""

# ruff: noqa: E402 (the number of threads is read when numpy loads)

import os

for _name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "2")

import common  # isort: skip

import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

import linregions as lr
from linregions.line.crossings import Crossings, crossings, line_compile

REGIONS = 17_627
BAR, AIM = 0.025, 0.007


def times(call: Callable[[], Any], runs: int) -> tuple[float, float, Any]:
    """Best and median seconds, and the last answer."""
    seconds, answer = [], None
    for _ in range(runs):
        start = time.perf_counter()
        answer = call()
        seconds.append(time.perf_counter() - start)
    return min(seconds), median(seconds), answer


def products(net: lr.Network, points: int) -> Callable[[], None]:
    """The products of the hidden layers with themselves at so many points."""
    weights = [
        m.affine.rounded(i, n)[0]
        for i, (m, n) in enumerate(zip(net.layers, (0, *net.widths), strict=False))
        if i
    ]
    values = np.random.default_rng(0).standard_normal((points, weights[0].shape[1]))
    return lambda: [values @ w.T for w in weights] and None


def main() -> None:
    p = common.parser(__doc__)
    p.add_argument("--peer", metavar="COMMAND", help="a program that prints its seconds last")
    options = p.parse_args()
    paths = common.data("bench/G.npz"), common.data("bench/G_lines.npz")
    if None in paths:
        sys.exit("the shared data is absent; set LINREGIONS_DATA")
    report = common.Report("Lines through network G", options)
    net = lr.load(paths[0])
    with np.load(paths[1]) as file:
        segments = np.stack([file["p"], file["q"]], axis=1)
    lines = np.stack([segments[:, 0], segments[:, 1] - segments[:, 0]], axis=1)
    print(f"\nCompile or read from cache: {line_compile():.2f} s.")
    start = time.perf_counter()
    crossings(net, segments[:1])
    print(
        f"First call on this network (norms of its weights): {time.perf_counter() - start:.3f} s."
    )
    runs = 5 if options.quick else 50
    rows = []

    def row(name: str, seconds: tuple[float, float, Any], regions: int | None) -> None:
        best, middle, _ = seconds
        rows.append({"what": name, "regions": regions, "best s": best, "median s": middle})

    found: dict[str, Crossings] = {}
    for name, threads in (("segments, 2 threads", 2), ("segments, 1 thread", 1)):
        got = times(lambda threads=threads: crossings(net, segments, threads=threads), runs)
        found[name] = got[2]
        row(name, got, int(got[2].regions.sum()))
    whole = times(lambda: crossings(net, lines, lines=True, threads=2), 3 if options.quick else 10)
    row("whole lines, 2 threads", whole, int(whole[2].regions.sum()))
    row("hidden products at every breakpoint", times(products(net, REGIONS), 5), None)
    if options.peer:
        done = subprocess.run(shlex.split(options.peer), capture_output=True, text=True, check=True)
        seconds = float(done.stdout.split()[-1])
        row("peer", (seconds, seconds, None), None)
    report.table("Seconds", rows)
    answer = found["segments, 2 threads"]
    report.claim(
        "17,627 regions, every decision justified",
        bool(answer.exact and answer.regions.sum() == REGIONS),
    )
    best = rows[0]["best s"]
    report.claim(f"in {BAR} s on two threads", best <= BAR, f"{best:.4f} s; the aim is {AIM} s")
    report.end()


if __name__ == "__main__":
    main()
