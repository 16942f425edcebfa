"""Numbers of any size as text, and the JSON of every command."""

import json
import sys
from fractions import Fraction
from math import log10

import numpy as np
import pytest

import linregions as lr
from linregions.bounding import Bound
from linregions.cli.app import main
from linregions.figures import LARGEST, brief, decimal, dump, jsonable, log10_of, magnitude

HUGE = 2**32768


def large(value):
    """The integers beyond 2^53 in a JSON value."""
    if isinstance(value, dict):
        return [x for v in value.values() for x in large(v)]
    if isinstance(value, list):
        return [x for v in value for x in large(v)]
    return [value] if isinstance(value, int) and abs(value) > LARGEST else []


@pytest.mark.parametrize(
    "value", [0, 7, -7, LARGEST + 1, -(10**40), 10**4299, HUGE, -HUGE], ids=brief
)
def test_all_digits_of_any_number(value):
    text = decimal(value)
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        assert int(text) == value and text == str(value)
    finally:
        sys.set_int_max_str_digits(before)
    assert before == 4300


def test_powers_of_ten():
    assert magnitude(HUGE) == "1.415e9864" and brief(HUGE) == "1.4e9864"
    assert brief(-HUGE) == "-1.4e9864" and brief(10**20 - 1) == "1.0e20"
    assert magnitude(10**15 - 1) == "1.000e15" and magnitude(999) == "999"
    assert brief(LARGEST) == repr(LARGEST) and brief(Fraction(1, 3)) == "Fraction(1, 3)"
    assert brief(Fraction(HUGE, 3)) == "4.7e9863" and brief("text") == "'text'"
    assert log10_of(HUGE) == pytest.approx(32768 * log10(2), rel=1e-14)
    assert log10_of(Fraction(1, HUGE)) == pytest.approx(-32768 * log10(2), rel=1e-14)


def test_one_rule_for_every_key():
    value = {
        "a": LARGEST, "b": LARGEST + 1, "c": [1, HUGE, 0], "d": {"e": -HUGE, "f": 1.5},
        "g": True, "h": None, "i": np.float64(2.5), "j": (Fraction(31, 4), Fraction(8)),
    }  # fmt: skip
    found = json.loads(dump(value))
    assert not large(found)
    assert found["a"] == LARGEST and "a_log10" not in found
    assert found["b"] == str(LARGEST + 1) and found["b_log10"] == pytest.approx(15.9546, abs=1e-4)
    assert found["c"][1] == decimal(HUGE) and found["c_log10"][0] == 0.0
    assert found["c_log10"][1] == pytest.approx(9864.15, abs=0.01) and found["c_log10"][2] is None
    assert found["d"]["e"].startswith("-") and found["d"]["e_log10"] == found["c_log10"][1]
    assert found["j"] == ["31/4", "8"] and found["g"] is True
    assert jsonable(3) == 3
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump({"x": float("nan")})


def commands(tmp_path):
    """A command line for every command with --json, on networks whose bounds are beyond 2^53."""
    rng = np.random.default_rng(0)
    wide = [rng.standard_normal((60, 8)), rng.standard_normal(60), rng.standard_normal((50, 60)),
            rng.standard_normal(50), rng.standard_normal((1, 50)), np.zeros(1)]  # fmt: skip
    names = ("W0", "b0", "W1", "b1", "W2", "b2")
    np.savez(tmp_path / "wide.npz", **dict(zip(names, wide, strict=True)))
    pair = np.array([np.zeros(8), np.full(8, 1e-3)])
    np.save(tmp_path / "pair.npy", pair)
    model, at = str(tmp_path / "wide.npz"), str(tmp_path / "pair.npy")
    tiny = "--box=0,0.000001"
    yield ["info", model]
    yield ["bounds", model]
    yield ["bounds", "--widths", "3072,20000,20000"]
    yield ["bounds", "--conv", "6x6x1:3x3x4"]
    yield ["count", model, tiny]
    yield ["count", model, "--box=-1,1", "--limit", "20"]
    yield ["list", model, tiny, "--limit", "3"]
    yield ["estimate", model, tiny, "--passes", "2"]
    yield ["plan", model, tiny, "--seconds", "1"]
    yield ["sample", model, tiny, "--points", "100"]
    yield ["measure", "distance", model, "--data", at]
    yield ["measure", "volume", model, tiny, "--lines", "20"]
    yield ["measure", "local", model, "--data", at, "--radius", "1e-4"]
    yield ["paper"]


def test_the_json_of_every_command_loads_and_holds_no_large_integer(tmp_path, capsys):
    answered, seen = 0, 0
    for line in commands(tmp_path):
        code = 0
        try:
            main([*line, "--json"])
        except SystemExit as stop:
            code = stop.code or 0
        out = capsys.readouterr().out
        assert code == 0, line
        found = json.loads(out)
        assert not large(found), line
        answered += 1
        if line[:1] == ["count"] and "--limit" in line:
            seen += 1
            assert isinstance(found["upper_bound"], str) and found["upper_bound_log10"] > 15
    assert answered == 14 and seen == 1


def test_bounds_of_a_network_of_many_units_print(capsys):
    """2^20,000 has 6,021 digits: more than Python prints."""
    found = lr.bounds([100, 20_000])
    trivial = next(b for b in found if b.name == "trivial")
    assert "value=4.0e6020" in repr(trivial) and "4.0e6020" in repr(found)
    assert isinstance(trivial, Bound) and trivial.value == 2**20_000
    with pytest.raises(SystemExit) as stop:
        main(["bounds", "--widths", "100,20000"])
    assert not stop.value.code and "3.980e6020" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["bounds", "--widths", "100,20000", "--json"])
    out, err = capsys.readouterr()
    facts = {b["name"]: b for b in json.loads(out)}
    assert len(facts["trivial"]["value"]) == 6021
    assert facts["trivial"]["value_log10"] == pytest.approx(6020.6, abs=0.01)
    assert "left out: hinz-recursive: a layer of 20,000 units" in err
