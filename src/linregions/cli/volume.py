"""``linregions measure volume``: of the boundary between regions."""

from __future__ import annotations

import math
from typing import Any

from ..measure.volume import BoundaryVolume, boundary_volume
from .model import Model, Shape, read_model
from .options import Bounded, Json
from .output import answered
from .progress import shown


def command(
    model: Model,
    /,
    *,
    shape: Shape = None,
    where: Bounded = Bounded(),
    kind: str = "activation",
    codimension: int = 1,
    method: str = "auto",
    lines: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    json: Json = False,
) -> int:
    """Volume of the boundary between regions in a bounded domain.

    Example: linregions measure volume network.onnx --box=-1,1 --lines 20000

    Parameters
    ----------
    kind
        activation or linear (only where the map changes).
    codimension
        1 for facets, up to the dimension of the domain (vertices).
    method
        exact (dimension 4 at most), crofton (random lines, any dimension) or auto.
    lines
        How many random lines; 10,000 by default.
    seconds
        Stop then.
    seed
        Of the lines.
    """
    net, domain = read_model(model, shape), where.domain()
    with shown() as report:
        found = boundary_volume(
            net, domain, kind=kind, codimension=codimension, method=method, lines=lines,
            seconds=seconds, seed=seed, progress=report, on_interrupt="return",
        )  # fmt: skip
    return answered(_facts(found), lambda: _prose(model.name, found), json, found.stopped)


def _facts(v: BoundaryVolume) -> dict[str, Any]:
    """Numbers beyond floats are null: JSON has no infinity."""

    def finite(x: float | None) -> float | None:
        return x if x is not None and math.isfinite(x) else None

    return {
        "value": finite(v.value), "density": finite(v.density),
        "standard_error": finite(v.standard_error), "interval": v.interval,
        "confidence": 0.95 if v.method == "crofton" else 1.0, "exact": v.method == "exact",
        "method": v.method, "kind": v.kind, "codimension": v.codimension,
        "dimension": v.dimension, "domain": v.domain, "lines": v.lines, "hits": v.hits,
        "mean": v.mean, "seed": v.seed, "seconds": v.seconds, "complete": v.complete,
        "stopped": v.stopped,
    }  # fmt: skip


def _prose(name: str, v: BoundaryVolume) -> str:
    what = f"{v.kind} boundary of codimension {v.codimension}, dimension {v.dimension}"
    lines = [f"{name}: {what}, {v.domain}", "", f"  volume    {v.value:.8g}"]
    if v.method == "crofton":
        inside = "none: too few lines met a boundary"
        if v.interval is not None:
            inside = f"{v.interval[0]:.6g} to {v.interval[1]:.6g} (95 %)"
        lines.append(f"  interval  {inside}")
        lines.append(f"  lines     {v.lines:,}, of which {v.hits:,} met a boundary")
    if v.density is not None:
        lines.append(f"  density   {v.density:.6g} per unit of volume")
    how = "exact, from the faces of the complex" if v.method == "exact" else "Crofton's formula"
    time = f"  time      {v.seconds:.3g} s{v.remark}"
    return "\n".join([*lines, f"  method    {how}", time])
