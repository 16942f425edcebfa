"""Sampling: distinct activation patterns at random points; see `sample`."""

from .answer import Sampled, Tally
from .sample import sample

__all__ = ["Sampled", "Tally", "sample"]
