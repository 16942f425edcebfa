"""What can be said where counting ends: estimates, and forecasts of a count."""

from .estimate import Estimate, estimate
from .plan import Plan, plan

__all__ = ["Estimate", "Plan", "estimate", "plan"]
