"""``linregions merge``: the parts of a count, added up."""

from __future__ import annotations

from pathlib import Path

from ..questions.shards import merge
from .options import Json
from .output import answered


def command(*parts: Path, json: Json = False) -> int:
    """Add up the parts that count --shard wrote, after proving that they make a whole.

    Example: linregions merge part-*

    Refused with the reason: a part that is missing, given twice, cut short, damaged, or of
    another network, domain or version.
    """
    answer = merge(parts)
    tail = f"\n  {len(parts)} parts, disjoint and nothing left out"
    facts = {**answer.to_dict(), "parts": len(parts)}
    return answered(facts, lambda: answer.describe() + tail, json)
