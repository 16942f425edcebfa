"""Torch modules with convolution, pooling and batch normalisation, walked and exported."""

import numpy as np
import pytest

from linregions.errors import LinregionsError, UnsupportedNetwork
from linregions.network.units import MaxUnits
from linregions.readers import load

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional


def norm(channels, dimension=2):
    """Batch normalisation with statistics as after some training."""
    generator = torch.Generator().manual_seed(channels)
    out = getattr(nn, f"BatchNorm{dimension}d")(channels)
    for t in (out.weight, out.bias, out.running_mean):
        t.data.normal_(generator=generator)
    out.running_var.uniform_(0.5, 2, generator=generator)
    return out


def assert_agrees(module, size):
    """The network against the module in float64, and exact against float evaluation."""
    net = load(module, shape=size)
    module = module.double().eval()
    x = torch.randn(5, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = torch.cat([module(v[None]).reshape(1, -1) for v in x]).numpy()
    assert np.allclose(net(x.reshape(5, -1).numpy()), expected, rtol=1e-10, atol=1e-10)
    point = np.random.default_rng(0).integers(-4, 5, size=net.inputs)
    assert np.allclose([float(v) for v in net.exactly(point.tolist())[0]], net(point), atol=1e-10)
    return net


MODULES = {
    "conv": nn.Conv2d(3, 6, 3, stride=2, padding=(2, 1), dilation=(1, 2), groups=3),
    "same": nn.Conv2d(3, 2, (3, 5), padding="same"),
    "reflect": nn.Conv2d(3, 2, (3, 4), padding="same", padding_mode="reflect"),
    "circular": nn.Conv2d(3, 2, 3, padding=2, padding_mode="circular", bias=False),
    "transposed": nn.ConvTranspose2d(3, 6, 3, 3, 1, output_padding=2, groups=3, dilation=2),
    "dilated": nn.ConvTranspose2d(3, 2, 2, 1, output_padding=1, dilation=2),
    "max": nn.MaxPool2d(3, 2, 1, dilation=2, ceil_mode=True),
    "average": nn.AvgPool2d(3, 2, 1, ceil_mode=True),
    "average_inside": nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
    "divisor": nn.AvgPool2d((2, 3), divisor_override=5),
    "adaptive": nn.AdaptiveAvgPool2d((3, None)),
    "adaptive_max": nn.AdaptiveMaxPool2d(4),
    "norm": norm(3),
    "zeros": nn.ZeroPad2d((1, -1, 0, 2)),
    "constant": nn.ConstantPad2d(1, 2.5),
    "replicate": nn.ReplicationPad2d(2),
    "upsample": nn.Upsample(scale_factor=(1.5, 2)),
    "to_size": nn.Upsample(size=(7, 20)),
    "1d": nn.Sequential(
        nn.Flatten(2), nn.Conv1d(3, 2, 5), nn.AvgPool1d(4), nn.ConvTranspose1d(2, 2, 3)
    ),
    "3d": nn.Sequential(
        nn.Unflatten(1, (3, 1)), nn.Conv3d(3, 2, (1, 3, 3)), nn.MaxPool3d((1, 2, 2)), norm(2, 3)
    ),
    "units": nn.Sequential(nn.Hardsigmoid(), nn.Softshrink(0.25), nn.Threshold(0.5, 0.5)),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules(name):
    assert_agrees(MODULES[name], (3, 7, 6))


def test_a_convolutional_sequential():
    torch.manual_seed(0)
    parts = [nn.Conv2d(1, 3, 3, padding=1), norm(3), nn.ReLU(inplace=True), nn.MaxPool2d(2, 2)]
    module = nn.Sequential(*parts, nn.Flatten(), nn.Linear(12, 5), nn.LeakyReLU(), nn.Linear(5, 2))
    net = assert_agrees(module, (1, 4, 4))
    assert net.widths == (48, 12, 5)
    assert isinstance(net.layers[1].units, MaxUnits)
    assert module[2].inplace


class Block(nn.Module):
    """A residual block with a projected shortcut, as in ResNets."""

    def __init__(self):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(2, 4, 3, stride=2, padding=1, bias=False), norm(4)
        self.c2, self.b2 = nn.Conv2d(4, 4, 3, padding=1, bias=False), norm(4)
        self.shortcut = nn.Sequential(nn.Conv2d(2, 4, 1, stride=2, bias=False), norm(4))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        h = self.relu(self.b1(self.c1(x)))
        return self.relu(self.b2(self.c2(h)) + self.shortcut(x))


class Rest(nn.Module):
    """Pooling, padding, maxout and extremes written as functions."""

    def __init__(self):
        super().__init__()
        self.block, self.fc = Block(), nn.Linear(4, 6)

    def forward(self, x):
        h = F.max_pool2d(self.block(x), 3, 2, 1)
        h = F.interpolate(h, scale_factor=2, mode="nearest")
        h = F.avg_pool2d(F.pad(h, (1, 1, 1, 1), mode="reflect"), 2)
        h = torch.flatten(F.adaptive_avg_pool2d(h, 1), 1)
        h = self.fc(h).reshape(-1, 3, 2).amax(-1)
        most, least = h.max(1, keepdim=True).values, h.min(dim=1, keepdim=True)[0]
        rest = [F.hardsigmoid(h), F.softshrink(h), F.threshold(h, 0.5, 0.5)]
        rest.append(F.max_pool1d(h[:, None], 2).flatten(1))
        return torch.cat([torch.maximum(most, least), torch.clamp(h, max=0.25), *rest], 1)


class Traced(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.how = how

    def forward(self, x):
        return self.how(x)


def test_exported_modules():
    """All uses of torch.export in one test: the first costs seconds."""
    torch.manual_seed(1)
    module = Block()
    net = assert_agrees(module, (2, 5, 5))
    assert net.widths == (36, 36)
    assert net.layers[1].affine.sources == (0, 1)
    assert module.relu.inplace and module.training is False
    assert sum(n.startswith("rounded: ") for n in net.notes) == 3
    net = assert_agrees(Rest(), (2, 6, 6))
    assert net.layers[-1].units.size in (2, 3)
    in_place = Traced(lambda x: F.relu_(F.batch_norm(x, *torch.ones(2, 2, dtype=x.dtype))))
    assert assert_agrees(in_place, (2, 3)).units == 6
    top = Traced(lambda x: torch.maximum(x, torch.tensor([0.5, 0.0, -1.0])))
    assert assert_agrees(top, (3,)).layers[0].units.describe() == "max, relu"
    mask = torch.tensor([True, False, True])
    assert assert_agrees(Traced(lambda x: torch.where(mask, x, -x)), (3,)).units == 0
    for how, message in (
        (lambda x: x.max(1)[1].float(), "positions of maxima"),
        (F.hardswish, "not piecewise linear"),
        (lambda x: F.threshold(x, 1.0, 0.0), "it jumps from 0 to 1"),
        (lambda x: F.instance_norm(x[:, None]), "operator 'instance_norm"),
    ):
        with pytest.raises(UnsupportedNetwork, match=message) as caught:
            load(Traced(how), shape=(3,))
        assert "\n" not in str(caught.value)


def test_an_image_network_needs_a_shape():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2))
    with pytest.raises(LinregionsError, match=r"give shape=, as \(3, 32, 32\)"):
        load(module)
    with pytest.raises(LinregionsError, match=r"'0' \(Conv2d, torch.*2 channels"):
        load(module, shape=(2, 4, 4))
    assert load(module, shape=(1, 4, 4)).outputs == 2
