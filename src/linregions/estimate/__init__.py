"""What can be said where counting ends: estimates, forecasts of a count, and sampling."""

from ._estimate import Estimate, estimate
from ._plan import Plan, plan

__all__ = ["Estimate", "Plan", "estimate", "plan"]
