"""Sampling: distinct activation patterns at random points; see `sample`."""

from .answer import Sampled, Tally
from .verb import sample

__all__ = ["Sampled", "Tally", "sample"]
