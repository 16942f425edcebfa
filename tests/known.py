"""Networks whose numbers of regions are theorems or published values.

Each builder returns `(layers, expected)`: a list of (W, b) float64 pairs, the last one the affine
output, and the counts over all of R^n by kind ("pattern", "activation", "linear", "closed",
"affine": definitions R1, R2, R4, R5 and R6). Degenerate networks have small integer or dyadic
weights, so the counts hold for the network as it is stored. `NETWORKS` holds the small named ones.
"""

from itertools import combinations
from math import comb

import numpy as np


def _layers(*pairs):
    return [(np.array(W, float, ndmin=2), np.array(b, float, ndmin=1)) for W, b in pairs]


def zaslavsky(m, n):
    """sum_{i <= n} C(m, i): regions of m hyperplanes of R^n in general position."""
    return sum(comb(m, i) for i in range(n + 1))


# --- one hidden layer: hyperplane arrangements ---------------------------------------------------


def generic(m, n, seed=0):
    """m random hyperplanes in R^n: general position almost surely."""
    rng = np.random.default_rng([m, n, seed])
    W, b, v = (rng.standard_normal(shape) for shape in [(m, n), m, (1, m)])
    count = zaslavsky(m, n)
    return _layers((W, b), (v, [0])), {"activation": count, "linear": count}


def central(m, n, seed=0):
    """m random hyperplanes through the origin of R^n: 2 sum_{i < n} C(m - 1, i) regions."""
    rng = np.random.default_rng([m, n, seed])
    W, v = rng.standard_normal((m, n)), rng.standard_normal((1, m))
    count = 2 * sum(comb(m - 1, i) for i in range(n))
    return _layers((W, np.zeros(m)), (v, [0])), {"activation": count, "linear": count}


def differences(n, offsets):
    """The hyperplanes x_i - x_j = c in R^n, for i < j and c in `offsets`, one unit each."""
    rows = [(i, j, c) for i, j in combinations(range(n), 2) for c in offsets]
    W = np.zeros((len(rows), n))
    for k, (i, j, _) in enumerate(rows):
        W[k, i], W[k, j] = 1, -1
    # Non-zero output weights: crossing any single hyperplane changes the gradient.
    return _layers((W, [-c for _, _, c in rows]), (np.ones((1, len(rows))), [0]))


ARRANGEMENTS = {
    "braid": ((0,), {3: 6, 4: 24, 5: 120}),
    "shi": ((0, 1), {2: 3, 3: 16, 4: 125}),
    "catalan": ((-1, 0, 1), {2: 4, 3: 30, 4: 336}),
    "linial": ((1,), {2: 2, 3: 7, 4: 36}),
    "semiorder": ((-1, 1), {2: 3, 3: 19, 4: 183}),
}


def arrangement(name, n):
    """A deformation of the braid arrangement: x_i - x_j = c for the offsets c of its name."""
    offsets, counts = ARRANGEMENTS[name]
    return differences(n, offsets), {"activation": counts[n], "linear": counts[n]}


def braid_generic_translate(n):
    """x_i - x_j = c_ij with generic c_ij: as many regions as K_n has forests."""
    [(W, _), output] = differences(n, (0,))
    b = np.random.default_rng(n).standard_normal(len(W))
    count = {3: 7, 4: 38, 5: 291}[n]
    return [(W, b), output], {"activation": count, "linear": count}


def convolution(inputs, filters, biases):
    """One layer of filters (d, h, w), stride 1, no padding, over one channel of size `inputs`."""
    (height, width), (d, h, w) = inputs, np.shape(filters)
    positions = [(r, c) for r in range(height - h + 1) for c in range(width - w + 1)]
    W = np.zeros((d, len(positions), height, width))
    for k, (r, c) in enumerate(positions):
        W[:, k, r : r + h, c : c + w] = filters
    W, b = W.reshape(d * len(positions), -1), np.repeat(biases, len(positions))
    return _layers((W, b), (np.ones((1, len(b))), [0]))


def xiong(d):
    """d random filters 1 x 2 over a 1 x 3 input: Table 1 of Xiong et al. (2020)."""
    rng = np.random.default_rng(d)
    layers = convolution((1, 3), rng.standard_normal((d, 1, 2)), rng.standard_normal(d))
    return layers, {"activation": [4, 15, 40, 85, 156, 259, 400, 585][d - 1]}


def xiong_counterexample():
    """Two 2 x 2 filters over 3 x 3: 255 regions although all 8 receptive fields are independent."""
    layers = convolution((3, 3), [[[1, 2], [3, -1]], [[2, -1], [1, 3]]], [1, 2])
    return layers, {"activation": 255}


# --- deep networks -------------------------------------------------------------------------------


def _compose(stages, output):
    """Layers from stages (W, b, G, c): x -> G relu(W x + b) + c, and an affine output (V, d)."""
    layers, G, c = [], np.eye(stages[0][0].shape[1]), np.zeros(stages[0][0].shape[1])
    for W, b, G_next, c_next in stages:
        layers.append((W @ G, W @ c + b))
        G, c = G_next, c_next
    V, d = output
    return [*layers, (V @ G, V @ c + d)]


def _fold(n, width, kinks, weights, constant):
    """One zigzag x -> constant + weights . relu(slope x + offset) in each of n coordinates.

    `kinks` lists the (slope, offset) pairs; surplus units are dead.
    """
    p = len(kinks)
    W, b, G = np.zeros((width, n)), np.full(width, -1.0), np.zeros((n, width))
    for k in range(n):
        for i, (slope, offset) in enumerate(kinks):
            W[k * p + i, k], b[k * p + i] = slope, offset
            G[k, k * p + i] = weights[i]
    return W, b, G, np.full(n, float(constant))


def _zigzag(n, width):
    """p = floor(width / n) >= 2 units per coordinate make p pieces, each onto a set with [0, 1].

    The kinks are at 1/p, ..., (p-1)/p, the first one by a unit on either side of it.
    """
    p = width // n
    kinks = [(p, -1), (-p, 1)] + [(p, -i) for i in range(2, p)]
    return _fold(n, width, kinks, [-1, -1] + [2 * (-1) ** i for i in range(2, p)], 1)


def _zigzag4(n, width):
    """Three units per coordinate with three kinks: four pieces, each onto a set with [0, 1]."""
    return _fold(n, width, [(4, -1), (4, -2), (-4, 3)], [-3, 2, -2], 5)


def _last_layer(n, m):
    """m hyperplanes of R^n in general position with all vertices in the open unit cube."""
    t = np.arange(m) - (m - 1) // 2
    W = np.stack([t**k for k in range(n)], axis=1).astype(float)
    # Offsets from the centre that are small and satisfy no polynomial relation of the slopes.
    offsets = 2.0 ** -np.arange(5, 5 + m) if n > 1 else (t + 0.25) / (2.0 * m)
    return W, offsets - W @ np.full(n, 0.5)


def wang(n, *widths):
    """Folds in every layer, read out by (1, 101, 101^2, ...): prod floor(n_i / n)^n regions."""
    count = int(np.prod([(w // n) ** n for w in widths]))
    V = np.array([[101.0**k for k in range(n)]])
    layers = _compose([_zigzag(n, w) for w in widths], (V, np.zeros(1)))
    return layers, dict.fromkeys(("activation", "linear", "closed", "affine"), count)


def montufar(n, *widths):
    """Folds, then generic hyperplanes: prod_{l < L} floor(n_l / n)^n Z(n_L, n) cells."""
    *folds, last = widths
    count = int(np.prod([(w // n) ** n for w in folds])) * zaslavsky(last, n)
    W, b = _last_layer(n, last)
    stages = [*(_zigzag(n, w) for w in folds), (W, b, np.eye(last), np.zeros(last))]
    return _compose(stages, (np.ones((1, last)), np.zeros(1))), {"activation": count}


def serra(n, *widths):
    """As `montufar` with one piece more per fold; three of the units of each coordinate used."""
    *folds, last = widths
    count = 4 ** (n * len(folds)) * zaslavsky(last, n)
    W, b = _last_layer(n, last)
    stages = [*(_zigzag4(n, w) for w in folds), (W, b, np.eye(last), np.zeros(last))]
    return _compose(stages, (np.ones((1, last)), np.zeros(1))), {"activation": count}


def tent(depth):
    """Telgarsky's tent 2 relu(x) - 4 relu(x - 1/2), `depth` times: 2^depth + 2 regions of R.

    One layer alone has 3. On [0, 1] there are 2^depth.
    """
    stage = np.ones((2, 1)), np.array([0, -0.5]), np.array([[2.0, -4.0]]), np.zeros(1)
    count = 2**depth + 2 if depth > 1 else 3
    layers = _compose([stage] * depth, (np.ones((1, 1)), np.zeros(1)))
    return layers, {"activation": count, "linear": count, "affine": 2**depth + 1}


# --- single networks -----------------------------------------------------------------------------


def _six(*counts):
    return dict(zip(("pattern", "activation", "linear", "closed", "affine"), counts, strict=True))


def network_a():
    """relu(min(x, y))."""
    layers = _layers(([[1, 0], [-1, 0], [1, -1]], [0] * 3), ([[1, -1, -1]], [0]), ([[1]], [0]))
    return layers, _six(7, 5, 3, 3, 3)


def network_b():
    """relu(min(x, y)) + relu(min(-x, -y))."""
    layers = _layers(
        ([[1, 0], [-1, 0], [1, -1], [-1, 1]], [0] * 4),
        ([[1, -1, -1, 0], [-1, 1, 0, -1]], [0, 0]),
        ([[1, 1]], [0]),
    )
    return layers, _six(11, 6, 6, 5, 5)


def network_c():
    """relu(x) - 2 relu(x - 1) + relu(x - 2): zero on both sides of the tent."""
    return _layers(([[1]] * 3, [0, -1, -2]), ([[1, -2, 1]], [0])), _six(4, 4, 4, 4, 3)


def network_d():
    """Clipped min(x, y) plus clipped min(2x + y, -x - y): all six definitions differ."""
    layers = _layers(
        ([[1, 0], [-1, 0], [1, -1], [2, 1], [-2, -1], [3, 2]], [0] * 6),
        ([[1, -1, -1, 0, 0, 0]] * 2 + [[0, 0, 0, 1, -1, -1]] * 2, [0, -1, 0, -1]),
        ([[1, -1, 1, -1]], [0]),
    )
    return layers, _six(19, 14, 8, 7, 6)


def ulp():
    """Kinks at 1 and 1 / (1 - 2^-53): the cell between them holds no float64 number."""
    layers = _layers(([[1], [1 - 2.0**-53]], [-1, -1]), ([[1, 1]], [0]))
    return layers, _six(3, 3, 3, 3, 3)


def wang_joined():
    """Wang's folds (2; 6, 6) read out by (1, 3): 81 regions, 60 closed ones, 60 affine maps."""
    layers, _ = wang(2, 6, 6)
    V = np.kron([[1.0, 3.0]], [[-1.0, -1.0, 2.0]])
    return [*layers[:-1], (V, np.array([4.0]))], {
        "activation": 81,
        "linear": 81,
        "closed": 60,
        "affine": 60,
    }


MONTUFAR = [(1, 2, 2), (1, 3, 3), (1, 2, 2, 3), (1, 4, 3, 2)]
MONTUFAR += [(2, 4, 3), (2, 4, 4), (2, 6, 4), (2, 4, 4, 3)]

NETWORKS = {
    "a": network_a,
    "b": network_b,
    "c": network_c,
    "d": network_d,
    "ulp": ulp,
    **{f"generic {m} {n}": lambda m=m, n=n: generic(m, n) for m, n in [(1, 1), (4, 2), (5, 3)]},
    **{
        f"central {m} {n}": lambda m=m, n=n: central(m, n)
        for m, n in [(5, 2), (6, 3), (7, 4), (4, 6)]
    },
    **{
        f"{name} {n}": lambda name=name, n=n: arrangement(name, n)
        for name, (_, counts) in ARRANGEMENTS.items()
        for n in counts
    },
    **{f"braid translate {n}": lambda n=n: braid_generic_translate(n) for n in (3, 4)},
    **{f"xiong {d}": lambda d=d: xiong(d) for d in (1, 2, 3, 4)},
    "xiong counterexample": xiong_counterexample,
    **{f"tent {depth}": lambda depth=depth: tent(depth) for depth in (1, 2, 3, 4)},
    **{
        f"wang {shape}": lambda shape=shape: wang(*shape)
        for shape in [(1, 3), (1, 3, 3), (1, 2, 3, 4), (2, 6), (2, 6, 6), (2, 4, 4, 4), (2, 5, 6)]
    },
    "wang joined": wang_joined,
    **{f"montufar {shape}": lambda shape=shape: montufar(*shape) for shape in MONTUFAR},
    **{
        f"serra {shape}": lambda shape=shape: serra(*shape)
        for shape in [(1, 3, 3), (1, 3, 3, 3), (2, 6, 3), (2, 6, 4)]
    },
}
