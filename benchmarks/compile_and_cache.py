"""Claim: the first count on a machine is there in 10 s, in every later process in 0.8 s.

Runs small counts in fresh processes: the first with an empty numba cache, the others with the
cache it left.
"""

import common  # isort: skip

import json
import os
import subprocess
import sys
import tempfile

CHILD = """
import json, time
t = [time.perf_counter()]
import linregions as lr
t.append(time.perf_counter())
from linregions.merging.compile import compile_kernel
compile_kernel(announce=lambda line: None)
t.append(time.perf_counter())
layers = [([[1.0, 0.5], [0.0, 1.0]], [0.1, 0.2]), ([[1.0, 0.0]], [0.0])]
assert lr.count(layers) == 4
t.append(time.perf_counter())
assert lr.count(layers, kind="linear") == 2
t.append(time.perf_counter())
print(json.dumps(t))
"""


def measure(name: str, cache: str) -> dict:
    """Seconds of each stage in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        capture_output=True,
        text=True,
        env=os.environ | {"NUMBA_CACHE_DIR": cache},
    )
    if done.returncode:
        sys.exit(done.stderr)
    t = json.loads(done.stdout.splitlines()[-1])
    stages = ("import", "search kernel", "first count", "first linear count")
    row = {"process": name}
    row |= {s: b - a for s, a, b in zip(stages, t, t[1:], strict=False)}
    return row | {"until the first count is there": t[3] - t[0], "all": t[4] - t[0]}


def main() -> None:
    options = common.parser(__doc__).parse_args()
    report = common.Report("Compilation and its cache", options)
    with tempfile.TemporaryDirectory() as cache:
        rows = [measure("empty cache", cache)]
        later = [measure("from cache", cache) for _ in range(1 if options.quick else 3)]
        rows.append(min(later, key=lambda row: row["all"]))
        size = sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(cache) for f in fs)
    report.table("Seconds", rows)
    print(f"\nCache: {size / 2**20:.1f} MiB.")
    first, later = (row["until the first count is there"] for row in rows)
    report.claim("under 10 s with an empty cache", first < 10, f"{first:.1f} s")
    report.claim("under 0.8 s from the cache", later < 0.8, f"{later:.2f} s")
    report.end()


if __name__ == "__main__":
    main()
