"""What the benchmarks share: one thread, the data, timing, tables, facts about the machine.

Imported before anything else, since libraries read the number of threads when they load.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any

for _name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("numpy", "scipy", "numba", "llvmlite", "highspy", "python-flint")


def data(path: str) -> Path | None:
    """A file of the shared data (`LINREGIONS_DATA`, default ../shared/data), or None."""
    full = ROOT / os.environ.get("LINREGIONS_DATA", "../shared/data") / path
    return full if full.exists() else None


def module(name: str, path: Path) -> Any:
    """Import a file that is not on the path."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def gaussian(*widths: int) -> list[tuple[Any, Any]]:
    """The (W, b) pairs of a random network in general position; the last width is the output's."""
    import numpy as np

    rng = np.random.default_rng(0)
    return [(rng.standard_normal((m, n)), rng.standard_normal(m)) for n, m in pairwise(widths)]


def best(call: Callable[[], Any], runs: int = 5, budget: float = 5.0) -> tuple[float, Any]:
    """Least seconds of several runs (fewer once they have used the budget) and the answer."""
    least, answer, start = float("inf"), None, time.perf_counter()
    for _ in range(runs):
        before = time.perf_counter()
        answer = call()
        now = time.perf_counter()
        least = min(least, now - before)
        if now - start > budget:
            break
    return least, answer


def compile_apart(kinds: Sequence[str] = ("activation",)) -> float:
    """Compile (or read from the cache) all that counting needs; returns the seconds taken.

    The network has two cells of one affine map, so that merging is compiled as well.
    """
    import linregions as lr

    start = time.perf_counter()
    layers = [([[1.0, 0.5], [0.0, 1.0]], [0.1, 0.2]), ([[1.0, 0.0]], [0.0])]
    for kind in kinds:
        for exact in (True, False):
            lr.count(layers, kind=kind, exact=exact)
    return time.perf_counter() - start


def status(field: str) -> float:
    """A memory field of /proc/self/status in MB: VmRSS (now) or VmHWM (the peak)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


def machine() -> dict[str, Any]:
    """Processor, cores, memory: no names, no paths."""
    model, memory = platform.machine(), 0.0
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((s.split(":", 1)[1].strip() for s in lines if s.startswith("model name")), "")
        total = Path("/proc/meminfo").read_text().split("MemTotal:", 1)[1].split()[0]
        memory = round(int(total) / 2**20, 1)
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "threads": os.environ["NUMBA_NUM_THREADS"],
        "memory GiB": memory,
        "system": platform.system(),
    }


def versions(*more: str) -> dict[str, str]:
    """Versions of what takes part, and the revision of the checkout."""
    import linregions as lr

    out = {"python": platform.python_version(), "linregions": lr.__version__}
    for name in (*PACKAGES, *more):
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            continue
    git = ["git", "--no-optional-locks", "-C", str(ROOT), "describe", "--always", "--dirty"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        done = subprocess.run(git, capture_output=True, text=True, check=True)
        out["revision"] = done.stdout.strip()
    return out


def show(value: Any) -> str:
    """A table entry: three digits for a float, thousands apart for an int, a dash for None."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")


class Report:
    """Prints tables and claims as they come; keeps them for ``--json``."""

    def __init__(self, title: str, options: argparse.Namespace, *packages: str) -> None:
        self.options = options
        self.failed = 0
        self.content: dict[str, Any] = {
            "title": title,
            "machine": machine(),
            "versions": versions(*packages),
            "quick": options.quick,
            "tables": {},
            "claims": [],
        }
        print(f"# {title}\n")
        for part in ("machine", "versions"):
            facts = ", ".join(f"{k} {v}" for k, v in self.content[part].items())
            print(f"{part.capitalize()}: {facts}.")

    def table(self, name: str, rows: Iterable[dict[str, Any]]) -> None:
        """Print dictionaries as a Markdown table; columns are the keys in order of appearance."""
        rows = list(rows)
        self.content["tables"][name] = rows
        heads = list(dict.fromkeys(key for row in rows for key in row))
        lines = [heads, ["---"] * len(heads)]
        lines += [[show(row.get(key)) for key in heads] for row in rows]
        print(f"\n{name}\n")
        for line in lines:
            print("| " + " | ".join(line) + " |")
        sys.stdout.flush()

    def claim(self, text: str, holds: bool, measured: str = "") -> None:
        """State a claim and whether it held here."""
        self.failed += not holds
        self.content["claims"].append({"claim": text, "holds": bool(holds), "measured": measured})
        tail = f" ({measured})" if measured else ""
        print(f"\n{'Holds' if holds else 'FAILS'}: {text}{tail}", flush=True)

    def end(self) -> None:
        """Write the JSON file if one was asked for; exit with 1 where a claim failed."""
        if self.options.json:
            Path(self.options.json).write_text(json.dumps(self.content, indent=1) + "\n")
        sys.exit(1 if self.failed else 0)


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that all scripts share."""
    p = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--quick", action="store_true", help="a small run that shows that it works")
    p.add_argument("--json", metavar="FILE", help="write tables, claims and versions here")
    return p
