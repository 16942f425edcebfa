"""``count --shard i/n -o FILE``: one part of a count."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ..domain.domains import Domain
from ..errors import LinregionsError
from ..network.network import Network
from ..questions.shards import Part, shard


@Parameter(name="*")
@dataclass(frozen=True)
class ShardFile:
    """Which part is counted, and where it goes.

    Parameters
    ----------
    shard
        Count only part i of n (3/100) and write it to -o, for merge.
    output
        The file for the part, with --shard.
    """

    shard: str | None = None
    output: Annotated[Path | None, Parameter(name=["-o", "--output"])] = None

    def check(self, kind: str, engine: str, limit: int | None) -> None:
        """Raise for options that do not go with ``--shard``, or are nothing without it."""
        if self.shard is None:
            if self.output is not None:
                raise LinregionsError("-o is for the part of a count: give --shard i/n with it")
            return
        _parsed(self.shard)
        if self.output is None:
            raise LinregionsError("--shard needs -o FILE, for the part")
        if not self.output.parent.is_dir() or self.output.is_dir():
            raise LinregionsError(
                f"-o {self.output}: give the name of a file in a folder that exists"
            )
        if kind != "activation":
            raise LinregionsError(
                f"--shard --kind {kind}: regions of other kinds may reach from one shard into the "
                "next; only activation regions are counted in parts"
            )
        if engine not in ("auto", "search") or limit is not None:
            raise LinregionsError("--shard goes with neither --engine nor --limit")

    def count(self, net: Network, domain: Domain, **options: Any) -> Part:
        """Count the part and write it; ``options`` are those of `shard`."""
        assert self.shard is not None and self.output is not None
        part = shard(net, domain, *_parsed(self.shard), **options)
        part.save(self.output)
        return part


def _parsed(text: str) -> tuple[int, int]:
    """``i/n`` as two numbers."""
    index, slash, of = text.partition("/")
    if not (slash and index.isdigit() and of.isdigit() and 1 <= int(index) <= int(of)):
        raise LinregionsError(f"--shard={text}: give i/n with 1 <= i <= n, such as 3/100")
    return int(index), int(of)
