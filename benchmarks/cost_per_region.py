"""Claim: a region costs at most 25 microseconds of one core, up to 8 inputs and 160 units.

Random networks of two equal layers over all of R^n, counted for some seconds each (or to the end).
Processor time, so that a busy machine matters less. Also the core-hours of 10^9, 10^12 and 10^15
regions at the least and the most of these costs.
"""

import common  # isort: skip

import time
from typing import Any

import numpy as np

import linregions as lr

INPUTS, UNITS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20), (20, 40, 80, 160)


def cost(inputs: int, units: int, seconds: float) -> tuple[float, int, bool]:
    """Processor seconds a region, regions, and whether these are all."""
    net = lr.load(common.gaussian(inputs, units // 2, units // 2, 1))
    start = time.process_time()
    found = lr.count(net, engine="search", seconds=seconds)
    return (time.process_time() - start) / max(int(found), 1), int(found), found.complete


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each network")
    options = parser.parse_args()
    report = common.Report("Cost of a region", options)
    common.compile_apart()
    lr.count([(np.eye(3), np.ones(3)), (np.ones((1, 3)), [0.0])], engine="search")
    seconds = 0.5 if options.quick else options.seconds
    rows, within = [], []
    for inputs in INPUTS:
        row: dict[str, Any] = {"inputs": inputs}
        for units in UNITS:
            each, found, whole = cost(inputs, units, seconds)
            row[f"{units} units"] = f"{1e6 * each:.3g}" + ("" if whole else " *")
            if inputs <= 8 and found >= 1000:
                within.append(each)
        rows.append(row)
    report.table("Microseconds a region (*: the first of them)", rows)
    least, most = min(within), max(within)
    report.table("Core-hours", [
        {"regions": f"10^{p}", "least": 10**p * least / 3600, "most": 10**p * most / 3600}
        for p in (9, 12, 15)
    ])  # fmt: skip
    report.claim("at most 25 us, up to 8 inputs", most <= 25e-6, f"{1e6 * most:.1f} us")
    report.end()


if __name__ == "__main__":
    main()
