"""The dual graph: an edge exactly where two regions share a facet, in any dimension."""

import sys
import time
from itertools import pairwise

import numpy as np
import pytest
from helpers import domain_of, gaussian
from hypothesis import given, settings
from known import NETWORKS, ulp
from scipy.sparse.csgraph import connected_components

import linregions as lr
from linregions.network.units import ABS, HARDTANH
from linregions.testing import oracle
from linregions.testing.strategies import problems

common = settings(deadline=None, derandomize=True)
DEGENERATE = ("fresh", "duplicate", "opposite", "scaled", "parallel", "zero bias", "dead")


def key(region):
    return tuple(region.pattern.tolist())


def edges(net, domain=None):
    """The edges of the graph as sets of two patterns, after the matrix was looked at."""
    regions = lr.regions(net, domain)
    graph, names = regions.graph(), [key(r) for r in regions]
    assert graph.shape == (len(names),) * 2 and graph.dtype == bool
    assert (graph != graph.T).nnz == 0 and not graph.diagonal().any()
    i, j = graph.nonzero()
    return {frozenset((names[a], names[b])) for a, b in zip(i, j, strict=True)}


def expected(net, domain=None):
    """The oracle's facets: paired by the generators of the cones on both sides."""
    found = oracle.facet_neighbours(net, domain)
    return {frozenset((p, q)) for p, others in found.items() for q in others}


@given(problems(inputs=(1, 3), layers=(1, 3)))
@settings(common, max_examples=60)
def test_graphs_agree_with_the_oracle(problem):
    net, domain = problem
    assert edges(net, domain_of(domain)) == expected(net, domain)


@given(problems(inputs=(1, 3), layers=(1, 3), kinds=DEGENERATE, outputs=(1, 1)))
@settings(common, max_examples=60)
def test_graphs_of_degenerate_networks_agree_with_the_oracle(problem):
    net, domain = problem
    assert edges(net, domain_of(domain)) == expected(net, domain)


@pytest.mark.parametrize("widths", [(2, 8, 6, 1), (3, 6, 5, 2), (4, 7, 5, 1), (5, 7, 1)])
@pytest.mark.parametrize("domain", [None, "box"])
def test_graphs_of_middling_networks(widths, domain):
    net, n = gaussian(3, *widths), widths[0]
    domain = None if domain is None else ("box", [-1] * n, [1] * n)
    assert edges(net, domain_of(domain)) == expected(net, domain)


@pytest.mark.parametrize("name", ["d", "wang (2, 6, 6)", "catalan 3", "semiorder 4", "tent 4"])
def test_graphs_of_known_networks(name):
    net, _ = NETWORKS[name]()
    assert edges(net) == expected(net)


@pytest.mark.parametrize("widths", [(2, 20, 12, 1), (3, 10, 8, 1)])
def test_the_complex_has_the_same_facets(widths):
    """Another engine, with bounded domains: its facets join the same regions."""
    net, box = gaussian(4, *widths), lr.Box(-1, 1)
    complex_ = lr.subdivide(net, box)
    names = [tuple(p) for p in complex_.patterns().tolist()]
    inner = complex_.facet_cells[complex_.facet_cells[:, 1] >= 0]
    assert edges(net, box) == {frozenset((names[a], names[b])) for a, b in inner}


def test_the_complex_has_the_same_facets_where_units_coincide():
    W, b = gaussian(5, 2, 9, 1)[0]
    rest = gaussian(6, 12, 5, 1)
    net = [(np.vstack([W, -2 * W[:2], W[:1]]), np.concatenate([b, -2 * b[:2], b[:1]])), *rest]
    complex_ = lr.subdivide(net, lr.Box(-1, 1))
    names = [tuple(p) for p in complex_.patterns().tolist()]
    inner = complex_.facet_cells[complex_.facet_cells[:, 1] >= 0]
    found = edges(net, lr.Box(-1, 1))
    assert found == {frozenset((names[a], names[b])) for a, b in inner}
    assert any(sum(a != b for a, b in zip(*pair, strict=True)) > 1 for pair in found)


def test_regions_know_the_same_neighbours():
    net = gaussian(7, 4, 7, 5, 1)
    regions = lr.regions(net, lr.Box(-1, 1))
    graph, all_of_them = regions.graph(), list(regions)
    for i in range(0, len(all_of_them), 23):
        near = {key(r) for r in all_of_them[i].neighbours}
        assert near == {key(all_of_them[j]) for j in graph[[i]].nonzero()[1]}


def test_units_of_three_pieces():
    """A hard tanh is two rectifiers: the same cells, the same facets."""
    W, b = gaussian(8, 3, 5, 1)[0]
    out = np.ones((1, 5))
    tanh = lr.Network.from_layers([(W, b), (out, [0])], HARDTANH)
    twice = [(np.vstack([W, W]), np.append(b + 1, b - 1)), (np.ones((1, 10)), [0])]
    pieces = lambda p: tuple(a + c for a, c in zip(p[:5], p[5:], strict=True))  # noqa: E731
    assert edges(tanh) == {frozenset(map(pieces, pair)) for pair in expected(twice)}


def test_one_flip_is_not_enough():
    """||x| - 1| has four cells in a row; 01 and 11, the outer ones, differ in one unit."""
    net = lr.Network.from_layers([([[1]], [0]), ([[1]], [-1]), ([[1]], [0])], ABS)
    row = [(0, 1), (0, 0), (1, 0), (1, 1)]
    assert edges(net) == {frozenset(pair) for pair in pairwise(row)}


def test_a_central_arrangement_is_a_cycle():
    """Opposite cells of three lines through a point differ in three units."""
    net = [([[1, 0], [0, 1], [1, 1]], [0, 0, 0]), ([[1, 1, 1]], [0])]
    graph = lr.regions(net).graph()
    assert graph.sum(axis=0).tolist() == [2] * 6 and connected_components(graph)[0] == 1


def test_a_cell_without_any_float_has_its_two_neighbours():
    net, _ = ulp()
    assert edges(net) == {frozenset([(0, 0), (1, 0)]), frozenset([(1, 0), (1, 1)])}


def test_graphs_without_edges():
    assert lr.regions([([[2.0, 1.0]], [0.0])]).graph().nnz == 0
    off = [([[1, 0]], [-9]), ([[1]], [0])]
    assert lr.regions(off, lr.Box(-1, 1)).graph().shape == (1, 1)


def test_networkx():
    networkx = pytest.importorskip("networkx")
    regions = lr.regions(gaussian(9, 3, 6, 4, 1), lr.Box(-1, 1))
    graph, matrix = regions.graph(as_networkx=True), regions.graph()
    assert networkx.is_connected(graph) and sorted(graph) == list(range(matrix.shape[0]))
    assert (networkx.to_scipy_sparse_array(graph, sorted(graph), dtype=bool) != matrix).nnz == 0


def test_without_networkx(monkeypatch):
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(lr.LinregionsError, match="networkx, which is not installed"):
        lr.regions(gaussian(9, 2, 3, 1)).graph(as_networkx=True)


def test_regions_can_be_gone_through_again():
    regions = lr.regions(gaussian(1, 3, 7, 6, 1), lr.Box(-1, 1))
    assert [key(r) for r in regions] == [key(r) for r in regions]
    first, second = next(regions), next(regions)
    assert key(first) != key(second)
    assert [key(r) for _, r in zip(range(2), regions, strict=False)] == [key(first), key(second)]
    assert "box [-1, 1]^n" in repr(regions)


def test_ten_thousand_regions_are_quick():
    """Less than twenty times the search itself (and one second): no exact work per region."""
    net, box = gaussian(1, 4, 16, 16, 1), lr.Box(-1, 1)
    lr.regions(net, box).graph()
    start = time.perf_counter()
    n = lr.count(net, box, engine="search")
    middle = time.perf_counter()
    graph = lr.regions(net, box).graph()
    assert graph.shape == (n, n) and n > 10_000
    assert time.perf_counter() - middle < 1 + 20 * (middle - start)


def test_cells_come_in_one_order_however_the_search_is_divided():
    """A near-tie sends some cells to rationals: they keep their places among the others."""
    tie = [
        [-2.75, -1.0, 2.75],
        [-0.275, -0.1, 0.275],
        [-0.275, -0.09999999999999999, 0.2750000047881736],
        [0.0, -2.5, -1.0],
    ]
    second = np.random.default_rng(3).integers(-9, 10, (5, 4)) / 4.0
    net = [(tie, np.zeros(4)), (second, np.zeros(5)), (np.ones((1, 5)), [0.0])]
    found = list(lr.regions(net))
    patterns = [r.pattern.tolist() for r in found]
    assert sum(r._rational is not None for r in found) not in (0, len(found))
    for batch in (1, 7, len(found) // 2):
        assert [r.pattern.tolist() for r in lr.regions(net, batch=batch)] == patterns
    place = {tuple(p): i for i, p in enumerate(patterns)}
    edges = {
        (place[tuple(r.pattern)], place[tuple(q.pattern)]) for r in found for q in r.neighbours
    }
    graph = lr.regions(net).graph().tocoo()
    assert edges == set(zip(graph.row.tolist(), graph.col.tolist(), strict=True))
