"""Random networks of chosen families through every engine, against the oracle."""

from __future__ import annotations

import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

import numpy as np

from ..errors import LinregionsError
from .cases import Case, Check, Outcome, outcome
from .counts import COUNTS
from .families import FAMILIES
from .lengths import LENGTHS
from .metamorphic import LAWS
from .places import draw_domain
from .shrink import shrunk
from .source import as_python
from .streams import STREAMS, provable

CHECKS: tuple[Check, ...] = (*COUNTS, *STREAMS, *LENGTHS, *LAWS)
ENGINES = tuple(dict.fromkeys(c.engine for c in CHECKS))
EVERY = 50  # networks of a family, of which one goes through the deep checks
SHRUNK = 2  # disagreements of one check in one family that are made small
WITHOUT_PROOF = "this version writes no proofs, or has no stand-alone checker"
BATCH = 8  # networks handed to a process at a time

_alike: Counter[tuple[str, str]] = Counter()  # how many were found, in this process


@dataclass(frozen=True)
class Options:
    """Which checks: of these engines (None: all), one network of a family in ``every`` through
    the deep ones, and none on networks of more cells than ``cells``."""

    engines: tuple[str, ...] | None = None
    every: int = EVERY
    cells: int | None = None


@dataclass(frozen=True)
class Finding:
    """A disagreement: where it was drawn, what it is, and Python that makes it again."""

    family: str
    seed: int
    number: int
    outcome: Outcome
    source: str

    def describe(self) -> str:
        """Several lines, the last of them Python to copy."""
        again = (
            f"python -m linregions.testing fuzz --families {self.family} --seed {self.seed} "
            f"--first {self.number} --networks 1 --deep 1"
        )
        head = f"{self.outcome.describe()}\n# family {self.family}, seed {self.seed}, "
        return f"{head}number {self.number}; drawn again by\n# {again}\n{self.source}"

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "check": self.outcome.check, "status": self.outcome.status,
            "what": self.outcome.what, "expected": self.outcome.expected, "got": self.outcome.got,
            "family": self.family, "seed": self.seed, "number": self.number,
            "source": self.source,
        }  # fmt: skip


@dataclass
class FuzzReport:
    """What was done and found.

    Attributes
    ----------
    networks, cells
        Networks drawn, and their activation regions.
    large
        Networks left out for their number of cells.
    checks
        How often each check ran.
    refused
        How often each check was refused with a `LinregionsError`, and one of the messages.
    skipped
        Checks that this version cannot run, and why.
    found
        The disagreements.
    complete
        False when stopped by time or an interrupt.
    """

    networks: int = 0
    cells: int = 0
    large: int = 0
    checks: Counter[str] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    refusals: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    found: list[Finding] = field(default_factory=list)
    seconds: float = 0.0
    complete: bool = True

    def add(self, other: FuzzReport) -> None:
        """Take in another one."""
        self.networks += other.networks
        self.cells += other.cells
        self.large += other.large
        for mine, theirs in (
            (self.checks, other.checks), (self.families, other.families),
            (self.refused, other.refused),
        ):  # fmt: skip
            mine.update(theirs)
        self.refusals = {**other.refusals, **self.refusals}
        self.skipped.update(other.skipped)
        self.found += other.found

    def facts(self) -> dict[str, Any]:
        """The JSON object of the command."""
        return {
            "networks": self.networks, "cells": self.cells, "large": self.large,
            "seconds": self.seconds,
            "networks_per_second": self.networks / self.seconds if self.seconds else None,
            "complete": self.complete, "checks": dict(self.checks),
            "families": dict(self.families), "refused": dict(self.refused),
            "refusals": self.refusals, "skipped": self.skipped,
            "disagreements": [f.facts() for f in self.found],
        }  # fmt: skip

    def describe(self) -> str:
        """A few lines."""
        rate = self.networks / self.seconds if self.seconds else 0.0
        lines = [
            f"{self.networks:,} networks, {self.cells:,} cells, {sum(self.checks.values()):,} "
            f"checks in {self.seconds:.0f} s ({rate:.1f} networks a second)"
            + ("" if self.complete else "; stopped before the end")
        ]
        if self.large:
            lines.append(f"{self.large:,} networks with more cells than asked for were left out")
        lines += [f"refused {n} times by {c}: {self.refusals[c]}" for c, n in self.refused.items()]
        lines += [f"skipped {check}: {why}" for check, why in self.skipped.items()]
        kinds = Counter(f.outcome.check for f in self.found)
        lines += [f"{n} disagreements of {check}" for check, n in kinds.items()]
        return "\n".join([*lines, f"{len(self.found)} disagreements"])


def draw(family: str, seed: int, number: int) -> Case:
    """Network ``number`` of a family under a seed, with its domain; the same on every run."""
    rng = np.random.default_rng([seed, zlib.crc32(family.encode()), number])
    chosen = FAMILIES[family]
    net = chosen.draw(rng)
    return Case(net, draw_domain(rng, net.inputs), chosen.near_ties)


def checks_of(engines: tuple[str, ...] | None, deep: bool) -> Iterator[Check]:
    """The checks of some engines (all by default), deep ones only where asked for."""
    for check in CHECKS:
        if (engines is None or check.engine in engines) and (deep or not check.deep):
            yield check


def examine(case: Case, engines: tuple[str, ...] | None = None, deep: bool = True) -> FuzzReport:
    """All checks that apply to one case; ``found`` has no family."""
    report = FuzzReport(1, case.cells)
    for check in checks_of(engines, deep):
        if not check.applies(case):
            if check.engine == "proof" and not provable():
                report.skipped["proof"] = WITHOUT_PROOF
            continue
        result = outcome(check, case)
        report.checks[check.name] += 1
        if result.status == "refused":
            report.refused[check.name] += 1
            report.refusals[check.name] = result.got
        if result.failed:
            report.found.append(Finding("", 0, 0, result, ""))
    return report


def one(family: str, seed: int, number: int, options: Options) -> FuzzReport:
    """Draw a network, run the checks, make what fails small."""
    case = draw(family, seed, number)
    if options.cells is not None and case.cells > options.cells:
        return FuzzReport(large=1)
    deep = number % options.every == options.every - 1
    report = examine(case, options.engines, deep)
    report.families[family] = 1
    for i, found in enumerate(report.found):
        alike = family, found.outcome.check
        _alike[alike] += 1
        small = case
        if _alike[alike] <= SHRUNK:
            check = next(c for c in CHECKS if c.name == found.outcome.check)
            small = shrunk(case, check)
            found = Finding("", 0, 0, outcome(check, small), "")
        source = as_python(small.network, small.domain)
        report.found[i] = Finding(family, seed, number, found.outcome, source)
    return report


def fuzz(
    families: list[str] | None = None,
    networks: int = 1000,
    seed: int = 0,
    *,
    first: int = 0,
    seconds: float | None = None,
    engines: list[str] | None = None,
    processes: int = 1,
    every: int = EVERY,
    cells: int | None = None,
    progress: Callable[[FuzzReport], None] | None = None,
) -> FuzzReport:
    """Draw networks of some families in turn, and compare all engines with the oracle.

    Parameters
    ----------
    families
        Names of `FAMILIES`; all by default.
    networks
        How many in all, dealt to the families in turn.
    seed, first
        Network i of a family depends on seed, family and i alone; ``first`` is the first i.
    seconds
        Stop after so much time.
    engines
        Check these alone: a choice of `ENGINES`.
    processes
        Processes to work with.
    every
        One network of a family in so many goes through the deep checks.
    cells
        Leave out networks with more cells.
    progress
        Called with the report so far after every batch.

    Raises
    ------
    LinregionsError
        For unknown families and engines, and numbers that make no sense.
    """
    names = families if families else list(FAMILIES)
    _check("family", names, FAMILIES)
    _check("engine", engines or [], ENGINES)
    for name, value, least in (
        ("networks", networks, 1), ("seed", seed, 0), ("first", first, 0),
        ("processes", processes, 1), ("deep", every, 1), ("cells", cells or 1, 1),
    ):  # fmt: skip
        if value < least:
            raise LinregionsError(f"{name}={value}: give a whole number, {least} or more")
    if seconds is not None and not seconds > 0:
        raise LinregionsError(f"seconds={seconds}: give a positive number")
    options = Options(tuple(engines) if engines else None, every, cells)
    jobs = (
        (names[j % len(names)], seed, first + j // len(names), options) for j in range(networks)
    )
    report, start = FuzzReport(), time.monotonic()
    try:
        for part in _parts(jobs, processes):
            report.add(part)
            report.seconds = time.monotonic() - start
            if progress is not None:
                progress(report)
            if seconds is not None and report.seconds > seconds:
                report.complete = report.networks + report.large == networks
                break
    except KeyboardInterrupt:
        report.complete, report.seconds = False, time.monotonic() - start
        report.skipped["the rest"] = "interrupted"
    return report


def _check(what: str, names: Any, known: Any) -> None:
    for name in names:
        if name not in known:
            raise LinregionsError(f"unknown {what} {name!r}; give some of {', '.join(known)}")


def _batch(jobs: list[tuple]) -> FuzzReport:
    report = FuzzReport()
    for job in jobs:
        report.add(one(*job))
    return report


def _parts(jobs: Iterator[tuple], processes: int) -> Iterator[FuzzReport]:
    """Reports of batches, from this process or from several."""
    if processes == 1:
        for job in jobs:
            yield one(*job)
        return
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        try:
            yield from _shared(jobs, pool, 2 * processes)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _shared(jobs: Iterator[tuple], pool: ProcessPoolExecutor, ahead: int) -> Iterator[FuzzReport]:
    pending: set[Future[FuzzReport]] = set()
    while True:
        while len(pending) < ahead and (batch := [j for _, j in zip(range(BATCH), jobs)]):  # noqa: B905
            pending.add(pool.submit(_batch, batch))
        if not pending:
            return
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()
