"""What can be said where counting ends: estimates, forecasts of a count, and sampling."""

from .estimate import Estimate, estimate
from .plan import Plan, plan

__all__ = ["Estimate", "Plan", "estimate", "plan"]
