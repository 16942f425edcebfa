"""Hyperplanes that nearly coincide in bottlenecks: what is proved must be true on this path.

Rows behind a layer with few live units span few dimensions. How many they are is a fact of the
path, and a cell that was left and come back to must not use that of a sibling.
"""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

import linregions as lr
from linregions.jit import plain
from linregions.search import lp
from linregions.search.proofs import span_of
from linregions.testing import oracle

# R^3, widths 5-1-4, rows of the third layer scaled by 3, 1/3 and 0.1: 24 regions
SCALED = [
    (
        [[-3.0, -1.0, 3.0], [-1.0, -3.0, -3.0], [-1.0, 3.0, -3.0], [-3.0, -9.0, -9.0],
         [0.3333333333333333, -1.0, 1.0]],
        [-3.0, -2.0, 0.0, -6.0, 0.0],
    ),
    ([[2.0, 3.0, 1.0, -2.0, -2.0]], [3.0]),
    (
        [[0.27841974326862756], [2.784197432686276e-06], [-2.784197432686276e-07],
         [9.280658108954253e-08]],
        [0.043519427651554636, 4.351942765155464e-07, -4.3519427651554645e-08,
         1.4506475883851547e-08],
    ),
    ([[1.0, 1.0, 1.0, 1.0]], [0.0]),
]  # fmt: skip


def test_rows_of_one_layer_scaled_behind_a_bottleneck():
    answer = lr.count(SCALED)
    assert answer == 24 and answer.exact
    assert len(oracle.activation_patterns(SCALED)) == 24


def near(rng, rows):
    """Another row: an earlier one times 3, 1/3 or 0.1 in floats, perhaps moved by an ulp."""
    row = rows[rng.integers(len(rows))] * rng.choice([3.0, 1 / 3, 0.1, -0.1, 1.0])
    at = rng.integers(len(row))
    if rng.random() < 0.5:
        row[at] = np.nextafter(row[at], rng.choice([-np.inf, np.inf]))
    return row


def network(seed):
    """Two or three inputs, layers of one to five units, many of them nearly parallel."""
    rng = np.random.default_rng(seed)
    widths = [int(rng.integers(2, 4)), *rng.integers(1, 6, rng.integers(2, 4)).tolist(), 1]
    pairs = []
    for n, m in pairwise(widths):
        rows = []
        for _ in range(m):
            if rows and rng.random() < 0.4:
                rows.append(near(rng, rows))
            else:
                row = rng.integers(-3, 4, n + 1) / rng.choice([1, 1, 3, 10])
                row[-1] *= rng.random() < 0.6
                rows.append(row)
        table = np.array(rows)
        pairs.append((table[:, :-1], table[:, -1]))
    return pairs


@pytest.mark.parametrize("block", range(10))
def test_searches_agree_with_the_oracle_near_ties(block):
    for seed in range(20 * block, 20 * block + 20):
        net = network(seed)
        n = len(net[0][0][0])
        assert lr.count(net, engine="search") == len(oracle.activation_patterns(net)), seed
        box = oracle.box([-1] * n, [1] * n)
        assert lr.count(net, lr.Box(-1, 1), engine="search") == len(
            oracle.activation_patterns(net, box)
        ), seed


def test_the_span_of_a_row_is_that_of_the_layers_before_the_cell():
    """A row of layer 2 in a cell of layer 2 does not lie in the span of its own layer's units."""
    k = 3
    G = np.zeros((1, k + 9))
    G[0, [k + lp.SPAN, k + lp.ALIVE]] = 1, 1
    cursor = SimpleNamespace(G=G, pts=np.zeros((1, 1, k)))
    assert [plain(span_of)(cursor, 0, layer) for layer in (2, 3, 4)] == [1, 2, 2]
