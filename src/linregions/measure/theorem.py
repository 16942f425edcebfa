"""The expected boundary volume of random networks: Theorem 3 of Hanin and Rolnick (2019).

``E[vol_{n-k}(B_k in K)] = sum over sets {z_1, ..., z_k} of k units and breakpoints t_i of each,
of the integral over x in K of E[ |J(x)| prod_i rho(t_i - z_i(x)) ]``

Here z_i(x) is the pre-activation of unit i without its own bias, rho the density of the biases, J
the k x n matrix of the gradients of the z_i, and ``|J| = sqrt det(J J^T)``. Sets are unordered.
Where z_j sits above z_i, its value is taken with unit i at its breakpoint, since the bias of unit i
is what the density of i integrates out; the side that unit i is on does not change ``|J|``. The
printed theorem leaves this open, and with the biases as drawn the sum is another number. For
linear regions there is one more factor, 1 if every unit of the set is good: some path leads from
it to the output through units of non-zero slope, again with the units of the set at their
breakpoints.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np

from ..answer import CutShort
from ..domain.domains import Box
from ..errors import LinregionsError
from ..network.network import Network
from ..network.rational import rounded
from ..network.units import RELU, Activation
from ..progress import Progress, Status, check, current, reason_of
from ..watching import watchful

NUMBERS = 1 << 21  # weights of the networks of one batch
MOST = 20_000  # sets of units


@dataclass(frozen=True)
class RandomNetworks:
    """Dense networks with independent normal weights and independent biases.

    Parameters
    ----------
    widths
        Inputs, hidden layers and outputs, such as ``(2, 16, 16, 1)``.
    activation
        One `Activation` for all units.
    weight_std
        Standard deviation of the weights; None for ``sqrt(2 / fan_in)`` (He).
    bias_std
        Standard deviation of the biases, positive.
    bias
        ``normal`` or ``uniform`` (of mean zero).
    """

    widths: tuple[int, ...]
    activation: Activation = RELU
    weight_std: float | None = None
    bias_std: float = 1.0
    bias: str = "normal"

    def __post_init__(self) -> None:
        w = tuple(self.widths)
        if len(w) < 3 or not all(isinstance(m, int | np.integer) and m > 0 for m in w):
            raise LinregionsError(f"widths={self.widths!r}: give inputs, hidden layers and outputs")
        object.__setattr__(self, "widths", w)
        if self.bias not in ("normal", "uniform"):
            raise LinregionsError(f"bias={self.bias!r}: give normal or uniform")
        if not 0 < self.bias_std < math.inf:
            raise LinregionsError(
                f"bias_std={self.bias_std!r}: the theorem needs a bias density; give a positive one"
            )
        if self.weight_std is not None and not 0 < self.weight_std < math.inf:
            raise LinregionsError(f"weight_std={self.weight_std!r}: give a positive number or None")

    @property
    def units(self) -> int:
        """Hidden units."""
        return sum(self.widths[1:-1])

    def draw(self, rng: np.random.Generator, m: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """m networks at once: ``W`` (m, out, in) and ``b`` (m, out) of each layer."""
        layers = []
        for fan, size in zip(self.widths, self.widths[1:], strict=False):
            std = math.sqrt(2 / fan) if self.weight_std is None else self.weight_std
            b = rng.standard_normal((m, size))
            if self.bias == "uniform":
                b = rng.uniform(-math.sqrt(3), math.sqrt(3), (m, size))
            layers.append((std * rng.standard_normal((m, size, fan)), self.bias_std * b))
        return layers

    def network(self, rng: np.random.Generator) -> Network:
        """One of them."""
        pairs = [(W[0], b[0]) for W, b in self.draw(rng, 1)]
        return Network.from_layers(pairs, self.activation)

    def density(self, b: np.ndarray) -> np.ndarray:
        """The density of a bias."""
        s = self.bias_std
        if self.bias == "uniform":
            return np.where(abs(b) <= s * math.sqrt(3), 1 / (2 * s * math.sqrt(3)), 0.0)
        return np.exp(-((b / s) ** 2) / 2) / (s * math.sqrt(2 * math.pi))


@dataclass(frozen=True)
class ExpectedVolume(CutShort):
    """What `expected_boundary_volume` found, by Monte Carlo over networks and points.

    ``value`` and ``standard_error``, ``interval`` (95 %, normal), of how many ``networks``;
    ``seconds`` taken; ``stopped``: what ended it before it had as many as asked for.
    """

    sampled = True  # fewer networks are an estimate all the same

    value: float
    standard_error: float
    interval: tuple[float, float]
    networks: int
    kind: str
    codimension: int
    seed: int
    seconds: float
    stopped: str = ""

    def __float__(self) -> float:
        return self.value


@watchful
def expected_boundary_volume(
    ensemble: RandomNetworks,
    domain: Box,
    *,
    kind: str = "activation",
    codimension: int = 1,
    networks: int = 10_000,
    seed: int = 0,
    seconds: float | None = None,
    progress: Progress | None = None,
    on_interrupt: str = "raise",
) -> ExpectedVolume:
    """The right-hand side of Theorem 3 of Hanin and Rolnick (2019), as corrected.

    The expectation of `boundary_volume` over random networks, without counting anything: each
    network gives the integrand (see the head of this module) at one uniform point of the box.
    A unit with T breakpoints gives T terms, so hard tanh doubles what ReLU has.

    Parameters
    ----------
    ensemble
        The distribution of networks.
    domain
        A full-dimensional bounded `Box`.
    kind, codimension
        As in `boundary_volume`; here ``linear`` has every codimension.
    networks, seed
        How many to draw, at least 2.
    seconds
        Stop after so much time, with the networks so far.
    progress, on_interrupt
        As in `count`.

    Examples
    --------
    Ten units on a line, weights and biases N(0, 1): the density of kinks at x is
    ``10 / (pi (1 + x^2))``, so five are expected in [-1, 1].

    >>> nets = RandomNetworks((1, 10, 1), weight_std=1.0)
    >>> found = expected_boundary_volume(nets, Box(-1, 1), networks=20_000)
    >>> bool(abs(found.value - 5) < 3 * found.standard_error)
    True
    """
    if kind not in ("activation", "linear"):
        raise LinregionsError(f"kind={kind!r}: give activation or linear")
    n = ensemble.widths[0]
    if not isinstance(codimension, int | np.integer) or not 1 <= codimension <= n:
        raise LinregionsError(f"codimension={codimension!r} in dimension {n}: give 1 to {n}")
    if not isinstance(networks, int | np.integer) or networks < 2:
        raise LinregionsError(f"networks={networks!r}: give an integer of at least 2")
    lo, hi = _sides(domain, n)
    sets = _sets(ensemble, kind, codimension)
    start, rng = time.perf_counter(), np.random.default_rng(seed)
    weights = sum(a * b for a, b in zip(ensemble.widths, ensemble.widths[1:], strict=False))
    step = max(1, NUMBERS // (weights + ensemble.units * n))
    found, stopped, clock = [], "", current()
    clock.stage = "networks"
    try:
        for at in range(0, networks, step):
            check()
            m = min(step, networks - at)
            layers, x = ensemble.draw(rng, m), lo + (hi - lo) * rng.random((m, n))
            found.append(_integrand(ensemble, layers, x, sets, kind))
            if progress is not None:
                progress(Status(at + m, clock.elapsed, "networks"))
    except KeyboardInterrupt as stop:
        if sum(map(len, found)) < 2:
            raise
        stopped = reason_of(stop)
    y = np.concatenate(found) * float(np.prod(hi - lo))
    networks = len(y)
    value, error = float(y.mean()), float(y.std(ddof=1) / math.sqrt(networks))
    interval = (max(0.0, value - 1.96 * error), value + 1.96 * error)
    return ExpectedVolume(
        value, error, interval, networks, kind, codimension, seed, time.perf_counter() - start,
        stopped,
    )  # fmt: skip


Pick = tuple[tuple[int, int], ...]  # units of a set as (layer, index in the layer)


def _sets(ensemble: RandomNetworks, kind: str, codimension: int) -> list[Pick] | None:
    """The sets of units; None where one pass gives the sum over all of them."""
    if codimension == 1 and kind == "activation":
        return None
    breaks = max(1, len(ensemble.activation.breaks))
    many = math.comb(ensemble.units, codimension) * breaks**codimension
    if many > MOST:
        raise LinregionsError(
            f"{many:,} sets of {codimension} units and breakpoints; the sum goes over each, and "
            f"at most {MOST:,} are taken: give a smaller network or codimension"
        )
    hidden = enumerate(ensemble.widths[1:-1])
    units = [(layer, i) for layer, size in hidden for i in range(size)]
    return list(combinations(units, codimension))


def _integrand(
    ensemble: RandomNetworks, layers: list, x: np.ndarray, sets: list[Pick] | None, kind: str
) -> np.ndarray:
    """(m,) the sum over sets at one point of each network."""
    total, breaks = np.zeros(len(x)), [float(t) for t in ensemble.activation.breaks]
    if sets is None:
        for z, gradient, b, _ in _forward(ensemble, layers, x, {}):
            size = np.linalg.norm(gradient, axis=2)
            for t in breaks:
                total += (size * ensemble.density(t - (z - b))).sum(axis=1)
        return total
    for pick in sets:
        for at in product(breaks, repeat=len(pick)):
            forced = dict(zip(pick, at, strict=True))
            passed = list(_forward(ensemble, layers, x, forced))
            rows = np.stack([passed[layer][1][:, i] for layer, i in pick], axis=1)
            gram = np.linalg.det(rows @ rows.transpose(0, 2, 1))
            term = np.sqrt(np.maximum(gram, 0.0))
            for (layer, i), t in forced.items():
                z, _, b, _ = passed[layer]
                term *= ensemble.density(t - (z[:, i] - b[:, i]))
            if kind == "linear":
                good = _good([np.asarray(slope != 0) for _, _, _, slope in passed], layers)
                for layer, i in pick:
                    term *= good[layer][:, i]
            total += term
    return total


def _forward(
    ensemble: RandomNetworks, layers: list, x: np.ndarray, forced: dict
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Of each hidden layer: pre-activations, their gradients, biases and slopes.

    A forced unit has its breakpoint as pre-activation, and the slope to the right of it.
    """
    act = ensemble.activation
    breaks = np.array([float(t) for t in act.breaks])
    slopes = np.array([float(s) for s in act.slopes])
    shifts = np.array([float(c) for c in act.intercepts])
    h, G = x, np.broadcast_to(np.eye(x.shape[1]), (len(x), x.shape[1], x.shape[1]))
    for number, (W, b) in enumerate(layers[:-1]):
        z = np.einsum("mij,mj->mi", W, h) + b
        G = W @ G
        value = z.copy()
        for (layer, i), t in forced.items():
            if layer == number:
                value[:, i] = t
        piece = (value[:, :, None] >= breaks).sum(axis=2)
        slope = slopes[piece]
        yield z, G, b, slope
        h, G = slope * value + shifts[piece], slope[:, :, None] * G


def _good(opened: list[np.ndarray], layers: list) -> list[np.ndarray]:
    """From each unit, whether open units lead to the output (all weights are non-zero)."""
    good: list[Any] = [np.ones_like(opened[-1])]
    for mine in opened[:0:-1]:
        onward = np.logical_and(mine, good[0]).any(axis=1)
        below = layers[len(opened) - len(good) - 1][0].shape[1]
        good.insert(0, np.repeat(np.asarray(onward)[:, None], below, axis=1))
    return good


def _sides(domain: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(domain, Box):
        raise LinregionsError(f"{domain!r}: the theorem is evaluated in a Box; give one")
    domain.chart(n)
    lo, hi = (np.broadcast_to(rounded(v), (n,)) for v in (domain.lo, domain.hi))
    if not np.isfinite(hi - lo).all() or not (lo < hi).all():
        raise LinregionsError(f"{domain.describe()}: give a bounded box with no side of width zero")
    return lo, hi
