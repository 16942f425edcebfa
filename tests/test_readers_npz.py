"""Weights in ``.npz`` archives."""

from fractions import Fraction

import numpy as np
import pytest
from data import shared

from linregions.errors import LinregionsError
from linregions.network.network import Network
from linregions.readers import load

RNG = np.random.default_rng(5)
ARRAYS = {
    "W0": RNG.normal(size=(4, 3)),
    "b0": RNG.normal(size=4),
    "W1": RNG.normal(size=(2, 4)),
    "b1": np.zeros(2),
}


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_pairs_are_read_and_the_last_is_affine(tmp_path):
    net = load(saved(tmp_path / "a.npz", **ARRAYS))
    assert net.widths == (4,)
    x = RNG.normal(size=(7, 3))
    hidden = np.maximum(x @ ARRAYS["W0"].T + ARRAYS["b0"], 0)
    assert np.allclose(net(x), hidden @ ARRAYS["W1"].T)


def test_float32_is_exact_and_other_keys_are_noted(tmp_path):
    single = {k: v.astype(np.float32) for k, v in ARRAYS.items()}
    net = load(saved(tmp_path / "a.npz", **single, extra=np.zeros(1)))
    assert np.array_equal(net.layers[0].affine.terms[0].factors[0], single["W0"])
    assert net.notes == ("keys not read: extra",)


def test_the_own_format_comes_back_without_loss(tmp_path):
    rational = np.array([[Fraction(1, 3)]], dtype=object)
    net = load([(np.array([[0.1]]), [0.2]), (np.ones((1, 1)), [0.0])])
    net = Network(1, net.layers, net.output.then(rational), ("a note",))
    net.save(tmp_path / "own.npz")
    again = load(tmp_path / "own.npz")
    assert again == net
    assert again.notes == net.notes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"W0": None}, "W0 is missing"),
        ({"b0": None}, "b0 is missing"),
        ({"b1": None}, "b1 is missing"),
        ({"W3": np.ones((1, 1)), "b3": np.ones(1)}, "W2 is missing"),
        ({"W0": np.array([[None]])}, "W0 cannot be read"),
        ({"W0": np.array([["x"]])}, "W0 has entries of type"),
        ({"W0": np.full((4, 3), np.nan)}, "NaN"),
        ({"W1": np.ones((2, 5))}, "layer 2"),
        ({"b0": np.ones(3)}, "bias of shape"),
        ({"W0": np.ones(3)}, "layer 1"),
    ],
)
def test_bad_archives_are_named(tmp_path, change, message):
    arrays = {k: v for k, v in {**ARRAYS, **change}.items() if v is not None}
    path = saved(tmp_path / "bad.npz", **arrays)
    with pytest.raises(LinregionsError, match=r"bad\.npz: ") as caught:
        load(path)
    assert message in str(caught.value)


def test_damaged_files(tmp_path):
    whole = saved(tmp_path / "whole.npz", **ARRAYS).read_bytes()
    load(tmp_path / "whole.npz").save(tmp_path / "own.npz")
    own = (tmp_path / "own.npz").read_bytes()
    np.save(tmp_path / "one.npy", np.ones(3))
    header = {"linregions": np.frombuffer(b'{"format": "linregions network 1"}', np.uint8)}
    np.savez(tmp_path / "header.npz", **header)
    for content in (
        b"garbage",
        whole[:200],
        whole[:-30],
        own[: len(own) // 2],
        (tmp_path / "one.npy").read_bytes(),
        (tmp_path / "header.npz").read_bytes(),
        bytes(b ^ (i % 97 == 60) for i, b in enumerate(whole)),
    ):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(LinregionsError, match=r"bad\.npz"):
            load(tmp_path / "bad.npz")


def test_shared_archives():
    assert load(shared("bench/E.npz")).widths == (12, 12)
    with pytest.raises(LinregionsError, match="W0 is missing"):
        load(shared("bench/G_lines.npz"))
