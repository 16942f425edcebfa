"""``linregions plan``: before counting."""

from __future__ import annotations

from ..definitions import check_exact
from ..errors import LinregionsError
from ..estimation import Plan, plan
from ..figures import duration, size
from .estimate import checked_seed, prose
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
    seconds: float = 5.0,
    seed: int = 0,
    workers: str | None = None,
    exact: Exact = True,
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
    """
    check_exact(exact, "--no-exact")
    net, domain = read_model(model, shape), where.domain()
    numbers = _numbers(workers)
    with shown() as report:
        found = plan(
            net, domain, seconds=seconds, seed=checked_seed(seed), workers=numbers, progress=report,
            on_interrupt="return",
        )  # fmt: skip
    stopped = found.estimate.stopped
    return answered(found.to_dict(), lambda: _forecast(model.name, found), json, stopped)


def _numbers(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise LinregionsError(f"--workers {text}: give whole numbers such as 1,8,64") from None


def _forecast(name: str, p: Plan) -> str:
    """A plan for a person."""
    lines = [prose(name, p.estimate), "", "  a full count (search)"]
    lines += [f"    {n:>5} workers  {duration(s)}" for n, s in p.workers.items()]
    lines.append(f"    memory         {size(p.memory)} a worker, whatever the number of regions")
    if p.complex_memory is not None:
        taken = "what count takes here" if p.engine == "complex" else "too large for count"
        lines.append(f"    or a complex   {size(p.complex_memory)} in memory, faster: {taken}")
    return "\n".join(lines)
