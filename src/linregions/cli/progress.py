"""What a command says on stderr while it works, and how it leaves."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from ..caching import log
from ..figures import duration
from ..progress import Progress, Status

FIRST, EVERY = 1.5, 10.0  # seconds until the first line, and between lines
SELDOM = 30.0  # between lines while kernels are compiled, which say themselves when they are done
HINT = 2.0  # seconds without a region after which a hint is given
STAGES = {
    "reading": "reading the model",
    "setup": "getting ready (restricting the network to the domain)",
    "bounds": "working out an upper bound",
    "search": "searching",
    "complex": "refining",
    "subdivide": "refining",
    "merge": "merging",
    "drawing": "drawing the picture",
    "prove": "writing the proof",
    "estimate": "estimating",
    "sample": "drawing points",
    "lines": "following lines",
    "lines in rationals": "following lines in rational arithmetic",
    "points": "going from point to point",
    "distance": "measuring distances",
    "networks": "drawing networks",
}
COUNTS = {
    "lines": "lines", "points": "points", "distance": "points", "networks": "networks",
    "sample": "patterns", "line": "regions",
}  # fmt: skip


@contextmanager
def shown() -> Iterator[Progress]:
    """A live line on a terminal; elsewhere one from the second second on, then every ten."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        console = Console(stderr=True)
        with Live(Text(), console=console, transient=True, refresh_per_second=5) as live:
            yield _teller(lambda status, text, now: live.update(Text(text)), console.print)
        return

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    due = time.perf_counter() + FIRST

    def now_and_then(status: Status, text: str, now: float) -> None:
        nonlocal due
        if now >= due:
            due = now + (SELDOM if status.stage == "compiling" else EVERY)
            say(text)

    yield _teller(now_and_then, say)


def _teller(line: Callable[[Status, str, float], None], say: Callable[[str], None]) -> Progress:
    begin, hinted = time.perf_counter(), False

    def report(status: Status) -> None:
        nonlocal hinted
        now = time.perf_counter()
        line(status, words(status, now - begin), now)
        if status.hint and not hinted and not status.regions and now - begin >= HINT:
            hinted = True
            say(f"linregions: no region yet: {status.hint}")

    return report


def words(s: Status, wall: float) -> str:
    """What is being done, how far it is, and what is expected."""
    doing = STAGES.get(s.stage, s.stage)
    if s.stage == "compiling":
        return f"compiling {log.now}, {wall:.1f} s (Ctrl-C stops)"
    if s.stage == "estimate" and s.regions:
        return f"about {s.regions:.3g} regions, {s.seconds:.1f} s (Ctrl-C stops)"
    if not s.regions:
        return f"{doing}, {wall:.1f} s (Ctrl-C stops)"
    share, left = s.share, s.left
    part = "" if share is None or left is None else f" (about {share:.1%}, {duration(left)} left)"
    what = COUNTS.get(s.stage, "regions")
    verb = "merging" if s.stage == "merge" else "so far"
    return (
        f"{s.regions:,} {what} {verb}{part}, {s.seconds:.1f} s, {s.rate:,.0f} {what}/s "
        "(Ctrl-C stops)"
    )


def leave(code: int) -> NoReturn:
    """End the process at once.

    Taking down an interpreter that has read a large model takes seconds, in which a Ctrl-C would
    change the exit code, and work that was left behind may not end at all.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # the reader of a pipe has gone
            stream.flush()
    os._exit(code)
