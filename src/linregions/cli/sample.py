"""``linregions sample``: distinct patterns at random points."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cyclopts import Parameter

from .. import files
from ..domain.domains import Space
from ..errors import LinregionsError
from ..figures import dump
from ..sampling import Sampled, sample
from ..sampling.answer import Tally
from .model import Model, Shape, read_model
from .options import Json, Target, Where
from .output import answered
from .progress import shown


@Parameter(name="*")
@dataclass(frozen=True)
class Resources:
    """What drawing may take.

    Parameters
    ----------
    memory
        Bytes for the table of patterns; beyond it numbers become estimates.
    threads
        Processors to use.
    device
        auto (a GPU where there is one), cpu, or the name of a torch device.
    """

    memory: str = "1e9"
    threads: int | None = None
    device: str = "auto"


def command(
    model: Model,
    /,
    *,
    shape: Shape = None,
    where: Where = Where(),
    points: str = "1e7",
    v: str | None = None,
    seed: int = 0,
    state: Path | None = None,
    output: Target = None,
    seconds: float | None = None,
    resources: Resources = Resources(),
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
    """
    target = None if output is None else files.check_target(output, (".npz",))
    net, domain = read_model(model, shape), where.domain()
    with shown() as report:
        found = sample(
            net, None if isinstance(domain, Space) else domain, points=_whole(points, "points"),
            v=None if v is None else _numbers(v), seed=seed, keep=target is not None,
            state=state, seconds=seconds, memory=_whole(resources.memory, "memory"),
            threads=resources.threads, device=resources.device, progress=report,
            on_interrupt="return",
        )  # fmt: skip
    facts = found.to_dict()
    if target is not None:
        _write(target, found)
        facts["output"] = str(target)
    return answered(facts, lambda: _prose(model.name, found), json, found.stopped)


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
