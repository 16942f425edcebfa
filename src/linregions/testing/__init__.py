"""Tools for testing exact counts: an oracle, families of hard networks, a fuzz over all engines.

``python -m linregions.testing fuzz`` draws networks; `assert_same_regions` checks one. The oracle
shares no code with the engines. `linregions.testing.strategies` draws the same kind of networks for
hypothesis, and is the one module here that needs it.
"""

from __future__ import annotations

from typing import Any

from ..domain.domains import Domain, Space
from ..readers import load
from .cases import Case, Disagreement
from .families import FAMILIES, Family, family
from .fuzz import ENGINES, FuzzReport, draw, examine, fuzz
from .oracle import Oracle
from .source import as_python
from .streams import check_proof

__all__ = [
    "ENGINES",
    "FAMILIES",
    "Case",
    "Disagreement",
    "Family",
    "Oracle",
    "FuzzReport",
    "as_python",
    "assert_same_regions",
    "check_proof",
    "draw",
    "examine",
    "family",
    "fuzz",
]


def assert_same_regions(
    network: Any, domain: Domain | None = None, *, deep: bool = False, near_ties: bool = True
) -> FuzzReport:
    """Raise unless every engine counts what the oracle counts, under every kind.

    Parameters
    ----------
    network
        A `Network`, or anything that `load` takes; small, some hundred cells at most.
    domain
        All of R^n by default.
    deep
        Go through regions, facets, neighbours, workers, shards, resuming, measures and
        metamorphic laws too.
    near_ties
        False: no cell is thinner than 1e-7, so the mixed-integer referee is asked as well.

    Returns
    -------
    FuzzReport
        Which checks ran, and which were refused.

    Raises
    ------
    AssertionError
        When two answers differ or an engine fails; the message lists all of them.

    Examples
    --------
    >>> net = [([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])]
    >>> assert_same_regions(net).cells
    3
    """
    case = Case(load(network), Space() if domain is None else domain, near_ties)
    report = examine(case, deep=deep)
    if report.found:
        raise AssertionError("\n".join(f.outcome.describe() for f in report.found))
    return report
