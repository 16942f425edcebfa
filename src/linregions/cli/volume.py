"""``linregions measure volume`` and ``linregions measure local``."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cyclopts import App

from .. import files
from ..errors import LinregionsError
from ..figures import dump
from ..measure.local import LocalComplexity, distinct_patterns, local_complexity
from ..measure.volume import BoundaryVolume, boundary_volume
from .measure import Data, Json, Model, Output, write_columns
from .options import (
    BoxOption,
    InputShape,
    PlaneOption,
    PolytopeOption,
    SegmentOption,
    ShapeOption,
    SizeOption,
    Where,
)
from .options import read_points as read


def add_volume(group: App, load: Callable[..., Any], progress: Callable[[], Any]) -> App:
    """Add both commands to the group ``measure``."""

    @group.command(name="volume")
    def volume_command(
        model: Model,
        /,
        *,
        shape: ShapeOption = None,
        box: BoxOption = None,
        polytope: PolytopeOption = None,
        plane: PlaneOption = None,
        size: SizeOption = None,
        segment: SegmentOption = None,
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
        where = Where(box, polytope, plane, size, segment)
        net, domain = load(model, shape), where.domain()
        with progress() as report:
            found = boundary_volume(
                net, domain, kind=kind, codimension=codimension, method=method, lines=lines,
                seconds=seconds, seed=seed, progress=report, on_interrupt="return",
            )  # fmt: skip
        facts = _volume_facts(found)
        print(dump(facts) if json else _prose(model.name, found))
        return 130 if found.stopped == "interrupt" else 0

    @group.command(name="local")
    def local_command(
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
        output: Output = None,
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
        dimension = 2 if dimension is None else dimension
        target = None if output is None else files.check_target(output, (".npz", ".parquet"))
        net, points = load(model, input_shape), read(data, "--data")
        with progress() as report:
            found = local_complexity(
                net, points, radius=radius, shape=shape, dimension=dimension, repeats=repeats,
                kind=kind, seed=seed, seconds=seconds, progress=report,
                on_interrupt="return",
            )  # fmt: skip
        patterns = distinct_patterns(net, points[: len(found)])
        if target is not None:
            columns = {"regions": found.regions, "pattern": patterns.labels}
            if found.single is not None:
                columns["single"] = found.single
            write_columns(target, columns)
        if json:
            print(dump(_local_facts(found, len(patterns), target)))
        else:
            print(_local_prose(model.name, found, len(patterns), target))
        return 130 if found.stopped == "interrupt" else 0

    return group


def _volume_facts(v: BoundaryVolume) -> dict[str, Any]:
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


def _local_facts(found: LocalComplexity, patterns: int, target: Path | None) -> dict[str, Any]:
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


def _local_prose(name: str, found: LocalComplexity, patterns: int, target: Path | None) -> str:
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
