"""What the scripts of the gallery share: options, networks, training, MNIST, saving pictures."""

from __future__ import annotations

import argparse
import gzip
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import linregions as lr


def options(description: str, **numbers: int) -> argparse.Namespace:
    """``-o DIR`` and ``--quick``, as every script of the gallery takes them; whole numbers too."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("-o", "--output", type=Path, default=Path("."), help="folder to write to")
    parser.add_argument("--quick", action="store_true", help="less training, smaller networks")
    for name, default in {"seed": 0, **numbers}.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default {default}")
    chosen = parser.parse_args()
    chosen.output.mkdir(parents=True, exist_ok=True)
    return chosen


def save(figure: Any, path: Path, colours: int = 256) -> None:
    """Write a picture small enough for a web page: few colours, 110 dots per inch."""
    from PIL import Image

    figure.savefig(path, dpi=110)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(colours, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    print(f"wrote {path}")


# -- networks ---------------------------------------------------------------------------------


def he_network(sizes: list[int], seed: int, bias_std: float = 1e-3) -> list[Any]:
    """``[(W, b), ...]``: weights of variance 2 / fan-in, biases of variance 1e-6.

    The initialisation of section 4 of Hanin and Rolnick (2019).
    """
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(0, np.sqrt(2 / n), (m, n)), rng.normal(0, bias_std, m))
        for n, m in pairwise(sizes)
    ]


def training(
    layers: list[Any],
    inputs: np.ndarray,
    labels: np.ndarray,
    epochs: int,
    seed: int,
    batch: int = 128,
    rate: float = 1e-3,
) -> Iterator[list[Any]]:
    """The network after epoch 0 (as given), 1, 2, ...: Adam on the cross-entropy.

    One output is trained as the logit of label 1, several as one score per class.
    """
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)  # layers are small: more threads only get in the way
    modules: list[Any] = []
    for weight, bias in layers:
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            linear.weight[:] = torch.from_numpy(weight)
            linear.bias[:] = torch.from_numpy(bias)
        modules += [linear, torch.nn.ReLU()]
    model = torch.nn.Sequential(*modules[:-1])
    optimiser = torch.optim.Adam(model.parameters(), rate)
    x = torch.from_numpy(inputs.astype(np.float32))
    y = torch.from_numpy(labels.astype(np.int64))
    for epoch in range(epochs + 1):
        if epoch:
            for part in torch.randperm(len(x)).split(batch):
                _step(model, optimiser, x[part], y[part])
        yield [
            (m.weight.detach().numpy().astype(float), m.bias.detach().numpy().astype(float))
            for m in model
            if hasattr(m, "weight")
        ]


def _step(model: Any, optimiser: Any, x: Any, y: Any) -> None:
    from torch.nn import functional

    scores = model(x)
    if scores.shape[1] == 1:
        loss = functional.binary_cross_entropy_with_logits(scores[:, 0], y.float())
    else:
        loss = functional.cross_entropy(scores, y)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def accuracy(layers: list[Any], inputs: np.ndarray, labels: np.ndarray) -> float:
    """Share of points whose class is right."""
    scores = lr.load(layers)(inputs)
    found = scores.argmax(axis=1) if scores.shape[1] > 1 else scores[:, 0] > 0
    return float(np.mean(found == labels))


# -- data -------------------------------------------------------------------------------------


def digits(small: bool = False) -> tuple[np.ndarray, np.ndarray, str]:
    """Images (m, pixels) in [0, 1] and labels: MNIST, or scikit-learn's digits where it is absent.

    MNIST is looked for in ``$LINREGIONS_DATA/mnist`` (the four files of its authors); ``small``
    takes the digits in any case.
    """
    if not small and (_mnist() / "train-images-idx3-ubyte.gz").exists():
        return *_part("train"), "MNIST"
    from sklearn.datasets import load_digits

    data = load_digits()
    return data.data / 16.0, data.target.astype(int), "scikit-learn's digits"


def held_out(images: np.ndarray, labels: np.ndarray) -> tuple[Any, Any]:
    """What to train on and what to test on, as (images, labels): the 10,000 test images of MNIST
    where these are of MNIST and the test files are there, else every fifth image."""
    if images.shape[1] == 784 and (_mnist() / "t10k-images-idx3-ubyte.gz").exists():
        return (images, labels), _part("t10k")
    test = np.arange(len(images)) % 5 == 0
    return (images[~test], labels[~test]), (images[test], labels[test])


def _mnist() -> Path:
    here = Path(__file__).resolve().parents[1]
    return here / os.environ.get("LINREGIONS_DATA", "../shared/data") / "mnist"


def _part(name: str) -> tuple[np.ndarray, np.ndarray]:
    images = _idx(_mnist() / f"{name}-images-idx3-ubyte.gz", 16)
    labels = _idx(_mnist() / f"{name}-labels-idx1-ubyte.gz", 8)
    return images.reshape(len(labels), -1) / 255.0, labels.astype(int)


def test_digits() -> tuple[np.ndarray, np.ndarray]:
    """Test images and labels: MNIST's, or the last 297 of scikit-learn's digits (in `digits` too).

    See `digits` for where MNIST is looked for.
    """
    here = Path(__file__).resolve().parents[1]
    folder = here / os.environ.get("LINREGIONS_DATA", "../shared/data") / "mnist"
    if (folder / "t10k-images-idx3-ubyte.gz").exists():
        images = _idx(folder / "t10k-images-idx3-ubyte.gz", 16)
        labels = _idx(folder / "t10k-labels-idx1-ubyte.gz", 8)
        return images.reshape(len(labels), -1) / 255.0, labels.astype(int)
    from sklearn.datasets import load_digits

    data = load_digits()
    return data.data[-297:] / 16.0, data.target[-297:].astype(int)


def _idx(path: Path, header: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress(path.read_bytes())[header:], dtype=np.uint8)


def three_examples(inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The first images of a 0, a 1 and a 2."""
    return np.array([inputs[np.argmax(labels == c)] for c in (0, 1, 2)])


def spirals(points: int = 500, turns: float = 1.75) -> tuple[np.ndarray, np.ndarray]:
    """Two interleaved spirals in the square [-1, 1]^2, and labels 0 and 1."""
    part = np.arange(points) / points
    angle = 2 * np.pi * turns * part
    one = 0.95 * part[:, None] * np.column_stack([np.sin(angle), np.cos(angle)])
    return np.concatenate([one, -one]), np.repeat([0, 1], points)
