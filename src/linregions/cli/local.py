"""``linregions measure local``: regions near points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import LinregionsError
from ..files import check_target
from ..measure.local import LocalComplexity, distinct_patterns, local_complexity
from .columns import write_columns
from .model import InputShape, Model, read_model
from .options import Data, Json, Target
from .output import answered
from .progress import shown
from .values import read_points


def command(
    model: Model,
    /,
    *,
    data: Data,
    radius: float,
    input_shape: InputShape = None,
    shape: str = "segment",
    dimension: int | None = None,
    repeats: int | None = None,
    kind: str = "activation",
    seed: int = 0,
    seconds: float | None = None,
    output: Target = None,
    json: Json = False,
) -> int:
    """Regions met by a small shape around each point, and the patterns of the points.

    Example: linregions measure local network.onnx --data points.npy --radius 0.1

    Parameters
    ----------
    radius
        Half the length of segments, half the side of slices, radius of balls.
    shape
        segment or slice (exact), or ball (a lower bound).
    dimension
        Of slices: 2 unless given.
    repeats
        Random shapes around each point: 1, or 16 diameters of a ball.
    kind
        activation or linear.
    seed
        Of the directions.
    seconds
        Stop then, with the points so far.
    output
        A .npz or .parquet file for the numbers.
    """
    if dimension is not None and shape != "slice":
        raise LinregionsError(f"--dimension={dimension} is that of slices: give --shape slice")
    target = None if output is None else check_target(output, (".npz", ".parquet"))
    net, points = read_model(model, input_shape), read_points(data, "--data")
    with shown() as report:
        found = local_complexity(
            net, points, radius=radius, shape=shape,
            dimension=2 if dimension is None else dimension, repeats=repeats, kind=kind, seed=seed,
            seconds=seconds, progress=report, on_interrupt="return",
        )  # fmt: skip
    patterns = distinct_patterns(net, points[: len(found)])
    if target is not None:
        columns = {"regions": found.regions, "pattern": patterns.labels}
        if found.single is not None:
            columns["single"] = found.single
        write_columns(target, columns)
    number = len(patterns)
    facts = _facts(found, number, target)
    return answered(facts, lambda: _prose(model.name, found, number, target), json, found.stopped)


def _facts(found: LocalComplexity, patterns: int, target: Path | None) -> dict[str, Any]:
    values, counts = found.histogram()
    out: dict[str, Any] = {
        "points": len(found), "mean": found.mean, "standard_error": found.standard_error,
        "meaning": found.meaning, "exact": found.shape != "ball",
        "histogram": {"regions": values.tolist(), "count": counts.tolist()},
        "single": None if found.single is None else int(found.single.sum()),
        "patterns": patterns, "radius": found.radius, "shape": found.shape,
        "dimension": found.dimension, "kind": found.kind, "seed": found.seed,
        "seconds": found.seconds, "complete": found.complete, "stopped": found.stopped,
    }  # fmt: skip
    return out if target is None else {**out, "output": str(target)}


def _prose(name: str, found: LocalComplexity, patterns: int, target: Path | None) -> str:
    values, _ = found.histogram()
    error = "" if found.standard_error is None else f" +- {found.standard_error:.2g}"
    lines = [
        f"{name}: {found.kind} regions around {len(found):,} points, radius {found.radius:g}",
        "",
        f"  counted   {found.meaning}",
        f"  mean      {found.mean:.6g}{error}; least {values[0]:,}, most {values[-1]:,}",
    ]
    if found.single is not None:
        lines.append(f"  single    {int(found.single.sum()):,} balls are certainly one region")
    lines.append(f"  patterns  {patterns:,} distinct ones of the points themselves")
    lines.append(f"  time      {found.seconds:.3g} s{found.remark}")
    return "\n".join([*lines, *([] if target is None else [f"  written   {target}"])])
