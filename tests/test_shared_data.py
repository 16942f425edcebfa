"""Networks of the literature and of the benchmark, with counts that other programs confirm."""

from fractions import Fraction

import numpy as np
import pytest
from data import shared
from helpers import domain_of, patterns

import linregions as lr
from linregions.testing import oracle


def bench(name):
    return lr.load(shared(f"bench/{name}.npz"))


@pytest.mark.parametrize(
    ("name", "cells"), [("A", 14_353), ("C", 133_592), ("D", 146_603), ("E", 77_455), ("F", 422)]
)
def test_benchmark_networks_on_a_box(name, cells):
    answer = lr.count(bench(name), lr.Box(-1, 1))
    assert (answer, answer.exact, answer.complete) == (cells, True, True)


def test_affine_maps_of_a_benchmark_network():
    answer = lr.count(bench("E"), lr.Box(-1, 1), kind="affine")
    assert (answer, answer.also["activation"]) == (77_309, 77_455)


def test_a_small_benchmark_network():
    net = bench("F")
    answer = lr.count(net, kind="linear")
    assert answer.also == {"activation": 894, "affine": 711}
    assert lr.count(net, kind="affine") == 711
    assert 711 <= answer <= 894


def test_a_small_benchmark_network_against_the_oracle():
    with np.load(shared("bench/F.npz")) as file:
        net = [(file[f"W{i}"], file[f"b{i}"]) for i in range(3)]
    side = ("box", [-0.25] * 7, [0.25] * 7)
    small = oracle.activation_patterns(net, side)
    assert patterns(net, domain_of(side)) == small


@pytest.mark.parametrize(("lo", "hi", "cells"), [(-1, 1, 202), (0, 1, 49), (-2, 2, 508)])
def test_the_counted_network(lo, hi, cells):
    path = shared("counted/quadratic_2-16-16-1.onnx")
    answer = lr.count(path, lr.Box(lo, hi))
    assert (answer, answer.exact) == (cells, True)
    net, box = pairs(lr.load(path)), ("box", [lo] * 2, [hi] * 2)
    assert patterns(path, lr.Box(lo, hi)) == oracle.activation_patterns(net, box)


def test_integer_programming_agrees_on_the_counted_network():
    pytest.importorskip("pyscipopt")
    from scip_referee import scip_count

    net = lr.load(shared("counted/quadratic_2-16-16-1.onnx"))
    layers = [(np.array(W, float), np.array(b, float)) for W, b in pairs(net)]
    assert lr.count(net, lr.Box(-1, 1)) == scip_count(layers, [-1, -1], [1, 1]) == 202


def test_an_airborne_collision_network_over_a_property():
    net = lr.load(shared("acasxu/ACASXU_run2a_1_1_batch_2000.onnx"))
    answer = lr.count(net, lr.Box.from_vnnlib(shared("acasxu/prop_3.vnnlib")))
    assert (answer, answer.exact, answer.dimension, answer.units) == (71_930, True, 5, 300)


def test_a_property_with_a_fixed_input():
    """prop_4 fixes one input: four dimensions, and every point keeps that input."""
    net = lr.load(shared("acasxu/ACASXU_run2a_1_1_batch_2000.onnx"))
    box = lr.Box.from_vnnlib(shared("acasxu/prop_4.vnnlib"))
    answer = lr.count(net, box, limit=300)
    assert (answer.dimension, answer.complete) == (4, False)
    (fixed,) = [i for i in range(5) if box.lo[i] == box.hi[i]]
    for region, _ in zip(lr.regions(net, box), range(50), strict=False):
        assert region.point[fixed] == pytest.approx(float(box.lo[fixed]))


def pairs(net):
    """The exact weights of a sequential network as the oracle takes them."""
    out = []
    for i, affine in enumerate([*(layer.affine for layer in net.layers), net.output]):
        W = affine.exact(i, net.size_of(i)).to_fractions().tolist()
        b = affine.exact(-1, 1).to_fractions()[:, 0].tolist()
        out.append((W, [Fraction(v) for v in b]))
    return out


@pytest.mark.parametrize(
    "name",
    [
        "small/fc_2-2-3.onnx",
        "nnet/small_nnet.nnet",
        "nnet/spiky_nnet.nnet",
    ],
)
def test_small_files_against_the_oracle(name):
    """Scaled inputs of .nnet files arrive as rationals, in both programs alike."""
    net = lr.load(shared(name))
    layers = pairs(net)
    assert patterns(net) == oracle.activation_patterns(layers)
    assert lr.count(net, kind="linear") == oracle.linear_regions(layers)


@pytest.mark.parametrize("name", ["mnistfc/mnist-net_256x2.onnx", "small/mnist2x10.onnx"])
def test_counts_add_over_a_split_of_an_image_plane(name):
    """A plane through three random images, cut along a line off every kink."""
    net = lr.load(shared(name))
    rng = np.random.default_rng(0)
    a, b, c = np.round(rng.uniform(0, 1, (3, net.inputs)) * 256) / 256
    basis = np.column_stack([b - a, c - a])
    side, at = (-6, 6), Fraction(1, 17)

    def count(lo, hi):
        low = np.array([lo, side[0]], dtype=object)
        high = np.array([hi, side[1]], dtype=object)
        return lr.count(net, lr.Slice(a, basis, lr.Box(low, high)))

    total, cut = count(*side), count(at, at)
    assert (total.dimension, cut.dimension) == (2, 1)
    assert count(side[0], at) + count(at, side[1]) == total + cut
    assert total > cut > 1


def test_an_image_network_over_all_inputs():
    """784 inputs and ten units in the first layer: at most 2^20 cells in ten dimensions."""
    net = lr.load(shared("small/mnist2x10.onnx"))
    answer = lr.count(net, limit=2000)
    assert (answer.inputs, answer.dimension) == (784, 10)
    assert answer >= 2000
