"""What is counted: the published definitions of a region, and what engines there are."""

from __future__ import annotations

from .errors import LinregionsError

KINDS = {
    "pattern": "patterns that some point of the closed domain has, lower-dimensional sets included",
    "activation": "full-dimensional cells of one activation pattern",
    "linear": "connected sets of cells, joined through facets, that carry the same affine map",
    "closed": "closed connected sets with one affine map that hold an open set",
    "affine": "distinct affine maps",
}
SEARCHED = {"pattern", "closed"}  # by no other engine
ENGINES = ("auto", "search", "complex", "milp", "milp-scip")
MEMORY = 2 << 30  # bytes of a complex beyond which ``engine="auto"`` searches instead; and of cells


def check_exact(exact: bool, name: str = "exact=False") -> None:
    """Raise for what earlier versions took: answers by floats alone."""
    if not exact:
        raise LinregionsError(f"{name} is gone: every answer is exact; leave it out")


def check_kind(kind: str) -> None:
    """Raise for an unknown definition."""
    if kind not in KINDS:
        raise LinregionsError(f"unknown kind {kind!r}; give one of {', '.join(KINDS)}")
