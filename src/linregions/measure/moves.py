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

NORMS = {"2": 2.0, "1": 1.0, "inf": np.inf}
TOUCH = 1e-12
DUAL = {2.0: 2.0, 1.0: np.inf, np.inf: 1.0}


class Room(NamedTuple):
    """How far each coordinate may go down and up: (m, n) each."""

    down: np.ndarray
    up: np.ndarray


def lengths(gap: np.ndarray, g: np.ndarray, norm: float, room: Room | None) -> np.ndarray:
    """(m,) lengths of the shortest moves; infinite where none is long enough."""
    if room is None:
        size = np.linalg.norm(g, DUAL[norm], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(size > 0, abs(gap) / size, np.inf)
    d = moves(gap, g, norm, room)
    size = np.linalg.norm(d, norm, axis=1)
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
    near = (most > abs(gap) * (1 + TOUCH)) & np.isfinite(far).all(axis=1)
    return np.where(
        np.asarray(near)[:, None], way * np.where(np.asarray(near)[:, None], far, 0.0), np.inf
    )


def _free(gap: np.ndarray, g: np.ndarray, way: np.ndarray, norm: float) -> np.ndarray:
    size = np.linalg.norm(g, DUAL[norm], axis=1)
    c = np.divide(gap, size, out=np.full(len(gap), np.inf), where=size > 0)[:, None]
    if norm == 2.0:
        return way * np.where(g != 0, c * abs(g) / np.maximum(size, 1e-300)[:, None], 0.0)
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
