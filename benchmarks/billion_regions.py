"""Claim: a count of 10^9 regions survives SIGKILL, twice or more, and ends exactly where it should.

A random 6-[48, 48] network over R^6 is counted by the command line with all cores and a checkpoint.
Each time a share of the regions is counted its process is killed, and started again. Afterwards the
count is compared with an estimate that shares no state with it (`lr.estimate`, 99.7 % interval).
With --quick a 6-[20, 20] network is also counted by a process that nobody disturbs.
"""

import common  # isort: skip

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import linregions as lr

WIDTHS, QUICK = (6, 48, 48, 1), (6, 20, 20, 1)


def save(path: Path, *widths: int) -> None:
    """A random network in general position, as .npz."""
    arrays = {}
    for i, pair in enumerate(common.gaussian(*widths)):
        arrays[f"W{i}"], arrays[f"b{i}"] = pair
    np.savez(path, **arrays)


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    out, fresh = [], [pid]
    while fresh:
        out.append(fresh.pop())
        for task in Path(f"/proc/{out[-1]}/task").glob("*/children"):
            fresh += map(int, task.read_text().split())
    return out


def use(pid: int) -> tuple[float, float]:
    """Processor seconds and resident MB of a process and its descendants, now."""
    ticks = memory = 0.0
    for one in family(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
            pages = Path(f"/proc/{one}/statm").read_text().split()[1]
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks += int(fields[11]) + int(fields[12])
        memory += int(pages) * 4096 / 2**20
    return ticks / 100, memory


def counted(file: Path) -> int:
    """Regions that a checkpoint holds."""
    from linregions.parallel.checkpoint import read

    try:
        return read(file).leaves
    except (lr.LinregionsError, OSError):  # not there yet, or between two renamings
        return 0


def run(command: list[str], file: Path, until: float) -> dict[str, Any]:
    """One process, killed when its checkpoint holds ``until`` regions."""
    start, peak, cpu, before = time.perf_counter(), 0.0, 0.0, counted(file)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    killed = False
    while process.poll() is None:
        time.sleep(0.2)
        now, memory = use(process.pid)
        cpu, peak = max(cpu, now), max(peak, memory)
        if not killed and counted(file) >= until:
            process.kill()
            killed = True
    assert process.stdout is not None
    text = process.stdout.read().decode()
    if not killed and process.returncode:
        sys.exit(f"the count ended with {process.returncode}")
    return {
        "from": before, "killed at": counted(file) if killed else None,
        "seconds": time.perf_counter() - start, "processor seconds": cpu, "peak MB": peak,
        "answer": json.loads(text) if text.strip() else None,
    }  # fmt: skip


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--kills", type=int, default=3, help="how often it is killed")
    parser.add_argument("--workers", default="auto")
    parser.add_argument("--folder", type=Path, help="keeps the checkpoint; goes on with one there")
    options = parser.parse_args()
    report = common.Report("A billion regions", options)
    common.compile_apart()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        model, file = folder / "net.npz", folder / "run.ckpt"
        save(model, *(QUICK if options.quick else WIDTHS))
        about = lr.estimate(model, seconds=10 if options.quick else 120, confidence=0.997)
        command = [sys.executable, "-m", "linregions", "count", str(model), "--json",
                   "--workers", options.workers, "--checkpoint", str(file)]  # fmt: skip
        rows: list[dict[str, Any]] = []
        while not rows or rows[-1]["answer"] is None:
            until = about.estimate * (len(rows) + 1) / (options.kills + 1)
            rows.append(run(command, file, until if len(rows) < options.kills else np.inf))
            print(rows[-1], file=sys.stderr, flush=True)
        answer = rows[-1].pop("answer")
        size = file.stat().st_size
        alone = int(lr.count(model)) if options.quick else None
    report.table("Runs", [{k: v for k, v in row.items() if k != "answer"} for row in rows])
    wall, cpu = (sum(r[k] for r in rows) for k in ("seconds", "processor seconds"))
    regions = int(answer["regions"])
    report.table("In all", [{
        "regions": regions, "estimate": f"{about.interval[0]:,.0f} to {about.interval[1]:,.0f}",
        "seconds": wall, "regions/s": regions / wall, "regions per processor second": regions / cpu,
        "peak MB": max(r["peak MB"] for r in rows), "checkpoint at the end, bytes": size,
    }])  # fmt: skip
    report.table("Decisions", [answer["stats"]])
    least = 0 if options.quick else 10**9
    report.claim("it is a billion", answer["complete"] and regions >= least, f"{regions:,}")
    kills = sum(r["killed at"] is not None for r in rows)
    report.claim("it was killed and resumed twice or more", kills >= 2, f"{kills} times")
    low, high = about.interval
    report.claim("the count is in the interval", low <= regions <= high)
    if alone is not None:
        report.claim("an undisturbed count is the same", alone == regions)
    report.end()


if __name__ == "__main__":
    main()
