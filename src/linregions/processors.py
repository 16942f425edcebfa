"""How many processors this process may use, and how many workers a caller may ask for."""

from __future__ import annotations

import os

from .errors import LinregionsError

LEAST, EACH = 64, 4  # so many workers are allowed on any machine, and so many for a processor


def available() -> int:
    """Processors that this process may use: its affinity, and what a SLURM job was given."""
    count = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    given = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return max(1, min(count, int(given)) if given.isdigit() else count)


def workers_of(value: int | str | None) -> int | None:
    """A number of workers from what the caller gave: a number, "auto" or None."""
    if value is None:
        return None
    if value == "auto":
        return available()
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = 0
    if number < 1 or isinstance(value, bool | float):
        raise LinregionsError(f'workers={value!r}: give a whole number, 1 or more, or "auto"')
    return number


def most_processes() -> int:
    """So many processes or threads make sense on this machine, at the very most."""
    return max(LEAST, EACH * available())


def check_processes(workers: int | None) -> None:
    """Raise for more processes than this machine could start, let alone feed."""
    most = most_processes()
    if workers is not None and workers > most:
        raise LinregionsError(
            f"workers={workers:,}: at most {most} processes on this machine, which has "
            f"{available()} processors"
        )
