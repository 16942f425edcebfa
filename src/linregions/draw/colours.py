"""Colours: a palette whose neighbours differ, and a colouring of regions that keeps it so."""

from __future__ import annotations

from typing import Any

import numpy as np

HUES = 12
SIZE = 2 * HUES
ALL = (1 << SIZE) - 1


def oklch(lightness: Any, chroma: Any, hue: Any) -> np.ndarray:
    """sRGB in [0, 1], shape (..., 3), of colours in OKLCH (hue in turns), clipped to the gamut.

    Equal lightness looks equally light there, so that no region shouts.
    """
    angle = 2 * np.pi * np.asarray(hue, float)
    a, b = chroma * np.cos(angle), chroma * np.sin(angle)
    lms = np.stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ],
        axis=-1,
    )
    to_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip(lms**3 @ to_rgb.T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def palette() -> np.ndarray:
    """(24, 3) soft colours: twelve hues, the second twelve darker."""
    hue = np.tile(np.arange(HUES) / HUES, 2)
    dark = np.repeat([False, True], HUES)
    return oklch(np.where(dark, 0.77, 0.88), np.where(dark, 0.11, 0.08), hue)


def layer_colours(layers: int, dark: bool = False) -> np.ndarray:
    """(layers, 3) well separated colours for the edges of each layer, the first the strongest.

    For a light ground from nearly black to red; ``dark``: from nearly white to orange.
    """
    part = np.linspace(0, 1, max(layers, 2))[:layers]
    light = 0.93 - 0.2 * part if dark else 0.26 + 0.34 * part
    return oklch(light, 0.05 + (0.12 if dark else 0.17) * part, 0.72 + 0.36 * part)


def label_colours(labels: Any) -> np.ndarray:
    """(m, 3) a strong colour for each label, the same for equal labels, of data points."""
    values, which = np.unique([str(v) for v in labels], return_inverse=True)
    hue = 0.05 + np.arange(len(values)) / max(len(values), 1)
    return oklch(0.48, 0.17, hue)[which]


def region_colours(cells: Any, labels: np.ndarray) -> np.ndarray:
    """(cells,) index into the palette: one colour per label, different across every facet.

    A region wants the colour that the pattern of its largest cell hashes to, so a region that
    keeps its pattern from one checkpoint to the next mostly keeps its colour; where a
    neighbour has a similar one, the next free colour is taken. Deterministic.
    """
    labels = np.asarray(labels)
    n = int(labels.max()) + 1
    order = np.argsort(np.asarray(cells.volumes), kind="stable")
    largest = np.empty(n, dtype=np.int64)
    largest[labels[order]] = order  # the last one written is the largest
    wish = _hash(cells.patterns(largest)) % SIZE
    pairs = np.asarray(cells.facet_cells)
    pairs = labels[pairs[pairs[:, 1] >= 0]]
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    return _colour_graph(n, pairs, wish.astype(np.int64))[labels]


def _hash(patterns: np.ndarray) -> np.ndarray:
    """A 64-bit number per pattern, the same in every process."""
    bits = np.packbits(np.asarray(patterns) > 0, axis=1).astype(np.uint64)
    factors = np.random.default_rng(20190609).integers(
        1, 2**63, size=bits.shape[1], dtype=np.uint64
    )
    mixed = (bits + np.uint64(1)) * factors
    total = np.bitwise_xor.reduce(mixed ^ (mixed >> np.uint64(29)), axis=1)
    return (total * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(33)


def _colour_graph(n: int, pairs: np.ndarray, wish: np.ndarray) -> np.ndarray:
    """Greedy colouring in rounds: whoever outranks all uncoloured neighbours chooses.

    Rank is the degree, so a region with many neighbours chooses while there is much to choose
    from, then a fixed shuffle, so that there are few rounds.
    """
    degree = np.bincount(pairs.ravel(), minlength=n)
    shuffle = np.random.default_rng(0).permutation(n)
    rank = np.empty(n, dtype=np.int64)
    rank[np.lexsort((shuffle, degree))] = np.arange(n)
    a, b = np.concatenate([pairs, pairs[:, ::-1]]).T
    colour = np.full(n, -1)
    taken = np.zeros(n, dtype=np.int64)  # colours of neighbours
    similar = np.zeros(n, dtype=np.int64)  # and those that look like them
    table = _similar()
    while (left := colour < 0).any():
        best = np.full(n, -1)
        open_ = left[a] & left[b]
        np.maximum.at(best, a[open_], rank[b[open_]])
        now = left & (rank > best)
        colour[now] = _choose(wish[now], taken[now], similar[now])
        hit = now[a] & left[b]
        np.bitwise_or.at(taken, b[hit], 1 << colour[a[hit]])
        np.bitwise_or.at(similar, b[hit], table[colour[a[hit]]])
    return colour


def _similar() -> np.ndarray:
    """(24,) mask of the colours one step of hue away or of the same hue."""
    out = np.zeros(SIZE, dtype=np.int64)
    for c in range(SIZE):
        hue = c % HUES
        for h in (hue - 1, hue, hue + 1):
            out[c] |= (1 << (h % HUES)) | (1 << (h % HUES + HUES))
    return out


def _choose(wish: np.ndarray, taken: np.ndarray, similar: np.ndarray) -> np.ndarray:
    """The first free colour from the one wished for, in steps of five."""
    steps = (wish[:, None] + 5 * np.arange(SIZE)) % SIZE  # 5 is prime to 24: all are met
    row = np.arange(len(steps))
    distinct = (similar[:, None] >> steps) & 1 == 0
    different = (taken[:, None] >> steps) & 1 == 0
    first = steps[row, distinct.argmax(axis=1)]
    second = steps[row, different.argmax(axis=1)]  # where all are taken: the wish
    return np.where(distinct.any(axis=1), first, second)
