"""Claim: distances of 10,000 points of 784 numbers through 784-[64, 64, 64]: l2 in 2 s, others 8 s.

MNIST's test images where the shared data has them, else uniform points; He weights. The
plain way, one full gradient of every unit at every point, is timed on a few points for the ratio.
"""

import common  # isort: skip

import gzip
import time
from itertools import pairwise

import numpy as np

import linregions as lr


def images(count: int) -> np.ndarray:
    """Points in [0, 1]^784."""
    path = common.data("mnist/t10k-images-idx3-ubyte.gz")
    if path is None:
        return np.random.default_rng(0).uniform(size=(count, 784))
    raw = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=16)
    return raw.reshape(-1, 784)[:count] / 255.0


def plain(net: list, x: np.ndarray) -> np.ndarray:
    """l2 distances by full gradients, point by point."""
    out = np.empty(len(x))
    for i, point in enumerate(x):
        h, J, best = point, np.eye(len(point)), np.inf
        for W, b in net[:-1]:
            z, G = W @ h + b, W @ J
            best = min(best, (abs(z) / np.linalg.norm(G, axis=1)).min())
            h, J = np.maximum(z, 0), G * (z > 0)[:, None]
        out[i] = best
    return out


def main() -> None:
    options = common.parser(__doc__).parse_args()
    count = 500 if options.quick else 10_000
    rng, sizes = np.random.default_rng(0), [784, 64, 64, 64, 10]
    net = [
        (rng.normal(0, (2 / n) ** 0.5, (m, n)), 1e-3 * rng.normal(size=m))
        for n, m in pairwise(sizes)
    ]
    x = images(count)
    report = common.Report("Distance to the nearest boundary", options)
    few = x[:100]
    start = time.perf_counter()
    expected = plain(net, few)
    slow = (time.perf_counter() - start) / len(few)
    rows = []
    for norm, kind, box in (
        (2, "activation", None), ("inf", "activation", None), (1, "activation", None),
        (2, "linear", None), (2, "activation", lr.Box(0, 1)),
    ):  # fmt: skip
        start = time.perf_counter()
        found = lr.distance(net, x, norm=norm, kind=kind, domain=box)
        seconds = time.perf_counter() - start
        if norm == 2 and box is None and kind == "activation":
            np.testing.assert_allclose(found.distance[:100], expected, rtol=1e-9)
        rows.append(
            {
                "norm": str(norm), "kind": kind, "box": box is not None, "points": count,
                "seconds": seconds, "of the plain way": seconds / count / slow,
                "median": float(np.median(found.distance)),
                "largest error": float(found.error.max()),
                "crossed": int(found.crossed.sum()),
            }
        )  # fmt: skip
    report.table("10,000 points", rows)
    for row, limit in zip(rows, (2, 8, 8), strict=False):
        name = f"{row['norm']}-norm in {limit} s"
        report.claim(name, row["seconds"] * 10_000 / count < limit, f"{row['seconds']:.2f} s")
    report.end()


if __name__ == "__main__":
    main()
