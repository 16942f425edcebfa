"""A network over a domain with the oracle's answers, and checks that compare engines with them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..answer import Count
from ..domain.domains import Domain, Space
from ..domain.restrict import Restricted, restrict
from ..errors import LinregionsError
from ..network.network import Network
from .oracle import Oracle


class Disagreement(AssertionError):
    """Two answers that must be equal are not."""

    def __init__(self, what: str, expected: Any, got: Any) -> None:
        super().__init__(f"{what}: expected {expected}, got {got}")
        self.what, self.expected, self.got = what, expected, got


def agree(what: str, expected: Any, got: Any) -> None:
    """Raise a `Disagreement` unless the two are equal."""
    if expected != got:
        raise Disagreement(what, expected, got)


def same_sets(what: str, expected: Any, got: Any) -> None:
    """Raise a `Disagreement` that shows what two sets do not share, a few at most."""
    if expected != got:
        missing, more = sorted(expected - got)[:3], sorted(got - expected)[:3]
        raise Disagreement(what, f"{len(expected)} with {missing}", f"{len(got)} with {more}")


def whole(answer: Count) -> int:
    """The number of a count that must be complete; an interrupted one interrupts here too."""
    if answer.stopped == "interrupt":
        raise KeyboardInterrupt
    if not answer.complete:
        raise Disagreement("complete", True, f"stopped: {answer.stopped}")
    return int(answer)


@dataclass(frozen=True, eq=False)
class Case:
    """A network, a domain, and whether near-ties were planted in it."""

    network: Network
    domain: Domain = field(default_factory=Space)
    near_ties: bool = False

    @cached_property
    def truth(self) -> Oracle:
        """The cells by the oracle."""
        return Oracle(self.network, self.domain)

    @cached_property
    def cells(self) -> int:
        """Their number."""
        return len(self.truth.cones)

    @cached_property
    def problem(self) -> Restricted:
        """What the engines are given."""
        return restrict(self.network, self.domain)

    @cached_property
    def bounded(self) -> bool:
        """Whether the domain is bounded, by the oracle: no line and no ray at infinity."""
        cone = self.truth.chart.cone()
        return cone is not None and not cone.lines and all(ray[-1] > 0 for ray, _ in cone.rays)

    @property
    def dimension(self) -> int:
        """Of the domain."""
        return self.truth.chart.dimension


@dataclass(frozen=True)
class Check:
    """One comparison: who is asked, where it applies, whether only now and then.

    ``run`` raises a `Disagreement`; a `LinregionsError` is a refusal, anything else a crash.
    """

    name: str
    engine: str
    run: Callable[[Case], Any]
    applies: Callable[[Case], bool]
    deep: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a check came to: ``agreed``, ``refused``, ``disagreed`` or ``crashed``."""

    check: str
    status: str
    expected: str = ""
    got: str = ""
    what: str = ""

    @property
    def failed(self) -> bool:
        """Whether engine and oracle do not agree."""
        return self.status in ("disagreed", "crashed")

    def describe(self) -> str:
        """One line."""
        if self.status == "crashed":
            return f"{self.check}: {self.got}"
        return f"{self.check}: {self.what}: expected {self.expected}, got {self.got}"


def outcome(check: Check, case: Case) -> Outcome:
    """Run one check. Warnings of overflow and the like are no disagreement."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check.run(case)
    except Disagreement as error:
        return Outcome(check.name, "disagreed", str(error.expected), str(error.got), error.what)
    except LinregionsError as error:
        return Outcome(check.name, "refused", got=str(error))
    except Exception as error:
        return Outcome(check.name, "crashed", got=f"{type(error).__name__}: {error}")
    return Outcome(check.name, "agreed")
