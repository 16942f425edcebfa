"""`watchful`: makes a verb of a function, which ends in time and answers Ctrl-C within a second."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from numbers import Real
from typing import Any, ParamSpec, TypeVar

from .answer import check_on_interrupt, handed_over
from .errors import LinregionsError
from .progress import Progress, watched

P = ParamSpec("P")
T = TypeVar("T")


def check_seconds(seconds: Any) -> None:
    """Raise for what is no time."""
    number = isinstance(seconds, Real) and not isinstance(seconds, bool)
    if seconds is not None and not (number and float(seconds) >= 0.0):
        raise LinregionsError(f"seconds={seconds!r}: give a number, 0 or more")


def watchful(verb: Callable[P, T]) -> Callable[P, T]:
    """Run a function as `progress.watched` does, and hand its answer over as `handed_over` does.

    What the function takes of ``seconds``, ``progress`` and ``on_interrupt`` (by keyword) is what
    its caller gave. Where ``seconds`` end it before it has an answer it is refused; an answer
    that it can give early it has to give itself, when it meets `Stopped`.
    """
    takes = inspect.signature(verb).parameters

    @wraps(verb)
    def run(*args: P.args, **options: P.kwargs) -> T:
        given: dict[str, Any] = dict(options)
        on_interrupt: str = given.get("on_interrupt", "raise")
        check_on_interrupt(on_interrupt)
        check_seconds(given.get("seconds"))

        def work(tell: Progress | None) -> T:
            own: dict[str, Any] = {**given, "progress": tell} if "progress" in takes else given
            return verb(*args, **own)

        seconds: float | None = given.get("seconds")
        progress: Progress | None = given.get("progress")
        return handed_over(watched(work, seconds, progress, None, on_interrupt), on_interrupt)

    return run
