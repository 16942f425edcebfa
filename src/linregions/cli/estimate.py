"""``linregions estimate``: beyond counting."""

from __future__ import annotations

from ..definitions import check_exact
from ..errors import LinregionsError
from ..estimation import Estimate, estimate
from ..estimation.estimate import METHODS
from ..figures import short
from .model import Model, Shape, read_model
from .options import Exact, Json, Where
from .output import answered
from .progress import shown


def command(
    model: Model,
    /,
    *,
    shape: Shape = None,
    where: Where = Where(),
    seconds: float | None = None,
    relative_error: float | None = None,
    passes: int | None = None,
    seed: int = 0,
    method: str = "thinned",
    confidence: float = 0.95,
    exact: Exact = True,
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
    """
    check_exact(exact, "--no-exact")
    net, domain = read_model(model, shape), where.domain()
    with shown() as report:
        found = estimate(
            net, domain, seconds=seconds, relative_error=relative_error, passes=passes,
            seed=checked_seed(seed), method=method, confidence=confidence, progress=report,
            on_interrupt="return",
        )  # fmt: skip
    return answered(found.to_dict(), lambda: prose(model.name, found), json, found.stopped)


def checked_seed(seed: int) -> int:
    """The seed, or an error."""
    if seed < 0:
        raise LinregionsError(f"--seed {seed}: give a whole number, 0 or more")
    return seed


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
    lines += [
        f"  at least    {e.seen:,} (proved: so many were met)",
        f"  at most     {short(e.upper)} ({e.upper_name})",
        f"  method      {METHODS[e.method]}",
        f"  work        {e.passes} passes, {e.steps:,} cells looked at, {e.seconds:.3g} s",
    ]
    return "\n".join(lines)
