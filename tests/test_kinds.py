"""The definitions of a region, and how their counts relate."""

import numpy as np
import pytest
from helpers import domain_of, gaussian
from hypothesis import given, settings

import linregions as lr
from linregions.testing import oracle
from linregions.testing.strategies import problems

DEGENERATE = ("duplicate", "opposite", "scaled", "parallel", "zero bias", "concurrent", "dead")


@given(problems(inputs=(1, 2), layers=(1, 3), units=(1, 4), kinds=DEGENERATE, outputs=(1, 1)))
@settings(deadline=None, derandomize=True, max_examples=80)
def test_definitions_on_degenerate_networks(problem):
    net, domain = problem
    ours = domain_of(domain)
    activation, linear, affine = (
        lr.count(net, ours, kind=kind) for kind in ("activation", "linear", "affine")
    )
    assert 1 <= affine <= linear <= activation
    assert activation == len(oracle.activation_patterns(net, domain))
    assert linear == oracle.linear_regions(net, domain)
    assert affine == oracle.affine_maps(net, domain)
    assert linear.also == {"activation": activation, "affine": affine}


@pytest.mark.parametrize("widths", [(2, 8, 6, 1), (3, 6, 5, 2), (2, 5, 4, 3, 1)])
@pytest.mark.parametrize("seed", range(3))
def test_definitions_on_middling_networks(widths, seed):
    net, box = gaussian(seed, *widths), ("box", [-2] * widths[0], [2] * widths[0])
    for domain in (None, box):
        assert lr.count(net, domain_of(domain), kind="linear") == oracle.linear_regions(net, domain)
        assert lr.count(net, domain_of(domain), kind="affine") == oracle.affine_maps(net, domain)


def test_a_dead_second_layer_leaves_one_linear_region():
    net = [([[1, 0], [0, 1]], [0, 0]), ([[-1, -1]], [-1]), ([[1]], [0])]
    assert lr.count(net) == 4
    assert lr.count(net, kind="linear") == lr.count(net, kind="affine") == 1


def test_units_that_the_output_does_not_read_join_regions():
    """Ten units in general position, of which the output reads the first three."""
    W, b = gaussian(1, 2, 10, 1)[0]
    seen = np.zeros((1, 10))
    seen[0, :3] = 1
    assert lr.count([(W, b), (seen, None)]) == 56
    assert lr.count([(W, b), (seen, None)], kind="linear") == 7


def test_opposite_units_make_a_linear_function():
    """relu(z) - relu(-z) = z: the cells are many, the map is one."""
    W, b = gaussian(2, 3, 4, 1)[0]
    net = [(np.vstack([W, -W]), np.append(b, -b)), ([[1, 1, 1, 1, -1, -1, -1, -1]], [0])]
    assert lr.count(net) == 15
    assert lr.count(net, kind="linear") == lr.count(net, kind="affine") == 1


def test_cells_of_one_map_that_meet_in_a_point_are_apart():
    """|x| - |y| clipped from below by relu twice: the map 0 has two components."""
    fold = [([[1, 0], [-1, 0], [0, 1], [0, -1]], [0] * 4), ([[1, 1, -1, -1]], [0]), ([[1]], [0])]
    # positive where |x| > |y|: four cells of +-x +- y; zero above and below, joined over x = 0
    assert lr.count(fold) == 8
    assert lr.count(fold, kind="linear") == oracle.linear_regions(fold) == 6
    assert lr.count(fold, kind="affine") == 5


def test_several_outputs_tell_maps_apart():
    net = gaussian(5, 2, 5, 1)
    W, b = net[0]
    both = [(W, b), ([[1, 0, 0, 0, 0], [0, 0, 0, 1, 1]], [0, 0])]
    assert lr.count([(W, b), ([[1, 0, 0, 0, 0]], [0])], kind="linear") == 2
    assert lr.count([(W, b), ([[0, 0, 0, 1, 1]], [0])], kind="linear") == 4
    assert lr.count(both, kind="linear") == oracle.linear_regions(both) == 7


def test_what_an_answer_says():
    net = gaussian(5, 2, 5, 4, 1)
    answer = lr.count(net, lr.Box(-1, 1), kind="linear")
    assert isinstance(answer, int) and answer + 1 == int(answer) + 1
    assert (answer.inputs, answer.units, answer.dimension) == (2, 9, 2)
    assert answer.engine == "complex" and answer.domain == "box [-1, 1]^n"
    assert answer.stopped == "" and answer.seconds > 0
    assert answer.to_dict()["regions"] == int(answer)
    assert "exact" in answer.describe() and "linear regions" in answer.describe()
    with pytest.raises(AttributeError):
        answer.nonsense  # noqa: B018


def test_an_answer_survives_pickling():
    import pickle

    answer = lr.count(gaussian(5, 2, 5, 1))
    back = pickle.loads(pickle.dumps(answer))
    assert back == answer and back.to_dict() == answer.to_dict()


@pytest.mark.parametrize("kind", ["convex", "nonsense", "", "Linear", None])
def test_other_kinds_are_refused(kind):
    known = "pattern, activation, linear, closed, affine"
    with pytest.raises(lr.LinregionsError, match=known) as caught:
        lr.count(gaussian(0, 1, 1, 1), kind=kind)
    assert "\n" not in str(caught.value) and repr(kind) in str(caught.value)


def test_other_options_are_refused():
    net = gaussian(0, 1, 1, 1)
    with pytest.raises(lr.LinregionsError, match="auto, search"):
        lr.count(net, engine="magic")
    for option in ("limit", "seconds"):
        with pytest.raises(lr.LinregionsError, match=f"{option}=-1"):
            lr.count(net, **{option: -1})
    with pytest.raises(lr.LinregionsError, match="seconds=nan"):
        lr.count(net, seconds=float("nan"))
