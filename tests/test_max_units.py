"""Max units, many pieces, several sources, sparse weights: the search against the oracle."""

import numpy as np
import pytest
from helpers import domain_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import linregions as lr
from linregions.network.affine import Affine
from linregions.testing import oracle
from linregions.testing.strategies import any_networks, domains

MANY = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def patterns(net, domain):
    found = [tuple(int(p) for p in r.pattern) for r in lr.regions(net, domain)]
    assert len(found) == len(set(found))
    return set(found)


@MANY
@given(any_networks(), st.data())
def test_search_finds_the_patterns_of_the_oracle(net, data):
    domain = data.draw(domains(net.inputs))
    expected = oracle.activation_patterns(net, domain)
    assert patterns(net, domain_of(domain)) == expected
    assert lr.count(net, domain_of(domain), engine="search") == len(expected)


@MANY
@given(any_networks(units=3, layers=(1, 2)), st.data())
def test_linear_and_affine_counts_and_neighbours(net, data):
    domain = data.draw(domains(net.inputs))
    ours = domain_of(domain)
    linear = lr.count(net, ours, kind="linear", engine="search")
    assert linear == oracle.linear_regions(net, domain)
    affine = lr.count(net, ours, kind="affine", engine="search")
    assert affine == oracle.affine_maps(net, domain)
    expected = oracle.facet_neighbours(net, domain)
    for region in lr.regions(net, ours):
        mine = {tuple(int(p) for p in r.pattern) for r in region.neighbours}
        assert mine == expected[tuple(int(p) for p in region.pattern)]


@settings(MANY, max_examples=40)
@given(any_networks(inputs=(1, 2), units=3, layers=(1, 2), only_max=True), st.data())
def test_the_dual_graph_and_closed_regions(net, data):
    domain = data.draw(domains(net.inputs))
    cells = lr.regions(net, domain_of(domain))
    names = [tuple(int(p) for p in r.pattern) for r in cells]
    rows, columns = cells.graph().nonzero()
    edges = {(names[i], names[j]) for i, j in zip(rows, columns, strict=True)}
    expected = oracle.facet_neighbours(net, domain)
    assert edges == {(p, q) for p, others in expected.items() for q in others}
    closed = lr.count(net, domain_of(domain), kind="closed")
    linear = lr.count(net, domain_of(domain), kind="linear", engine="search")
    assert lr.count(net, domain_of(domain), kind="affine", engine="search") <= closed <= linear


MAXIMAL = {
    3: 352,  # a seed of normal weights
    4: [
        [0, -1, 3], [1, -4, 4], [3, 6, -6], [-5, -2, 0], [-14, -6, -4], [-3, -2, -1],
        [3, 6, 1], [5, -3, 1], [5, -5, -2], [-4, -2, 1], [-11, -1, -3], [5, -3, -2],
    ],
}  # fmt: skip


@pytest.mark.parametrize(("units", "most"), [(3, 19), (4, 33)])
def test_maxout_attains_the_maxima_of_montufar_ren_zhang(units, most):
    """Shallow maxout of rank 3 in two inputs: at most 19 regions for 3 units, 33 for 4."""
    W = MAXIMAL[units]
    if isinstance(W, int):
        W = np.random.default_rng(W).standard_normal((3 * units, 3))
    W = np.asarray(W, float)
    groups = tuple(tuple(range(3 * u, 3 * u + 3)) for u in range(units))
    layer = lr.Layer(Affine.dense(W[:, :2], W[:, 2], 0), lr.MaxUnits(groups, 3 * units))
    net = lr.Network(2, (layer,), Affine.dense(np.ones((1, units)), None, 1))
    assert lr.count(net, engine="search") == most
    assert lr.count(net, lr.Box(-1e6, 1e6)) == most  # the complex
