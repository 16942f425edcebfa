"""The data of the papers: digits, and two spirals."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import LinregionsError


class Labelled(NamedTuple):
    """Images (m, pixels) in [0, 1] and labels, to train on and to test with."""

    name: str
    images: np.ndarray
    labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray


def digits(small: bool = False) -> Labelled:
    """MNIST from ``$LINREGIONS_DATA/mnist``; scikit-learn's digits without it, or if ``small``.

    Of those 1,797 images of 8 x 8 pixels the last 297 are for testing.
    """
    folder = Path(os.environ.get("LINREGIONS_DATA", "")) / "mnist"
    if not small and (folder / "train-images-idx3-ubyte.gz").exists():
        parts = [_part(folder, name) for name in ("train", "t10k")]
        return Labelled("MNIST", *parts[0], *parts[1])
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise LinregionsError(
            "no digits: set LINREGIONS_DATA to a folder that holds mnist/ (the four files of its "
            "authors), or pip install 'linregions[sklearn]' for those of scikit-learn"
        ) from None
    data: Any = load_digits()
    x, y = data.data / 16.0, data.target.astype(int)
    return Labelled("scikit-learn's digits", x[:-297], y[:-297], x[-297:], y[-297:])


def _part(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    def raw(kind: str, header: int) -> np.ndarray:
        packed = (folder / f"{name}-{kind}-ubyte.gz").read_bytes()
        return np.frombuffer(gzip.decompress(packed)[header:], np.uint8)

    labels = raw("labels-idx1", 8).astype(int)
    return raw("images-idx3", 16).reshape(len(labels), -1) / 255.0, labels


def three_examples(data: Labelled) -> np.ndarray:
    """The first training images of a 0, a 1 and a 2."""
    return np.array([data.images[np.argmax(data.labels == c)] for c in (0, 1, 2)])


def spirals(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training inputs and labels (900), test inputs and labels (100) of Wang 2022, section 4.2.

    500 points on each of two spirals, radius 0 to 10 (twice that of the TensorFlow Playground) in
    1.75 turns, seen as (x, y, x^2, y^2, x y, sin x, sin y); inputs standardised, which is an
    affine change of coordinates and leaves all regions alone.
    """
    part = np.arange(500) / 500
    angle = 2 * np.pi * 1.75 * part
    one = 10 * part[:, None] * np.column_stack([np.sin(angle), np.cos(angle)])
    x, y = np.concatenate([one, -one]).T
    inputs = np.column_stack([x, y, x**2, y**2, x * y, np.sin(x), np.sin(y)])
    labels = np.repeat([0, 1], 500)
    order = np.random.default_rng([seed, 0]).permutation(1000)
    inputs, labels = inputs[order], labels[order]
    inputs = (inputs - inputs[:900].mean(axis=0)) / inputs[:900].std(axis=0)
    return inputs[:900], labels[:900], inputs[900:], labels[900:]
