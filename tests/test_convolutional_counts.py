"""Convolutional networks, counted: one layer against theory, whole ones against sampling."""

import pytest

import linregions as lr
from linregions.theory import Conv, conv, shared

torch = pytest.importorskip("torch")
nn = torch.nn


def load(*modules, shape, seed=0):
    """A random network of torch modules, in float64."""
    torch.manual_seed(seed)
    return lr.load(nn.Sequential(*modules).double(), shape=shape)


def one_layer(layer, seed):
    """A convolution of torch with random weights, then rectifiers."""
    dims = len(layer.size)
    assert dims in (1, 2)
    kind = nn.Conv1d if dims == 1 else nn.Conv2d
    module = kind(
        layer.channels, layer.filters, layer.kernel, layer.stride, layer.padding, layer.dilation
    )
    return load(module, nn.ReLU(), nn.Flatten(), shape=(layer.channels, *layer.size), seed=seed)


LINES = [
    Conv((5,), (2,), 2), Conv((6,), (3,), 2), Conv((4,), (2,), 3), Conv((7,), (3,), 2, 1, 2),
    Conv((4,), (3,), 2, 2), Conv((5,), (3,), 2, 2, 2), Conv((6,), (2,), 1, 2), Conv((3,), (3,), 9),
    Conv((4,), (3,), 2, 1, 1, 1), Conv((6,), (2,), 2, 1, 2, 1), Conv((6,), (2,), 2, 1, 1, 0, 2),
]  # fmt: skip


@pytest.mark.parametrize("layer", LINES, ids=str)
def test_one_dimension_is_equation_4(layer):
    """Xiong et al. (2020), Theorem 2: in one dimension all is as printed."""
    for seed in range(2):
        assert lr.count(one_layer(layer, seed)) == conv.eq4(layer)


@pytest.mark.parametrize(
    ("layer", "printed", "true"),
    [
        (Conv((3, 3), (2, 2), 2), 256, 255),
        (Conv((3, 3), (2, 2), 3), 4013, 3998),
        (Conv((3, 3), (2, 2), 4), 48957, 48903),
        (Conv((3, 4), (2, 2), 2), 4096, 4061),
    ],
    ids=str,
)
def test_two_dimensions_have_fewer(layer, printed, true):
    """Shared filters commute: some patterns of Theorem 2 are impossible for all weights."""
    assert conv.eq4(layer) == printed
    assert shared.maximum(layer).value == true
    assert lr.count(one_layer(layer, 1)) == true


OPEN = {  # what Xiong et al. (2020) leave open, in few enough inputs to count
    "zero padding": ((1, 5), [nn.Conv1d(1, 2, 3, padding=1), nn.ReLU()]),
    "padded twice": ((1, 4), [
        nn.Conv1d(1, 2, 3, padding=1), nn.ReLU(), nn.Conv1d(2, 2, 3, padding=2), nn.ReLU()]),
    "padded plane": ((1, 2, 2), [nn.Conv2d(1, 3, 3, padding=1), nn.ReLU()]),
    "max pooling": ((1, 6), [nn.Conv1d(1, 2, 2), nn.ReLU(), nn.MaxPool1d(2, 1)]),
    "pooled plane": ((1, 2, 3), [nn.Conv2d(1, 4, 2), nn.ReLU(), nn.MaxPool2d((1, 2))]),
    "average pooling": ((1, 5), [
        nn.Conv1d(1, 2, 2), nn.ReLU(), nn.AvgPool1d(2, 1), nn.Conv1d(2, 2, 2), nn.ReLU()]),
    "fully connected head": ((1, 5), [
        nn.Conv1d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 2)]),
    "all of it": ((1, 2, 2), [
        nn.Conv2d(1, 1, 2, padding=1), nn.ReLU(), nn.MaxPool2d(2, 1), nn.Conv2d(1, 2, 2), nn.ReLU(),
        nn.Flatten(), nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)]),
}  # fmt: skip


def scaled(modules):
    """Weights and biases of one size, so that random points meet many regions."""
    for m in modules:
        if hasattr(m, "weight"):
            nn.init.normal_(m.weight, std=1.0)
            nn.init.normal_(m.bias, std=0.5)
    return modules


@pytest.mark.parametrize("name", OPEN)
def test_no_more_regions_are_met_than_counted(name):
    shape, modules = OPEN[name]
    torch.manual_seed(len(name))
    net = load(*scaled(modules), shape=shape)
    domain = lr.Box(-3.0, 3.0)
    regions = {tuple(r.pattern) for r in lr.regions(net, domain)}
    count = lr.count(net, domain)
    assert count == len(regions) > 50
    met = lr.sample(net, domain, points=400_000, keep=True, seed=1)
    patterns = {tuple(p) for p in met.patterns()}
    assert len(patterns) == met
    assert patterns <= regions
    assert len(patterns) > 0.4 * len(regions)  # the test sees most of them
    if net.units <= 20:
        assert count <= lr.count(net)


def test_padding_and_pooling_change_the_count():
    """What padding adds and pooling adds, on the same filters."""
    torch.manual_seed(3)
    plain = nn.Conv1d(1, 2, 3)
    padded = nn.Conv1d(1, 2, 3, padding=1)
    padded.load_state_dict(plain.state_dict())
    counts = {
        name: int(lr.count(load(*modules, shape=(1, 5))))
        for name, modules in {
            "plain": [plain, nn.ReLU()],
            "padded": [padded, nn.ReLU()],
            "pooled": [plain, nn.ReLU(), nn.MaxPool1d(3)],
            "averaged": [plain, nn.ReLU(), nn.AvgPool1d(3)],
        }.items()
    }
    assert counts["plain"] == conv.eq4(Conv((5,), (3,), 2)) == counts["averaged"]
    assert counts["padded"] == conv.eq4(Conv((5,), (3,), 2, 1, 1, 1)) > counts["plain"]
    assert counts["pooled"] > counts["plain"]  # each winner of a window is a piece
    maxima = lr.bounds(load(plain, nn.ReLU(), nn.MaxPool1d(3), shape=(1, 5)))
    assert counts["pooled"] <= min(b.value for b in maxima if b.direction == "upper")
