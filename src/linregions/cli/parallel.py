"""Options for many workers and long runs, and ``linregions merge``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from ..answer import Count
from ..domain.domains import Domain
from ..errors import LinregionsError
from ..network.network import Network
from ..parallel.pool import cluster as running_cluster
from ..progress import Progress
from ..questions.shards import Part, merge, shard
from .options import Json

Workers = Annotated[
    str | None, Parameter(help="Processes to search with: a number, or auto for every processor.")
]
Cluster = Annotated[
    str | None, Parameter(help="Search with a running Dask scheduler, such as tcp://node1:8786.")
]
CheckpointFile = Annotated[
    Path | None,
    Parameter(help="Save the search in this file every few seconds, and go on from it."),
]
Shard = Annotated[
    str | None, Parameter(help="Count only part i of n (3/100) and write it to -o, for merge.")
]


def _bytes(_: Any, tokens: Any) -> int:
    """``2G``, ``500M``, ``100k`` or a number of bytes."""
    text = tokens[0].value
    digits, unit = text.rstrip("kKMGTB"), text[len(text.rstrip("kKMGTB")) :]
    powers = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
    power = powers.get(unit.upper().removesuffix("B"))
    if power is None or not digits.isdigit() or int(digits) == 0:
        raise LinregionsError(f"--memory={text}: give a size above 0, such as 500M or 8G")
    return int(digits) << power


Memory = Annotated[
    int | None,
    Parameter(
        converter=_bytes,
        help="What --kind linear and affine may take to merge cells (default 2G); more than that "
        "goes to disk first.",
    ),
]
Scratch = Annotated[Path | None, Parameter(help="The folder for what goes to disk.")]
PartFile = Annotated[
    Path | None, Parameter(name=["-o", "--output"], help="The file for the part, with --shard.")
]


@dataclass(frozen=True)
class Effort:
    """The options of a command that say who searches, and where the search is kept."""

    workers: str | None = None
    cluster: str | None = None
    checkpoint: Path | None = None

    @contextmanager
    def options(self) -> Iterator[dict[str, Any]]:
        """Arguments of `count`, `regions` or `shard`."""
        given: dict[str, Any] = {}
        if self.workers is not None:
            given["workers"] = self.workers
        if self.checkpoint is not None:
            given["checkpoint"] = self.checkpoint
        if self.cluster is None:
            yield given
            return
        with running_cluster(self.cluster) as executor:
            yield {**given, "executor": executor}


def check_shard(
    text: str | None, output: Path | None, kind: str, engine: str, limit: int | None
) -> None:
    """Raise for options that do not go with ``--shard``, or are nothing without it."""
    if text is None:
        if output is not None:
            raise LinregionsError("-o is for the part of a count: give --shard i/n with it")
        return
    parsed(text)
    if output is None:
        raise LinregionsError("--shard needs -o FILE, for the part")
    if not output.parent.is_dir() or output.is_dir():
        raise LinregionsError(f"-o {output}: give the name of a file in a folder that exists")
    if kind != "activation":
        raise LinregionsError(
            f"--shard --kind {kind}: regions of other kinds may reach from one shard into the "
            "next; only activation regions are counted in parts"
        )
    if engine not in ("auto", "search") or limit is not None:
        raise LinregionsError("--shard goes with neither --engine nor --limit")


def count_part(
    net: Network, domain: Domain, text: str, output: Path | None, effort: Effort, exact: bool,
    seconds: float | None, progress: Progress,
) -> Part:  # fmt: skip
    """``count --shard i/n -o FILE``."""
    index, of = parsed(text)
    assert output is not None
    with effort.options() as given:
        part = shard(
            net,
            domain,
            index,
            of,
            exact=exact,
            seconds=seconds,
            progress=progress,
            on_interrupt="return",
            **given,
        )
    part.save(output)
    return part


def parsed(text: str) -> tuple[int, int]:
    """``i/n`` as two numbers."""
    index, slash, of = text.partition("/")
    if not (slash and index.isdigit() and of.isdigit() and 1 <= int(index) <= int(of)):
        raise LinregionsError(f"--shard={text}: give i/n with 1 <= i <= n, such as 3/100")
    return int(index), int(of)


def add_merge(app: App, dump: Callable[[dict[str, Any]], str]) -> None:
    """Register the command."""

    @app.command(name="merge")
    def merge_command(*parts: Path, json: Json = False) -> int:
        """Add up the parts that count --shard wrote, after proving that they make a whole.

        Example: linregions merge part-*

        Refused with the reason: a part that is missing, given twice, cut short, damaged, or of
        another network, domain or version.
        """
        answer: Count = merge(parts)
        print(
            dump({**answer.to_dict(), "parts": len(parts)}) if json else _prose(answer, len(parts))
        )
        return 0


def _prose(answer: Count, parts: int) -> str:
    return f"{answer.describe()}\n  {parts} parts, disjoint and nothing left out"
