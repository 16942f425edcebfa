"""`load`: what it accepts, and one clear line for everything else."""

import subprocess
import sys

import numpy as np
import pytest

from linregions.errors import LinregionsError
from linregions.network.network import Network
from linregions.readers import load

PAIRS = [(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.5, 0.0])), (np.ones((1, 2)), None)]


def refused(source, *parts, **options):
    with pytest.raises(LinregionsError) as caught:
        load(source, **options)
    text = str(caught.value)
    assert "\n" not in text
    for part in parts:
        assert part in text, text


def test_a_network_is_returned_and_a_list_is_read():
    net = Network.from_layers(PAIRS)
    assert load(net) is net
    assert load(PAIRS) == net
    assert load(tuple(PAIRS)) == net
    assert load([([[1, 2], [3, 4]], [0.5, 0]), ([[1, 1]], [0])]) == net


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.int8, np.int64, np.longdouble])
def test_weights_of_any_type_are_read_exactly(kind):
    weight = np.array([[1, -3], [2, 100]], dtype=kind)
    net = load([(weight, np.zeros(2, kind)), (np.ones((1, 2), kind), None)])
    assert np.array_equal(net.layers[0].affine.terms[0].factors[0], weight)


def test_a_number_that_float64_cannot_hold_is_refused():
    refused([(np.array([[2**53 + 1]]), [0.0])], "layer 1", "float64 cannot hold")
    refused([(np.array([[1j]]), [0.0])], "weight of layer 1", "complex128")
    refused([(np.array([["a"]]), [0.0])], "weight of layer 1")
    refused([(np.ones((1, 1)),)], "layer 1", "pair")
    refused([], "empty list")


def test_files_that_are_none(tmp_path):
    refused(tmp_path / "absent.onnx", "absent.onnx", "no such file")
    refused(tmp_path, "is a directory", ".onnx")
    (tmp_path / "net.h5").write_bytes(b"x")
    refused(tmp_path / "net.h5", "'.h5'", ".onnx, .nnet, .npz")
    (tmp_path / "net.pt").write_bytes(b"x")
    refused(str(tmp_path / "net.pt"), "net.pt: not a program of torch", "load the module in Python")
    (tmp_path / "net").write_bytes(b"x")
    refused(tmp_path / "net", "without an extension")
    for kind in ("onnx", "nnet", "npz"):
        (tmp_path / f"empty.{kind}").touch()
        refused(tmp_path / f"empty.{kind}", f"empty.{kind}", "empty")


def test_objects_of_other_types_are_refused():
    for thing in (3, None, {"W0": 1}, object()):
        refused(thing, type(thing).__name__, "give a path", "torch module", "MLPClassifier")


def test_shape_is_checked():
    refused(PAIRS, "shape=", shape=(2,))
    refused("x.onnx", "shape=", shape=(0,))
    refused("x.onnx", "shape=", shape="ab")


def test_torch_is_not_imported_for_other_sources(tmp_path):
    code = (
        "import sys, numpy as np\n"
        "from linregions.readers import load\n"
        "load([(np.ones((1, 1)), [0.0])])\n"
        "try:\n    load(object())\nexcept ValueError:\n    pass\n"
        "sys.exit('torch' in sys.modules or 'onnx' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
