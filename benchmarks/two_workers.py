"""Claim: two workers are 1.8 times as fast as one on a search of 20 s or more, a Dask cluster of
two 1.6 times, and a checkpoint costs under 2 %.

The counts must be equal. A checkpoint is measured in processor seconds of one process, as the least
of several rounds, which take turns so that a busy machine hurts both alike.
Two processes that know nothing of each other, at the same time, show what the machine allows.
"""

import common  # isort: skip

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import linregions as lr


def take_turns(
    ways: dict[str, Callable[[], lr.Count]], rounds: int, clock: Callable[[], float]
) -> tuple[dict[str, float], dict[str, int]]:
    """Least seconds and the answer of each way."""
    seconds = dict.fromkeys(ways, float("inf"))
    answers: dict[str, int] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            before = clock()
            answers[name] = int(way())
            seconds[name] = min(seconds[name], clock() - before)
    return seconds, answers


ALONE = """
import sys, time
sys.path.insert(0, sys.argv[1])
import two_workers as here
net = here.lr.load(here.common.gaussian(*map(int, sys.argv[2].split(","))))
here.lr.count(net, limit=1000)
print("ready", flush=True)
sys.stdin.readline()
start = time.perf_counter()
here.lr.count(net)
print(time.perf_counter() - start)
"""


def ceiling(widths: str) -> float:
    """How much more two processes do than one, on separate counts of the same network."""

    def seconds(number: int) -> float:
        command = [sys.executable, "-c", ALONE, str(Path(__file__).parent), widths]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        all_of_them = [subprocess.Popen(command, **pipes) for _ in range(number)]
        for process in all_of_them:
            assert process.stdout is not None and process.stdout.readline().strip() == "ready"
        for process in all_of_them:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        return max(float(process.communicate()[0]) for process in all_of_them)

    return 2 * min(seconds(1) for _ in range(2)) / min(seconds(2) for _ in range(2))


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=2, help="times that each way is measured")
    options = parser.parse_args()
    report = common.Report("Two workers", options, "distributed")
    net = lr.load(common.gaussian(6, 11, 11, 1) if options.quick else common.gaussian(7, 23, 20, 1))
    small = net if options.quick else lr.load(common.gaussian(7, 19, 17, 1))
    rounds = 1 if options.quick else options.rounds
    common.compile_apart()

    ways: dict[str, Callable[[], lr.Count]] = {
        "one process": lambda: lr.count(net),
        "two workers": lambda: lr.count(net, workers=2),
    }
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        cluster = None
    else:
        cluster = LocalCluster(2, threads_per_worker=1, dashboard_address=None)
        executor = Client(cluster).get_executor()
        lr.count(net, executor=executor, seconds=5)  # its workers load the kernels
        ways["Dask, two workers"] = lambda: lr.count(net, executor=executor)
    seconds, answers = take_turns(ways, 1, time.perf_counter)  # minutes each
    if cluster is not None:
        executor._client.close()
        cluster.close()
    one = seconds["one process"]
    most = ceiling("6,11,11,1" if options.quick else "7,17,15,1")
    report.table("What the machine allows", [{"two separate processes, times one": most}])
    report.table(
        "The same count",
        [
            {"way": n, "regions": answers[n], "seconds": s, "times as fast": one / s}
            for n, s in seconds.items()
        ],
    )

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.ckpt"

        def saved() -> lr.Count:
            for name in Path(folder).iterdir():
                name.unlink()
            return lr.count(small, checkpoint=file)

        cost, counts = take_turns(
            {"without": lambda: lr.count(small), "with a checkpoint": saved}, rounds,
            time.process_time,
        )  # fmt: skip
        half = lr.count(small, checkpoint=Path(folder) / "half.ckpt", limit=counts["without"] // 2)
        size = (Path(folder) / "half.ckpt").stat().st_size
    share = cost["with a checkpoint"] / cost["without"] - 1
    report.table("Checkpoints", [{"processor seconds": c, "way": n} for n, c in cost.items()])
    report.table("Its size half-way", [{"regions": int(half), "bytes": size}])

    same = len(set(answers.values())) == len(set(counts.values())) == 1
    report.claim("all counts are equal", same, f"{answers['one process']:,}")
    report.claim("the search takes 20 s or more on one", one >= 20 or options.quick, f"{one:.1f} s")
    two = one / seconds["two workers"]
    report.claim("two workers are 1.8 times as fast", two >= 1.8, f"{two:.2f}")
    if "Dask, two workers" in seconds:
        dask = one / seconds["Dask, two workers"]
        report.claim("a Dask cluster of two is 1.6 times as fast", dask >= 1.6, f"{dask:.2f}")
    report.claim("a checkpoint costs under 2 %", share < 0.02, f"{share:.2%}")
    report.end()


if __name__ == "__main__":
    main()
