"""The fuzz over all engines: that it agrees today, that it can fail, and what it prints then."""

import json
import subprocess
import sys

import numpy as np
import pytest

import linregions as lr
from linregions.questions.count import Count
from linregions.testing import FAMILIES, assert_same_regions, draw, fuzz, oracle
from linregions.testing import counts as counts_module
from linregions.testing.__main__ import main
from linregions.testing.edits import entries, without_unit
from linregions.testing.families import family
from linregions.testing.fuzz import CHECKS
from linregions.testing.source import as_python

SEED = 16
CELLS = 12  # in the first stage, so that twenty networks of each family take a second


def described(report):
    return "\n".join(found.describe() for found in report.found)


@pytest.mark.parametrize("name", FAMILIES)
def test_twenty_networks_of_every_family(name):
    """Every counting engine and kind; the last of the twenty through everything else too."""
    report = fuzz([name], 20, SEED, every=20, cells=CELLS)
    assert not report.found, described(report)
    assert report.networks + report.large == 20 and report.networks >= 5
    ran = set(report.checks)
    assert {"search activation", "search linear", "search affine", "search closed"} <= ran


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_two_hundred_networks_of_every_family(name):
    report = fuzz([name], 200, SEED + 1, every=50, cells=100)
    assert not report.found, described(report)
    assert report.networks >= 120


def test_every_check_runs_somewhere():
    """No check applies to nothing; those of proofs wait for the checker."""
    report = fuzz(["integers", "float16"], 40, SEED + 2, every=1, cells=8)
    assert not report.found, described(report)
    assert {c.name for c in CHECKS} - set(report.checks) <= {"proof"}


def test_a_network_depends_on_seed_family_and_number_alone():
    for name in FAMILIES:
        again, other = draw(name, 3, 7), draw(name, 3, 8)
        assert draw(name, 3, 7).network == again.network != other.network
        assert repr(draw(name, 3, 7).domain) == repr(again.domain)


@pytest.mark.parametrize("name", FAMILIES)
def test_printed_networks_are_the_same_digit_for_digit(name):
    for number in range(12):
        case = draw(name, 5, number)
        made = {}
        exec(as_python(case.network, case.domain), made)
        assert made["net"] == case.network
        chart, same = case.problem, lr.restrict(made["net"], made["domain"])
        assert type(made["domain"]) is type(case.domain)
        assert np.array_equal(chart.A, same.A) and np.array_equal(chart.b, same.b)
        assert chart.network == same.network


# -- that it can fail ----------------------------------------------------------------------


@pytest.fixture
def faulty(monkeypatch):
    """An engine that loses a region wherever a weight of layer 1 is above 2."""

    def count(network, domain=None, **options):
        answer = lr.count(network, domain, **options)
        first = network.layers[0].affine.terms if network.layers else ()
        bad = any((abs(f) > 2).sum() for t in first for f in t.factors)
        return Count(int(answer) - 1, answer.report) if bad and answer > 1 else answer

    monkeypatch.setattr(counts_module, "count", count)


def test_a_fault_is_found_and_made_small(faulty):
    report = fuzz(["integers"], 4, 0, engines=["search"], cells=30)
    found = [f for f in report.found if f.outcome.check == "search activation"]
    assert found
    made = {}
    exec(found[0].source, made)
    net = made["net"]
    assert net.units == 1 and net.outputs == 1 and net.inputs == 1
    assert max(abs(v) for _, v in entries(net)) > 2  # what makes it fail is kept
    expected = len(oracle.activation_patterns(net, made["domain"]))
    assert found[0].outcome.expected == str(expected)
    assert found[0].outcome.got == str(expected - 1)


def test_an_engine_that_crashes_is_a_disagreement(monkeypatch):
    def count(*args, **options):
        raise ZeroDivisionError("of nothing")

    monkeypatch.setattr(counts_module, "count", count)
    report = fuzz(["dyadics"], 1, 0, engines=["search"])
    assert {f.outcome.status for f in report.found} == {"crashed"}
    assert "ZeroDivisionError: of nothing" in described(report)


def test_a_refusal_is_counted_and_is_none(monkeypatch):
    def count(*args, **options):
        raise lr.LinregionsError("too far")

    monkeypatch.setattr(counts_module, "count", count)
    report = fuzz(["dyadics"], 2, 0, engines=["search"])
    assert not report.found and report.refused["search activation"] == 2
    assert "too far" in report.describe()


def test_assert_same_regions(faulty):
    assert_same_regions([([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])], deep=True)
    with pytest.raises(AssertionError, match=r"search activation.*expected 3, got 2"):
        assert_same_regions([([[3.0], [1.0]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])])


def test_units_left_out():
    net = draw("equal-arguments", 1, 3).network
    fewer = without_unit(net, 1, 0)
    assert fewer.widths[0] == net.widths[0] - 1
    assert oracle.activation_patterns(fewer)


# -- the command ---------------------------------------------------------------------------


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(["fuzz", *arguments])
    said = capsys.readouterr()
    return end.value.code, said.out, said.err


def test_the_command_answers_with_json(capsys):
    code, out, _ = run(
        capsys, "--families", "dyadics,integers", "--networks", "4", "--json", "--cells", "20"
    )
    facts = json.loads(out)
    assert code == 0 and facts["complete"] and facts["disagreements"] == []
    assert facts["networks"] + facts["large"] == 4 and set(facts["families"]) <= set(FAMILIES)


def test_the_command_prints_what_disagrees(capsys, faulty):
    code, out, err = run(
        capsys, "--families", "integers", "--networks", "2", "--only-engines", "search"
    )
    assert code == 1
    assert "net = lr.Network.from_layers" in out and "seed 0" in out and "--first" in out
    assert "integers" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--families", "nonsense"), "unknown family 'nonsense'"),
        (("--only-engines", "nonsense"), "unknown engine 'nonsense'"),
        (("--networks", "0"), "networks=0"),
        (("--seconds", "nan"), "seconds=nan"),
        (("--processes", "0"), "processes=0"),
        (("--networks", "many"), "many"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, said):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert said in err and len(err.strip().splitlines()) == 1


def test_families_are_listed(capsys):
    code, out, _ = run(capsys, "--families", "list")
    assert code == 0 and len(out.splitlines()) == len(FAMILIES)
    assert all(f.text for f in FAMILIES.values())


def test_processes_draw_the_same_networks():
    alone = fuzz(["dyadics"], 20, 2, engines=["line"])
    shared = fuzz(["dyadics"], 20, 2, engines=["line"], processes=2)
    assert (shared.networks, shared.cells, shared.checks) == (20, alone.cells, alone.checks)


def test_time_ends_it():
    report = fuzz(["dyadics"], 10**6, 2, engines=["line"], seconds=0.5)
    assert not report.complete and 0 < report.networks < 10**6


def test_an_interrupt_keeps_what_was_done():
    def stop(report):
        if report.networks == 3:
            raise KeyboardInterrupt

    report = fuzz(["dyadics"], 50, 2, engines=["line"], progress=stop)
    assert report.networks == 3 and not report.complete


def test_a_family_can_be_added():
    @family()
    def one_unit(rng):
        """One unit."""
        return lr.Network.from_layers([(rng.standard_normal((1, 2)), [0.5]), ([[1.0]], [0.0])])

    try:
        report = fuzz(["one-unit"], 2, 0)
        assert report.families == {"one-unit": 2} and not report.found
    finally:
        del FAMILIES["one-unit"]


def test_the_package_needs_no_hypothesis():
    code = "import sys; sys.modules['hypothesis'] = None; import linregions.testing.fuzz"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_an_open_slice_of_which_the_network_sees_little():
    whole = lr.Slice([0.5, 1.0, 0.5, -1.0], np.eye(4), lr.Space(), coordinates="slice")
    for net in (
        [([[0.0] * 4], [0.0])],
        [([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]], [0.0, 0.5]), ([[1.0, 2.0]], [0.0])],
    ):
        assert assert_same_regions(net, whole, deep=True).cells in (1, 4)
