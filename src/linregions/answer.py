"""What every answer of a verb carries, and how one that was stopped early shows itself.

A number that was stopped is a proved lower bound. It prints as ``at least 873,029 (stopped:
seconds)``, and becomes a plain int, with a warning, when it is computed with.
"""

from __future__ import annotations

import html
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from .errors import Interrupted, LinregionsError, PartialAnswerWarning
from .progress import Stopped, current

T = TypeVar("T")
ON_INTERRUPT = ("raise", "return")
CUT = ("limit", "seconds", "interrupt")  # what cuts an answer short


@dataclass(frozen=True)
class Report:
    """The particulars of a `Count`; see there."""

    kind: str
    exact: bool
    complete: bool
    engine: str
    domain: str
    dimension: int
    inputs: int
    units: int
    seconds: float
    stopped: str = ""
    stats: dict[str, float] = field(default_factory=dict)
    also: dict[str, int] = field(default_factory=dict)
    proof: str = ""


def check_on_interrupt(on_interrupt: str) -> None:
    """Raise for an unknown word."""
    if on_interrupt not in ON_INTERRUPT:
        raise LinregionsError(f'on_interrupt={on_interrupt!r}: give "raise" or "return"')


def handed_over(answer: T, on_interrupt: str = "raise", level: int = 3) -> T:
    """An answer on its way to the caller of a verb: whole, partial with a warning, or raised.

    ``answer.stopped`` says what ended it. A bound that was cut short (``complete`` False) warns;
    an estimate or a sample that used up its time is what was asked for, and does not. Within work
    that is to stop itself, a partial answer is nobody's.

    ``level`` is that of `warnings.warn`: 3 is the caller of the function that calls this.
    """
    stopped = getattr(answer, "stopped", "")
    if stopped not in CUT:
        return answer
    if reason := current().ended():
        raise Stopped(reason, answer)
    if stopped == "interrupt":
        if on_interrupt == "raise":
            raise Interrupted(answer)
    elif getattr(answer, "sampled", False) or getattr(answer, "complete", False):
        return answer
    warnings.warn(f"partial answer: {answer}", PartialAnswerWarning, stacklevel=level)
    return answer


class CutShort:
    """Mixed into answers that may hold a part only of what was asked: ``stopped`` says why.

    Empty, or ``limit``, ``seconds`` or ``interrupt``.
    """

    stopped: str

    @property
    def complete(self) -> bool:
        """Whether all that was asked for is in it."""
        return not self.stopped

    @property
    def remark(self) -> str:
        """What its ``repr`` says of that."""
        return f" (stopped: {self.stopped})" if self.stopped else ""


def _plain(name: str) -> Callable[..., Any]:
    """An operation of int, for a number that may be a lower bound only."""
    operation = getattr(int, name)

    def compute(self: Number, *others: Any) -> Any:
        if not self.whole:
            warnings.warn(f"{self} is used as a plain number", PartialAnswerWarning, stacklevel=2)
        return operation(self, *others)

    compute.__name__ = name
    return compute


class Number(int):
    """An ``int`` that knows whether it is whole or a proved lower bound; see the module."""

    @property
    def whole(self) -> bool:
        """False where it is a lower bound only."""
        return True

    @property
    def why(self) -> str:
        """What stopped it."""
        return ""

    def __repr__(self) -> str:
        return int.__repr__(self) if self.whole else format(self)

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, spec: str) -> str:
        if self.whole:
            return int.__format__(self, spec)
        return f"at least {int.__format__(self, spec or ',')} (stopped: {self.why})"

    def _repr_html_(self) -> str:
        return html.escape(repr(self) if self.whole else str(self))


OPERATIONS = [
    "int",
    "index",
    "float",
    "trunc",
    "floor",
    "ceil",
    "round",
    "abs",
    "neg",
    "pos",
    "invert",
    "add",
    "radd",
    "sub",
    "rsub",
    "mul",
    "rmul",
    "truediv",
    "rtruediv",
    "floordiv",
    "rfloordiv",
    "mod",
    "rmod",
    "divmod",
    "rdivmod",
    "pow",
    "rpow",
    "lshift",
    "rlshift",
    "rshift",
    "rrshift",
    "and",
    "rand",
    "or",
    "ror",
    "xor",
    "rxor",
]
for _name in OPERATIONS:
    setattr(Number, f"__{_name}__", _plain(f"__{_name}__"))


class Count(Number):
    """The answer to "how many regions": an ``int`` with the particulars.

    One that was stopped early prints as "at least N (stopped: why)"; ``int(answer)`` and
    arithmetic give plain integers, with a `PartialAnswerWarning`.

    Attributes
    ----------
    kind
        The definition that was counted: a key of `KINDS`.
    exact
        True when every decision was justified (floats with error bounds, else rationals).
    complete
        False when the search was cut short: the number is then a proved lower bound.
    engine, domain, dimension, inputs, units, seconds
        How and where; ``dimension`` is that of the space searched (after reduction),
        ``seconds`` excludes import and compilation.
    stopped
        Why an incomplete count ended: ``limit``, ``seconds`` or ``interrupt``; else empty.
    stats
        How many decisions each argument took. For ``milp``: the margin and the tolerance too.
    also
        Other kinds that came out on the way (``linear`` also gives ``activation``).
    proof
        The file in which the proof is, or empty.

    Examples
    --------
    >>> import linregions as lr
    >>> answer = lr.count([([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])])
    >>> answer, answer.kind, answer.exact
    (3, 'activation', True)
    """

    report: Report

    def __new__(cls, value: int, report: Report) -> Count:
        self = super().__new__(cls, value)
        self.report = report
        return self

    def __getattr__(self, name: str) -> Any:
        if name != "report" and name in Report.__dataclass_fields__:
            return getattr(self.report, name)
        raise AttributeError(name)

    def __getnewargs__(self) -> tuple[int, Report]:
        return self.number, self.report

    @property
    def whole(self) -> bool:
        """As ``complete``."""
        return self.report.complete

    @property
    def why(self) -> str:
        """As ``stopped``."""
        return self.report.stopped

    @property
    def number(self) -> int:
        """The plain integer, lower bound or not, without a warning."""
        return int.__int__(self)

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of ``linregions count --json``."""
        return {"regions": self.number, **asdict(self.report)}

    def describe(self) -> str:
        """One sentence."""
        r = self.report
        least = "" if r.complete else "at least "
        sure = "exact" if r.exact else "by floating point, not certified"
        if r.engine.startswith("milp"):
            sure += ", too low where near-ties make cells thinner than the margin"
        cut = f", stopped: {r.stopped}" if r.stopped else ""
        return (
            f"{least}{self.number:,} {r.kind} regions in {r.domain}, dimension {r.dimension} "
            f"({sure}, {r.seconds:.3g} s{cut})"
        )
