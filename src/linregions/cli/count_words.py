"""What ``linregions count`` says to a person."""

from __future__ import annotations

from math import log10
from typing import Any

from ..answer import Count
from ..definitions import KINDS
from ..network.network import Network


def prose(name: str, net: Network, answer: Count) -> str:
    """The answer for a person."""
    r = answer.report
    shape = "-".join(map(str, (net.inputs, *net.widths, net.outputs)))
    least = "" if r.complete else "at least "
    where = r.domain.replace("R^n", f"R^{net.inputs}").replace("]^n", f"]^{net.inputs}")
    if r.dimension < net.inputs and not where.startswith(("plane", "segment", "line")):
        where += f" (in effect {r.dimension}-dimensional)"
    rate = (r.also.get("activation", answer.number)) / max(r.seconds, 1e-9)
    lines = [
        f"{name}: {shape}, {r.units} units",
        "",
        f"  {least}{answer.number:,} {r.kind} regions",
        f"  over {where}",
        "",
        f"  counted     {KINDS[r.kind]}",
        f"  certainty   {_certainty(r)}",
        f"  time        {r.seconds:.3g} s ({rate:,.0f} cells per second)",
    ]
    if r.proof:
        size = r.stats["proof_bytes"]
        lines.append(f"  proof       {r.proof} ({size:,} bytes); linregions check {r.proof}")
    others = [f"{v:,} {k}" for k, v in r.also.items() if k != r.kind]
    if others:
        lines.append(f"  also        {', '.join(others)}")
    lines.append(f"  perspective {_perspective(answer.number, r.units)}")
    return "\n".join(lines)


def _certainty(r: Any) -> str:
    if r.engine.startswith("milp"):
        margin = f" with margin {r.stats['margin']:g}" if r.stats else ""
        sure = f"floating point{margin}: thinner cells are missed; a referee, no proof"
    elif not r.exact:
        sure = "floating point, not certified"
    elif r.kind == "pattern":
        sure = f"exact: {r.stats['rational']:,} rational linear programs"
    else:
        if r.engine == "complex":
            hard, of = r.stats["doubtful_cells"], r.stats["cells_refined"]
            return _cut_short(r, f"exact: {hard:,} of {of:,} cells refined needed rationals")
        hard = r.stats.get("rational", 0) + r.stats.get("integer_proofs", 0)
        sure = f"exact: {hard:,} of {r.stats.get('tests', 0) + hard:,} decisions needed integers"
    return _cut_short(r, sure)


def _cut_short(r: Any, sure: str) -> str:
    if r.complete:
        return sure
    why = {"limit": "--limit", "seconds": "--seconds", "interrupt": "an interrupt"}[r.stopped]
    return f"{sure}; stopped by {why}, so this is a lower bound"


def _perspective(regions: int, units: int) -> str:
    if regions == 0:
        return "nothing was counted"
    if units == 0:
        return "without units a network is affine: one region"
    patterns = f"2^{units}" + (f" = {2**units:,}" if units <= 40 else "")
    share = log10(regions) - units * log10(2)
    if share > -4:
        return f"{100 * 10**share:.3g} % of the {patterns} patterns that {units} units could have"
    return f"one in 10^{-share:.1f} of the {patterns} patterns that {units} units could have"
