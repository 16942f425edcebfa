"""``linregions measure distance``: from points to the nearest boundary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..boundary.distance import Distances, distance
from ..files import check_target
from .columns import write_columns
from .model import Model, Shape, read_model
from .options import Bounded, Data, Json, Target
from .output import answered
from .progress import shown
from .values import read_points


def command(
    model: Model,
    /,
    *,
    data: Data,
    shape: Shape = None,
    norm: str = "2",
    kind: str = "activation",
    box: str | None = None,
    seconds: float | None = None,
    output: Target = None,
    json: Json = False,
) -> int:
    """Distance of points to the nearest boundary, the unit that switches, and the foot.

    Example: linregions measure distance network.onnx --data points.npy --norm inf

    Parameters
    ----------
    norm
        2, 1 or inf.
    kind
        activation (boundaries of activation regions) or linear (where the map changes).
    box
        LO,HI for every coordinate (--box=-1,1), or LO1:HI1,LO2:HI2,..., or FILE.vnnlib.
    seconds
        Stop then, with the points so far.
    output
        A .npz or .parquet file for distances, units and feet.
    """
    target = None if output is None else check_target(output, (".npz", ".parquet"))
    net, points = read_model(model, shape), read_points(data, "--data")
    domain = None if box is None else Bounded(box).domain()
    with shown() as report:
        found = distance(
            net, points, norm=norm, kind=kind, domain=domain, seconds=seconds,
            progress=report, on_interrupt="return",
        )  # fmt: skip
    if target is not None:
        write_columns(target, found.columns())
    facts = _facts(found, target)
    return answered(facts, lambda: _prose(model.name, found, target), json, found.stopped)


def _facts(found: Distances, target: Path | None) -> dict[str, Any]:
    """Infinite distances are null: JSON has no infinity."""
    far = [float(d) if np.isfinite(d) else None for d in found.distance]
    out: dict[str, Any] = {
        "points": len(found), "kind": found.kind, "norm": str(found.norm).removesuffix(".0"),
        "distance": far,
        "unit": found.unit.tolist(), "layer": found.layer.tolist(), "tied": found.tied.tolist(),
        "crossed": found.crossed.tolist(), "largest_error": float(found.error.max(initial=0.0)),
        "network": found.network.hash, "seconds": found.seconds,
        "complete": found.complete, "stopped": found.stopped,
    }  # fmt: skip
    return out if target is None else {**out, "output": str(target)}


def _prose(name: str, found: Distances, target: Path | None) -> str:
    norm = str(found.norm).removesuffix(".0")
    lines = [f"{name}: {len(found):,} points to the nearest {found.kind} boundary, {norm}-norm", ""]
    some = found.distance[np.isfinite(found.distance)]
    if len(some):
        low, middle, high = np.min(some), np.median(some), np.max(some)
        lines.append(f"  distance  median {middle:.6g}, least {low:.6g}, largest {high:.6g}")
        layers, counts = np.unique(found.layer[found.layer > 0], return_counts=True)
        share = ", ".join(f"{c:,} in layer {n}" for n, c in zip(layers, counts, strict=True))
        lines.append(f"  units     {share}")
    if len(some) < len(found):
        lines.append(f"  none      {len(found) - len(some):,} points have no boundary")
    if found.crossed.any():
        lines.append(f"  crossed   {int(found.crossed.sum()):,} boundaries that change no map")
    lines.append(f"  accuracy  {found.error.max(initial=0.0):.2g} or better")
    lines.append(f"  time      {found.seconds:.3g} s{found.remark}")
    return "\n".join([*lines, *([] if target is None else [f"  written   {target}"])])
