"""Job arrays: one count in n parts, computed anywhere, and the proof that they make a whole."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import files
from ..answer import Count, Report
from ..definitions import check_exact
from ..domain.domains import Domain, Space
from ..domain.restrict import restrict
from ..errors import LinregionsError
from ..merging.cells import Budget
from ..merging.compile import compile_for
from ..parallel.identity import Identity
from ..parallel.prefixes import digest, frontier, roots
from ..parallel.run import Means
from ..progress import Progress
from ..readers import load
from ..search.zonotope import seen_through
from ..watching import watchful
from .answering import answer_of, check_options
from .run import Divided

FORMAT = "linregions part 1"
EACH = 512  # prefixes of a shard, at least, so that shards are of much the same size


@dataclass(frozen=True)
class Part:
    """The cells of one shard, and what they are cells of.

    Attributes
    ----------
    count
        The cells under ``prefixes``.
    shard, shards
        Which one (from 1), and of how many.
    units
        A prefix is the pieces of so many first units.
    total, digest
        Number and SHA-256 of all prefixes that some cell has: those of all shards together.
    prefixes
        (number, units), those of this shard.
    identity
        Network, domain, kind, version, as `Identity`.
    """

    count: Count
    shard: int
    shards: int
    units: int
    total: int
    digest: str
    prefixes: np.ndarray
    identity: Identity

    @property
    def complete(self) -> bool:
        """Whether all cells of the shard are counted."""
        return self.count.report.complete

    @property
    def stopped(self) -> str:
        """As that of its count."""
        return self.count.report.stopped

    def __str__(self) -> str:
        return f"shard {self.shard}/{self.shards}: {self.count}"

    def facts(self) -> dict[str, Any]:
        """The JSON object of ``linregions count --shard --json``."""
        return {
            **self.count.to_dict(),
            "shard": f"{self.shard}/{self.shards}",
            "prefixes": len(self.prefixes),
            "prefix_units": self.units,
        }

    def describe(self, path: str | Path | None = None) -> str:
        """A sentence or two."""
        under = f"{len(self.prefixes):,} of {self.total:,} patterns of the first {self.units} units"
        text = f"shard {self.shard}/{self.shards}: {self.count.describe()}\n  under {under}"
        return text if path is None else f"{text}\n  written to {path}"

    def save(self, path: str | Path) -> None:
        """Write a JSON file that `load` reads back; it carries a checksum."""
        facts = {
            "format": FORMAT,
            "identity": asdict(self.identity),
            "shard": self.shard,
            "shards": self.shards,
            "units": self.units,
            "total": self.total,
            "digest": self.digest,
            "prefixes": [_text(p) for p in self.prefixes.tolist()],
            "count": self.count.to_dict(),
        }
        with files.beside(Path(path)) as target:
            target.write_text(json.dumps({**facts, "checksum": _checksum(facts)}, indent=1) + "\n")

    @staticmethod
    def load(path: str | Path) -> Part:
        """Read what `save` wrote.

        Raises
        ------
        LinregionsError
            When it is no part, or its checksum is wrong.
        """
        try:
            facts = json.loads(Path(path).read_text())
        except OSError as error:
            raise LinregionsError(f"{path} cannot be read: {error.strerror or error}") from None
        except ValueError:
            raise LinregionsError(f"{path} is no part of a count, or was cut short") from None
        if not isinstance(facts, dict) or facts.get("format") != FORMAT:
            raise LinregionsError(f"{path} is no part of a count in the format {FORMAT!r}")
        if facts.pop("checksum", "") != _checksum(facts):
            raise LinregionsError(f"{path} is damaged: its checksum is wrong")
        count = facts["count"]
        value = count.pop("regions")
        rows = [_pieces(t) for t in facts["prefixes"]]
        return Part(
            Count(value, Report(**count)), facts["shard"], facts["shards"], facts["units"],
            facts["total"], facts["digest"],
            np.array(rows, np.uint8).reshape(len(rows), facts["units"]),
            Identity(**facts["identity"]),
        )  # fmt: skip


@watchful
def shard(
    network: Any,
    domain: Domain | None,
    index: int,
    of: int,
    *,
    exact: bool = True,
    seconds: float | None = None,
    progress: Progress | None = None,
    workers: int | str | None = None,
    executor: Executor | None = None,
    checkpoint: str | Path | None = None,
    on_interrupt: str = "raise",
) -> Part:
    """Count the activation regions of one shard of n, for `merge` to add up.

    The cells are divided by the pieces of the first units, in unit order: exactly, and on every
    machine in the same way. Each shard has at least 32 such prefixes where there are so many,
    dealt out in turn.

    Parameters
    ----------
    network, domain
        As in `count`.
    index, of
        Shard ``index``, from 1, of ``of``.
    seconds, progress, workers, executor, checkpoint, on_interrupt
        As in `count`. A part that was cut short is not merged; go on from its checkpoint.

    Examples
    --------
    >>> import linregions as lr
    >>> net = [([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])]
    >>> lr.merge([lr.shard(net, None, i, 2) for i in (1, 2)])
    3
    """
    check_exact(exact)
    check_options("activation", "search", None, seconds)
    if not (isinstance(index, int) and isinstance(of, int) and 1 <= index <= of):
        raise LinregionsError(f"shard {index}/{of}: give i/n with 1 <= i <= n")
    means = Means.of(workers, executor, checkpoint)
    problem = restrict(load(network), Space() if domain is None else domain)
    searched = seen_through(problem)
    start = time.perf_counter() + compile_for(searched)
    front = frontier(searched, EACH * of)
    mine = np.arange(index - 1, len(front.pieces), of)
    run = Divided(
        searched, "activation", means, Budget(),
        roots=partial(roots, front=front, which=mine), shard=f"{index}/{of}",
    )  # fmt: skip
    stopped = run.go(None, seconds, progress)
    took = run.before + time.perf_counter() - start
    count = answer_of(
        problem, "search", run.leaves, "activation", True, not stopped, stopped, took,
        run.stats(), {},
    )  # fmt: skip
    identity = Identity.of(problem, "activation", "", "")
    return Part(
        count, index, of, front.units, len(front.pieces), front.digest, front.pieces[mine], identity
    )


def merge(parts: Iterable[Part | str | Path]) -> Count:
    """Add up the parts of a count, after proving that they are disjoint and cover everything.

    All prefixes have the same number of units, so different ones hold no cell in common. Every
    shard listed, exactly and on its own, all prefixes that some cell has, and keeps their
    checksum; the parts cover everything where their prefixes together have that same checksum.

    Parameters
    ----------
    parts
        What `shard` gave, or files that `Part.save` wrote; in any order.

    Raises
    ------
    LinregionsError
        When a part is missing, given twice, cut short, damaged, or of something else.
    """
    named = [(str(p), Part.load(p)) if not isinstance(p, Part) else (_name(p), p) for p in parts]
    if not named:
        raise LinregionsError("no parts; give those of all shards")
    _check_same(named)
    _check_cover(named)
    reports = [p.count.report for _, p in named]
    first = asdict(reports[0])
    stats = {k: sum(r.stats[k] for r in reports) for k in reports[0].stats}
    first.update(seconds=sum(r.seconds for r in reports), stats=stats)
    return Count(sum(int(p.count) for _, p in named), Report(**first))


def _check_same(named: list[tuple[str, Part]]) -> None:
    """All parts are complete, and of the same division of the same count."""
    name, first = named[0]
    mine = (first.shards, first.units, first.total, first.digest)
    seen: dict[int, str] = {}
    for other, part in named:
        first.identity.check(asdict(part.identity), f"part {other}")
        if part.shards != first.shards:
            raise LinregionsError(
                f"part {other} is one of {part.shards} shards, part {name} one of {first.shards}"
            )
        if (part.shards, part.units, part.total, part.digest) != mine:
            raise LinregionsError(
                f"parts {name} and {other} were divided differently; compute them again"
            )
        if part.shard in seen:
            raise LinregionsError(
                f"shard {part.shard}/{part.shards} is given twice: {seen[part.shard]} and {other}"
            )
        if not part.count.report.complete:
            raise LinregionsError(
                f"part {other} was stopped by {part.count.report.stopped}: run its shard to the end"
            )
        seen[part.shard] = other
    missing = [str(i) for i in range(1, first.shards + 1) if i not in seen]
    if missing:
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        raise LinregionsError(
            f"of {first.shards} shards, {', '.join(missing[:10])}{more} are missing"
            if len(missing) > 1
            else f"of {first.shards} shards, number {missing[0]} is missing"
        )


def _check_cover(named: list[tuple[str, Part]]) -> None:
    """No prefix is there twice, and together they are all."""
    first = named[0][1]
    together = np.concatenate([p.prefixes for _, p in named])
    unique = np.unique(together, axis=0) if first.units else together
    if len(unique) != len(together):
        raise LinregionsError("two parts hold the same prefix; compute the shards again")
    if len(unique) != first.total or digest(unique) != first.digest:
        raise LinregionsError("the parts do not cover everything; compute the shards again")


def _name(part: Part) -> str:
    return f"{part.shard}/{part.shards}"


def _checksum(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _text(prefix: list[int]) -> str:
    """Pieces as digits, or apart by commas where one has two digits."""
    return ("," if max(prefix, default=0) > 9 else "").join(map(str, prefix))


def _pieces(text: str) -> list[int]:
    return [int(t) for t in (text.split(",") if "," in text else text)]
