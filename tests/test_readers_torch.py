"""Torch modules: the walk of nn.Sequential and the graph of torch.export."""

import numpy as np
import pytest

from linregions.errors import LinregionsError, UnsupportedNetwork
from linregions.readers import load

torch = pytest.importorskip("torch")
nn = torch.nn


def assert_agrees(module, size, **options):
    """The network against the module in evaluation mode, in float64."""
    net = load(module, **options)
    module = module.double().eval()
    x = torch.randn(20, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = torch.cat([module(v[None]).reshape(1, -1) for v in x])
    assert np.allclose(net(x.reshape(20, -1).numpy()), expected.numpy(), rtol=1e-9, atol=1e-9)
    return net


def test_sequential_of_everything_known():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Flatten(),
        nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Identity()),
        nn.Sequential(nn.Linear(5, 5, bias=False), nn.Sequential(nn.LeakyReLU(0.25))),
        nn.Dropout(0.5),
        nn.Linear(5, 4),
        nn.PReLU(4),
        nn.Linear(4, 4),
        nn.ReLU6(),
        nn.Linear(4, 3),
        nn.Hardtanh(),
        nn.Linear(3, 3),
        nn.Hardtanh(-2, 3),
        nn.Linear(3, 2),
    )
    module[5].weight.data = torch.tensor([0.5, -1.0, 0.0, 2.0])
    net = assert_agrees(module, (6,))
    assert net.widths == (5, 5, 4, 4, 3, 3)
    assert net.notes == (
        "module '3' (Dropout): identity at inference",
        "compiled away: Flatten (1), Linear (7), Identity (1), Dropout (1)",
    )


def test_modes_are_restored():
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.Linear(2, 1))
    module[0].eval()
    load(module)
    assert [m.training for m in module.modules()] == [True, False, True, True]
    with pytest.raises(LinregionsError):
        load(nn.Sequential(module, nn.Tanh(), nn.Linear(1, 1)))
    assert [m.training for m in module.modules()] == [True, False, True, True]


def test_shapes():
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    assert assert_agrees(module, (4, 3), shape=(4, 3)).widths == (8,)
    with pytest.raises(LinregionsError, match=r"'3' \(Linear, torch.*give shape="):
        load(module)
    with pytest.raises(LinregionsError, match="give shape="):
        load(nn.Sequential(nn.ReLU()))
    assert load(nn.Sequential(nn.ReLU()), shape=(3,)).widths == (3,)
    assert load(nn.ReLU(), shape=(3,)).widths == (3,)
    assert load(nn.Linear(3, 2)).outputs == 2


def test_a_module_used_twice_is_two_layers():
    relu = nn.ReLU()
    assert load(nn.Sequential(nn.Linear(2, 3), relu, nn.Linear(3, 3), relu)).widths == (3, 3)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_weight_types_are_exact(kind):
    module = nn.Linear(3, 2).to(kind)
    (weight,) = load(module).output.terms[0].factors
    assert torch.equal(torch.from_numpy(weight).to(kind), module.weight.data)
    assert np.array_equal(weight, module.weight.data.double().numpy())


def test_output_functions_are_dropped():
    linear = nn.Linear(3, 2)
    for last in (nn.Softmax(1), nn.LogSoftmax(1), nn.Sigmoid()):
        with pytest.warns(UserWarning, match="dropped at the output"):
            net = load(nn.Sequential(linear, last, nn.Flatten()))
        assert net == load(linear)
        assert type(last).__name__ in net.notes[0]


@pytest.mark.parametrize(
    ("middle", "message"),
    [
        (nn.Tanh(), r"module '1' \(Tanh, torch [\d.]+\): not piecewise linear"),
        (
            nn.Sigmoid(),
            r"module '2' \(Linear, .*after module '1' \(Sigmoid\), which is not piecewise",
        ),
        (
            nn.InstanceNorm1d(3),
            r"module '1' \(InstanceNorm1d, torch [\d.]+\): not piecewise linear",
        ),
        (nn.Hardswish(), r"module '1' \(Hardswish, torch [\d.]+\): not piecewise linear"),
        (
            nn.Threshold(1.0, 0.0),
            r"module '1' \(Threshold, torch [\d.]+\): it jumps from 0 to 1 at 1",
        ),
        (
            nn.BatchNorm1d(3, track_running_stats=False),
            r"'1' \(BatchNorm1d, torch [\d.]+\): .*no running stat",
        ),
        (nn.Sequential(nn.GELU()), r"module '1\.0' \(GELU, torch [\d.]+\): not piecewise linear"),
    ],
)
def test_refusals_name_the_module(middle, message):
    with pytest.raises(UnsupportedNetwork, match=message):
        load(nn.Sequential(nn.Linear(2, 3), middle, nn.Linear(3, 1)))


def test_weights_that_are_not_finite():
    module = nn.Linear(2, 1)
    module.weight.data[0, 0] = float("nan")
    with pytest.raises(LinregionsError, match="the weight holds NaN"):
        load(module)


class Residual(nn.Module):
    """Two branches, in-place units, constants, reshapes and slices."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(12, 3)
        self.bent, self.relu, self.drop = nn.PReLU(6), nn.ReLU(inplace=True), nn.Dropout(0.5)
        self.register_buffer("mean", torch.tensor([0.1, 0.2, 0.3, 0.4]))

    def forward(self, x):
        x = (x - self.mean) / torch.tensor([3.0, 7.0, 0.5, 1.0]) * 0.5
        h = self.relu(self.a(x))
        y = self.drop(torch.cat([h + self.bent(self.b(h)), h], 1))
        left, right = y.chunk(2, 1)
        corner = y.view(y.shape[0], 2, 6)[:, 0, 1:3].reshape(-1, 2).mean(1, keepdim=True)
        out = self.c(nn.functional.hardtanh(torch.cat([right, left], -1)))
        return 1 - out + corner.expand(-1, 3) + torch.maximum(out, corner.clamp(min=0.25))


class Curved(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.linear, self.how = nn.Linear(2, 2), how

    def forward(self, x):
        return self.how(self.linear(x))


def test_exported_modules():
    """All uses of torch.export in one test: the first costs seconds."""
    torch.manual_seed(4)
    module = Residual()
    module.bent.weight.data = torch.rand(6)
    net = assert_agrees(module, (4,))
    assert net.widths == (6, 6, 12, 1, 3)
    assert net.layers[2].affine.sources == (1, 2)
    assert module.training is False
    mixed = nn.Sequential(nn.Linear(3, 2), Curved(torch.relu))
    assert assert_agrees(mixed, (3,)).widths == (2,)
    with pytest.warns(UserWarning, match="softmax"):
        assert load(Curved(lambda x: x.softmax(1))).units == 0
    for how, message in (
        (lambda x: torch.tanh(x) + 1, "'tanh' .*not piecewise linear"),
        (
            lambda x: torch.sigmoid(x) + 1,
            "operator 'add' .*after operator 'sigmoid' .*not piecewise linear",
        ),
        (lambda x: x * x, "'mul' .*depend on the input"),
        (lambda x: torch.cumsum(x, 1), "cumsum.*not supported yet"),
        (lambda x: (x, x + 1), "2 outputs"),
        (
            lambda x: x if x.sum() > 0 else -x,
            "branch that depends on the input at test_readers_torch.py",
        ),
        (lambda x: x.view(7), "torch.export fails.*give shape="),
    ):
        with pytest.raises(UnsupportedNetwork, match=message) as caught:
            load(Curved(how))
        assert "\n" not in str(caught.value)
