"""Affine pieces of a network along segments, and which of them are the same map."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from ..audit import asked
from ..network.affine import INPUT, ONE, Affine
from ..network.network import Network
from ..network.rational import nearest
from ..network.scaling import measured
from ..network.units import Pointwise
from ..roundoff import ROUNDOFF
from . import audit
from . import by_complex as wide
from .breaks import Breaks
from .data import SMALL

AT_ONCE = 1 << 14  # intervals in one product


class Pieces(NamedTuple):
    """``f(x(t)) = intercept + slope t`` on the intervals of all segments.

    ``ptr`` (m + 1): the intervals of segment i are ``ptr[i] .. ptr[i + 1] - 1``; ``slope`` and
    ``intercept`` have shape (intervals, outputs).
    """

    ptr: np.ndarray
    slope: np.ndarray
    intercept: np.ndarray


def affine_pieces(found: Breaks) -> Pieces:
    """The affine map on every interval, composed along its pattern in float64."""
    if wide.is_wide(found.network):
        return Pieces(_ptr(found), *wide.maps(found.network, found.given, len(found)))
    slope, intercept, _ = _forms(found)
    lost = np.asarray(~(np.isfinite(slope) & np.isfinite(intercept)).all(axis=1))
    if measured(found.network).network is not found.network:  # floats are of the scaled one
        lost[:] = True
    ptr = _ptr(found)
    for i in np.unique(np.searchsorted(ptr, np.flatnonzero(lost), side="right") - 1).tolist():
        mine = slice(ptr[i], ptr[i + 1])
        slope[mine], intercept[mine] = _exactly(found, i)
    return Pieces(ptr, slope, intercept)


def _exactly(found: Breaks, i: int) -> np.ndarray:
    """(2, intervals, outputs): the maps of one segment, where floats left their range."""
    p, d, _, _ = found.given.exact(i)
    forms = found.rationally.forms_of(p, d, found.signs(i))
    table = [[nearest(Fraction(int(v), forms.den)) for v in row] for row in forms.num.tolist()]
    return np.array(table).reshape(len(table), -1, 2).transpose(2, 1, 0)


def _ptr(found: Breaks) -> np.ndarray:
    return found.ptr + np.arange(len(found.ptr))


def _forms(found: Breaks) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slopes and intercepts of all intervals, and a bound of their errors (intervals, 2).

    Those of the network as `measured`: its outputs may be scaled.
    """
    count, outputs = len(found.t) + len(found), found.network.outputs
    slope, intercept = np.empty((count, outputs)), np.empty((count, outputs))
    error = np.empty((count, 2))
    ptr, m = _ptr(found), len(found)
    a = 0
    while a < m:
        b = max(a + 1, int(np.searchsorted(ptr, ptr[a] + AT_ONCE, side="right")) - 1)
        signs = np.concatenate([found.signs(i) for i in range(a, b)])
        which = np.repeat(np.arange(a, b), np.diff(ptr[a : b + 1]))
        mine = slice(ptr[a], ptr[b])
        with np.errstate(all="ignore"):  # what leaves the floats is told apart by rationals
            slope[mine], intercept[mine], error[mine] = _compose(found, signs, which)
        a = b
    return slope, intercept, error


class _Form(NamedTuple):
    """Slopes and constants (intervals, size), and bounds of their errors (intervals, 2)."""

    slope: np.ndarray
    constant: np.ndarray
    error: np.ndarray


def _compose(found: Breaks, signs: np.ndarray, which: np.ndarray) -> Any:
    net, given = measured(found.network).network, found.given
    p = given.p[which]
    d = given.q[which] if given.lines else given.q[which] - p
    size = np.stack([_norms(d), _norms(p)], axis=1)
    values = {INPUT: _Form(d, p, 4 * ROUNDOFF * (size + (0 if given.lines else size[:, 1:])))}
    row = 0
    for number, layer in enumerate(net.layers, start=1):
        z = _apply(layer.affine, net, values)
        values[number], row = _outputs(layer.units, z, signs, row)
    out = _apply(net.output, net, values)
    return out.slope, out.constant, out.error


def _norms(rows: np.ndarray) -> np.ndarray:
    """Euclidean norms of rows; never below what underflow of a square can hide."""
    return np.linalg.norm(rows, axis=1) + SMALL


def _apply(affine: Affine, net: Network, values: dict[int, _Form]) -> _Form:
    """An affine map of forms; errors in the Euclidean norm."""
    some = values[INPUT]
    slope = np.zeros((len(some.slope), affine.size))
    bias, bias_error = affine.rounded(ONE, 1)
    constant = np.tile(bias[:, 0], (len(slope), 1))
    known = 0.0 if bias_error is None else float(_norms(bias_error.T)[0])
    error = np.zeros((len(slope), 2))
    error[:, 1] = known + 4 * ROUNDOFF * float(_norms(bias.T)[0])
    for source in affine.sources:
        W, off = affine.rounded(source, net.size_of(source))
        v = values[source]
        slope += v.slope @ W.T
        constant += v.constant @ W.T
        size = np.stack([_norms(v.slope), _norms(v.constant)], axis=1)
        fro = float(np.linalg.norm(W)) + SMALL
        wrong = 0.0 if off is None else float(np.linalg.norm(off)) + SMALL
        terms = (W.shape[1] + len(values) + 8) * ROUNDOFF
        error += fro * v.error + (terms * fro + wrong) * (size + v.error)
    return _Form(slope, constant, 1.01 * error)


def _outputs(units: Any, z: _Form, signs: np.ndarray, row: int) -> tuple[_Form, int]:
    piece, row = _pieces(units, signs, row)
    which = np.asarray(units.which, np.int64)
    slopes, shifts = np.zeros_like(z.slope), np.zeros_like(z.slope)
    for k, kind in enumerate(units.kinds):
        mine = which == k
        slopes[:, mine] = np.array([nearest(s) for s in kind.slopes])[piece[:, mine]]
        shifts[:, mine] = np.array([nearest(c) for c in kind.intercepts])[piece[:, mine]]
    slope, constant = slopes * z.slope, slopes * z.constant + shifts
    largest = np.abs(slopes).max(axis=1, initial=0.0)[:, None]
    size = np.stack([_norms(slope), _norms(constant)], axis=1)
    rounding = 4 * ROUNDOFF * (size + np.stack([0 * size[:, 0], _norms(shifts)], axis=1))
    return _Form(slope, constant, 1.01 * (largest * z.error + rounding)), row


def _pieces(units: Any, signs: np.ndarray, row: int) -> tuple[np.ndarray, int]:
    """(intervals, units) piece of every unit of a layer; ``row``: its first row, then the next."""
    assert isinstance(units, Pointwise)
    counts = np.array([len(units.kinds[w].breaks) for w in units.which], np.int64)
    end = row + int(counts.sum())
    if (counts == 1).all():
        return signs[:, row:end].astype(np.intp), end
    total = np.zeros((len(signs), end - row + 1), np.intp)
    np.cumsum(signs[:, row:end], axis=1, out=total[:, 1:])
    last = np.cumsum(counts)
    return total[:, last] - total[:, last - counts], end


# -- equal maps -------------------------------------------------------------------------------


def merge(found: Breaks) -> dict[str, np.ndarray]:
    """Linear regions and distinct affine maps of every segment, and where the map changes.

    Floats tell maps apart where they differ by more than the bounds of their errors. Among the
    others those are equal in which the same units matter to the output, with the same pieces;
    what is left is compared in rational arithmetic.
    """
    large = wide.is_wide(found.network)
    slope, intercept, error = (None, None, None) if large else _forms(found)
    ptr, m = _ptr(found), len(found)
    linear, affine = np.empty(m, np.int64), np.empty(m, np.int64)
    changes = np.ones(len(found.t), np.int64)
    for i in range(m):
        mine = slice(ptr[i], ptr[i + 1])
        if slope is None or intercept is None or error is None:
            label = wide.labels(found.network, found.given, i)
        else:
            label = _labels(found, i, slope[mine], intercept[mine], error[mine])
        differ = label[1:] != label[:-1]
        changes[found.ptr[i] : found.ptr[i + 1]] = differ
        linear[i] = 1 + int(differ.sum())
        affine[i] = int(label.max()) + 1
    return {"linear": linear, "affine": affine, "changes": changes}


def _labels(
    found: Breaks, i: int, slope: np.ndarray, intercept: np.ndarray, error: np.ndarray
) -> np.ndarray:
    """A number for each interval of segment i, equal exactly where the affine maps are."""
    count = len(slope)
    suspects = _suspects(slope, intercept, error)
    label = np.full(count, -1, np.int64)
    alone = np.setdiff1d(np.arange(count), suspects)
    label[alone] = np.arange(len(alone))
    if len(suspects):
        signs = found.signs(i)[suspects]
        first, back = _effective(found.network, signs)
        if found.exact:
            p, d, _, _ = found.given.exact(i)
            maps = found.rationally.maps_of(p, d, signs[first])
        else:
            maps = [(slope[k].tobytes(), intercept[k].tobytes()) for k in suspects[first]]
        index = {v: n for n, v in enumerate(dict.fromkeys(maps))}
        label[suspects] = len(alone) + np.array([index[v] for v in maps])[back]
    if found.exact and asked():
        audit.labels(found, i, label)
    return label


def _suspects(slope: np.ndarray, intercept: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Intervals whose map some other one's equals as far as floats can tell."""
    if not len(slope) or not slope.shape[1]:
        return np.arange(len(slope))
    if not (np.isfinite(slope).all() and np.isfinite(intercept).all() and np.isfinite(error).all()):
        return np.arange(len(slope))
    order = np.lexsort((slope[:, 0],))
    suspect = np.zeros(len(slope), bool)
    room = 2.0 * error.max(axis=0)
    reach = 1
    while reach < len(order):
        a, b = order[:-reach], order[reach:]
        near = slope[b, 0] - slope[a, 0] <= room[0]
        if not near.any():
            break
        same = near & (np.abs(slope[b] - slope[a]) <= room[0]).all(axis=1)
        same &= (np.abs(intercept[b] - intercept[a]) <= room[1]).all(axis=1)
        suspect[a[same]] = suspect[b[same]] = True
        reach += 1
    return np.flatnonzero(suspect)


def _effective(net: Network, signs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct patterns of the units that matter to the output: one of each, which is whose."""
    pieces, slopes, row = [], [], 0
    for layer in net.layers:
        units = layer.units
        piece, row = _pieces(units, signs, row)
        assert isinstance(units, Pointwise)
        which = np.asarray(units.which, np.int64)
        slope = np.zeros(piece.shape, bool)
        for k, kind in enumerate(units.kinds):
            slope[:, which == k] = np.array([s != 0 for s in kind.slopes])[piece[:, which == k]]
        pieces.append(piece)
        slopes.append(slope)
    need = [np.zeros(p.shape, bool) for p in pieces]
    for number in range(len(net.layers), -1, -1):
        last = number == len(net.layers)
        affine = net.output if last else net.layers[number].affine
        for source in affine.sources:
            if source == INPUT:
                continue
            used = affine.reads(source, net.size_of(source)).toarray()
            if last:
                need[source - 1] |= used.any(axis=0)
            else:
                live = need[number] & slopes[number]
                need[source - 1] |= live.astype(np.float32) @ used.astype(np.float32) > 0
    out = np.concatenate(
        [np.zeros((len(signs), 1), np.uint8)]
        + [np.where(n, p, 255).astype(np.uint8) for n, p in zip(need, pieces, strict=True)],
        axis=1,
    )
    _, first, back = np.unique(out, axis=0, return_index=True, return_inverse=True)
    return first, back.ravel()
