"""Claim: half-width 5 % (95 % interval) within 30 s on networks C, D and E of the peers.

Their counts are known, so the true error stands beside the interval. The methods are compared
by the cells they look at; the whole tree has 1.1 to 1.3 nodes per region. A second table repeats
the estimates with other seeds and says how often the interval covers the count.
"""

import common  # isort: skip

import sys

import linregions as lr

CASES = (("C", 133_592), ("D", 146_603), ("E", 77_455))


def main() -> None:
    options = common.parser(__doc__).parse_args()
    report = common.Report("Estimates", options)
    print(f"Compile or read from cache: {common.compile_apart():.2f} s.")
    rows, forecasts, worst = [], [], 0.0
    covered = given = 0
    for name, count in CASES:
        path = common.data(f"bench/{name}.npz")
        if path is None:
            sys.exit("the shared data is absent; set LINREGIONS_DATA")
        net, box = lr.load(path), lr.Box(-1, 1)
        lr.estimate(net, box, passes=1)
        for method in ("thinned",) if options.quick else ("thinned", "descents", "strata"):
            found = lr.estimate(net, box, relative_error=0.05, seconds=30, method=method)
            if method == "thinned":
                worst = max(worst, found.seconds if found.relative_error <= 0.05 else float("inf"))
            rows.append(
                {
                    "network": name,
                    "regions": count,
                    "method": method,
                    "estimate": round(found.estimate),
                    "true error": abs(found.estimate / count - 1),
                    "half-width": found.relative_error,
                    "ended by": found.stopped,
                    "cells looked at": found.steps,
                    "seconds": found.seconds,
                }
            )
        for seed in range(5 if options.quick else 40):
            found = lr.estimate(net, box, passes=24, work=1000, seed=seed)
            if found.interval is not None:
                given += 1
                covered += found.interval[0] <= count <= found.interval[1]
        plan = lr.plan(net, box, seconds=2)
        answer = lr.count(net, box, engine="search")
        forecasts.append(
            {
                "network": name,
                "forecast (s)": plan.seconds,
                "counted in (s)": answer.seconds,
                "ratio": plan.seconds / answer.seconds,
            }
        )
    report.table("Half-width of 5 %", rows)
    report.table("Forecasts of 2 s", forecasts)
    report.claim("half-width 5 % within 30 s on C, D and E", worst <= 30, f"{worst:.2f} s at most")
    report.claim(
        "intervals of 95 % cover in 9 cases of 10 or more",
        covered >= 0.9 * given,
        f"{covered} of {given}",
    )
    report.end()


if __name__ == "__main__":
    main()
