"""The example scripts run, and the files beside them are what they promise."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def spiral() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_spiral", EXAMPLES / "train_spiral.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    with np.load(path) as file:
        assert sorted(file.files) == sorted(
            f"{kind}{i}" for i in range(len(file.files) // 2) for kind in "Wb"
        )
        return [(file[f"W{i}"], file[f"b{i}"]) for i in range(len(file.files) // 2)]


def check_shape(layers: list[tuple[np.ndarray, np.ndarray]], sizes: tuple[int, ...]) -> None:
    assert [w.shape for w, _ in layers] == list(zip(sizes[1:], sizes[:-1], strict=True))
    assert [b.shape for _, b in layers] == [(m,) for m in sizes[1:]]
    for array in (a for pair in layers for a in pair):
        assert array.dtype == np.float32
        assert np.isfinite(array).all()


def test_the_spirals_are_those_of_the_paper(spiral: ModuleType) -> None:
    points, labels = spiral.spirals()
    assert points.shape == (1000, 2)
    assert [np.sum(labels == c) for c in (0, 1)] == [500, 500]
    np.testing.assert_allclose(points[500:], -points[:500], atol=1e-12)  # turned by pi
    radius = np.hypot(*points[:500].T)
    np.testing.assert_allclose(radius, np.arange(500) / 50, atol=1e-12)  # 0 to nearly 10
    x, y = points.T
    expected = [x, y, x * x, y * y, x * y, np.sin(x), np.sin(y)]
    np.testing.assert_array_equal(spiral.features(points), np.transpose(expected))


def test_the_split_holds_every_point_once(spiral: ModuleType) -> None:
    x, labels, x_test, labels_test = spiral.split(3)
    assert x.shape == (900, 7) and x_test.shape == (100, 7)
    assert labels.sum() + labels_test.sum() == 500
    together = np.concatenate([x, x_test])
    everything = spiral.features(spiral.spirals()[0])
    np.testing.assert_array_equal(np.sort(together, axis=0), np.sort(everything, axis=0))


def test_the_gradient_is_that_of_the_loss(spiral: ModuleType) -> None:
    rng = np.random.default_rng(0)
    layers = [(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in ((7, 5), (5, 3), (3, 1))]
    inputs, labels = rng.normal(size=(20, 7)), rng.integers(0, 2, 20).astype(float)

    def loss() -> float:
        z = spiral.outputs(layers, inputs)
        return float(np.mean(np.logaddexp(0, z) - labels * z))

    slopes = spiral._gradient(layers, inputs, labels)
    for pair, expected in zip(layers, slopes, strict=True):
        for array, slope in zip(pair, expected, strict=True):
            index = tuple(0 for _ in array.shape)
            kept, change = array[index], 1e-6
            array[index] = kept + change
            above = loss()
            array[index] = kept - change
            below = loss()
            array[index] = kept
            assert (above - below) / (2 * change) == pytest.approx(slope[index], abs=1e-7)


def test_training_runs_and_saves(
    spiral: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.npz"
    spiral.main(["--steps", "100", "--widths", "6", "4", "--seed", "1", "-o", str(path)])
    layers = read(path)
    check_shape(layers, (7, 6, 4, 1))
    x, labels, x_test, labels_test = spiral.split(1)
    train, test = (
        spiral.accuracy(layers, x, labels),
        spiral.accuracy(layers, x_test, labels_test),
    )
    assert train > 0.6
    printed = capsys.readouterr().out
    assert f"train accuracy {train:.1%}" in printed
    assert f"test accuracy  {test:.1%}" in printed


def test_the_same_seed_gives_the_same_file(spiral: ModuleType, tmp_path: Path) -> None:
    contents = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        spiral.main(["--steps", "50", "--seed", str(seed), "-o", str(tmp_path / f"{name}.npz")])
        contents.append((tmp_path / f"{name}.npz").read_bytes())
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_the_network_beside_the_script_is_trained(spiral: ModuleType) -> None:
    path = EXAMPLES / "spiral.npz"
    layers = read(path)
    check_shape(layers, (7, 8, 8, 1))
    assert path.stat().st_size < 10_000
    x, labels, x_test, labels_test = spiral.split(0)
    assert spiral.accuracy(layers, x, labels) > 0.9
    assert spiral.accuracy(layers, x_test, labels_test) > 0.9
