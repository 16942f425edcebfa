"""What the library raises: one family for bad input; interrupts; and its warning."""

from __future__ import annotations

from typing import Any


class LinregionsError(ValueError):
    """Something the caller gave cannot be used; the message names it and the remedy."""


class UnsupportedNetwork(LinregionsError):
    """The model is not piecewise linear, or uses a part that this version cannot read."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C stopped a verb.

    Attributes
    ----------
    partial
        The answer so far, as the verb would have returned it (``complete`` False); None where
        there was none yet.
    """

    def __init__(self, partial: Any = None) -> None:
        super().__init__("interrupted" if partial is None else f"interrupted: {partial}")
        self.partial = partial


class PartialAnswerWarning(UserWarning):
    """A number that is only a lower bound was used like one that is whole."""
