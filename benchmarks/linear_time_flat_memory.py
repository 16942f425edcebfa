"""Claim: time grows linearly with the number of regions, memory stays below 300 MB.

Random networks with 10^4 to 10^8 regions, each counted in a process of its own; memory is the
peak above what the process held once everything was imported and compiled.
"""

import common  # isort: skip

import json
import subprocess
import sys

import numpy as np

import linregions as lr

# inputs and widths: about 10^4, 10^5, 10^6, 10^7, 10^8 regions
SIZES = (
    (10_000, (6, 9, 9)),
    (100_000, (6, 12, 12)),
    (1_000_000, (6, 18, 18)),
    (10_000_000, (6, 27, 27)),
    (100_000_000, (6, 40, 40)),
)
MEGABYTES = 300


def draw(shape: tuple[int, ...]) -> list:
    """He weights, biases 0.1 N(0, 1)."""
    rng = np.random.default_rng(list(shape))
    return [
        (rng.normal(0, np.sqrt(2 / n), (m, n)), 0.1 * rng.normal(size=m))
        for n, m in zip(shape, (*shape[1:], 1), strict=True)
    ]


def child(shape: tuple[int, ...], limit: int | None) -> None:
    """Count one network; a JSON line on stdout."""
    common.compile_apart()
    before, top = common.status("VmRSS"), common.status("VmHWM")
    net = lr.Network.from_layers(draw(shape))
    seconds, answer = common.best(lambda: lr.count(net, lr.Box(-1, 1), limit=limit), 3, 1.0)
    after = common.status("VmHWM")
    out = {
        "network": f"{shape[0]}-{list(shape[1:])}",
        "regions": int(answer),
        "complete": answer.complete,
        "exact": answer.exact,
        "seconds": seconds,
        "regions/s": int(answer) / seconds,
        "LPs/region": answer.stats["lps"] / max(int(answer), 1),
        "rational": answer.stats["rational"],
        "MB before": before,
        "MB peak": after,
        "MB above": after - before if after > top else max(0.0, common.status("VmRSS") - before),
    }
    print(json.dumps(out))


def measure(shape: tuple[int, ...], limit: int | None) -> dict:
    """The row of one network, from a fresh process."""
    command = [sys.executable, __file__, "--child", json.dumps([shape, limit])]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    row = json.loads(done.stdout.splitlines()[-1])
    print(f"{row['network']}: {row['regions']:,} in {row['seconds']:.3g} s", flush=True)
    return row


def main() -> None:
    p = common.parser(__doc__)
    p.add_argument("--max-regions", type=float, default=1e7, help="largest size (1e7; up to 1e8)")
    p.add_argument("--child", help="(for the script itself)")
    options = p.parse_args()
    if options.child:
        shape, limit = json.loads(options.child)
        child(tuple(shape), limit)
        return
    largest = 1e5 if options.quick else options.max_regions
    report = common.Report("Time and memory against the number of regions", options)
    common.compile_apart()
    rows = [measure(shape, None) for size, shape in SIZES if size <= largest]
    report.table("Full counts on [-1, 1]^n", rows)
    # One network, cut short: the same work per region, so time should be proportional.
    steps = [10**k for k in range(4, 9) if 10**k <= largest]
    shape = next(s for size, s in SIZES if size >= largest)
    cut = [measure(shape, n) for n in steps]
    report.table("The first regions of the largest of these networks", cut)
    report.claim(
        f"memory below {MEGABYTES} MB above the imports at every size",
        all(row["MB above"] < MEGABYTES for row in rows + cut),
        f"at most {max(row['MB above'] for row in rows + cut):.0f} MB",
    )
    rates = [row["regions/s"] for row in cut]
    report.claim(
        "time in proportion to the regions of one network, within a factor of 2",
        max(rates) < 2 * min(rates),
        f"{min(rates):,.0f} to {max(rates):,.0f} regions/s",
    )
    report.end()


if __name__ == "__main__":
    main()
