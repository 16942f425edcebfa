"""Regions around points, and the patterns of points."""

import json

import numpy as np
import pytest
from helpers import gaussian, run_here, write_npz

import linregions as lr

TWO = [([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])]


def test_on_a_line_by_hand():
    x = [[0.1], [0.5], [3.0]]
    for shape in ("segment", "ball"):
        found = lr.local_complexity(TWO, x, radius=0.75, shape=shape)
        assert found.regions[:, 0].tolist() == [2, 3, 1] and found.mean == 2
        assert found.histogram()[1].tolist() == [1, 1, 1]
    assert found.single.tolist() == [False, False, True]
    slices = lr.local_complexity(TWO, x, radius=0.75, shape="slice", dimension=1)
    assert slices.regions[:, 0].tolist() == [2, 3, 1]


def test_a_slice_of_all_dimensions_holds_the_segment_and_balls_bound_it():
    net, x = gaussian(0, 2, 8, 8, 1), np.random.default_rng(0).normal(size=(6, 2))
    ball = lr.local_complexity(net, x, radius=0.3, shape="ball").regions[:, 0]
    for i, point in enumerate(x):
        assert 1 <= ball[i] <= lr.count(net, lr.Box(point - 0.3, point + 0.3))


def test_patterns_of_points():
    net, x = lr.load(gaussian(0, 2, 8, 8, 1)), np.random.default_rng(0).normal(size=(300, 2))
    found, rows = lr.distinct_patterns(net, x), net.patterns(x)
    assert len(found) == len(np.unique(rows, axis=0)) and found.sizes.sum() == 300
    np.testing.assert_array_equal(rows[found.first[found.labels]], rows)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"radius": 0.0}, "positive"),
        ({"radius": 1e-20}, "lost in the rounding"),
        ({"radius": 1.0, "shape": "cube"}, "segment, slice or ball"),
        ({"radius": 1.0, "shape": "slice", "dimension": 2}, "give 1 to 1"),
        ({"radius": 1.0, "repeats": 0}, "positive integer"),
        ({"radius": 1.0, "shape": "ball", "kind": "linear"}, "patterns"),
    ],
)
def test_bad_input(options, words):
    with pytest.raises(lr.LinregionsError, match=words):
        lr.local_complexity(TWO, [[1.0]], **options)


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (np.zeros((0, 1)), "no points"),
        ([], "no points"),
        ([[1.0, 2.0]], r"shape \(1, 2\) for a network of 1"),
        ([[np.nan]], "finite"),
        (["a"], "number"),
    ],
)
def test_bad_points(points, words):
    for ask in (lr.distinct_patterns, lambda net, x: lr.local_complexity(net, x, radius=1.0)):
        with pytest.raises(lr.LinregionsError, match=words):
            ask(TWO, points)


def test_the_command(tmp_path):
    write_npz(tmp_path / "net.npz", TWO)
    np.save(tmp_path / "x.npy", [[0.1], [0.5], [3.0]])
    options = ("--data", tmp_path / "x.npy", "--radius", "0.75", "--json")
    ran = run_here("measure", "local", tmp_path / "net.npz", *options)
    code, out = ran.returncode, ran.stdout
    assert code == 0 and json.loads(out)["mean"] == 2 and json.loads(out)["patterns"] == 2
