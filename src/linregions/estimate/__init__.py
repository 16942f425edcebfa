"""`estimate`: the number of regions where counting is out of reach; `plan`: what a count costs."""

from ._estimate import Estimate, estimate
from ._plan import Plan, plan

__all__ = ["Estimate", "Plan", "estimate", "plan"]
