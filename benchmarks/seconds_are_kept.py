"""Claim: every verb that takes seconds ends within one second of them, and tells how it goes.

The networks and verbs of ``tests/test_limits.py`` (10 to 100,000 units; dense, convolutional,
residual, lattice, twin, iterated), a limit of one second each. The worst overrun of every verb and
of every network, with the load of the machine.
"""

import common  # isort: skip

import os

limits = common.module("test_limits", common.ROOT / "tests" / "test_limits.py")
SMALL = ("10", "60", "512 in 784", "iterated 40", "lattice")
EASY = 2.0  # seconds of overrun that are allowed where other work keeps the machine busy


def row(what: str, name: str, taken: list[tuple[str, float, bool, str]]) -> dict[str, object]:
    """The worst of some runs."""
    where, worst, _, answer = max(taken, key=lambda one: one[1])
    silent = [other for other, over, told, _ in taken if over > 0.0 and not told]
    return {
        what: name, "runs": len(taken), "stopped": sum(over > -0.05 for _, over, _, _ in taken),
        "worst overrun (s)": max(worst, 0.0), "at": where if worst > 0 else "-",
        "silent": ", ".join(silent) or "none", "there": answer if worst > 0 else "-",
    }  # fmt: skip


def main() -> None:
    options = common.parser(__doc__).parse_args()
    report = common.Report("Limits", options)
    for verb in limits.VERBS:
        limits.compiled("10", verb)
        if verb in ("count", "linear", "estimate", "sample", "crossings"):
            limits.compiled("lattice", verb)
    limits.measured("200 in 784", "count", 1.0)
    limits.measured("200 in 784", "estimate", 1.0)
    names = SMALL if options.quick else tuple(limits.NETWORKS)
    runs, load = {}, []
    for name in names:
        for verb in limits.VERBS:
            answer, took, told, _ = limits.measured(name, verb, 1.0)
            runs[name, verb] = took - 1.0, bool(told), f"{answer!s:.60}".replace("|", " ")
            load.append(os.getloadavg()[0])
        mine = [(v, *runs[name, v]) for v in limits.VERBS]
        print(row("network", name, mine), flush=True)
    report.table(
        "By network", (row("network", n, [(v, *runs[n, v]) for v in limits.VERBS]) for n in names)
    )
    report.table(
        "By verb", (row("verb", v, [(n, *runs[n, v]) for n in names]) for v in limits.VERBS)
    )
    worst = max(over for over, _, _ in runs.values())
    quiet = max(load) < (os.cpu_count() or 1)
    report.claim(
        "no verb takes more than a second (two on a busy machine) beyond its limit",
        worst <= (1.0 if quiet else EASY),
        f"{worst:.2f} s at most in {len(runs)} runs, load {min(load):.1f} to {max(load):.1f}",
    )
    silent = [key for key, (over, told, _) in runs.items() if over > 0.0 and not told]
    report.claim("none of them is silent", not silent, str(silent[:5]))
    report.end()


if __name__ == "__main__":
    main()
