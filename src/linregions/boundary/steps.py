"""The shortest move onto a hyperplane, in three norms, free or inside a box.

Wanted is the least ``|d|`` with ``g . d = -gap``. Without bounds it has length ``|gap| / |g|*``
with the dual norm. Inside a box every coordinate moves the way that helps, at most as far as its
room: ``min(c w_i, room_i)`` with one common c for the 2- and the infinity-norm (w_i is ``|g_i|``
or 1: the conditions of Karush, Kuhn and Tucker), and coordinates of large ``|g_i|`` first for
the 1-norm.
A gap of zero moves as its sign bit says.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..roundoff import ROUNDOFF

NORMS = {"2": 2.0, "1": 1.0, "inf": np.inf}
LOW, HIGH = 1e-140, 1e140  # squares of what lies between are safe
DUAL = {2.0: 2.0, 1.0: np.inf, np.inf: 1.0}


def lengths_of(g: np.ndarray, norm: float) -> np.ndarray:
    """Norms along the last axis; those whose squares leave the range of floats are rescaled."""
    if norm != 2.0:
        return np.linalg.norm(g, norm, axis=-1)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        size = np.sqrt(np.einsum("...r,...r->...", g, g))
    odd = ~((size > LOW) & (size < HIGH))
    if odd.any():
        some = g[odd]
        shift = exponents(some)
        some = np.ldexp(some, -shift[:, None])
        with np.errstate(over="ignore"):
            size[odd] = np.ldexp(np.sqrt(np.einsum("pr,pr->p", some, some)), shift)
    return size


def exponents(g: np.ndarray) -> np.ndarray:
    """Binary exponents of the largest entries along the last axis: ``2^-e g`` is at most 1."""
    return np.frexp(abs(g).max(axis=-1, initial=0.0))[1]


class Room(NamedTuple):
    """How far each coordinate may go down and up: (m, n) each.

    ``blur`` (n,) bounds how far the sides of the box are from the exact ones.
    """

    down: np.ndarray
    up: np.ndarray
    blur: np.ndarray


class Bracket(NamedTuple):
    """Lengths of the shortest moves onto true hyperplanes: at least, about, at most (m,)."""

    low: np.ndarray
    mid: np.ndarray
    high: np.ndarray


def brackets(
    gap: np.ndarray,
    error: np.ndarray,
    g: np.ndarray,
    wrong: np.ndarray,
    norm: float,
    room: Room | None,
) -> Bracket:
    """Bounds of the lengths where gaps are off by ``error`` and gradients by ``wrong`` (2-norm).

    A move d onto the true hyperplane reaches ``|gap| - error - wrong |d|`` along the computed
    gradient at least, so it is no shorter than the shortest move that does; and one that reaches
    ``|gap| + error + wrong |d|`` goes beyond the true hyperplane. The bounds hold with the
    roundings of these programmes, and high is infinite where it is not sure that the hyperplane
    divides the box.
    """
    shift = exponents(g)
    with np.errstate(over="ignore", under="ignore"):
        g = np.ldexp(g, -shift[:, None])
        gap, error, wrong = (np.ldexp(v, -shift) for v in (gap, error, wrong))
    n, size = g.shape[1], lengths_of(g, DUAL[norm])
    ulps = 8 * (n + 8) * ROUNDOFF
    loose = (wrong + 2.0**-1070) * (n**0.5 if norm == np.inf else 1.0) + ulps * size
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        low = np.maximum(abs(gap) - error, 0.0) / (size + loose) * (1 - 4 * ROUNDOFF)
        mid = np.where(size > 0, abs(gap) / size, np.inf)
        low = np.minimum(np.where(np.isnan(low), 0.0, low), float(np.finfo(float).max))
        high = np.where(size > loose, (abs(gap) + error) / (size - loose), np.inf)
    if room is None:
        return Bracket(low, mid, high * (1 + 4 * ROUNDOFF))
    mid = lengths(gap, g, norm, room)
    wide = n**0.5 if norm == np.inf else 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        whole = lengths_of(np.maximum(room.down, room.up), norm)
        reach = 2 * wide * np.where(np.isfinite(mid), mid, whole)
        off = error + ulps * abs(gap) + wrong * reach + abs(g) @ room.blur
        off = np.where(np.isnan(off), np.inf, off)
        sign = np.copysign(1.0, gap)
        least = np.maximum(abs(gap) - off, 0.0)
        near = np.where(least > 0, lengths(sign * least, g, norm, room) * (1 - ulps), 0.0)
        far = moves(sign * (abs(gap) + off), g, norm, room)
        fits = np.isfinite(far).all(axis=1)
        far = np.where(np.asarray(fits)[:, None], far, np.inf)
        fits &= lengths_of(far, 2.0) <= reach + (reach == 0)
        high = np.where(fits, lengths_of(far, norm) * (1 + ulps), np.inf)
    return Bracket(np.maximum(low, near), mid, high)


def lengths(gap: np.ndarray, g: np.ndarray, norm: float, room: Room) -> np.ndarray:
    """(m,) lengths of the shortest moves; infinite where none is long enough."""
    d = moves(gap, g, norm, room)
    size = lengths_of(d, norm)
    return np.where(np.isfinite(size), size, np.inf)


def moves(gap: np.ndarray, g: np.ndarray, norm: float, room: Room | None) -> np.ndarray:
    """(m, n) the shortest moves; infinite where none is long enough."""
    way = -np.copysign(1.0, gap)[:, None] * np.sign(g)
    if room is None:
        return _free(abs(gap), g, way, norm)
    a, r = abs(g), np.where(way > 0, room.up, room.down)
    r = np.where(a > 0, r, 0.0)
    far = _first(abs(gap), a, r) if norm == 1.0 else _common(abs(gap), a, r, norm)
    # a hyperplane that only touches the box divides nothing in it
    most = np.where(a > 0, a * np.where(a > 0, r, 0.0), 0.0).sum(axis=1)
    near = (most > abs(gap)) & np.isfinite(far).all(axis=1)
    return np.where(
        np.asarray(near)[:, None], way * np.where(np.asarray(near)[:, None], far, 0.0), np.inf
    )


def _free(gap: np.ndarray, g: np.ndarray, way: np.ndarray, norm: float) -> np.ndarray:
    size = lengths_of(g, DUAL[norm])
    c = np.divide(gap, size, out=np.full(len(gap), np.inf), where=size > 0)[:, None]
    if norm == 2.0:
        # (the entries over the size first: their product with c may leave the range)
        share = np.divide(abs(g), size[:, None], out=np.zeros_like(g), where=size[:, None] > 0)
        return way * np.where(g != 0, c * share, 0.0)
    if norm == np.inf:
        return way * np.where(g != 0, c, 0.0)
    out, best = np.zeros_like(g), np.argmax(abs(g), axis=1)
    rows = np.arange(len(g))
    out[rows, best] = way[rows, best] * c[:, 0]
    return out


def _common(gap: np.ndarray, a: np.ndarray, r: np.ndarray, norm: float) -> np.ndarray:
    """``min(c w, r)`` with ``sum a min(c w, r) = gap``."""
    w = a if norm == 2.0 else np.ones_like(a)
    live = a > 0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        stop = np.where(live, r / np.where(live, w, 1.0), np.inf)
    order = np.argsort(stop, axis=1, kind="stable")

    def ordered(v: np.ndarray) -> np.ndarray:
        return np.take_along_axis(v, order, axis=1)

    c, full = ordered(stop), ordered(np.where(live & np.isfinite(r), a * r, 0.0))
    slope = ordered(np.where(live, a * w, 0.0))
    before = np.cumsum(full, axis=1) - full  # from the coordinates that have stopped
    left = np.cumsum(slope[:, ::-1], axis=1)[:, ::-1]  # of those that have not
    with np.errstate(invalid="ignore"):
        reach = np.where(left > 0, before + c * left, before)
    enough = np.greater_equal(reach, gap[:, None])
    k = np.argmax(enough, axis=1)
    rows = np.arange(len(gap))
    rest, pull = gap - before[rows, k], left[rows, k]
    c = np.divide(rest, pull, out=np.zeros(len(gap)), where=pull > 0)
    far = np.where(live, np.minimum(c[:, None] * w, r), 0.0)
    return np.where(enough.any(axis=1, keepdims=True), far, np.inf)


def _first(gap: np.ndarray, a: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Largest ``a`` first, each to the end of its room."""
    order = np.argsort(-a, axis=1, kind="stable")
    s, q = np.take_along_axis(a, order, axis=1), np.take_along_axis(r, order, axis=1)
    gain = np.where(s > 0, s * q, 0.0)
    before = np.cumsum(gain, axis=1)
    enough = np.greater_equal(before, gap[:, None])
    before = np.where(np.isfinite(before), before, np.inf)
    with np.errstate(invalid="ignore", divide="ignore"):
        earlier = np.concatenate([np.zeros((len(gap), 1)), before[:, :-1]], axis=1)
        need = np.clip(np.where(s > 0, (gap[:, None] - earlier) / s, 0.0), 0.0, q)
    far = np.empty_like(a)
    np.put_along_axis(far, order, need, axis=1)
    return np.where(enough.any(axis=1, keepdims=True), far, np.inf)
