"""Claim: 35,000 small networks are counted exactly, over all of R^7, in under three minutes.

The experiment of Wang (2022, section 4.1): seven architectures of input dimension 7, weights and
biases uniform in (-1, 1), scalar output, 5,000 networks each; linear and activation regions of
every one. The published columns are the means and deviations of his 5,000 (Table 1).
"""

import common  # isort: skip

import argparse
import cProfile
import pstats
import time
from collections import Counter
from itertools import pairwise
from multiprocessing import get_context
from typing import Any

import numpy as np

import linregions as lr
from linregions.papers.wang2022 import INPUTS, PUBLISHED

STATS = ("nodes", "lps", "float_proofs", "integer_proofs", "rational", "rational_cells")


def draw(widths: tuple[int, ...], seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Network number ``seed`` of an architecture."""
    rng = np.random.default_rng([*widths, seed])
    shape = (INPUTS, *widths, 1)
    return [(rng.uniform(-1, 1, (m, n)), rng.uniform(-1, 1, m)) for n, m in pairwise(shape)]


def one(job: tuple[tuple[int, ...], int]) -> tuple[int, int, bool, float, dict[str, int]]:
    """Linear regions, activation regions, exactness, seconds and statistics of one network."""
    widths, seed = job
    start = time.perf_counter()
    answer = lr.count(draw(widths, seed), kind="linear")
    seconds = time.perf_counter() - start
    stats = {name: answer.stats.get(name, 0) for name in STATS}
    return int(answer), answer.also["activation"], answer.exact, seconds, stats


def summary(widths: tuple[int, ...], seconds: float, results: list[Any]) -> dict[str, Any]:
    linear = np.array([r[0] for r in results], float)
    activation = np.array([r[1] for r in results], float)
    total: Counter[str] = Counter()
    for r in results:
        total.update(r[4])
    each = np.array([r[3] for r in results])
    mean, deviation = PUBLISHED[widths]
    n = len(results)
    row = {
        "widths": "-".join(map(str, widths)),
        "networks": n,
        "seconds": seconds,
        "ms each": 1e3 * seconds / n,
        "ms median": 1e3 * float(np.median(each)),
        "ms worst": 1e3 * float(each.max()),
        "activation": float(activation.mean()),
        "activation dev.": float(activation.std()),
        "linear": float(linear.mean()),
        "linear dev.": float(linear.std()),
        "linear / activation": float((linear / activation).mean()),
        "published": mean,
        "published dev.": deviation,
        "standard errors apart": abs(float(linear.mean()) - mean)
        / float(np.sqrt(linear.var() / n + deviation**2 / 5000)),
    }
    return row | {f"{name} each": total[name] / n for name in ("nodes", "lps", "rational")}


def profile(options: argparse.Namespace) -> None:
    """Where the time goes."""
    for widths in PUBLISHED:
        profiler = cProfile.Profile()
        profiler.enable()
        for seed in range(options.networks):
            one((widths, seed))
        profiler.disable()
        print(f"\nwidths {widths}, {options.networks} networks")
        pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(25)


def main() -> None:
    p = common.parser(__doc__)
    p.add_argument("--networks", type=int, metavar="N", help="of each architecture (5000)")
    p.add_argument("--processes", type=int, default=1, help="worker processes (1)")
    p.add_argument("--profile", action="store_true", help="profile instead of measuring")
    options = p.parse_args()
    if options.networks is None:
        options.networks = 50 if options.quick else 5000
    report = common.Report("Wang's seven architectures over R^7", options)
    print(f"Compile or read from cache: {common.compile_apart(('linear',)):.2f} s.")
    if options.profile:
        profile(options)
        return
    rows, exact = [], True
    pool = get_context("spawn").Pool(options.processes) if options.processes > 1 else None
    if pool is not None:  # let every worker compile
        pool.map(one, [((2, 2), s) for s in range(4 * options.processes)], chunksize=1)
    for widths in PUBLISHED:
        jobs = [(widths, seed) for seed in range(options.networks)]
        start = time.perf_counter()
        results = list(map(one, jobs)) if pool is None else pool.map(one, jobs, chunksize=25)
        rows.append(summary(widths, time.perf_counter() - start, results))
        exact &= all(r[2] for r in results)
    total = sum(row["seconds"] for row in rows)
    columns = [k for k in rows[0] if k not in ("nodes each", "lps each", "rational each")]
    report.table("Regions", [{k: row[k] for k in columns} for row in rows])
    report.table(
        "Work", [{k: row[k] for k in row if k == "widths" or k[-4:] == "each"} for row in rows]
    )
    whole = total * 5000 / options.networks
    tail = "" if options.networks == 5000 else f", {whole:.0f} s at 5,000 of each"
    report.claim(
        "seven times 5,000 networks in under three minutes",
        whole < 180,
        f"{total:.1f} s for {7 * options.networks:,} networks{tail}",
    )
    report.claim("every count exact", exact)
    report.claim(
        "means of linear regions within 4 standard errors of the published ones",
        all(row["standard errors apart"] < 4 for row in rows),
    )
    report.end()


if __name__ == "__main__":
    main()
