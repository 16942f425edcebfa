"""The seam between a walk through all cells and what is asked of them.

A question is a small object that can be pickled. It travels with every task of a walk, sees the
branches before they are walked and the cells that are found, and what it knows at the end is merged
into what is known here, which the next task starts from.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from ..search.branch import Branch
from ..search.rational_branch import RationalBranch
from ..search.search import Leaves, Search

Q = TypeVar("Q", bound="Question")


class Question(Protocol):
    """What is asked of the cells of a restricted network; see `linregions.questions`.

    Attributes
    ----------
    name
        Names it in a checkpoint, with all that was asked.
    """

    name: str

    def bound(self, search: Search, branch: Branch | RationalBranch) -> bool:
        """Whether any cell below a branch can still matter. False must be proved."""
        ...

    def cell(self, search: Search, found: Leaves) -> None:
        """Take finished cells."""
        ...

    def merge(self, other: Any) -> None:
        """Take over what the same question has learnt elsewhere; in any order, once or twice."""
        ...

    def pack(self) -> dict[str, Any]:
        """What it has learnt, for JSON."""
        ...

    def unpack(self, facts: dict[str, Any]) -> None:
        """The way back."""
        ...
