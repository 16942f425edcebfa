"""The same model counted by SCIP, an optional package: another enumerator, all at once."""

from __future__ import annotations

from typing import Any

from ..errors import LinregionsError
from .formulation import Model
from .programme import TOLERANCE


def scip_count(
    model: Model, margin: float, limit: int | None = None, seconds: float | None = None
) -> tuple[int, str]:
    """How many assignments of the binaries leave ``f >= margin`` feasible.

    Returns the number and why the count stopped early (``limit``, ``seconds``, ``interrupt``), or
    an empty string. SCIP ends a count under way when it is interrupted.
    """
    scip = _package().Model()
    scip.hideOutput()
    P = model.programme
    columns = [
        scip.addVar(lb=low, ub=high, vtype="B" if binary else "C")
        for low, high, binary in zip(P.lower, P.upper, P.binary, strict=True)
    ]
    scip.addCons(columns[model.f] == margin)  # f <= ... is all that is asked of it
    for where, coefficients, low, high in P.rows:
        total = _package().quicksum(
            float(a) * columns[c] for c, a in zip(where, coefficients, strict=True)
        )
        if low == high:
            scip.addCons(total == low)
            continue
        if low > -float("inf"):
            scip.addCons(total >= low)
        if high < float("inf"):
            scip.addCons(total <= high)
    scip.setParam("numerics/feastol", TOLERANCE)
    scip.setParamsCountsols()
    if limit is not None:
        scip.setParam("constraints/countsols/sollimit", limit)
    if seconds is not None:
        scip.setParam("limits/time", float(seconds))
    scip.count()
    found, status = int(scip.getNCountedSols()), scip.getStatus()
    if status in ("optimal", "infeasible"):
        return found, ""
    if limit is not None and found >= limit:  # SCIP calls it an interrupt
        return limit, "limit"
    reasons = {"timelimit": "seconds", "userinterrupt": "interrupt"}
    if status not in reasons:
        raise LinregionsError(
            f'engine="milp-scip": SCIP ends with status {status!r} on this network; give '
            'engine="search"'
        )
    return found, reasons[status]


def _package() -> Any:
    try:
        import pyscipopt
    except ImportError:
        raise LinregionsError(
            'engine="milp-scip" needs the package pyscipopt, which is not installed; install it, '
            'or give engine="milp", which needs nothing more'
        ) from None
    return pyscipopt
