"""Random points that depend on a seed, a law and the number of a block, and on nothing else.

A block has its own stream: xoshiro256++ (Blackman and Vigna 2021) started from four words of
splitmix64 over (seed, law, block). Standard normal numbers come from a ziggurat of 256 strips
(Marsaglia and Tsang 2000, in the form of Doornik 2005, which takes strip, sign and height from
different bits), so their law is the normal one up to the grid of 2^52 heights in each strip:
every number is drawn on its own, tails have no cut below 2^-52 of the tail's mass, and no number
is zero. Uniform numbers are the 2^52 odd multiples of 2^-52 in (-1, 1).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..held import held
from ..jit import inner, kernel

TILE = 128  # points that are drawn and evaluated together
STRIPS = 256
EDGE = 3.6541528853610088  # where the tail begins
AREA = 0.00492867323399  # of each strip


def _tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Widths of the strips, their shares that lie under the curve (of 2^52), scale of a height."""

    def density(x: float) -> float:
        return math.exp(-0.5 * x * x)

    x = np.zeros(STRIPS + 1)
    x[0], x[1] = AREA / density(EDGE), EDGE
    for i in range(2, STRIPS):
        x[i] = math.sqrt(-2.0 * math.log(AREA / x[i - 1] + density(x[i - 1])))
    return x, np.floor(x[1:] / x[:-1] * 2.0**52).astype(np.int64), x[:-1] * 2.0**-53


WIDTH, INSIDE, STEP = _tables()


class Stream(NamedTuple):
    """Where a stream of points stands, and the tables of the ziggurat.

    ``scale``: standard deviation of normal numbers, 0 where they are uniform.
    """

    scale: float
    state: np.ndarray
    width: np.ndarray
    inside: np.ndarray
    step: np.ndarray


def stream(seed: int, law: int, block: int, scale: float) -> Stream:
    """The stream of a block."""
    state = np.empty(4, np.uint64)
    start(seed, law, block, state)
    return Stream(float(scale), state, WIDTH, INSIDE, STEP)


@kernel("streams of samples")
def start(seed, law, block, state):
    """The state of a block's stream."""
    mixed = np.uint64(0)
    for word in (np.uint64(seed), np.uint64(law), np.uint64(block)):
        mixed = _splitmix(mixed ^ word)
    for i in range(4):
        mixed = mixed + np.uint64(0x9E3779B97F4A7C15)
        state[i] = _splitmix(mixed)


@inner()
def _splitmix(z):
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@inner()
def _left(x, k):
    return (x << np.uint64(k)) | (x >> np.uint64(64 - k))


@inner()
def _next(s):
    """One step of xoshiro256++."""
    out = _left(s[0] + s[3], 23) + s[0]
    t = s[1] << np.uint64(17)
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = _left(s[3], 45)
    return out


@inner()
def _unit(s):
    """Uniform in (0, 1), an odd multiple of 2^-53."""
    return (2.0 * np.float64(np.int64(_next(s) >> np.uint64(12))) + 1.0) * 2.0**-53


@inner()
def _edge(strip, height, s, width):
    """Finish a height outside the sure part of its strip; negative: draw again."""
    if strip == 0:
        while True:
            x = -math.log(_unit(s)) / EDGE
            if -2.0 * math.log(_unit(s)) > x * x:
                return EDGE + x
    square = height * height
    low = math.exp(-0.5 * (width[strip] * width[strip] - square))
    high = math.exp(-0.5 * (width[strip + 1] * width[strip + 1] - square))
    return height if high + _unit(s) * (low - high) < 1.0 else -1.0


@inner()
def normals(out, stream):
    """Fill a flat array with ``scale`` times standard normal numbers."""
    s, width, scale = stream.state, stream.width, stream.scale
    inside, step = stream.inside, stream.step
    s0, s1, s2, s3 = s[0], s[1], s[2], s[3]
    i = 0
    while i < out.size:
        word = _left(s0 + s3, 23) + s0
        t = s1 << np.uint64(17)
        s2 ^= s0
        s3 ^= s1
        s1 ^= s2
        s0 ^= s3
        s2 ^= t
        s3 = _left(s3, 45)
        strip = np.int64(word & np.uint64(255))
        grid = np.int64(word >> np.uint64(12))
        height = (2.0 * np.float64(grid) + 1.0) * step[strip]
        if grid >= inside[strip]:
            s[0], s[1], s[2], s[3] = s0, s1, s2, s3
            height = _edge(strip, height, s, width)
            s0, s1, s2, s3 = s[0], s[1], s[2], s[3]
            if height < 0.0:
                continue
        sign = 1.0 - 2.0 * np.float64(np.int64((word >> np.uint64(8)) & np.uint64(1)))
        out[i] = sign * height * scale
        i += 1
    s[0], s[1], s[2], s[3] = s0, s1, s2, s3


@inner()
def uniforms(out, s):
    """Fill a flat array with uniform numbers in (-1, 1)."""
    for i in range(out.size):
        grid = np.int64(_next(s) >> np.uint64(12))
        out[i] = (2.0 * np.float64(grid) + 1.0) * 2.0**-52 - 1.0


@inner()
def fill(flat, stream):
    """The next tile of points."""
    if stream.scale == 0.0:
        uniforms(flat, stream.state)
    else:
        normals(flat, stream)


@kernel("draws of samples")
def tile(flat, stream):
    """The next tile of points, for Python to call."""
    fill(flat, held(stream))


@kernel("draws of samples", _nrt=True)
def points(stream, k, first, count):
    """(count, k) the points ``first .. first + count - 1`` of a block, as the kernel draws them."""
    whole = held(stream)
    x, flat = np.empty((count, k)), np.empty(k * TILE)
    for a in range(0, first + count, TILE):
        fill(flat, whole)
        for p in range(max(first - a, 0), min(first + count - a, TILE)):
            for i in range(k):
                x[a + p - first, i] = flat[i * TILE + p]
    return x
