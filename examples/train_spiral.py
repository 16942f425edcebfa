"""Train a small ReLU network on two spirals and save it for ``linregions count``.

The task of section 4.2 of Wang, "Estimation and Comparison of Linear Regions for ReLU
Networks" (IJCAI 2022): 500 points on each of two interleaved spirals, seen through the seven
features (x, y, x^2, y^2, xy, sin x, sin y), 900 of them for training and 100 for testing.
Only numpy is needed, and a few seconds::

    python examples/train_spiral.py
    linregions count examples/spiral.npz

The same seed gives the same file on one machine. On another one the last bits of a matrix
product may differ, and with them the trained weights.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np

PER_SPIRAL = 500
TRAINING = 900
RADIUS = 10.0  # twice that of the TensorFlow Playground
TURNS = 1.75

Layers = list[tuple[np.ndarray, np.ndarray]]


def spirals() -> tuple[np.ndarray, np.ndarray]:
    """Points of shape (1000, 2) and labels 0 or 1; the second spiral is the first, turned by pi.

    Point i of a spiral has radius ``RADIUS * i / 500`` and angle ``2 pi TURNS * i / 500``.
    """
    part = np.arange(PER_SPIRAL) / PER_SPIRAL
    points = []
    for start in (0.0, np.pi):
        angle = 2 * np.pi * TURNS * part + start
        points.append(RADIUS * part[:, None] * np.column_stack([np.sin(angle), np.cos(angle)]))
    return np.concatenate(points), np.repeat([0.0, 1.0], PER_SPIRAL)


def features(points: np.ndarray) -> np.ndarray:
    """The seven inputs of the network, shape (points, 7)."""
    x, y = points.T
    return np.column_stack([x, y, x**2, y**2, x * y, np.sin(x), np.sin(y)])


def split(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training inputs and labels, test inputs and labels."""
    points, labels = spirals()
    order = np.random.default_rng([seed, 0]).permutation(len(labels))
    inputs, labels = features(points)[order], labels[order]
    return inputs[:TRAINING], labels[:TRAINING], inputs[TRAINING:], labels[TRAINING:]


def outputs(layers: Layers, inputs: np.ndarray) -> np.ndarray:
    """The network's one output at each input; positive means the second spiral."""
    return _forward(layers, inputs)[-1][:, 0]


def accuracy(layers: Layers, inputs: np.ndarray, labels: np.ndarray) -> float:
    """Fraction of the points on the right side of zero."""
    return float(np.mean((outputs(layers, inputs) > 0) == (labels > 0.5)))


def train(widths: tuple[int, ...], steps: int, seed: int, rate: float = 0.01) -> Layers:
    """Weights ``[(W, b), ...]``, W of shape (out, in), rounded to float32.

    Full-batch Adam on the mean logistic loss, with a step size that falls linearly to zero. The
    inputs are standardised for training; scale and shift are then folded into the first layer,
    so the network reads the seven features as they are.
    """
    inputs, labels, _, _ = split(seed)
    mean, scale = inputs.mean(axis=0), inputs.std(axis=0)
    inputs = (inputs - mean) / scale
    layers = _initial((inputs.shape[1], *widths, 1), np.random.default_rng([seed, 1]))
    first = [[np.zeros_like(p) for p in pair] for pair in layers]
    second = [[np.zeros_like(p) for p in pair] for pair in layers]
    for step in range(1, steps + 1):
        size = rate * (1 - step / (steps + 1))
        for pair, slopes, m, v in zip(
            layers, _gradient(layers, inputs, labels), first, second, strict=True
        ):
            for i in range(2):
                m[i] += 0.1 * (slopes[i] - m[i])
                v[i] += 0.001 * (slopes[i] ** 2 - v[i])
                mean_slope, mean_square = m[i] / (1 - 0.9**step), v[i] / (1 - 0.999**step)
                pair[i][...] -= size * mean_slope / (np.sqrt(mean_square) + 1e-8)
    weight, bias = layers[0]
    layers[0] = (weight / scale, bias - weight @ (mean / scale))
    return [(w.astype(np.float32), b.astype(np.float32)) for w, b in layers]


def save(layers: Layers, path: Path) -> None:
    """Write W0, b0, W1, b1, ...; the last pair is the affine output."""
    arrays = {}
    for i, (weight, bias) in enumerate(layers):
        arrays[f"W{i}"], arrays[f"b{i}"] = weight, bias
    np.savez(path, **arrays)


def _initial(sizes: tuple[int, ...], rng: np.random.Generator) -> Layers:
    """Weights with variance 2 / fan-in and small biases."""
    return [
        (rng.normal(0, np.sqrt(2 / n), (m, n)), rng.normal(0, 0.1, m)) for n, m in pairwise(sizes)
    ]


def _forward(layers: Layers, inputs: np.ndarray) -> list[np.ndarray]:
    """The inputs, the output of every hidden layer and the output of the network."""
    values = [inputs]
    for weight, bias in layers[:-1]:
        values.append(np.maximum(values[-1] @ weight.T + bias, 0.0))
    weight, bias = layers[-1]
    values.append(values[-1] @ weight.T + bias)
    return values


def _gradient(layers: Layers, inputs: np.ndarray, labels: np.ndarray) -> Layers:
    """Derivatives of the mean logistic loss, in the shape of ``layers``."""
    *hidden, out = _forward(layers, inputs)
    probability = 0.5 * (1 + np.tanh(0.5 * out))  # the logistic function, without overflow
    delta = (probability - labels[:, None]) / len(labels)
    slopes: Layers = []
    for (weight, _), value in zip(reversed(layers), reversed(hidden), strict=True):
        slopes.append((delta.T @ value, delta.sum(axis=0)))
        delta = (delta @ weight) * (value > 0)
    return slopes[::-1]


def main(arguments: list[str] | None = None) -> None:
    """Train, save and print the accuracy."""
    parser = argparse.ArgumentParser(description="Train a ReLU network on two spirals.")
    parser.add_argument("--widths", type=int, nargs="+", default=[8, 8], help="hidden widths")
    parser.add_argument("--steps", type=int, default=5000, help="steps of Adam")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_name("spiral.npz"))
    options = parser.parse_args(arguments)

    layers = train(tuple(options.widths), options.steps, options.seed)
    save(layers, options.output)
    x, labels, x_test, labels_test = split(options.seed)
    print(f"train accuracy {accuracy(layers, x, labels):.1%}")
    print(f"test accuracy  {accuracy(layers, x_test, labels_test):.1%}")
    print(f"saved {options.output.name}")


if __name__ == "__main__":
    main()
