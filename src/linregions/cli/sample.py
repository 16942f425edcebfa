"""``linregions sample``: distinct patterns at random points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import App, Parameter

from .. import files
from ..domain.domains import Space
from ..errors import LinregionsError
from ..figures import dump
from ..sampling import Sampled, sample
from ..sampling.answer import Tally
from .options import (
    BoxOption,
    Json,
    LineOption,
    Model,
    PlaneOption,
    PolytopeOption,
    SegmentOption,
    ShapeOption,
    SizeOption,
    Where,
)


def add_sample(app: App, load: Callable[..., Any], progress: Callable[[], Any]) -> None:
    """Register the command; ``load`` reads a model, ``progress`` shows a live line."""

    @app.command(name="sample")
    def sample_command(
        model: Model,
        /,
        *,
        shape: ShapeOption = None,
        box: BoxOption = None,
        polytope: PolytopeOption = None,
        plane: PlaneOption = None,
        size: SizeOption = None,
        segment: SegmentOption = None,
        line: LineOption = None,
        points: str = "1e7",
        v: str | None = None,
        seed: int = 0,
        state: Path | None = None,
        output: Annotated[Path | None, Parameter(name=["-o", "--output"])] = None,
        seconds: float | None = None,
        memory: str = "1e9",
        threads: int | None = None,
        device: str = "auto",
        json: Json = False,
    ) -> int:
        """Count distinct activation patterns at random points: a certain lower bound.

        Example: linregions sample network.onnx --points 2e9 --state run.npz

        Over all of R^n points are normal with mean 0; in a bounded domain they are uniform.

        Parameters
        ----------
        points
            Points in all, shared by the standard deviations (2e9 may be written so).
        v
            Standard deviations, 3,5,7,9,11,13 unless given.
        seed
            Seed; with it the answer is the same on any number of threads.
        state
            A .npz file that holds the run; taken up where it ended if it exists.
        output
            A .npz file for the patterns and how often each was met.
        seconds
            Stop after so much time.
        memory
            Bytes for the table of patterns; beyond it numbers become estimates.
        threads
            Processors to use.
        device
            auto (a GPU where there is one), cpu, or the name of a torch device.
        """
        target = None if output is None else files.check_target(output, (".npz",))
        net = load(model, shape)
        domain = Where(box, polytope, plane, size, segment, line).domain()
        with progress() as report:
            found = sample(
                net, None if isinstance(domain, Space) else domain, points=_whole(points, "points"),
                v=None if v is None else _numbers(v), seed=seed, keep=target is not None,
                state=state, seconds=seconds, memory=_whole(memory, "memory"), threads=threads,
                device=device, progress=report, on_interrupt="return",
            )  # fmt: skip
        facts = found.to_dict()
        if target is not None:
            _write(target, found)
            facts["output"] = str(target)
        print(dump(facts) if json else _prose(model.name, found))
        return 130 if found.stopped == "interrupt" else 0


def _whole(text: str, name: str) -> int:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value >= 1 or value != int(value):
        raise LinregionsError(f"--{name}={text}: give a whole number, 1 or more (2e9 will do)")
    return int(text) if text.isdigit() else int(value)


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise LinregionsError(f"--v={text}: give numbers such as 3,5,7") from None


def _write(target: Path, found: Sampled) -> None:
    text = np.frombuffer(dump(found.to_dict()).encode(), np.uint8)
    with files.beside(target) as part, open(part, "wb") as file:
        np.savez_compressed(file, metadata=text, patterns=found.patterns(), counts=found.counts())


def _prose(name: str, found: Sampled) -> str:
    lines = [f"{name}: {int(found):,} distinct activation patterns met, over {found.domain}", ""]
    heads = ("points from", "points", "patterns", "once", "coverage", "Chao1")
    rows = [heads, *(_row(t) for t in (*found.laws, found.total))]
    wide = [max(len(r[i]) for r in rows) for i in range(len(heads))]
    for row in rows:
        cells = [
            row[0].ljust(wide[0]),
            *(c.rjust(w) for c, w in zip(row[1:], wide[1:], strict=True)),
        ]
        lines.append("  " + "  ".join(cells))
    lines.append("")
    total = found.total
    if total.skipped:
        lines.append(f"  skipped   {total.skipped:,} points within rounding of a boundary")
    if total.outside:
        lines.append(f"  outside   {total.outside:,} points of the box around the domain")
    if total.thinned:
        lines.append(
            f"  memory    a random 2^-{total.thinned} of the patterns was held: numbers are "
            f"estimates, +-{total.deviation:.2%} (standard error)"
        )
    if found.stopped:
        lines.append(f"  stopped   by {found.stopped}")
    rate = total.points / max(found.seconds, 1e-9)
    lines.append(f"  time      {found.seconds:.3g} s ({rate:,.0f} points per second)")
    return "\n".join(lines)


def _row(t: Tally) -> tuple[str, ...]:
    share = "-" if t.coverage is None else f"{t.coverage:.9g}"
    return t.law, f"{t.points:,}", f"{t.distinct:,}", f"{t.once:,}", share, f"{t.chao1:,.1f}"
