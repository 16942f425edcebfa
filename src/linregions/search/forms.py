"""Affine forms of a layer on the current cell, with a bound on every rounding.

All arrays are those of `program.Program` and `program.Cursor`. A form is k coefficients and a
constant; EW bounds the error of each coefficient and EC that of the constant, so that the
exact form differs from the stored one by at most ``EW |x|_1 + EC`` at a point x. Numbers that
are exact (small integers times a power of two, offsets that are structurally zero) carry a
bound of exactly zero.

Who owns what: `compose` of layer t writes the rows ``G`` and forms ``Z`` of layer t and, of the
layer before it, the values ``H``, ``live[t - 1]``, ``ok[t]`` and the column ALIVE of its rows. All
of it is valid in cells of layer t and beyond until layer t is composed again; a cell of a layer
before t must not read it.
"""

from __future__ import annotations

import math

from ..jit import LONG, inner, raised
from .lp import AERR, ALIVE, BERR, EC, EW, EXP, POWER, SPAN, TRIP, ULP

# columns of the layer table
PRE, CUT, VAL, LO, HI, LATTICE, CHAIN, KIND, GROUP, SPARSE = range(10)
# columns of the table of max units
FIRST, ARGS, VALUE = range(3)
# columns of the unit table (floats) and of the breakpoint table
W_ERR, BIAS, B_ERR = range(3)
AT, AT_ERR = range(2)
# rows of H below the k + 1 coefficients
H_EW, H_EC, H_MAX, Q_W, Q_C = 1, 2, 3, 4, 5


@inner(fastmath=LONG)
def compose(
    k,
    layer,
    Wt,
    layers,
    gamma,
    units,
    first_piece,
    pieces,
    cut_unit,
    cuts,
    rows,
    cols,
    groups,
    args,
    blur,
    sign,
    ok,
    live,
    H,
    Z,
    G,
    st,
    log,
):
    """Forms of the pre-activations of a layer, then one normalised row per breakpoint.

    Where the trip wire is raised it returns before the end, to be called again. ``log``: see
    `records`.
    """
    if layer > 0 and layers[layer - 1, KIND] > 0:
        if log.ndim == 1:  # decided when this is compiled
            _winners(k, layer - 1, layers, groups, args, sign, ok, live, H, Z)
    elif layer > 0:
        _outputs(k, layer - 1, layers, first_piece, pieces, cut_unit, sign, ok, live, H, Z, G)
    lo, hi = layers[layer, LO], layers[layer, HI]
    g = gamma[layer]
    for j in range(lo, hi):
        H[k + Q_W, j] = H[k + H_EW, j] + g * H[k + H_MAX, j]
        H[k + Q_C, j] = H[k + H_EC, j] + g * abs(H[k, j])
    n, q_w, q_c = hi - lo, H[k + Q_W, lo:hi], H[k + Q_C, lo:hi]
    h_max, h_const = H[k + H_MAX, lo:hi], H[k, lo:hi]
    start, lattice = layers[layer, PRE], layers[layer, LATTICE]
    few = layers[layer, SPARSE] > 0
    limit = math.ldexp(1.0, 53 - lattice) if lattice >= 0 and ok[layer] else 0.0
    for i in range(start, layers[layer + 1, PRE]):
        if raised(st, TRIP):
            return
        weights = Wt[rows[i] : rows[i + 1]]
        ew, ec, mw, mc = 0.0, 0.0, 0.0, 0.0
        if few:
            where = cols[rows[i] : rows[i + 1]]
            for c in range(k + 1):
                total = 0.0
                for j in range(len(where)):
                    total += weights[j] * H[c, where[j]]
                Z[i, c] = total
            for j in range(len(where)):
                a, v = abs(weights[j]), where[j] - lo
                ew += a * q_w[v]
                ec += a * q_c[v]
                mw += a * h_max[v]
                mc += a * abs(h_const[v])
        else:
            for c in range(k + 1):
                values = H[c, lo:hi]
                total = 0.0
                for j in range(n):
                    total += weights[j] * values[j]
                Z[i, c] = total
            for j in range(n):
                a = abs(weights[j])
                ew += a * q_w[j]
                ec += a * q_c[j]
                mw += a * h_max[j]
                mc += a * abs(h_const[j])
        if units[i, W_ERR] > 0.0:
            for j in range(lo, hi):
                ew += units[i, W_ERR] * (H[k + H_MAX, j] + H[k + H_EW, j])
                ec += units[i, W_ERR] * (abs(H[k, j]) + H[k + H_EC, j])
        bias = units[i, BIAS]
        ec += units[i, B_ERR]
        if bias != 0.0 and mc != 0.0:
            ec += (g + ULP) * (abs(bias) + mc)
        Z[i, k] += bias
        exact = max(mw, mc + abs(bias)) < limit
        Z[i, k + EW] = 0.0 if exact else 1.01 * ew
        Z[i, k + EC] = 0.0 if exact else 1.01 * ec
    _rows(k, layer, layers, cut_unit, cuts, blur, ok, Z, G)


@inner(fastmath=LONG)
def _outputs(k, layer, layers, first_piece, pieces, cut_unit, sign, ok, live, H, Z, G):
    """Values of a layer whose units are all placed: slope and shift of the current piece."""
    cut, last = layers[layer, CUT], layers[layer + 1, CUT]
    exact = ok[layer] and layers[layer, LATTICE] >= 0
    start, alive = layers[layer, PRE], 0
    for i in range(start, layers[layer + 1, PRE]):
        v = layers[layer, VAL] + i - start
        piece, mine = 0, cut
        while cut < last and cut_unit[cut] == i:
            if sign[cut] > 0:
                piece += 1
            cut += 1
        slope = pieces[first_piece[i] + piece, 0]
        shift = pieces[first_piece[i] + piece, 1]
        size = abs(slope)
        if size > 0.0:
            alive += 1
        for c in range(mine, cut):  # of every unit: a dead one may have been live in a sibling
            G[c, k + ALIVE] = 1.0 if size > 0.0 and layers[layer, CHAIN] > 0 else 0.0
        top = 0.0
        for c in range(k + 1):
            value = slope * Z[i, c] if size > 0.0 else 0.0
            H[c, v] = value
            if c < k:
                top = max(top, abs(value))
        ew, ec = size * Z[i, k + EW], size * Z[i, k + EC]
        if size != 1.0 and size != 0.0:  # the slope may be rounded too
            ew += 2.0 * ULP * (top + ew)
            ec += 2.0 * ULP * (abs(H[k, v]) + ec)
            exact = False
        if shift != 0.0:
            H[k, v] += shift
            ec += 2.0 * ULP * (abs(shift) + abs(H[k, v]))
            exact = False
        if ew != 0.0 or ec != 0.0:
            exact = False
        H[k + H_EW, v], H[k + H_EC, v], H[k + H_MAX, v] = 1.01 * ew, 1.01 * ec, top
    ok[layer + 1] = exact
    live[layer] = alive


@inner()
def winner(first, m, sign):
    """Position of the winning argument of a placed max unit with m arguments.

    Rows of two losers are not above 0, so the rows of argument 0 tell.
    """
    for j in range(1, m):
        if sign[first + j - 1] > 0:
            return j
    return 0


@inner()
def _winners(k, layer, layers, groups, args, sign, ok, live, H, Z):
    """Values of a layer of max units: the form of each winner."""
    exact = ok[layer] and layers[layer, LATTICE] >= 0
    for u in range(layers[layer, GROUP], layers[layer + 1, GROUP]):
        start, v = groups[u, ARGS], groups[u, VALUE]
        i = args[start + winner(groups[u, FIRST], groups[u + 1, ARGS] - start, sign)]
        top = 0.0
        for c in range(k + 1):
            H[c, v] = Z[i, c]
            if c < k:
                top = max(top, abs(Z[i, c]))
        ew, ec = Z[i, k + EW], Z[i, k + EC]
        exact = exact and ew == 0.0 and ec == 0.0
        H[k + H_EW, v], H[k + H_EC, v], H[k + H_MAX, v] = ew, ec, top
    ok[layer + 1] = exact
    live[layer] = layers[layer + 1, GROUP] - layers[layer, GROUP]


@inner()
def _rows(k, layer, layers, cut_unit, cuts, blur, ok, Z, G):
    """One row ``G x + const`` per breakpoint, scaled by a power of two to size about 1.

    ``blur`` bounds how far a coordinate of a point may be off that of the point it stands for.
    """
    lattice = layers[layer, LATTICE] if ok[layer] else -1
    for c in range(layers[layer, CUT], layers[layer + 1, CUT]):
        i = cut_unit[c]
        top = 0.0
        for j in range(k):
            top = max(top, abs(Z[i, j]))
        const, ec = Z[i, k] - cuts[c, AT], Z[i, k + EC]
        if cuts[c, AT] != 0.0:
            ec += cuts[c, AT_ERR] + ULP * (abs(const) + abs(cuts[c, AT]))
        power = 0 if top == 0.0 else -math.frexp(top)[1]
        scale = math.ldexp(1.0, power)
        for j in range(k):
            G[c, j] = Z[i, j] * scale
        G[c, k] = const * scale
        ew, ec = Z[i, k + EW] * scale, ec * scale
        known = ew == 0.0 and ec == 0.0 and lattice >= power and lattice >= 0
        set_errors(k, G, c, ew, ec, lattice - power if known else -1)
        G[c, k + POWER] = power
        if blur > 0.0:
            for j in range(k):
                G[c, k + BERR] += 1.01 * blur * abs(G[c, j])
        G[c, k + SPAN] = layer - 1 if layers[layer, CHAIN] > 0 else -1


@inner()
def set_errors(k, G, c, ew, ec, exponent):
    """Error bounds of row c; evaluating it at x is off by at most AERR |x|_1 + BERR."""
    G[c, k + EW], G[c, k + EC] = ew, ec
    G[c, k + AERR] = 1.01 * (ew + 2.0 * (k + 2) * ULP)
    G[c, k + BERR] = 1.01 * (ec + (k + 2) * ULP * abs(G[c, k]))
    G[c, k + EXP] = exponent
