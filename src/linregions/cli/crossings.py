"""``linregions measure crossings``: where a network bends along straight lines."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from ..errors import LinregionsError
from ..files import check_target
from ..line.crossings import Crossings, crossings
from .columns import write_columns
from .model import Model, Shape, read_model
from .options import Json, Target, Where
from .output import answered
from .progress import shown
from .values import read_points

Way = Annotated[
    Path | None, Parameter(help="FILE.npy of points (points x inputs): from each to the next.")
]


def command(
    model: Model,
    /,
    *,
    segment: Path | None = None,
    line: Path | None = None,
    data: Way = None,
    shape: Shape = None,
    kind: str = "activation",
    seconds: float | None = None,
    output: Target = None,
    json: Json = False,
) -> int:
    """Regions and breakpoints along a segment, a whole line or the way through some points.

    Example: linregions measure crossings network.onnx --segment two.npy

    Parameters
    ----------
    segment
        FILE.npy of two points (2 x inputs): the way between them.
    line
        FILE.npy of two points (2 x inputs): the whole line through them.
    kind
        activation, linear or affine: what is counted.
    seconds
        Stop then, with the segments so far.
    output
        A .npz or .parquet file: of each breakpoint the number of its segment, and t.
    """
    target = None if output is None else check_target(output, (".npz", ".parquet"))
    ways = _ways(segment, line, data)
    net = read_model(model, shape)
    with shown() as report:
        found = crossings(net, ways, seconds=seconds, progress=report, on_interrupt="return")
    number = np.asarray(found.count(kind))
    if target is not None:
        of = np.repeat(np.arange(len(found)), np.diff(found.ptr))
        write_columns(target, {"segment": of, "t": found.t})
    facts = _facts(found, kind, number, target)
    return answered(facts, lambda: _prose(model.name, found, facts), json, found.stopped)


def _ways(segment: Path | None, line: Path | None, data: Path | None) -> Any:
    where = Where(segment=segment, line=line)
    given = [*where.given(), *(["--data"] if data is not None else [])]
    if len(given) != 1:
        raise LinregionsError(
            f"measure crossings: give one of --segment, --line and --data "
            f"(got {', '.join(given) or 'none'})"
        )
    if data is None:
        return where.domain()
    points = read_points(data, "--data")
    if len(points) < 2:
        raise LinregionsError(f"--data {data}: {len(points)} points; 2 or more are needed")
    return np.array(list(pairwise(points)))


def _facts(found: Crossings, kind: str, number: np.ndarray, target: Path | None) -> dict[str, Any]:
    t = [found.t[a:b].tolist() for a, b in pairwise(found.ptr.tolist())]
    out = {
        "segments": len(found), "kind": kind, "regions": number.tolist(), "t": t,
        "exact": found.exact, "stats": dict(found.stats), "units": found.network.units,
        "seconds": found.seconds, "complete": found.complete, "stopped": found.stopped,
    }  # fmt: skip
    return out if target is None else {**out, "output": str(target)}


def _prose(name: str, found: Crossings, facts: dict[str, Any]) -> str:
    number = np.array(facts["regions"])
    what = "line" if found.given.lines else "segment"
    along = f"a {what}" if len(found) == 1 else f"{len(found):,} {what}s"
    least, sure = "" if found.complete else "at least ", "exact" if found.exact else "not certified"
    lines = [
        f"{name}: {least}{int(number.sum()):,} {facts['kind']} regions along {along}{found.remark}"
    ]
    lines += ["", f"  certainty   {sure}"]
    if len(found) > 1:
        lines.append(
            f"  a {what:<9} mean {number.mean():.6g}, least {number.min():,}, most {number.max():,}"
        )
    if len(found.t):
        lines.append(f"  breakpoints {len(found.t):,}, the first at t = {found.t[0]:.6g}")
    lines.append(f"  time        {found.seconds:.3g} s")
    return "\n".join([*lines, *(["  written     " + facts["output"]] if "output" in facts else [])])
