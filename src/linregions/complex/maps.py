"""Affine maps of the cells, and which of them are the same.

Floats with their error bounds tell most maps apart. Among the others those are equal in which
the same units matter to the output, with the same pieces; the rest is compared in rational
arithmetic.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..network.units import MaxUnits
from ..roundoff import ROUNDOFF
from .exact import Forms
from .forms import Task, rows_of
from .program import PRE, TEST, ComplexProgram
from .rows import forms_at

CHUNK = 1 << 23  # entries of patterns or forms at once


def output_forms(plan: ComplexProgram, refined: Any, data: Any, cells: np.ndarray) -> np.ndarray:
    """(n, outputs, k + 1) forms of the output in kernel coordinates, in float64."""
    reach, errors = data
    n, net = len(plan.units) - 1, plan.network
    out = np.empty((len(cells), net.outputs, plan.k + 1))
    rows = words = None
    step = max(1, CHUNK // max(plan.bits, 1))
    slots = np.arange(plan.bits)
    for at in range(0, len(cells), step):
        bits = refined.bits_of(cells[at : at + step])
        words = pack(bits)
        if rows is None:
            rows = rows_of(plan.layers, words.shape[1], np.zeros(plan.bits, np.uint8))
        tests = int(plan.table[n, TEST])  # of the output: none
        todo = Task(
            n, tests, tests, 0, len(words), True, reach, errors, slots,
            np.zeros((0, 0)), np.zeros((0, 0), np.int32),
        )  # fmt: skip
        forms_at(plan.layers, rows, todo, words, out[at : at + step])
    return out


def pack(bits: np.ndarray) -> np.ndarray:
    """Rows of 0 and 1 as rows of 64-bit words."""
    words = (bits.shape[1] + 63) // 64
    out = np.zeros((len(bits), 8 * words), np.uint8)
    packed = np.packbits(bits, axis=1, bitorder="little")
    out[:, : packed.shape[1]] = packed
    return out.view(np.uint64)


def distinct(plan: ComplexProgram, forms: Forms, refined: Any, data: Any) -> np.ndarray:
    """(cells,) a number for each distinct affine map, in the order of the cells."""
    every = np.arange(refined.cells)
    maps = output_forms(plan, refined, data, every).reshape(len(every), -1)
    first = plan.table[-2, PRE]
    error = _errors(data[1][:, first:], plan.k, maps)
    label = np.arange(len(every), dtype=np.int64)
    suspects, run = _near(maps, error)
    del maps
    if len(suspects):
        label[suspects] = suspects[_equal(plan, forms, refined, suspects, run)]
    _, out = np.unique(label, return_inverse=True)
    return out.astype(np.int64)


def _errors(errors: np.ndarray, k: int, maps: np.ndarray) -> np.ndarray:
    """How far apart two computed values of equal coefficients may be, per coefficient."""
    most = np.abs(maps).max(axis=0, initial=0.0)
    each = np.repeat(errors.T, [k, 1], axis=1).ravel()
    return 2.0 * each + 8 * ROUNDOFF * most


def _near(maps: np.ndarray, room: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that some other row equals as far as floats can tell, and a number for each.

    Rows of different numbers are different.
    """
    if not len(maps) or not maps.shape[1]:
        return np.arange(len(maps)), np.zeros(len(maps), np.int64)
    # a combination of all columns that floats can sort by
    mix = np.random.default_rng(1).uniform(0.5, 1.0, maps.shape[1])
    key = maps @ mix
    wide = float(room @ mix) + 1e-14 * float(np.abs(maps).max(axis=0) @ mix) * len(mix)
    order = np.argsort(key, kind="stable")
    run = np.zeros(len(maps), np.int64)
    run[order[1:]] = np.cumsum(np.diff(key[order]) > wide)
    suspect = np.zeros(len(maps), bool)
    alive = np.arange(len(order) - 1)
    reach = 1
    while len(alive):
        a, b = order[alive], order[alive + reach]
        close = key[b] - key[a] <= wide
        a, b, alive = a[close], b[close], alive[close]
        same = (np.abs(maps[b] - maps[a]) <= room).all(axis=1)
        suspect[a[same]] = suspect[b[same]] = True
        alive = alive[~same]  # a row that has found its like need not look further
        reach += 1
        alive = alive[alive + reach < len(order)]
    found = np.flatnonzero(suspect)
    return found, run[found]


def _equal(
    plan: ComplexProgram, forms: Forms, refined: Any, cells: np.ndarray, run: np.ndarray
) -> np.ndarray:
    """For each of some cells the place of the first of them with the same map, exactly.

    Cells of different runs have different maps.
    """
    step = max(1, CHUNK // max(plan.network.units, 1))
    parts, where = [], []
    for at in range(0, len(cells), step):
        pieces = plan.pieces(refined.bits_of(cells[at : at + step]))
        parts.append(_matter(plan, pieces))
        where.append(pieces)
    keys, pieces = np.concatenate(parts), np.concatenate(where)
    packed = np.ascontiguousarray(keys).view(np.dtype((np.void, keys.shape[1] * keys.itemsize)))
    _, first, back = np.unique(packed.ravel(), return_index=True, return_inverse=True)
    seen: dict[Any, int] = {}
    leader = np.empty(len(first), np.int64)
    crowd = np.bincount(run[first], minlength=int(run.max()) + 1)  # patterns in each run
    for i in np.argsort(first):
        leader[i] = first[i]
        if crowd[run[first[i]]] > 1:
            leader[i] = seen.setdefault(forms.output(pieces[first[i]]), int(first[i]))
    return leader[back.ravel()]


def _matter(plan: ComplexProgram, pieces: np.ndarray) -> np.ndarray:
    """Pieces of the units that matter to the output; a number of its own for those that do not."""
    net = plan.network
    ends = np.cumsum([0, *net.widths])
    need = [np.zeros((len(pieces), w), bool) for w in net.widths]
    for n in range(len(net.layers), -1, -1):
        affine = net.output if n == len(net.layers) else net.layers[n].affine
        live = None
        if n < len(net.layers):
            live = _live(net.layers[n].units, pieces[:, ends[n] : ends[n + 1]], need[n])
        for source in affine.sources:
            if source == 0:
                continue
            used = affine.reads(source, net.size_of(source)).astype(np.float64)
            if live is None:
                need[source - 1] |= np.asarray(used.sum(axis=0)).ravel() > 0
            else:
                need[source - 1] |= (used.T @ live.T.astype(np.float64)).T > 0
    flat = np.concatenate([np.zeros((len(pieces), 0), bool), *need], axis=1)
    blank = np.iinfo(pieces.dtype).max
    out = np.where(flat, pieces, blank)
    return np.concatenate([np.zeros((len(pieces), 1), pieces.dtype), out], axis=1)


def _live(units: Any, pieces: np.ndarray, need: np.ndarray) -> np.ndarray:
    """Which pre-activations of a layer matter where these of its values do."""
    if isinstance(units, MaxUnits):
        out = np.zeros((len(pieces), units.fan_in), bool)
        for u, group in enumerate(units.groups):
            cells = np.flatnonzero(need[:, u])
            out[cells, np.array(group)[pieces[cells, u]]] = True
        return out
    sloping = np.zeros(pieces.shape, bool)
    which = np.array(units.which, np.int64)
    for n, kind in enumerate(units.kinds):
        mine = which == n
        sloping[:, mine] = np.array([s != 0 for s in kind.slopes])[pieces[:, mine]]
    return need & sloping
