"""The one family of exceptions that the library raises for bad input."""

from __future__ import annotations


class LinregionsError(ValueError):
    """Something the caller gave cannot be used; the message names it and the remedy."""


class UnsupportedNetwork(LinregionsError):
    """The model is not piecewise linear, or uses a part that this version cannot read."""
