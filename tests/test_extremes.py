"""The range of an output: against vertices of complexes, closed forms, and itself by other ways."""

import json
from fractions import Fraction

import numpy as np
import pytest
from helpers import gaussian, run_here, write_npz
from hypothesis import given, settings

import linregions as lr
from linregions.bounding.branch import OnBranch
from linregions.parallel.run import Means, Shared
from linregions.questions.extremes import Best, LeastOf
from linregions.testing.strategies import problems

TENT = [([[1.0], [1.0], [1.0]], [0.0, -1.0, -2.0]), ([[1.0, -2.0, 1.0]], [0.0])]


def ends(found):
    return found.least.fraction, found.greatest.fraction


def test_a_tent():
    found = lr.extremes(TENT, lr.Box(-1, 3))
    assert ends(found) == (0, 1) and found.greatest.point.tolist() == [1.0]
    assert found.complete and found.exact and found.interval == (0.0, 1.0)
    assert ends(lr.extremes(TENT, lr.Box(Fraction(1, 3), Fraction(2, 3)))) == (
        Fraction(1, 3), Fraction(2, 3),
    )  # fmt: skip


def test_what_has_no_bound_goes_along_a_ray():
    net = lr.load([([[1.0, 0.0], [0.0, 1.0]], [0.0, -1.0]), ([[1.0, -2.0]], [3.0])])
    found = lr.extremes(net)
    for end, side in ((found.least, -1), (found.greatest, 1)):
        assert end.fraction is None and end.value == side * np.inf == end.bound
        near, far = (net.evaluate(end.point + t * end.ray)[0] for t in (1.0, 1e6))
        assert side * (far - near) > 1e4
    only = lr.extremes([([[1.0]], [0.0]), ([[1.0]], [2.0])])
    assert only.least.fraction == 2 and only.greatest.ray is not None


@pytest.mark.parametrize("widths", [(1, 6, 6, 1), (2, 6, 5, 2), (3, 5, 4, 1)])
@pytest.mark.parametrize("seed", [0, 1])
def test_vertices_of_the_complex_hold_both_ends(widths, seed):
    net, box = gaussian(seed, *widths), lr.Box(-1, 1)
    at = lr.subdivide(net, box).outputs
    for i in range(widths[-1]):
        found = lr.extremes(net, box, output=i)
        assert found.least.value == pytest.approx(at[:, i].min(), abs=1e-9)
        assert found.greatest.value == pytest.approx(at[:, i].max(), abs=1e-9)
        for end in (found.least, found.greatest):
            here = lr.load(net).evaluate(end.point)[i]
            assert here == pytest.approx(end.value, abs=1e-9)


@given(problems())
@settings(deadline=None, derandomize=True, max_examples=40)
def test_ties_and_degenerate_networks(problem):
    """Any kind of unit and tie: no cell's own least value is below the answer, one attains it."""
    from helpers import domain_of

    net, domain = problem
    domain = domain_of(domain)
    found = lr.extremes(net, domain)
    f = lr.load(net)
    for region in lr.regions(net, domain):
        value = f.evaluate(region.point)[0]
        slack = 1e-9 * (1 + abs(value))
        assert found.least.value <= value + slack and value - slack <= found.greatest.value


def test_the_same_with_workers_and_after_a_stop(tmp_path):
    net, box = gaussian(3, 3, 12, 10, 1), lr.Box(-1, 1)
    whole = lr.extremes(net, box)
    assert ends(lr.extremes(net, box, workers=2)) == ends(whole)
    file = tmp_path / "c"
    with pytest.warns(lr.PartialAnswerWarning):
        part = lr.extremes(net, box, checkpoint=file, seconds=0.3)
    low, high = part.interval
    assert part.stopped == "seconds" and not part.complete
    assert low <= whole.least.value and whole.greatest.value <= high
    assert ends(lr.extremes(net, box, checkpoint=file)) == ends(whole)
    assert ends(lr.extremes(net, box, checkpoint=file)) == ends(whole)  # it was done
    with pytest.raises(lr.LinregionsError, match="of kind"):
        lr.count(net, box, checkpoint=file)


def test_a_bound_holds_on_every_branch():
    """Branches of a search, cut anywhere: no cell below one leaves the interval of its output."""
    net = lr.load(gaussian(5, 2, 6, 6, 1))
    problem = lr.restrict(net, lr.Box(-1, 1))
    seen = []

    class Watch:
        name = "a test"

        def bound(self, search, branch):
            on = OnBranch(search, branch)
            low, high = on.interval(0)
            less, more = on.least(0, 1), on.least(0, -1)
            seen.append((max(low, float(less)), min(high, -float(more))))
            return True

        def cell(self, search, found):
            for x in found.points:
                value = net.evaluate(x)[0]
                low, high = seen[-1]
                assert low <= value + 1e-9 and value - 1e-9 <= high

        def merge(self, other):
            pass

        def pack(self):
            return {}

        def unpack(self, facts):
            pass

    watch = Watch()
    shared = Shared(problem, Means(), "a test", question=watch)
    watch.__deepcopy__ = lambda memo: watch
    for _ in shared.run(None, None):
        pass
    assert shared.leaves == lr.count(net, lr.Box(-1, 1)) and seen


def test_branches_that_hold_nothing_better_are_passed_over():
    net, box = gaussian(4, 2, 6, 6, 1), lr.Box(-1, 1)
    question = LeastOf(0, "extremes of output 0")
    known = [Fraction(-(10**6)), Fraction(-(10**6))]  # far better than anything there is
    question.best = [Best(v, [Fraction(0)] * 2) for v in known]
    shared = Shared(lr.restrict(lr.load(net), box), Means(), "a test", question=question)
    for _ in shared.run(None, None):
        pass
    assert shared.leaves == 0 and shared.coordinator.finished
    assert [b.value for b in question.best] == known


def test_what_is_known_survives_json_and_merges():
    first, second = (LeastOf(0, "a test") for _ in range(2))
    first.best = [Best(Fraction(1, 3), [Fraction(1)]), Best()]
    second.best = [Best(Fraction(1, 2), [Fraction(2)]), Best(None, [Fraction(3)], [Fraction(1)])]
    second.unpack(json.loads(json.dumps(second.pack())))
    for _ in range(2):
        first.merge(second)
    assert first.best == [Best(Fraction(1, 3), [Fraction(1)]), second.best[1]]
    second.merge(first)
    assert second.best == first.best


def test_the_command(tmp_path):
    path = write_npz(tmp_path / "tent.npz", [(np.array(W), np.array(b)) for W, b in TENT])
    run = run_here("extremes", path, "--box=-1,3", "--json")
    facts = json.loads(run.stdout)
    assert facts["greatest"]["fraction"] == "1" and facts["least"]["value"] == 0.0
    assert facts["complete"] and facts["greatest"]["point"] == [1.0]
    said = run_here("extremes", path).stdout
    assert "greatest  1 at (1)" in said and "regions" in said
    run = run_here("extremes", path, "--output", "2")
    assert run.returncode == 2 and "numbered 0 to 0" in run.stderr


@pytest.mark.parametrize("output", [-1, 1, 0.5, True])
def test_outputs_that_do_not_exist(output):
    with pytest.raises(lr.LinregionsError, match="output="):
        lr.extremes(TENT, output=output)
