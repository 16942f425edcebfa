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
from ..roundoff import ROUNDOFF
from .lp import AERR, ALIVE, BERR, EC, EW, EXP, POWER, SPAN, TRIP

# columns of the layer table
PRE, CUT, VAL, LO, HI, LATTICE, CHAIN, KIND, GROUP, SPARSE = range(10)
# columns of the table of max units
FIRST, ARGS, VALUE = range(3)
# columns of the unit table (floats) and of the breakpoint table
W_ERR, BIAS, B_ERR = range(3)
AT, AT_ERR = range(2)
# rows of H below the k + 1 coefficients
H_EW, H_EC, H_MAX, Q_W, Q_C = 1, 2, 3, 4, 5


@inner()
def compose(P, C, layer):
    """Forms of the pre-activations of a layer, then one normalised row per breakpoint.

    Where the trip wire is raised it returns before the end, to be called again.
    """
    layers, H, g = P.layers, C.H, P.gamma[layer]
    if layer > 0 and layers[layer - 1, KIND] > 0:
        if C.log.ndim == 1:  # decided when this is compiled
            _winners(P, C, layer - 1)
    elif layer > 0:
        _outputs(P, C, layer - 1)
    k, lattice = P.k, layers[layer, LATTICE]
    for j in range(layers[layer, LO], layers[layer, HI]):
        H[k + Q_W, j] = H[k + H_EW, j] + g * H[k + H_MAX, j]
        H[k + Q_C, j] = H[k + H_EC, j] + g * abs(H[k, j])
    limit = math.ldexp(1.0, int(53 - lattice)) if lattice >= 0 and C.ok[layer] else 0.0
    for i in range(layers[layer, PRE], layers[layer + 1, PRE]):
        if raised(C.st, TRIP):
            return
        if layers[layer, SPARSE] > 0:
            ew, ec, mw, mc = _sparse(P, C, layer, i)
        else:
            ew, ec, mw, mc = _dense(P, C, layer, i)
        _form(P, C, layer, i, limit, (ew, ec, mw, mc))
    _rows(P, C, layer)


@inner(fastmath=LONG)
def _dense(P, C, layer, i):
    """Pre-activation i from all values that its layer reads, into Z; sums of its rounding."""
    H, Z, k = C.H, C.Z, P.k
    lo, hi = P.layers[layer, LO], P.layers[layer, HI]
    weights, n = P.W[P.rows[i] : P.rows[i + 1]], hi - lo
    for c in range(k + 1):
        values = H[c, lo:hi]
        total = 0.0
        for j in range(n):
            total += weights[j] * values[j]
        Z[i, c] = total
    q_w, q_c = H[k + Q_W, lo:hi], H[k + Q_C, lo:hi]
    h_max, h_const = H[k + H_MAX, lo:hi], H[k, lo:hi]
    ew, ec, mw, mc = 0.0, 0.0, 0.0, 0.0
    for j in range(n):
        a = abs(weights[j])
        ew += a * q_w[j]
        ec += a * q_c[j]
        mw += a * h_max[j]
        mc += a * abs(h_const[j])
    return ew, ec, mw, mc


@inner(fastmath=LONG)
def _sparse(P, C, layer, i):
    """The same of a sparse layer."""
    H, Z, k = C.H, C.Z, P.k
    first, last = P.rows[i], P.rows[i + 1]
    weights, where = P.W[first:last], P.cols[first:last]
    for c in range(k + 1):
        total = 0.0
        for j in range(last - first):
            total += weights[j] * H[c, where[j]]
        Z[i, c] = total
    ew, ec, mw, mc = 0.0, 0.0, 0.0, 0.0
    for j in range(last - first):
        a, v = abs(weights[j]), where[j]
        ew += a * H[k + Q_W, v]
        ec += a * H[k + Q_C, v]
        mw += a * H[k + H_MAX, v]
        mc += a * abs(H[k, v])
    return ew, ec, mw, mc


@inner(fastmath=LONG)
def _form(P, C, layer, i, limit, sums):
    """Bias and error bounds of pre-activation i; exact where all sums stay below ``limit``."""
    H, Z, k = C.H, C.Z, P.k
    ew, ec, mw, mc = sums
    if P.units[i, W_ERR] > 0.0:
        for j in range(P.layers[layer, LO], P.layers[layer, HI]):
            ew += P.units[i, W_ERR] * (H[k + H_MAX, j] + H[k + H_EW, j])
            ec += P.units[i, W_ERR] * (abs(H[k, j]) + H[k + H_EC, j])
    bias = P.units[i, BIAS]
    ec += P.units[i, B_ERR]
    if bias != 0.0 and mc != 0.0:
        ec += (P.gamma[layer] + ROUNDOFF) * (abs(bias) + mc)
    Z[i, k] += bias
    exact = max(mw, mc + abs(bias)) < limit
    Z[i, k + EW] = 0.0 if exact else 1.01 * ew
    Z[i, k + EC] = 0.0 if exact else 1.01 * ec


@inner()
def _outputs(P, C, layer):
    """Values of a layer whose units are all placed: slope and shift of the current piece."""
    layers, cut_unit = P.layers, P.cut_unit
    cut, last = layers[layer, CUT], layers[layer + 1, CUT]
    exact = C.ok[layer] and layers[layer, LATTICE] >= 0
    start, alive = layers[layer, PRE], 0
    for i in range(start, layers[layer + 1, PRE]):
        piece, mine = P.first_piece[i], cut
        while cut < last and cut_unit[cut] == i:
            if C.sign[cut] > 0:
                piece += 1
            cut += 1
        on = P.pieces[piece, 0] != 0.0
        if on:
            alive += 1
        for c in range(mine, cut):  # of every unit: a dead one may have been live in a sibling
            C.G[c, P.k + ALIVE] = 1.0 if on and layers[layer, CHAIN] > 0 else 0.0
        if not _output(P, C, i, layers[layer, VAL] + i - start, piece):
            exact = False
    C.ok[layer + 1] = exact
    C.live[layer] = alive


@inner(fastmath=LONG)
def _output(P, C, i, v, piece):
    """Value v, on a piece of pre-activation i; whether it is exact where that is."""
    H, Z, k = C.H, C.Z, P.k
    slope, shift = P.pieces[piece, 0], P.pieces[piece, 1]
    size, exact = abs(slope), shift == 0.0
    top = 0.0
    for c in range(k + 1):
        value = slope * Z[i, c] if size > 0.0 else 0.0
        H[c, v] = value
        if c < k:
            top = max(top, abs(value))
    ew, ec = size * Z[i, k + EW], size * Z[i, k + EC]
    if size != 1.0 and size != 0.0:  # the slope may be rounded too
        ew += 2.0 * ROUNDOFF * (top + ew)
        ec += 2.0 * ROUNDOFF * (abs(H[k, v]) + ec)
        exact = False
    if shift != 0.0:
        H[k, v] += shift
        ec += 2.0 * ROUNDOFF * (abs(shift) + abs(H[k, v]))
    H[k + H_EW, v], H[k + H_EC, v], H[k + H_MAX, v] = 1.01 * ew, 1.01 * ec, top
    return exact and ew == 0.0 and ec == 0.0


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
def _winners(P, C, layer):
    """Values of a layer of max units: the form of each winner."""
    layers, groups, k = P.layers, P.groups, P.k
    H, Z = C.H, C.Z
    exact = C.ok[layer] and layers[layer, LATTICE] >= 0
    for u in range(layers[layer, GROUP], layers[layer + 1, GROUP]):
        start, v = groups[u, ARGS], groups[u, VALUE]
        i = P.args[start + winner(groups[u, FIRST], groups[u + 1, ARGS] - start, C.sign)]
        top = 0.0
        for c in range(k + 1):
            H[c, v] = Z[i, c]
            if c < k:
                top = max(top, abs(Z[i, c]))
        ew, ec = Z[i, k + EW], Z[i, k + EC]
        exact = exact and ew == 0.0 and ec == 0.0
        H[k + H_EW, v], H[k + H_EC, v], H[k + H_MAX, v] = ew, ec, top
    C.ok[layer + 1] = exact
    C.live[layer] = layers[layer + 1, GROUP] - layers[layer, GROUP]


@inner()
def _rows(P, C, layer):
    """One row ``G x + const`` per breakpoint, scaled by a power of two to size about 1.

    ``P.blur`` bounds how far a coordinate of a point may be off that of the point it stands for.
    """
    layers, cuts, k = P.layers, P.cuts, P.k
    G, Z = C.G, C.Z
    lattice = layers[layer, LATTICE] if C.ok[layer] else -1
    for c in range(layers[layer, CUT], layers[layer + 1, CUT]):
        i = P.cut_unit[c]
        top = 0.0
        for j in range(k):
            top = max(top, abs(Z[i, j]))
        const, ec = Z[i, k] - cuts[c, AT], Z[i, k + EC]
        if cuts[c, AT] != 0.0:
            ec += cuts[c, AT_ERR] + ROUNDOFF * (abs(const) + abs(cuts[c, AT]))
        power = 0 if top == 0.0 else -math.frexp(top)[1]
        scale = math.ldexp(1.0, power)
        for j in range(k):
            G[c, j] = Z[i, j] * scale
        G[c, k] = const * scale
        ew, ec = Z[i, k + EW] * scale, ec * scale
        known = ew == 0.0 and ec == 0.0 and lattice >= power and lattice >= 0
        set_errors(G, c, ew, ec, lattice - power if known else -1)
        G[c, k + POWER] = power
        if P.blur > 0.0:
            for j in range(k):
                G[c, k + BERR] += 1.01 * P.blur * abs(G[c, j])
        G[c, k + SPAN] = layer - 1 if layers[layer, CHAIN] > 0 else -1


@inner()
def set_errors(G, c, ew, ec, exponent):
    """Error bounds of row c; evaluating it at x is off by at most AERR |x|_1 + BERR."""
    k = G.shape[1] - POWER - 1
    G[c, k + EW], G[c, k + EC] = ew, ec
    G[c, k + AERR] = 1.01 * (ew + 2.0 * (k + 2) * ROUNDOFF)
    G[c, k + BERR] = 1.01 * (ec + (k + 2) * ROUNDOFF * abs(G[c, k]))
    G[c, k + EXP] = exponent
