"""``linregions measure ...``: measurements at the points of a data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import App, Parameter

from .. import files
from ..boundary.distance import Distances, distance
from ..figures import dump
from .options import BoxOption, Json, Model, ShapeOption, Where, read_points

Data = Annotated[Path, Parameter(help="FILE.npy of the points (points x inputs).")]
Output = Annotated[Path | None, Parameter(name=["-o", "--output"])]


def add_measure(app: App, load: Callable[..., Any], progress: Callable[[], Any]) -> App:
    """Register the group of commands and return it, for more of them."""
    group = App(name="measure", help="Measure boundaries: distances, volumes, regions near points.")
    app.command(group)

    @group.command(name="distance")
    def distance_command(
        model: Model,
        /,
        *,
        data: Data,
        shape: ShapeOption = None,
        norm: str = "2",
        kind: str = "activation",
        box: BoxOption = None,
        seconds: float | None = None,
        output: Output = None,
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
        seconds
            Stop then, with the points so far.
        output
            A .npz or .parquet file for distances, units and feet.
        """
        target = None if output is None else files.check_target(output, (".npz", ".parquet"))
        net, points = load(model, shape), read_points(data, "--data")
        domain = None if box is None else Where(box).domain()
        with progress() as report:
            found = distance(
                net, points, norm=norm, kind=kind, domain=domain, seconds=seconds,
                progress=report, on_interrupt="return",
            )  # fmt: skip
        if target is not None:
            write_columns(target, found.columns())
        if json:
            print(dump(_facts(found, target)))
        else:
            print(_prose(model.name, found, target))
        return 130 if found.stopped == "interrupt" else 0

    return group


def write_columns(target: Path, columns: dict[str, np.ndarray]) -> None:
    """Write arrays of one length as a table, complete or not at all."""
    with files.beside(target) as part:
        if target.suffix == ".npz":
            with open(part, "wb") as file:
                contents: dict[str, Any] = dict(columns)
                np.savez_compressed(file, **contents)
            return
        from ..questions.store import parquet_columns

        parquet_columns(part, columns)


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
