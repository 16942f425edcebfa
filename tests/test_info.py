"""What `linregions info` says about models with windows, and the dimension that it states."""

import json

import numpy as np
import pytest
from helpers import gaussian, run_cli
from onnx_models import f32, model

import linregions as lr
from linregions.domain.restrict import restrict
from linregions.network.rank import seen_dimension
from linregions.readers.onnx.model import from_model

onnx = pytest.importorskip("onnx")


def test_what_was_compiled_away_and_rounded(tmp_path):
    parts = {k: f32(2) + 4 for k in "sbmv"}
    nodes = [
        ("Conv", "x w", "a"),
        ("BatchNormalization", "a s b m v", "c"),
        ("Relu", "c", "d"),
        ("MaxPool", "d", "y", {"kernel_shape": [2]}),
    ]
    path = tmp_path / "net.onnx"
    onnx.save(model(nodes, ["N", 1, 6], {"w": f32(2, 1, 3), **parts}), path)
    done = run_cli("info", path, "--json")
    facts = json.loads(done.stdout)
    assert facts["compiled_away"] == ["Conv (1), BatchNormalization (1)"]
    (rounding,) = facts["roundings"]
    assert rounding.startswith("node 'BatchNormalization_n' (BatchNormalization): 1 / sqrt(")
    assert [layer["activation"] for layer in facts["layers"]] == ["relu", "max of 2"]
    text = run_cli("info", path).stdout
    assert "\n  compiled away: Conv (1), BatchNormalization (1)\n" in text
    assert "\n  rounded: node 'BatchNormalization_n'" in text


def networks():
    yield lr.load(gaussian(0, 6, 4, 1))
    yield lr.load(gaussian(1, 3, 5, 1))
    rows = gaussian(2, 6, 2, 1)[0][0]
    both = np.vstack([rows, rows * 3, np.zeros((1, 6))])
    yield lr.load([(both, np.ones(5)), (np.ones((1, 5)), None)])
    # two layers that read the input, one through rationals
    nodes = [
        ("Div", "x c", "a"), ("MatMul", "a w", "b"), ("Relu", "b", "h"),
        ("MatMul", "x v", "d"), ("Add", "h d", "e"), ("Relu", "e", "y"),
    ]  # fmt: skip
    yield from_model(model(nodes, ["N", 5], {"c": np.float32(3), "w": f32(5, 2), "v": f32(5, 2)}))


@pytest.mark.parametrize("net", list(networks()), ids=["wide", "tall", "parallel", "residual"])
def test_the_dimension_is_that_of_the_restricted_network(net):
    assert seen_dimension(net) == restrict(net).dimension
