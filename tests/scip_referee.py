"""Counts of ReLU patterns on a box by SCIP, through a mixed-integer model with big-M constraints.

Each unit z has a binary variable: 1 asks for z >= margin, 0 for z <= -margin. SCIP enumerates the
assignments of the binaries for which the rest, a linear program, is feasible. It works in floating
point with feasibility tolerance `tolerance`, so cells thinner than the margin are missed, and a
margin below the tolerance may admit empty ones: a referee for networks in general position.
"""

import numpy as np
from pyscipopt import Model, quicksum


def scip_model(net, lo, hi, margin=1e-7, tolerance=1e-9):
    """The model of the hidden layers of `net`, a list of (W, b) pairs, on the box lo <= x <= hi."""
    model = Model()
    model.hideOutput()
    lo, hi = np.asarray(lo, float), np.asarray(hi, float)
    values = [model.addVar(lb=float(a), ub=float(c)) for a, c in zip(lo, hi, strict=True)]
    for W, b in net[:-1]:
        W, b = np.asarray(W, float), np.asarray(b, float)
        # Interval bounds, widened so that rounding and the margin cannot cut a feasible point.
        low = np.maximum(W, 0) @ lo + np.minimum(W, 0) @ hi + b
        high = np.maximum(W, 0) @ hi + np.minimum(W, 0) @ lo + b
        slack = 1e-6 * (1 + np.abs(low) + np.abs(high)) + margin
        low, high = np.minimum(low - slack, 0), np.maximum(high + slack, 0)
        outputs = []
        for row, c, L, U in zip(W, b, low, high, strict=True):
            z = quicksum(float(w) * v for w, v in zip(row, values, strict=True) if w) + float(c)
            on, h = model.addVar(vtype="B"), model.addVar(lb=0.0, ub=float(U))
            model.addCons(z >= margin * on + float(L) * (1 - on))
            model.addCons(z <= float(U) * on - margin * (1 - on))
            model.addCons(h >= z)
            model.addCons(h <= z - float(L) * (1 - on))
            model.addCons(h <= float(U) * on)
            outputs.append(h)
        values, lo, hi = outputs, np.zeros(len(b)), high
    model.setParam("numerics/feastol", tolerance)
    return model


def scip_count(net, lo, hi, margin=1e-7, tolerance=1e-9):
    """The number of patterns that SCIP finds feasible with every unit beyond the margin."""
    model = scip_model(net, lo, hi, margin, tolerance)
    model.setParamsCountsols()
    model.count()
    if model.getStatus() not in ("optimal", "infeasible"):
        raise RuntimeError(f"SCIP stopped before the count was complete: {model.getStatus()}")
    return int(model.getNCountedSols())
