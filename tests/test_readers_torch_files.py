"""Torch: wrappers, programs in files, refusals by name and line, tensors and images as points."""

import json
import sys

import numpy as np
import pytest
from helpers import run_here

import linregions as lr
from linregions.errors import LinregionsError, UnsupportedNetwork
from linregions.readers import load

torch = pytest.importorskip("torch")
nn = torch.nn


class Net(nn.Module):
    """Convolution, normalisation and a residual sum, written as code."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2)
        self.first, self.last = nn.Linear(8, 4), nn.Linear(4, 2)

    def forward(self, x):
        h = torch.flatten(torch.relu(self.norm(self.conv(x))), 1)
        h = self.first(h)
        return self.last(h + h.clamp(min=0) * 2)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    out = Net().eval()
    out.norm.running_mean.uniform_()
    out.norm.running_var.uniform_(0.5, 1)
    return out


X = torch.randn(5, 1, 3, 3, generator=torch.Generator().manual_seed(1))


def assert_same(read, module):
    with torch.no_grad():
        expected = module(X).double().numpy()
    assert np.allclose(read(X.numpy()), expected, atol=1e-5)


def test_programs_and_scripts(net, tmp_path):
    example = X[:1]
    program = torch.export.export(net, (example,))
    torch.export.save(program, tmp_path / "n.pt2")
    assert_same(load(tmp_path / "n.pt2"), net)
    assert_same(load(program), net)
    for i, script in enumerate((torch.jit.trace(net, example), torch.jit.script(net))):
        torch.jit.save(script, tmp_path / f"{i}.pt")
        assert_same(load(tmp_path / f"{i}.pt", shape=(1, 3, 3)), net)
        assert_same(load(script, shape=(1, 3, 3)), net)
    with pytest.raises(LinregionsError, match=r"0\.pt: Net: .*give shape=, as \(3, 32, 32\)"):
        load(tmp_path / "0.pt")
    with pytest.raises(LinregionsError, match=r"does not fit the program's input"):
        load(tmp_path / "n.pt2", shape=(1, 4, 4))
    facts = json.loads(run_here("info", tmp_path / "n.pt2", "--json").stdout)
    assert facts["inputs"] == 9


def test_scripts_on_the_command_line(tmp_path):
    torch.manual_seed(2)
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    torch.jit.save(torch.jit.script(module), tmp_path / "n.pt")
    done = run_here("count", tmp_path / "n.pt", "--json")
    assert json.loads(done.stdout)["regions"] == int(lr.count(module))


def test_files_that_are_no_programs(net, tmp_path):
    torch.save(net.state_dict(), tmp_path / "weights.pt")
    torch.save(net, tmp_path / "whole.pth")
    (tmp_path / "cut.pt2").write_bytes(b"PK\x03\x04 and no more")
    for name in ("weights.pt", "whole.pth", "cut.pt2"):
        done = run_here("info", tmp_path / name)
        assert done.returncode == 2 and done.stderr.count("\n") == 1
        assert name in done.stderr and "torch.export.save" in done.stderr


def test_without_torch(tmp_path, monkeypatch):
    (tmp_path / "n.pt2").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "torch", None)
    done = run_here("info", tmp_path / "n.pt2")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "needs torch, which is not installed: pip install 'linregions[torch]'" in done.stderr


def test_wrappers_are_looked_through():
    torch.manual_seed(3)
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    plain = load(module)
    for wrapped in (
        nn.DataParallel(module),
        torch.compile(module),
        nn.DataParallel(torch.compile(module)),
        nn.Sequential(torch.compile(module)),
        nn.Sequential(nn.DataParallel(nn.Sequential(module))),
    ):
        assert load(wrapped) == plain


class Code(nn.Module):
    def __init__(self, how, part=None):
        super().__init__()
        self.linear, self.how, self.part = nn.Linear(4, 4), how, part

    def forward(self, x):
        h = self.linear(x)
        return self.how(h) if self.part is None else self.part(h)


CURVED = [
    nn.GroupNorm(2, 4), nn.LayerNorm(4), nn.InstanceNorm1d(4), nn.LSTM(4, 3), nn.GRU(4, 3),
    nn.RNN(4, 3), nn.MultiheadAttention(4, 2), nn.TransformerEncoderLayer(4, 2),
    nn.LocalResponseNorm(2), nn.Softmax2d(), nn.GLU(), nn.LPPool1d(2, 2), nn.RMSNorm(4),
]  # fmt: skip


@pytest.mark.parametrize("module", CURVED, ids=lambda m: type(m).__name__)
def test_curved_modules_are_named_as_such(module):
    kind = type(module).__name__
    with pytest.raises(UnsupportedNetwork) as caught:
        load(nn.Sequential(nn.Linear(4, 4), module, nn.ReLU()), shape=(5, 4))
    text = str(caught.value)
    assert text.startswith(f"module '1' ({kind}, torch {torch.__version__.split('+')[0]}): ")
    assert "not piecewise linear; " in text and "not supported yet" not in text


@pytest.mark.parametrize(
    "part",
    [nn.GroupNorm(2, 4), nn.LayerNorm(4), nn.TransformerEncoderLayer(4, 2, batch_first=True)],
    ids=lambda m: type(m).__name__,
)
def test_curved_parts_of_code_name_module_and_line(part):
    part = part.eval()
    shape = (4, 5) if isinstance(part, nn.GroupNorm) else (5, 4)
    module = Code(None, part)
    module.linear = nn.Linear(shape[-1], shape[-1])
    with pytest.raises(UnsupportedNetwork, match=r"part of module 'part.*not piecewise linear; "):
        load(module, shape=shape)


def test_operators_name_the_line():
    for how, message in (
        (lambda x: x / x.norm(), "not piecewise linear; "),
        (lambda x: torch.sort(x)[0], "not a continuous piecewise-linear function; "),
        (lambda x: torch.fft.fft(x).real, "not supported yet; rewrite"),
        (lambda x: x * x, "product is quadratic; "),
        (lambda x: x + 1 if x.sum() > 0 else x, "a branch that depends on the input"),
    ):
        with pytest.raises(UnsupportedNetwork) as caught:
            load(Code(how))
        text = str(caught.value)
        assert "at test_readers_torch_files.py:" in text and message in text and "\n" not in text
        assert "; " in text


def test_products_with_batches_of_matrices():
    torch.manual_seed(5)
    w = torch.randn(1, 3, 4, 2, dtype=torch.float64)
    module = Code(lambda x: x @ w).double()
    x = torch.randn(1, 3, 5, 4, dtype=torch.float64)
    net = load(module, shape=(3, 5, 4))
    assert np.allclose(net(x), module(x).detach().numpy().reshape(1, -1))


def test_moves_behind_a_dropped_softmax():
    torch.manual_seed(6)
    for how in (
        lambda x: x.softmax(1).t(),
        lambda x: x.softmax(1)[:, 1],
        lambda x: torch.cat([x.softmax(1), x.sigmoid()], 1),
        lambda x: x.argmax(1).squeeze(),
    ):
        with pytest.warns(UserWarning, match="dropped at the output"):
            assert load(Code(how)).units == 0
    with pytest.warns(UserWarning, match="dropped at the output"):
        load(nn.Sequential(nn.Linear(4, 4), nn.Softmax(1), nn.Unflatten(1, (2, 2)), nn.Flatten()))


# -- what stands for a point --------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(7)
    return nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))


def test_tensors_that_require_grad_are_points(small):
    net = load(small, shape=(1, 3, 3))
    x = torch.rand(4, 9, dtype=torch.float64, requires_grad=True)
    flat = x.detach().numpy()
    assert np.array_equal(net(x), net(flat))
    assert lr.region(net, x[0]).pattern.tolist() == lr.region(net, flat[0]).pattern.tolist()
    assert np.array_equal(lr.distance(net, x).distance, lr.distance(net, flat).distance)
    segments = torch.stack([x[:2], x[2:]], 1)
    assert np.array_equal(
        lr.crossings(net, segments).regions, lr.crossings(net, segments.detach().numpy()).regions
    )
    plane = lr.Plane.through(x[0], x[1], x[2])
    assert np.array_equal(plane.basis, lr.Plane.through(*flat[:3]).basis)
    box = lr.Box(x[0] - 1, x[0] + 1)
    assert np.array_equal(box.lo, flat[0] - 1)
    assert np.array_equal(lr.Segment(x[0], x[1]).q, flat[1])
    half = torch.ones(9, dtype=torch.bfloat16, requires_grad=True)
    assert np.array_equal(net(half), net(np.ones(9)))
    assert lr.distinct_patterns(net, [x[0], x[1]]).labels.shape == (2,)


def test_images_are_flattened_where_they_fit(small):
    net = load(small, shape=(1, 3, 3))
    images = np.random.default_rng(8).random((3, 1, 3, 3))
    flat = images.reshape(3, 9)
    assert np.array_equal(net(images), net(flat))
    assert net(images[0, 0]).shape == (2,)
    assert lr.region(net, images[0]).pattern.tolist() == lr.region(net, flat[0]).pattern.tolist()
    assert np.array_equal(lr.distance(net, images).distance, lr.distance(net, flat).distance)
    assert np.array_equal(
        lr.crossings(net, images[:2]).regions, lr.crossings(net, flat[:2]).regions
    )
    along, same = lr.regions_along(net, images), lr.regions_along(net, flat)
    assert along.regions == same.regions
    assert np.array_equal(lr.Plane.through(*images).origin, lr.Plane.through(*flat).origin)
    assert np.array_equal(lr.Box(images[0], images[0] + 1).lo, flat[0])
    for wrong in (np.zeros((3, 4, 4)), np.zeros((2, 8)), np.zeros(10)):
        with pytest.raises(LinregionsError, match="network of 9 inputs") as caught:
            net(wrong)
        assert str(wrong.shape) in str(caught.value)
    with pytest.raises(LinregionsError, match="3 points; region takes one"):
        lr.region(net, images)


def test_verbs_take_the_shape_of_a_convolutional_module(small):
    shape, net = (1, 3, 3), load(small, shape=(1, 3, 3))
    x = np.random.default_rng(9).random((3, 1, 3, 3))
    plane = lr.Plane.through(*x)
    assert lr.subdivide(small, plane, shape=shape).cells == lr.subdivide(net, plane).cells
    assert int(lr.count(small, plane, shape=shape)) == int(lr.count(net, plane))
    assert lr.crossings(small, x[:2], shape=shape).regions.tolist() == (
        lr.crossings(net, x[:2]).regions.tolist()
    )
    assert lr.regions_along(small, x, shape=shape).regions == lr.regions_along(net, x).regions
    assert np.array_equal(lr.region(small, x[0], shape=shape).pattern, lr.region(net, x[0]).pattern)
    assert np.array_equal(lr.distance(small, x, shape=shape).distance, lr.distance(net, x).distance)
    assert next(iter(lr.regions(small, plane, shape=shape))).pattern.shape == (net.units,)
    assert len(lr.distinct_patterns(small, x, shape=shape).labels) == 3
    with pytest.raises(LinregionsError, match=r"give shape=, as \(3, 32, 32\)"):
        lr.subdivide(small, plane)
