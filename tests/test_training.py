"""Trackers: what they measure, when, and that the training never notices."""

import itertools
import os
import random
import re
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import linregions as lr
from linregions.errors import LinregionsError
from linregions.training import (
    Cells,
    Custom,
    Distance,
    Lines,
    Row,
    Schedule,
    Table,
    Tracker,
    measures,
)

ROOT = Path(__file__).parents[1]
TENT = [([[1.0], [1.0], [1.0]], [0.0, -1.0, -2.0]), ([[1.0, -2.0, 1.0]], [0.0])]


def net(seed, widths=(3, 5, 4, 2)):
    """A random network with biases of the size of its weights."""
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in itertools.pairwise(widths)]


# -- when -----------------------------------------------------------------------------------


def test_schedules():
    def times(every, by="step", end=100, total=None, step=1):
        plan = Schedule(every, by, total)
        return [t for t in np.arange(0, end + step / 2, step) if plan.due(t)]

    assert times(30) == [0, 30, 60, 90]
    assert times(30, total=100) == [0, 30, 60, 90, 100]
    assert times([50, 7, 7, 0]) == [0, 7, 50]
    assert times("log") == [0, 1, 2, 3, 6, 10, 18, 32, 56, 100]
    assert times("log", total=70, end=70) == [0, 1, 2, 3, 6, 10, 18, 32, 56, 70]
    assert times("log", "epoch", end=1, step=0.25) == [0, 0.25, 0.5, 0.75, 1]
    assert np.allclose(times("log", "epoch", end=0.06, step=0.001)[:4], [0, 0.01, 0.018, 0.032])
    # a loop that reports every 40 steps measures at the first call behind each point
    assert times([5, 10, 60], step=40, end=80) == [40, 80]
    assert times(30, step=40, end=120) == [0, 40, 80, 120]


@pytest.mark.parametrize("first", [0, 1, 7, 1000, 10**6])
def test_a_log_schedule_always_moves_on(first):
    plan = Schedule("log")
    for t in range(first, first + 50):
        plan.due(t)
        assert plan._next > t


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"every": []}, "empty schedule"),
        ({"every": 0}, "must be positive"),
        ({"every": [-1, 3]}, "negative"),
        ({"every": "often"}, "'log'"),
        ({"every": [1, float("nan")]}, "not finite"),
        ({"every": [0, "x"]}, "give a number"),
        ({"by": "hour"}, "step or epoch"),
        ({"every": [0, 10, 1000], "total": 500}, "goes on to step 1000, but training ends at step"),
        ({"measures": []}, "no measures"),
        ({"measures": ["volumes"]}, "unknown measure 'volumes'"),
        ({"measures": ["plane"]}, "needs plane="),
        ({"measures": ["plane"], "data": np.eye(3)[:2]}, "three points"),
        ({"data": np.zeros((0, 3))}, "holds no points"),
        ({"data": np.zeros((4, 0))}, "holds no points"),
        ({"data": np.zeros(3)}, "give (points, inputs)"),
        ({"data": [["a"]]}, "not numbers"),
        ({"data": [[np.inf, 1.0]]}, "NaN or infinite"),
    ],
)
def test_bad_options(options, said):
    with pytest.raises(LinregionsError, match=re.escape(said)):
        Tracker(**options)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Lines(through=np.eye(3), lines=np.zeros((1, 2, 3))), "give one of"),
        (lambda: Lines(number=0), "at least one"),
        (lambda: Lines(kind="closed"), "not counted along lines"),
        (lambda: Distance(number=0), "at least one"),
        (lambda: Distance(norm=3), "give norm 1, 2 or 'inf'"),
        (lambda: Cells("plane"), "is no domain"),
        (lambda: Cells(lr.Box(-1, 1), kind="none"), "unknown kind"),
        (lambda: lr.training.normal_points(np.eye(3), 0), "at least one"),
    ],
)
def test_bad_measures(make, said):
    with pytest.raises(LinregionsError, match=re.escape(said)):
        make()


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        (Lines(through=np.ones((5, 4))), "points of 4 entries for a network of 3 inputs"),
        (Lines(through=np.zeros((5, 3))), "no line to draw"),
        (Lines(segments=np.zeros((5, 3))), "give (m, 2, 3)"),
        (Distance(np.ones((5, 2))), "points of 2 entries for a network of 3 inputs"),
        (Cells(lr.Plane.through(*np.eye(4)[:3])), "4"),
        (Custom(lambda net: "much", "odd"), "'odd' returned str"),
    ],
)
def test_measures_that_do_not_fit(measure, said):
    with pytest.raises(LinregionsError, match=re.escape(said)):
        Tracker([measure])(net(0), step=0)


def test_data_of_the_wrong_size():
    with pytest.raises(LinregionsError, match=r"points of 5 entries.*give shape \(points, 3\)"):
        Tracker(data=np.ones((10, 5)))(net(0))


def test_calls_that_make_no_sense():
    tracker = Tracker(["lines"], every=1)
    tracker(net(0), step=5)
    with pytest.raises(LinregionsError, match="step 4 after 5"):
        tracker(net(0), step=4)
    with pytest.raises(LinregionsError, match=r"changed in shape.*3-5-4-2.*3-6-4-2.*at step 6"):
        tracker(net(0, (3, 6, 4, 2)), step=6)
    with pytest.raises(LinregionsError, match=r"call tracker\(model, epoch="):
        Tracker(["lines"], by="epoch")(net(0), step=0)
    with pytest.raises(LinregionsError, match="from 0 on"):
        Tracker(["lines"])(net(0), step=-1)


def test_points_that_training_never_reached():
    tracker = Tracker([("one", lambda net: 1)], every=[0, 3, 40, 50])
    for step in range(11):
        tracker(TENT, step=step)
    assert tracker.table["step"].tolist() == [0, 3]
    assert tracker.missed == [40, 50]


# -- what -----------------------------------------------------------------------------------


def test_values_are_those_of_the_verbs():
    nets = {step: net(step) for step in (0, 4, 8)}
    data = np.random.default_rng(5).normal(size=(30, 3))
    plane = lr.Plane.through(*data[:3])
    tracker = Tracker(
        ["lines", "distance", "plane", "bounds", Cells(lr.Box(-1, 1), "linear", name="box")],
        every=4, data=data, plane=plane,
    )  # fmt: skip
    for step in range(9):
        found = tracker(nets.get(step, TENT), step=step, epoch=step / 4)
        assert bool(found) == (step % 4 == 0)
    table = tracker.table
    assert table.measures == ["lines", "distance", "plane", "bounds", "box"]
    assert len(table) == 15
    for step, layers in nets.items():
        here = {row.measure: row for row in table.select(step=step)}
        through = np.stack([np.zeros_like(data), data], axis=1)
        regions = lr.crossings(layers, through, lines=True).regions
        assert here["lines"].value == pytest.approx(regions.mean(), rel=1e-14)
        assert here["lines"].spread == pytest.approx(regions.std(), rel=1e-12)
        assert here["lines"].number == 30 and here["lines"].exact
        near = lr.distance(layers, data).distance
        assert here["distance"].value == pytest.approx(near.mean(), rel=1e-12)
        assert not here["distance"].exact
        assert here["plane"].value == lr.count(layers, plane)
        assert here["box"].value == lr.count(layers, lr.Box(-1, 1), kind="linear")
        best = min(b.value for b in lr.bounds(layers) if b.direction == "upper")
        assert here["bounds"].value == pytest.approx(np.log10(float(best)))
        assert {row.network for row in here.values()} == {lr.load(layers).hash}
        assert {row.epoch for row in here.values()} == {step / 4}
        assert "linear regions in" in here["box"].definition


def test_the_seed_fixes_what_is_random_and_is_recorded():
    def values(seed):
        tracker = Tracker([Lines(number=7), Distance(number=9)], seed=seed)
        tracker(net(1))
        return tracker.table["value"].tolist(), tracker.table["seed"].tolist()

    assert values(3) == values(3)
    assert values(3)[0] != values(4)[0] and values(4)[1] == [4, 4]


def test_only_some_points_are_taken_and_images_are_flattened():
    images = np.random.default_rng(0).normal(size=(50, 2, 2))
    tracker = Tracker([Lines(images, number=8), Distance(images, number=9)])
    tracker(net(0, (4, 6, 1)))
    assert tracker.table["number"].tolist() == [8, 9]


def test_a_network_without_boundaries():
    flat = [([[0.0, 0.0]], [1.0]), ([[1.0]], [0.0])]
    tracker = Tracker([Lines(number=3), Distance(number=3)])
    tracker(flat)
    assert tracker.table["value"].tolist() == [1.0, np.inf]
    assert tracker.table["number"].tolist() == [3, 0]


def test_functions_as_measures():
    def widest(network):
        return max(network.widths)

    tracker = Tracker([widest, ("many", lambda _: [1.0, 3.0]), ("by", lambda _: {"a": 1, "b": 2})])
    tracker(TENT)
    rows = {row.measure: (row.value, row.spread, row.number) for row in tracker.table}
    assert rows == {"widest": (3, 0, 1), "many": (2, 1, 2), "by a": (1, 0, 1), "by b": (2, 0, 1)}
    named = Tracker({"units": lambda network: network.units})
    assert named(TENT)[0].measure == "units"


def test_estimates_by_name(monkeypatch):
    asked = []

    def estimate(network, domain, *, passes, seed):
        asked.append((network.units, domain.describe(), passes, seed))
        return types.SimpleNamespace(estimate=4.0, complete=True, exact=True)

    monkeypatch.setattr(measures, "estimate", estimate)
    row = Tracker(["estimate"], domain=lr.Box(-1, 3), seed=9)(TENT)[0]
    assert (row.measure, row.value, row.exact) == ("estimate", 4.0, True)
    assert asked == [(3, lr.Box(-1, 3).describe(), 16, 9)]


def test_estimates_are_near_the_count():
    row = Tracker(["estimate"], domain=lr.Box(-1, 3))(TENT)[0]
    assert row.value == pytest.approx(4, rel=0.5)


def test_the_cost_is_reported():
    tracker = Tracker(["lines"], every=10)
    for step in range(11):
        tracker(net(0), step=step)
    cost = tracker.cost
    parts = cost["reading"] + cost["preparing"] + cost["measuring"]
    assert cost["seconds"] == pytest.approx(parts)
    assert 0 < tracker.table["seconds"].sum() <= cost["measuring"]
    assert 0 < cost["share"] <= 1
    assert "every 10 steps" in repr(tracker) and "2 rows" in repr(tracker)


# -- the table ------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables_come_back_as_they_were(suffix, tmp_path):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    tracker = Tracker(["lines", "bounds"], every=1)
    tracker(net(0), step=0, epoch=0.1)
    tracker(net(1), step=1)
    path = tracker.save(tmp_path / f"run{suffix}")
    back = Table.read(path)
    for name, column in tracker.table.columns().items():
        np.testing.assert_array_equal(back[name], column)
    assert [type(v) for v in vars(back.rows[0]).values()] == [
        type(v) for v in vars(tracker.table.rows[0]).values()
    ]
    assert len(back + tracker.table) == 8
    assert len(back.select("lines", step=1)) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_tables_that_cannot_be_written_or_read(tmp_path, monkeypatch):
    table = Table([Row(0, 0.0, "a", 1.0, 0.0, 1, 0.0, 0, "", "", True)])
    with pytest.raises(LinregionsError, match=r"\.csv, \.parquet"):
        table.save(tmp_path / "run.txt")
    with pytest.raises(LinregionsError, match="no such file"):
        Table.read(tmp_path / "none.csv")
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(LinregionsError, match="not a table of a tracker"):
        Table.read(tmp_path / "bad.csv")
    with pytest.raises(LinregionsError, match="no column 'age'"):
        table["age"]
    with pytest.raises(LinregionsError, match="no column 'age'"):
        table.select(age=3)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(LinregionsError, match=r"linregions\[store\]"):
        table.save(tmp_path / "run.parquet")


def test_curves():
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    tracker = Tracker([("steps", lambda net: net.output.terms[0].factors[0][0, 0])], every="log")
    for step in range(100):
        tracker([([[1.0]], [0.0]), ([[float(step)]], [0.0])], step=step)
    ax = Figure().add_subplot()
    tracker.table.plot("steps", ax=ax, scale=2, band=True)
    x, y = ax.lines[0].get_data()
    np.testing.assert_array_equal(y, 2 * x)
    assert x.tolist() == [0, 1, 2, 3, 6, 10, 18, 32, 56] and ax.get_xscale() == "symlog"
    for options, said in [({"measure": "none"}, "there are steps"), ({"x": "hour"}, "step or"),
                          ({"x": "epoch"}, "without epoch=")]:  # fmt: skip
        with pytest.raises(LinregionsError, match=said):
            tracker.table.plot(ax=ax, **options)


# -- the training does not notice -----------------------------------------------------------


def _torch_model(kind):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    if kind == "sequential":
        return nn.Sequential(
            nn.Linear(4, 8),
            nn.BatchNorm1d(8),
            nn.ReLU(inplace=True),
            nn.Dropout(0.3),
            nn.Linear(8, 3),
        )

    class Residual(nn.Module):  # its code has to be traced
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 8)
            self.norm, self.drop, self.out = nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 3)

        def forward(self, x):
            x = torch.relu(self.a(x))
            return self.out(x + self.drop(torch.relu(self.norm(self.b(x)))))

    return Residual()


def _trained(kind, track):
    """Everything that training leaves behind, as bytes."""
    import torch

    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    model = _torch_model(kind)
    model.train()
    list(model.children())[-1].eval()  # a part in a mode of its own, as when it is frozen
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    tracker = Tracker(["lines", "distance", "bounds"], every=2)
    out = []
    for step in range(7):
        x = torch.randn(16, 4) + random.random() + np.random.rand()  # noqa: NPY002
        loss = model(x).square().mean()
        loss.backward()
        optimiser.step()
        if track:
            tracker(model, step=step)  # between the gradient and its use, too
        out.append([p.grad.clone() for p in model.parameters()])
        optimiser.zero_grad(set_to_none=False)
    state = [*model.state_dict().values(), *(g for grads in out for g in grads)]
    slots = [v for s in optimiser.state.values() for v in s.values()]
    modes = [m.training for m in model.modules()]
    flags = [p.requires_grad for p in model.parameters()]
    inplace = [getattr(m, "inplace", None) for m in model.modules()]
    left = [t.detach().numpy().tobytes() for t in [*state, *slots, torch.get_rng_state()]]
    ends = (random.getstate(), np.random.get_state()[1].tobytes())  # noqa: NPY002
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    return left, modes, flags, inplace, ends, hooks, torch.is_grad_enabled(), len(tracker.table)


@pytest.mark.parametrize("kind", ["sequential", "residual"])
def test_training_is_bit_identical(kind):
    pytest.importorskip("torch")
    plain, tracked = _trained(kind, False), _trained(kind, True)
    assert tracked[-1] == 12 and plain[-1] == 0
    assert tracked[:-1] == plain[:-1]
    assert True in tracked[1] and False in tracked[1]  # the modes were mixed


def test_random_numbers_used_while_reading_are_given_back(monkeypatch):
    torch = pytest.importorskip("torch")
    from linregions.training import snapshot as module  # noqa: F401

    def noisy(model, shape=None):
        torch.rand(3), random.random(), np.random.rand()  # noqa: NPY002
        raise LinregionsError("no")

    monkeypatch.setattr(sys.modules["linregions.training.snapshot"], "load", noisy)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    with pytest.raises(LinregionsError):
        lr.training.snapshot([1])
    assert torch.equal(torch.get_rng_state(), before[0]) and random.getstate() == before[1]
    assert (np.random.get_state()[1] == before[2]).all()  # noqa: NPY002


def test_wrapped_modules_are_read():
    torch = pytest.importorskip("torch")
    model = _torch_model("sequential")
    plain = lr.training.snapshot(model)
    assert lr.training.snapshot(torch.compile(model)) == plain
    assert lr.training.snapshot(torch.nn.DataParallel(model)) == plain
    assert model.training


# -- callbacks ------------------------------------------------------------------------------


class _LightningCallback:
    """Hooks as Lightning's Callback has them; a trainer calls them all."""

    def setup(self, trainer, module, stage): ...
    def on_train_start(self, trainer, module): ...
    def on_train_batch_start(self, trainer, module, batch, index): ...
    def on_train_batch_end(self, trainer, module, outputs, batch, index): ...
    def on_train_end(self, trainer, module): ...


def _lightning_fit(callback, nets, epochs, batches):
    """What a trainer does with a callback, in order."""
    module = types.SimpleNamespace(net=nets[0])
    trainer = types.SimpleNamespace(
        global_step=0, current_epoch=0, num_training_batches=batches, callbacks=[callback]
    )
    callback.setup(trainer, module, "fit")
    callback.on_train_start(trainer, module)
    for epoch in range(epochs):
        trainer.current_epoch = epoch
        for index in range(batches):
            callback.on_train_batch_start(trainer, module, None, index)
            trainer.global_step += 1
            module.net = nets[trainer.global_step]
            callback.on_train_batch_end(trainer, module, None, None, index)
    callback.on_train_end(trainer, module)


def test_lightning(monkeypatch):
    package = types.ModuleType("lightning.pytorch")
    package.Callback = _LightningCallback
    monkeypatch.setitem(sys.modules, "lightning.pytorch", package)
    tracker = Tracker(["lines"], every=2)
    callback = lr.training.lightning(tracker, of="net")
    assert isinstance(callback, _LightningCallback) and callback.tracker is tracker
    nets = [net(i) for i in range(7)]
    _lightning_fit(callback, nets, 2, 3)
    table = tracker.table
    assert table["step"].tolist() == [0, 2, 4, 6]
    np.testing.assert_allclose(table["epoch"], [0, 2 / 3, 4 / 3, 2])
    assert table["network"].tolist() == [lr.load(nets[i]).hash for i in (0, 2, 4, 6)]
    with pytest.raises(LinregionsError, match="of='body'"):
        _lightning_fit(Tracker(["lines"]).lightning("body"), nets, 1, 1)


class _KerasCallback:
    """As in Keras 3: the model is a property, set through set_model."""

    def __init__(self):
        self.params, self._model, self.synced = None, None, 0

    def set_params(self, params):
        self.params = params

    def set_model(self, model):
        self._model = model

    @property
    def model(self):
        self.synced += 1  # jax trainers bring their weights up to date here
        return self._model

    def on_train_begin(self, logs=None): ...
    def on_epoch_begin(self, epoch, logs=None): ...
    def on_epoch_end(self, epoch, logs=None): ...
    def on_train_batch_begin(self, batch, logs=None): ...
    def on_train_batch_end(self, batch, logs=None): ...
    def on_train_end(self, logs=None): ...


def _keras_fit(callback, nets, epochs, batches):
    model = [*nets[0]]
    callback.set_params({"steps": batches, "epochs": epochs})
    callback.set_model(model)
    callback.on_train_begin()
    step = 0
    for epoch in range(epochs):
        callback.on_epoch_begin(epoch)
        for batch in range(batches):
            step += 1
            model[:] = nets[step]
            callback.on_train_batch_end(batch, {"loss": 0.0})


@pytest.mark.parametrize("loaded", [True, False])
def test_keras(loaded, monkeypatch):
    package = types.ModuleType("keras")
    package.callbacks = types.SimpleNamespace(Callback=_KerasCallback)
    monkeypatch.setitem(sys.modules, "keras", package if loaded else None)
    tracker = Tracker(["lines"], every=[0, 0.5, 2], by="epoch")
    callback = tracker.keras()
    assert isinstance(callback, _KerasCallback) == loaded
    nets = [net(i) for i in range(9)]
    _keras_fit(callback, nets, 2, 4)
    assert tracker.table["step"].tolist() == [0, 2, 8]
    np.testing.assert_allclose(tracker.table["epoch"], [0, 0.5, 2])
    assert tracker.table["network"].tolist() == [lr.load(nets[i]).hash for i in (0, 2, 8)]
    assert not loaded or callback.synced == 9


# -- changes --------------------------------------------------------------------------------


def _moved(seed, size):
    rng = np.random.default_rng(seed)
    one = net(seed, (2, 6, 5, 1))
    return one, [(w + size * rng.normal(size=w.shape), b) for w, b in one]


@pytest.mark.parametrize("size", [0.01, 0.3])
def test_changes_against_patterns_at_points(size):
    before, after = _moved(4, size)
    box = lr.Box(-2, 2)
    found = lr.training.changes(before, after, box)
    one, two = lr.count(before, box), lr.count(after, box)
    assert (found.kept + found.gone, found.kept + found.born) == (one, two)
    kept = found.kept_areas
    assert kept[0] + found.gone_area == pytest.approx(16)
    assert kept[1] + found.born_area == pytest.approx(16)
    np.testing.assert_array_equal(
        found.before.patterns(found.kept_before), found.after.patterns(found.kept_after)
    )
    x = np.random.default_rng(0).uniform(-2, 2, (40_000, 2))
    old, new = lr.load(before).patterns(x), lr.load(after).patterns(x)
    sets = [{row.tobytes() for row in p} for p in (old, new)]
    ours = [{row.astype(old.dtype).tobytes() for row in c.patterns()}
            for c in (found.before, found.after)]  # fmt: skip
    assert sets[0] <= ours[0] and sets[1] <= ours[1]
    share = (old == new).all(axis=1).mean()
    error = np.sqrt(share * (1 - share) / len(x))
    assert abs(found.unmoved.sum() / 16 - share) < 4 * error
    assert (found.unmoved <= found.before.volumes[found.kept_before] + 1e-9).all()
    assert (found.unmoved <= found.after.volumes[found.kept_after] + 1e-9).all()


def test_nothing_changed():
    before, _ = _moved(2, 0)
    found = lr.training.changes(before, before, lr.Box(-1, 1))
    assert (found.born, found.gone) == (0, 0) and found.kept == lr.count(before, lr.Box(-1, 1))
    assert found.unmoved.sum() == pytest.approx(4)
    assert found.to_dict()["unmoved_area"] == pytest.approx(4)


def test_changes_along_a_segment_and_in_space():
    shifted = [(TENT[0][0], [0.0, -1.5, -2.0]), TENT[1]]
    found = lr.training.changes(TENT, shifted, lr.Box(-1, 3))
    assert (found.born, found.gone, found.kept) == (0, 0, 4)
    assert found.kept_areas == (4, 4) and found.unmoved.sum() == pytest.approx(3.5)
    solid = lr.training.changes(net(0), net(1), lr.Box(-1, 1))
    assert solid.kept + solid.born == lr.count(net(1), lr.Box(-1, 1))
    assert "unmoved_area" not in solid.to_dict()
    with pytest.raises(LinregionsError, match="1 or 2 dimensions"):
        _ = solid.unmoved


def test_checkpoints_of_another_shape():
    with pytest.raises(LinregionsError, match=r"differ in shape.*3-5-4-2.*3-5-5-2"):
        lr.training.changes(net(0), net(0, (3, 5, 5, 2)), lr.Box(-1, 1))


def test_changes_in_a_tracker():
    nets = [net(i) for i in range(3)]
    plane = lr.Plane.through(*np.eye(3))
    tracker = Tracker([Cells(plane, changes=True)], every=1)
    for step, layers in enumerate(nets):
        tracker(layers, step=step)
    assert len(tracker.table) == 9  # no changes at first
    for step in (1, 2):
        found = lr.training.changes(nets[step - 1], nets[step], plane)
        here = {r.measure: r.value for r in tracker.table.select(step=step)}
        assert here["plane born"] == found.born and here["plane gone"] == found.gone
        assert here["plane kept"] == found.kept and here["plane"] == found.kept + found.born


def test_a_picture_of_changes():
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    found = lr.training.changes(*_moved(4, 0.3), lr.Box(-2, 2))
    figure = Figure()
    axes = found.plot(figure.subplots(1, 2))
    figure.canvas.draw()
    assert [len(ax.collections[0].get_paths()) for ax in axes] == [
        found.before.cells, found.after.cells
    ]  # fmt: skip
    assert axes[1].get_title() == f"born: {found.born} of {found.after.cells}"
    with pytest.raises(LinregionsError, match="needs a plane"):
        lr.training.changes(TENT, TENT, lr.Box(-1, 3)).plot()


# -- the example ----------------------------------------------------------------------------


def test_the_example(tmp_path):
    for package in ("torch", "sklearn", "matplotlib", "PIL"):
        pytest.importorskip(package)
    done = subprocess.run(
        [sys.executable, ROOT / "examples/hanin_rolnick_training.py", "--quick", "-o", tmp_path],
        capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "MPLBACKEND": "Agg", "LINREGIONS_DATA": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "scikit-learn's digits: 1,500 images, 2 epochs, 1 runs" in done.stdout
    assert (tmp_path / "hanin_rolnick_training.png").stat().st_size < 200_000
    table = Table.read(tmp_path / "hanin_rolnick_training_16-32-64.csv")
    assert table["step"].max() == 24  # the end of training is measured
    start = table.select("lines train", step=0)["value"][0] / 112
    assert 0.7 < start < 1.4  # at initialisation about as many regions as neurons
    accuracy = table.select("accuracy")["value"]
    assert accuracy[-1] > accuracy[0] + 0.1
