"""What cannot be counted: one clear line, exit 2 on the command line; odd networks that can."""

import numpy as np
import pytest
from helpers import gaussian, write_npz

import linregions as lr
from linregions.cli.app import main

GOOD = gaussian(1, 2, 4, 3, 1)


@pytest.fixture
def refused(capsys):
    """Every command refuses the file with one line; the line."""

    def run(path, *options):
        lines = set()
        for command in ("count", "list", "info"):
            with pytest.raises(SystemExit) as end:
                main([command, str(path), *(options if command != "info" else ())])
            out = capsys.readouterr()
            if command == "info" and options and not end.value.code:
                continue
            assert (end.value.code, out.out) == (2, "")
            (said,) = (line for line in out.err.splitlines() if "(Ctrl-C stops)" not in line)
            assert said.startswith("linregions: ")
            lines.add(f"{said}\n")
        (line,) = lines
        return line

    return run


def changed(i, part, value):
    net = [[W.copy(), b.copy()] for W, b in GOOD]
    net[i][part].flat[0] = value
    return net


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize(("i", "name"), [(0, "layer 1"), (1, "layer 2"), (2, "output layer")])
def test_numbers_that_are_not_finite(tmp_path, refused, i, part, value, name):
    net = changed(i, part, value)
    with pytest.raises(lr.LinregionsError, match=f"{name} holds"):
        lr.count(net)
    line = refused(write_npz(tmp_path / "net.npz", net))
    assert "net.npz" in line and name in line


def test_weights_of_the_wrong_shape(tmp_path, refused):
    cases = {
        "chain": [GOOD[0], (np.ones((1, 9)), np.ones(1))],
        "bias": [(np.ones((2, 2)), np.ones(3)), (np.ones((1, 2)), np.ones(1))],
        "vector": [(np.ones(2), np.ones(1))],
        "cube": [(np.ones((1, 1, 1)), np.ones(1))],
    }
    for name, net in cases.items():
        with pytest.raises(lr.LinregionsError, match="layer"):
            lr.count(net)
        line = refused(write_npz(tmp_path / f"{name}.npz", net))
        assert f"{name}.npz" in line and "layer" in line


@pytest.mark.parametrize("box", [lr.Box([0, 0, 0], 1), lr.Box([0], [1])])
def test_boxes_of_the_wrong_length(box):
    for run in (lr.count, lambda *a: next(lr.regions(*a)), lambda n, d: lr.region(n, [0, 0], d)):
        with pytest.raises(lr.LinregionsError, match="the network has 2 inputs"):
            run(GOOD, box)


def test_domains_on_the_command_line(tmp_path, refused):
    path = write_npz(tmp_path / "net.npz", GOOD)
    assert "empty" in refused(path, "--box=2,1")
    assert "2 inputs" in refused(path, "--box=0:1,0:1,0:1")
    assert "NaN" in refused(path, "--box=nan,nan")


@pytest.mark.parametrize("domain", ["box", 3, (0, 1), [[0, 1], [0, 1]], lr.Box])
def test_objects_that_are_no_domain(domain):
    for run in (lr.count, lambda *a: next(lr.regions(*a))):
        with pytest.raises(lr.LinregionsError) as caught:
            run(GOOD, domain)
        assert "Box" in str(caught.value)


@pytest.mark.parametrize("name", ["net.h5", "net", "net.txt"])
def test_files_of_another_type(tmp_path, refused, name):
    (tmp_path / name).write_bytes(b"something")
    assert ".onnx, .nnet, .npz" in refused(tmp_path / name)


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "net.pt2"])
def test_files_of_torch_that_hold_no_program(tmp_path, refused, name):
    (tmp_path / name).write_bytes(b"something")
    line = refused(tmp_path / name)
    assert name in line and ("torch.export.save" in line or "not a" in line)


@pytest.mark.parametrize("kind", ["onnx", "nnet", "npz"])
def test_files_that_are_absent_empty_or_noise(tmp_path, refused, kind):
    path = tmp_path / f"net.{kind}"
    assert f"net.{kind}: no such file" in refused(path)
    path.touch()
    assert f"net.{kind}: the file is empty" in refused(path)
    path.write_bytes(np.random.default_rng(0).bytes(500))
    assert f"net.{kind}" in refused(path)
    path.unlink()
    path.mkdir()
    assert "is a directory" in refused(path)


def test_truncated_files(tmp_path, refused):
    whole = tmp_path / "whole.npz"
    write_npz(whole, GOOD)
    onnx = onnx_model(tmp_path / "whole.onnx", "Relu")
    nnet = tmp_path / "whole.nnet"
    nnet.write_text("// header\n2,2,1,2,\n2,2,1,\n0\n-1,-1,\n1,1,\n0,0,0,\n1,1,1,\n1,0,\n0,1,\n")
    for path in (whole, onnx, nnet):
        data = path.read_bytes()
        for share in (0.3, 0.6, 0.9):
            cut = tmp_path / f"cut{path.suffix}"
            cut.write_bytes(data[: int(len(data) * share)])
            assert cut.name in refused(cut)


def onnx_model(path, *between, tail=()):
    """input - Gemm - the given operators - Gemm - tail."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    weights = {"W0": np.ones((4, 2)), "b0": np.ones(4), "W1": np.ones((3, 4)), "b1": np.ones(3)}
    tensors = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()]
    names = iter(f"v{i}" for i in range(99))
    nodes, last = [], "x"

    def add(kind, *extra, **options):
        nonlocal last
        out = next(names)
        nodes.append(helper.make_node(kind, [last, *extra], [out], name=f"{kind}_{out}", **options))
        last = out

    add("Gemm", "W0", "b0", transB=1)
    for kind in between:
        add(kind)
    add("Gemm", "W1", "b1", transB=1)
    for kind in tail:
        add(kind)
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, [1, 3])], tensors,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("kind", ["Sigmoid", "Softmax", "Tanh", "Exp"])
def test_functions_that_are_not_piecewise_linear(tmp_path, refused, kind):
    path = onnx_model(tmp_path / "net.onnx", kind)
    with pytest.raises(lr.UnsupportedNetwork, match=kind):
        lr.load(path)
    line = refused(path)
    assert "net.onnx" in line and f"{kind}_v1" in line


@pytest.mark.parametrize("kind", ["Sigmoid", "Softmax"])
def test_functions_dropped_at_the_end(tmp_path, capsys, kind):
    path = onnx_model(tmp_path / "net.onnx", "Relu", tail=[kind])
    with pytest.raises(SystemExit) as end:
        main(["count", str(path), "--json"])
    out = capsys.readouterr()
    assert end.value.code == 0 and kind in out.err and out.out.count("\n") == 1


def test_a_model_with_several_inputs(tmp_path, refused):
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    node = helper.make_node("Add", ["x", "y"], ["z"], name="add")
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2]) for n in "xyz"]
    model = helper.make_model(
        helper.make_graph([node], "net", info[:2], info[2:]),
        opset_imports=[helper.make_opsetid("", 17)],
    )
    model.ir_version = 8
    onnx.save(model, tmp_path / "two.onnx")
    line = refused(tmp_path / "two.onnx")
    assert "two.onnx" in line and "input" in line


# -- odd networks that have an answer ----------------------------------------------------------


def test_no_hidden_layer():
    for kind in ("activation", "linear", "affine"):
        answer = lr.count([(np.ones((2, 3)), [1.0, 2.0])], kind=kind)
        assert (answer, answer.units, answer.exact, answer.complete) == (1, 0, True, True)
        assert lr.count([(np.ones((2, 3)), None)], lr.Box(0, 1), kind=kind) == 1


def test_one_unit():
    net = [([[2.0]], [1.0]), ([[1.0]], [0.0])]
    assert [lr.count(net, kind=k) for k in ("activation", "linear", "affine")] == [2, 2, 2]
    assert lr.count(net, lr.Box(0, 1)) == 1
    assert lr.count(net, lr.Box(-0.5, 1)) == 1  # the kink is the end of the box
    assert lr.count(net, lr.Box(-1, 1)) == 2


def test_layers_without_units():
    """A layer of width zero cuts the input off: whatever comes after is constant."""
    net = [(np.zeros((0, 2)), np.zeros(0)), (np.zeros((1, 0)), np.ones(1))]
    for kind in ("activation", "linear", "affine"):
        assert lr.count(net, kind=kind) == lr.count(net, lr.Box(-1, 1), kind=kind) == 1
    (only,) = lr.regions(net)
    assert only.pattern.shape == (0,)
    after = [*net[:1], (np.zeros((3, 0)), np.array([1.0, -1, 0])), (np.ones((1, 3)), np.ones(1))]
    assert lr.count(after) == 1
    before = [GOOD[0], (np.zeros((0, 4)), np.zeros(0)), (np.zeros((1, 0)), np.ones(1))]
    assert lr.count(before) == 11  # four lines in general position
    assert lr.count(before, kind="linear") == lr.count(before, kind="affine") == 1


def test_no_inputs():
    net = [(np.zeros((2, 0)), [1.0, -1.0]), (np.ones((1, 2)), [0.0])]
    assert lr.count(net) == lr.count(net, kind="linear") == 1
    (only,) = lr.regions(net)
    assert only.pattern.tolist() == [1, 0]


def test_no_outputs():
    net = [GOOD[0], (np.zeros((0, 4)), np.zeros(0))]
    assert lr.count(net) == 11
    assert lr.count(net, kind="linear") == lr.count(net, kind="affine") == 1


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_weights_of_extreme_size(scale):
    """Scaling a whole layer, bias and all, moves no hyperplane."""
    (W, b), (V, c), out = GOOD
    plain = [(W, b), (V, np.zeros_like(c)), out]
    power = 2.0 ** np.round(np.log2(scale))
    for net in ([(power * W, power * b), (V, np.zeros_like(c)), out],
                [(W, b), (power * V, np.zeros_like(c)), out]):  # fmt: skip
        assert lr.count(net) == lr.count(plain)


def test_subnormal_weights():
    tiny = 5e-324
    assert lr.count([([[tiny]], [tiny]), ([[1.0]], [0.0])]) == 2
    assert lr.count([([[tiny], [3 * tiny]], [tiny, 3 * tiny]), ([[1.0, 1.0]], [0.0])]) == 2
    assert lr.count([([[tiny], [3 * tiny]], [tiny, 2 * tiny]), ([[1.0, 1.0]], [0.0])]) == 3
