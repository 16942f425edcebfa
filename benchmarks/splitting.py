"""Claim: a count of 10^12 regions keeps 1,000 workers nine tenths busy, by simulation.

A search is walked in small steps, each of which leaves branches, and the size of every branch is
known at the end. So for every branch and every budget it is known in which parts the rest lies.
The simulation is a queue of tasks as `Coordinator` makes them, by the same policy
(`parallel.policy`): a task walks a bundle of branches for its budget; the branch where that ends
is replaced by parts drawn from those recorded at the same ratio of size to budget. That takes
subtrees to be alike at
all scales. A result takes the coordinator some time (measured: 0.8 ms with a pool, 6 ms with
Dask), and a task --latency to arrive. Beyond 100 workers the same work is also divided among shards
of 100 workers (``count --shard``), each as late as the largest shard of the search recorded.
"""

import common  # isort: skip

import heapq
import time
from collections import deque
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import linregions as lr
from linregions.parallel import policy
from linregions.parallel.prefixes import frontier
from linregions.parallel.run import _whole_tree
from linregions.questions.shards import EACH
from linregions.search.branch import adopt, hand_over
from linregions.search.search import Search

WIDTHS, QUICK, STEP = (6, 16, 16, 1), (6, 11, 11, 1), 32
SERVICE = {"pool": 0.8e-3, "Dask": 6e-3}  # seconds of the coordinator for a result
SHARD = 100  # workers
DEPTH = 24  # ratios of size to budget, in powers of two


class Tree(NamedTuple):
    """A search in steps: nodes of each, its parent, and its place among what the parent left."""

    nodes: np.ndarray
    children: list[list[int]]
    seconds: float
    regions: int


def record(*widths: int) -> Tree:
    """Walk a random network's search in steps of some nodes."""
    net = lr.load(common.gaussian(*widths))
    start = time.perf_counter()
    regions = int(lr.count(net, engine="search"))
    seconds = time.perf_counter() - start
    search = Search(lr.restrict(net))
    nodes: list[int] = []
    children: list[list[int]] = []
    stack = [(branch, -1) for branch in _whole_tree(search)[0]]
    before = search.stats()["nodes"]
    while stack:
        branch, parent = stack.pop()
        adopt(search, branch)
        search.run(STEP)
        now = search.stats()["nodes"]
        me = len(nodes)
        nodes.append(now - before)
        children.append([])
        if parent >= 0:
            children[parent].append(me)
        before = now
        stack += [(left, me) for left in hand_over(search)]
    assert search.leaves == regions
    return Tree(np.array(nodes), [c[::-1] for c in children], seconds, regions)


def shapes(tree: Tree) -> list[list[np.ndarray]]:
    """For each power of two: shares of what is left after that part of a branch, shallow first."""
    total = tree.nodes.astype(float)
    for i in range(len(total) - 1, -1, -1):  # children come later
        total[i] += sum(total[c] for c in tree.children[i])
    rng = np.random.default_rng(1)
    found: list[list[np.ndarray]] = [[] for _ in range(DEPTH)]
    for i in rng.permutation(len(total))[:20_000]:
        for power in range(DEPTH):
            if total[i] < STEP * 2 ** (power + 1):
                break
            left = walk(tree, total, int(i), total[i] / 2 ** (power + 1))
            if left.sum() > 0 and len(found[power]) < 500:
                found[power].append(left / left.sum())
    return [f for f in found if len(f) > 4]


def walk(tree: Tree, total: np.ndarray, branch: int, budget: float) -> np.ndarray:
    """Sizes of what a task leaves of a branch."""
    stack = [branch]
    while stack and budget > 0:
        i = stack.pop()
        if total[i] <= budget:
            budget -= total[i]
        else:
            budget -= tree.nodes[i]
            stack += tree.children[i]
    return np.array([total[i] for i in stack])


class Outcome(NamedTuple):
    """Seconds until all is done, tasks, and the part of the time that the coordinator was busy."""

    seconds: float
    tasks: int
    coordinator: float


def simulate(
    work: float, workers: int, parts: list[list[np.ndarray]], service: float, latency: float,
    cost: float, seed: int = 0,
) -> Outcome:  # fmt: skip
    """Run ``work`` seconds on some workers; ``cost`` is what a task takes beside its budget."""
    rng = np.random.default_rng(seed)

    def walked(bundle: list[float], budget: float) -> tuple[float, list[float]]:
        used, rest = 0.0, list(bundle)
        while rest and used < budget:
            size = rest.pop()
            left = budget - used
            if size <= left:
                used += size
                continue
            used = budget
            which = parts[min(len(parts) - 1, max(0, int(np.log2(size / left))))]
            rest += list((size - left) * which[rng.integers(len(which))])
        return used, rest

    queue, waiting = [[work]], deque()
    landing: list[tuple[float, int, list[float]]] = []
    target, idle, flights, tasks = policy.wanted(workers), workers, 0, 0
    clock = busy = 0.0  # of the coordinator
    while queue or flights:
        policy.divide(queue, target - flights)
        while queue and flights < target:
            budget = policy.budget(workers, len(queue) + flights, target)
            waiting.append((queue.pop(), budget, clock + latency))
            flights += 1
        while idle and waiting:
            bundle, budget, ready = waiting.popleft()
            used, rest = walked(bundle, budget)
            heapq.heappush(landing, (max(clock, ready) + cost + used, tasks, rest))
            idle, tasks = idle - 1, tasks + 1
        when, _, rest = heapq.heappop(landing)
        idle, flights = idle + 1, flights - 1
        # the worker takes the next waiting task at once, not when the coordinator has time
        if waiting:
            bundle, budget, ready = waiting.popleft()
            used, more = walked(bundle, budget)
            heapq.heappush(landing, (max(when, ready) + cost + used, tasks, more))
            idle, tasks = idle - 1, tasks + 1
        clock, busy = max(clock, when) + service, busy + service
        if rest:
            queue.append(rest)
    return Outcome(clock, tasks, busy / clock)


def curve(
    totals: dict[str, float], parts: list[list[np.ndarray]], options: Any, even: dict[int, float]
) -> list[dict[str, Any]]:
    """Efficiencies by the number of workers, the coordinator and the work."""
    rows = []

    def efficiency(work: float, workers: int, service: float) -> float | None:
        if work / workers > 20_000:  # hours of long tasks and nothing else: takes long to simulate
            return None
        done = simulate(work, workers, parts, service, options.latency, options.cost)
        return work / workers / done.seconds

    for workers in (2, 10, 100) if options.quick else (2, 10, 100, 1_000, 10_000):
        for name, service in SERVICE.items():
            found = {n: efficiency(w, workers, service) for n, w in totals.items()}
            rows.append({"workers": workers, "coordinator": name, **found})
        shards = workers // SHARD
        if shards in even:
            single = {n: efficiency(w / shards, SHARD, SERVICE["pool"]) for n, w in totals.items()}
            found = {n: e and e * even[shards] for n, e in single.items()}
            rows.append({"workers": workers, "coordinator": f"{shards} shards", **found})
    return rows


def evenness(*widths: int) -> dict[int, float]:
    """Mean over largest size of the shards of a search, by their number."""
    net = lr.load(common.gaussian(*widths))
    problem = lr.restrict(net)
    search = Search(problem, emit=1 << 16)
    more, signs = True, []
    while more:
        more = search.run(1 << 16)
        signs.append(search.take().signs)
    cells = np.concatenate(signs)
    out = {}
    for shards in (10, 100):
        front = frontier(problem, EACH * shards)
        prefixes = np.packbits(cells[:, : front.units], axis=1)
        _, sizes = np.unique(prefixes, axis=0, return_counts=True)
        assert len(sizes) == len(front.pieces)
        mine = [sizes[i::shards].sum() for i in range(shards)]
        out[shards] = float(np.mean(mine) / np.max(mine))
    return out


def draw(rows: list[dict[str, Any]], totals: dict[str, float], path: Path) -> None:
    """The efficiency curves."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
    for k, name in enumerate(totals):
        for style, chosen in (("o-", "pool"), ("x:", "Dask"), ("s", "shards")):
            some = [(r["workers"], r[name]) for r in rows
                    if r["coordinator"].endswith(chosen) and r[name] is not None]  # fmt: skip
            axes.plot(*zip(*some, strict=True), style, color=f"C{k}", mfc="none", ms=5,
                      label=f"{name} regions" if chosen == "pool" else None)  # fmt: skip
    axes.set(xscale="log", ylim=(0, 1.02), xlabel="workers", ylabel="efficiency",
             title="pool (line), Dask (dotted), shards of 100 workers (squares)")  # fmt: skip
    axes.title.set_fontsize(9)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--latency", type=float, default=1e-2, help="seconds until a task arrives")
    parser.add_argument(
        "--cost", type=float, default=1e-3, help="seconds of a task beside its walk"
    )
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    report = common.Report("Splitting on many workers", options)
    common.compile_apart()
    tree = record(*(QUICK if options.quick else WIDTHS))
    parts = shapes(tree)
    each = tree.seconds / tree.regions
    report.table("Recorded", [{
        "regions": tree.regions, "seconds": tree.seconds, "steps": len(tree.nodes),
        "ratios": f"2 to {2 ** len(parts):,}",
        "parts left at ratio 2": float(np.mean([len(s) for s in parts[0]])),
        "largest share": float(np.mean([s.max() for s in parts[0]])),
        "parts at the last": float(np.mean([len(s) for s in parts[-1]])),
        "its largest share": float(np.mean([s.max() for s in parts[-1]])),
    }])  # fmt: skip
    even = evenness(*(QUICK if options.quick else WIDTHS))
    report.table("Shards", [{"shards": n, "mean over largest": e} for n, e in even.items()])
    totals = {f"10^{p}": each * 10.0**p for p in ((8, 9) if options.quick else (9, 10, 11, 12))}
    rows = curve(totals, parts, options, even)
    report.table("Efficiency", rows)
    if options.figure:
        draw(rows, totals, options.figure)
    most, least = (100, 0.5) if options.quick else (1_000, 0.9)
    (found,) = (r for r in rows if r["workers"] == most and r["coordinator"] == "pool")
    last = found[list(totals)[-1]]
    report.claim(f"{most:,} workers are busy for nine tenths", last >= least, f"{last:.3f}")
    report.end()


if __name__ == "__main__":
    main()
