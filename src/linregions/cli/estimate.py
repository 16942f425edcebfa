"""``linregions estimate`` and ``linregions plan``: beyond counting, and before it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from cyclopts import App

from ..errors import LinregionsError
from ..estimation import Estimate, Plan, estimate, plan
from ..estimation.estimate import METHODS, short
from ..estimation.plan import duration, size
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


def add_estimate(
    app: App,
    load: Callable[..., Any],
    progress: Callable[[], AbstractContextManager[Any]],
    dump: Callable[[dict[str, Any]], str],
) -> None:
    """Register both commands; the other arguments are what all commands share."""

    @app.command(name="estimate")
    def estimate_command(
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
        seconds: float | None = None,
        relative_error: float | None = None,
        passes: int | None = None,
        seed: int = 0,
        method: str = "thinned",
        confidence: float = 0.95,
        exact: bool = True,
        json: Json = False,
    ) -> int:
        """Estimate the number of activation regions where counting is out of reach.

        Example: linregions estimate network.onnx --seconds 30

        Parameters
        ----------
        seconds
            Stop after so much time; 10 unless another end is given.
        relative_error
            Stop once the interval's half-width is that part of the estimate: 0.05.
        passes
            Stop after so many passes; the answer is then the same everywhere.
        seed
            Of all random draws.
        method
            thinned, strata (Chen) or descents (Knuth).
        confidence
            Of the interval.
        exact
            Justify every decision about the cells met; --no-exact decides by floats.
        """
        net, domain = load(model, shape), Where(box, polytope, plane, size, segment, line).domain()
        with progress() as report:
            found = estimate(
                net, domain, seconds=seconds, relative_error=relative_error, passes=passes,
                seed=_seed(seed), method=method, confidence=confidence, exact=exact,
                progress=report, on_interrupt="return",
            )  # fmt: skip
        print(dump(found.to_dict()) if json else prose(model.name, found))
        return 130 if found.stopped == "interrupt" else 0

    @app.command(name="plan")
    def plan_command(
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
        seconds: float = 5.0,
        seed: int = 0,
        workers: str | None = None,
        exact: bool = True,
        json: Json = False,
    ) -> int:
        """Forecast regions, time and memory of a full count before it is started.

        Example: linregions plan network.onnx --box=-1,1 --workers 1,8,64

        Parameters
        ----------
        seconds
            Time for the forecast.
        seed
            Of all random draws.
        workers
            Numbers of workers to forecast for: 1,8,64.
        exact
            As for count.
        """
        net, domain = load(model, shape), Where(box, polytope, plane, size, segment, line).domain()
        numbers = _numbers(workers)
        with progress() as report:
            found = plan(
                net, domain, seconds=seconds, seed=_seed(seed), workers=numbers, exact=exact,
                progress=report, on_interrupt="return",
            )  # fmt: skip
        print(dump(found.to_dict()) if json else forecast(model.name, found))
        return 130 if found.estimate.stopped == "interrupt" else 0


def _seed(seed: int) -> int:
    if seed < 0:
        raise LinregionsError(f"--seed {seed}: give a whole number, 0 or more")
    return seed


def _numbers(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise LinregionsError(f"--workers {text}: give whole numbers such as 1,8,64") from None


def prose(name: str, e: Estimate) -> str:
    """An estimate for a person."""
    lines = [f"{name}: {e.units} units", ""]
    if e.complete:
        lines += [f"  {e.seen:,} activation regions (all of them were met)"]
    else:
        lines += [f"  {e.about} activation regions"]
    lines += [f"  over {e.domain}, dimension {e.dimension}", ""]
    if e.interval is None:
        lines.append(f"  interval    none: {e.why}")
    else:
        low, high = (short(v) for v in e.interval)
        lines.append(f"  interval    {low} to {high} ({e.confidence:.0%})")
    sure = "proved" if e.exact else "by floating point, not certified"
    lines += [
        f"  at least    {e.seen:,} ({sure}: so many were met)",
        f"  at most     {short(e.upper)} ({e.upper_name})",
        f"  method      {METHODS[e.method]}",
        f"  work        {e.passes} passes, {e.steps:,} cells looked at, {e.seconds:.3g} s",
    ]
    return "\n".join(lines)


def forecast(name: str, p: Plan) -> str:
    """A plan for a person."""
    lines = [prose(name, p.estimate), "", "  a full count (search)"]
    lines += [f"    {n:>5} workers  {duration(s)}" for n, s in p.workers.items()]
    lines.append(f"    memory         {size(p.memory)} a worker, whatever the number of regions")
    if p.complex_memory is not None:
        taken = "what count takes here" if p.engine == "complex" else "too large for count"
        lines.append(f"    or a complex   {size(p.complex_memory)} in memory, faster: {taken}")
    return "\n".join(lines)
