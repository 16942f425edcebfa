"""``linregions extremes``: the range of an output, exactly."""

from __future__ import annotations

from ..questions.extremes import Extreme, Extremes, extremes
from .model import Model, Shape, read_model
from .options import Effort, Json, Where
from .output import answered
from .progress import shown


def command(
    model: Model,
    /,
    *,
    output: int = 0,
    shape: Shape = None,
    where: Where = Where(),
    effort: Effort = Effort(),
    seconds: float | None = None,
    json: Json = False,
) -> int:
    """The least and the greatest value of an output over a domain, and where.

    Example: linregions extremes network.onnx --box=-1,1 --output 0

    Parameters
    ----------
    output
        Which output, from 0.
    seconds
        Stop then, with the best so far and what is proved of the rest.
    """
    net, domain = read_model(model, shape), where.domain()
    with effort.options() as means, shown() as report:
        found = extremes(
            net, domain, output=output, seconds=seconds, progress=report, on_interrupt="return",
            **means,
        )  # fmt: skip
    return answered(found.to_dict(), lambda: _prose(model.name, found), json, found.stopped)


def _prose(name: str, found: Extremes) -> str:
    lines = [f"{name}: output {found.output} over {found.domain}{found.remark}", ""]
    for word, end in (("least", found.least), ("greatest", found.greatest)):
        lines.append(f"  {word:<10}{_end(end)}")
        if found.stopped:
            lines.append(f"  {'':<10}certainly no {'less' if word == 'least' else 'more'} than "
                         f"{end.bound:.10g}")  # fmt: skip
    lines.append(f"  regions   {found.regions:,} looked at")
    lines.append(f"  time      {found.seconds:.3g} s")
    return "\n".join(lines)


def _end(end: Extreme) -> str:
    if end.point is None:
        return "nothing found yet"
    some = ", ".join(f"{v:.6g}" for v in end.point[:6]) + (", ..." if len(end.point) > 6 else "")
    if end.ray is not None:
        along = ", ".join(f"{v:.4g}" for v in end.ray[:6]) + (", ..." if len(end.ray) > 6 else "")
        return f"no bound: from ({some}) along ({along})"
    return f"{end.value:.10g} at ({some})"
