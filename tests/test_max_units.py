"""Max units, many pieces, several sources, sparse weights: the search against the oracle."""

import oracle_units
from helpers import domain_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import any_networks
from strategies import domains

import linregions as lr

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
    expected = oracle_units.activation_patterns(net, domain)
    assert patterns(net, domain_of(domain)) == expected
    assert lr.count(net, domain_of(domain), engine="search") == len(expected)


@MANY
@given(any_networks(units=3, layers=(1, 2)), st.data())
def test_linear_and_affine_counts_and_neighbours(net, data):
    domain = data.draw(domains(net.inputs))
    ours = domain_of(domain)
    linear = lr.count(net, ours, kind="linear", engine="search")
    assert linear == oracle_units.linear_regions(net, domain)
    affine = lr.count(net, ours, kind="affine", engine="search")
    assert affine == oracle_units.affine_maps(net, domain)
    expected = oracle_units.facet_neighbours(net, domain)
    for region in lr.regions(net, ours):
        mine = {tuple(int(p) for p in r.pattern) for r in region.neighbours}
        assert mine == expected[tuple(int(p) for p in region.pattern)]
