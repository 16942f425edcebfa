"""Figures: what is drawn is what was counted, and mistakes are told before anything is drawn."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from draw_stub import Stub
from helpers import gaussian, write_npz

import linregions as lr
from linregions.cli.app import main
from linregions.domain.domains import Plane, Segment
from linregions.draw.classes import boundary, pieces, winners
from linregions.draw.colours import SIZE, palette, region_colours
from linregions.draw.growth import Growth

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
pyplot = pytest.importorskip("matplotlib.pyplot")

from linregions import draw  # noqa: E402

BOX = lr.Box(-2, 2)
NET = gaussian(0, 2, 6, 5, 4, 1)
CLASSIFIER = gaussian(3, 2, 7, 6, 4)
# 7 activation regions, of which three share the value 0: 5 linear regions
MERGING = [(np.eye(2), np.zeros(2)), ([[-1.0, -1.0]], [1.0]), ([[1.0]], [0.0])]


@pytest.fixture(scope="module")
def cells():
    return lr.subdivide(NET, BOX)


@pytest.fixture(scope="module")
def classifier():
    return lr.subdivide(CLASSIFIER, BOX)


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def truncated(net, units):
    """The network of the first so many hidden units, all of which reach the output."""
    out = []
    for W, b in net[:-1]:
        n = min(units, len(b))
        units -= n
        width = len(out[-1][1]) if out else np.shape(W)[1]
        if n:
            out.append((np.asarray(W)[:n, :width], np.asarray(b)[:n]))
    width = len(out[-1][1]) if out else np.shape(net[0][0])[1]
    return [*out, (np.ones((1, width)), np.zeros(1))]


# -- the stub is a reference of its own --------------------------------------------------------


@pytest.mark.parametrize(
    "net",
    [NET, CLASSIFIER, MERGING, gaussian(4, 2, 12, 12, 3), gaussian(1, 3, 4, 4, 1)],
)
def test_the_stub_agrees_with_the_engines(net):
    stub, cells = Stub(net, BOX), lr.subdivide(net, BOX)
    assert stub.cells == cells.cells == lr.count(net, BOX)
    assert stub.count("linear") == cells.count("linear") == lr.count(net, BOX, kind="linear")
    assert stub.face_counts == cells.face_counts and stub.euler == 1
    assert set(map(bytes, stub.patterns())) == set(map(bytes, cells.patterns()))
    order, other = np.lexsort(stub.patterns().T), np.lexsort(cells.patterns().T)
    np.testing.assert_allclose(stub.volumes[order], cells.volumes[other], atol=1e-9)
    np.testing.assert_allclose(stub.surfaces[order], cells.surfaces[other], atol=1e-9)
    assert stub.boundary_volume == pytest.approx(cells.boundary_volume)
    assert sorted(stub.facet_row) == sorted(cells.facet_row)
    if stub.dimension == 2:
        assert stub.level_set().measure == pytest.approx(cells.level_set().measure)
        assert [p.cells for p in stub.layers()] == [p.cells for p in cells.layers()]


# -- growth ------------------------------------------------------------------------------------


def test_stages_are_the_counts_of_truncated_networks(cells):
    growth = Growth(cells)
    assert growth.units == 15 and growth.layer_ends.tolist() == [6, 11, 15]
    for stage in range(16):
        expected = lr.count(truncated(NET, stage), BOX) if stage else 1
        assert growth.counts[stage] == expected == growth.labels(stage).max() + 1
    assert growth.counts[-1] == cells.cells


def test_growth_of_an_uncut_domain():
    stub = lr.subdivide([(np.zeros((3, 2)), -np.ones(3)), (np.ones((1, 3)), np.zeros(1))], BOX)
    assert Growth(stub).counts.tolist() == [1, 1, 1, 1]


# -- colours -----------------------------------------------------------------------------------


def test_neighbours_differ_in_colour(cells, classifier):
    for some in (cells, classifier):
        for labels in (some.linear, np.arange(some.cells)):
            colour = region_colours(some, labels)
            a, b = some.facet_cells[some.facet_cells[:, 1] >= 0].T
            across = labels[a] != labels[b]
            assert (colour[a[across]] != colour[b[across]]).all()
            assert (colour[a[~across]] == colour[b[~across]]).all()
            assert (colour == region_colours(some, labels)).all() and colour.max() < SIZE


def test_colours_stay_where_patterns_stay(cells):
    nudged = lr.subdivide([(W + 1e-4, b) for W, b in NET], BOX)
    before, after = _colour_of_pattern(cells), _colour_of_pattern(nudged)
    common = before.keys() & after.keys()
    assert len(common) > 0.9 * cells.cells
    assert np.mean([before[k] == after[k] for k in common]) > 0.8


def _colour_of_pattern(some):
    colours = region_colours(some, some.linear)
    return dict(zip(map(bytes, some.patterns()), colours, strict=True))


def test_the_palette_is_one_of_colours():
    colours = palette()
    assert colours.shape == (SIZE, 3) and len(np.unique(colours.round(3), axis=0)) == SIZE
    assert colours.min() >= 0 and colours.max() <= 1


# -- classes -----------------------------------------------------------------------------------


def test_pieces_of_the_classes_cover_the_plane(classifier):
    split = pieces(classifier)
    areas = [abs(_area(p)) for p in split.polygons]
    assert sum(areas) == pytest.approx(16)
    for polygon, c in zip(split.polygons, split.classes, strict=True):
        if abs(_area(polygon)) > 1e-9:
            assert classifier.network(polygon.mean(axis=0)).argmax() == c
    winner, mixed = winners(classifier)
    assert mixed.any() and not mixed.all()
    assert set(classifier.level_set().cell) <= set(np.nonzero(mixed)[0])
    assert len(winner) == classifier.cells


def test_the_boundary_drawn_is_the_level_set(cells, classifier):
    for some in (cells, classifier, lr.subdivide(gaussian(5, 2, 10, 10, 10), BOX)):
        ends = boundary(some)
        length = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).sum()
        assert length == pytest.approx(some.level_set().measure)


def _area(p):
    x, y = p.T
    return (x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


# -- draw --------------------------------------------------------------------------------------


@pytest.mark.parametrize("color", ["linear", "activation", "affine", "output", "depth", "none"])
def test_every_colouring(cells, classifier, color):
    for some in (cells, classifier):
        ax = draw.draw(some, color=color, boundary=True, points=np.zeros((1, 2)))
        ax.figure.canvas.draw()
        filled = [c for c in ax.collections if isinstance(c, matplotlib.collections.PolyCollection)]
        shaded = color == "output" and some is cells
        assert len(filled) == (0 if color == "none" or shaded else 1)
        if filled and color != "output":
            assert len(filled[0].get_paths()) == some.cells
        assert ax.get_xlim() == ax.get_ylim() == (-2, 2)


def test_the_legend_counts():
    stub = lr.subdivide(MERGING, BOX)
    ax = draw.draw(stub, boundary=True)
    title = ax.get_legend().get_title().get_text()
    assert title == "7 activation regions, 5 linear regions"
    names = [t.get_text() for t in ax.get_legend().get_texts()]
    assert names == ["layer 1", "layer 2", "zero set"]
    assert draw.draw(stub, legend=False).get_legend() is None
    unsure = draw.draw(Stub(MERGING, BOX)).get_legend().get_title().get_text()
    assert unsure == title + " (not certified)"
    assert draw.draw(stub, layer=1).get_legend().get_title().get_text() == "4 cells after layer 1"


def test_edges_are_drawn_by_layer(cells):
    ax = draw.draw(cells, color="none", edges="depth")
    lines = [c for c in ax.collections if isinstance(c, matplotlib.collections.LineCollection)]
    assert sum(len(c.get_segments()) for c in lines) == (cells.facet_row >= 0).sum()
    ax = draw.draw(cells, color="none", edges="none")
    assert len(ax.collections) == 0
    draw.draw(cells, edges="#ff0000")


def test_given_axes_are_used(cells):
    figure, axes = pyplot.subplots(1, 2)
    assert draw.draw(cells, ax=axes[1]) is axes[1]
    assert len(figure.axes) == 2 and not axes[0].collections


def test_points_are_projected_onto_the_plane():
    rng = np.random.default_rng(5)
    three = rng.normal(size=(3, 10))
    net = gaussian(8, 10, 6, 3)
    plane = Plane.through(*three)
    stub = lr.subdivide(net, plane)
    ax = draw.draw(stub, points=three, labels=["a", "b", "c"])
    drawn = ax.collections[-1].get_offsets()
    np.testing.assert_allclose(stub.embed(np.asarray(drawn)), three, atol=1e-9)
    assert [t.get_text() for t in ax.texts] == ["a", "b", "c"]
    assert "y_1" in ax.get_xlabel()


def test_a_domain_that_is_no_box():
    triangle = lr.Polytope([[-1.0, 0], [0, -1], [1, 1]], [1.0, 1, 1])
    ax = draw.draw(lr.subdivide(NET, triangle))
    ax.figure.canvas.draw()
    assert not ax.spines["top"].get_visible()


def test_layers(cells):
    figure = draw.layers(cells, columns=2)
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    expected = [int(lr.count(truncated(NET, u), BOX)) for u in (6, 11, 15)]
    assert titles == [f"layer {i + 1}: {n:,} cells" for i, n in enumerate(expected)]


# -- graphs ------------------------------------------------------------------------------------


def test_the_graph_is_the_function(tmp_path):
    net = gaussian(2, 1, 6, 5, 1)
    cells = lr.subdivide(net, BOX)
    ax = draw.graph(cells)
    x, y = ax.lines[0].get_data()
    assert (np.diff(x) > 0).all() and len(x) == cells.cells + 1
    for a, b in pairwise(range(len(x))):
        middle = (x[a] + x[b]) / 2
        assert cells.network([middle])[0] == pytest.approx((y[a] + y[b]) / 2, abs=1e-9)
    marks = np.concatenate([c.get_offsets() for c in ax.collections])
    assert sorted(marks[:, 0]) == pytest.approx(sorted(x[1:-1]))
    title = ax.get_legend().get_title().get_text()
    assert title.startswith(f"{lr.count(net, BOX)} activation regions")


def test_breakpoints_where_the_slope_stays_are_hollow():
    """Both units of layer 2 vanish on the left: its cells merge."""
    net = [([[1.0], [1.0]], [0.0, 1.0]), ([[1.0, 0.0]], [-1.0]), ([[1.0]], [0.0])]
    ax = draw.graph(net, BOX)
    hollow = [c for c in ax.collections if len(c.get_offsets()) and c.get_facecolor()[0][0] == 1]
    assert sorted(np.concatenate([c.get_offsets() for c in hollow])[:, 0]) == [-1, 0]


def test_graphs_of_several_outputs_along_a_segment():
    two = np.random.default_rng(0).normal(size=(2, 5))
    ax = draw.graph(gaussian(8, 5, 6, 3), Segment(*two))
    assert len(ax.lines) == 3 and "segment" in ax.get_xlabel()
    assert len(draw.graph(gaussian(8, 5, 6, 3), Segment(*two), outputs=1).lines) == 1


# -- solids and animations ---------------------------------------------------------------------


@pytest.mark.parametrize("color", ["linear", "activation", "affine", "depth"])
def test_solids(color, tmp_path):
    pytest.importorskip("plotly")
    stub = lr.subdivide(gaussian(1, 3, 4, 3, 1), BOX)
    figure = draw.solid(stub, color=color, explode=0.0)
    mesh = figure.data[0]
    corners = np.array([mesh.x, mesh.y, mesh.z]).T
    triangles = corners[np.array([mesh.i, mesh.j, mesh.k]).T]
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    area = np.linalg.norm(cross, axis=1).sum() / 2
    assert area == pytest.approx(stub.surfaces.sum())
    assert str(lr.count(gaussian(1, 3, 4, 3, 1), BOX)) in figure.layout.title.text


def test_a_solid_as_a_page(tmp_path):
    pytest.importorskip("plotly")
    stub = lr.subdivide(gaussian(1, 3, 3, 1), BOX)
    draw.solid(stub, path=tmp_path / "solid.html")
    text = (tmp_path / "solid.html").read_text()
    assert "Plotly.newPlot" in text and "<script src=" not in text
    assert [p.name for p in tmp_path.iterdir()] == ["solid.html"]


def test_an_animation(tmp_path):
    image = pytest.importorskip("PIL.Image")
    checkpoints = [lr.subdivide([(W * s, b) for W, b in NET], BOX) for s in (1.0, 1.1, 1.2)]
    path = draw.animate(checkpoints, tmp_path / "a.gif", names=["a", "b", "c"], color="linear")
    with image.open(path) as gif:
        assert (gif.n_frames, gif.format) == (3, "GIF")
        sizes = set()
        for i in range(3):
            gif.seek(i)
            sizes.add(gif.size)
        assert len(sizes) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.gif"]


# -- mistakes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"color": "pretty"}, "color='pretty'"),
        ({"edges": "thickish"}, "edges='thickish'"),
        ({"layer": 9}, "layer=9"),
        ({"layer": 0}, "layer=0"),
        ({"points": np.zeros((3, 5))}, "shape"),
        ({"points": [[np.nan, 0]]}, "finite"),
        ({"labels": [1]}, "labels="),
        ({"points": np.zeros((3, 2)), "labels": [1]}, "labels="),
        ({"domain": BOX}, "domain="),
    ],
)
def test_options_that_are_refused(cells, options, message):
    with pytest.raises(lr.LinregionsError, match=message.replace("(", r"\(")):
        draw.draw(cells, **options)


def test_dimensions_that_are_refused(cells):
    solid = lr.subdivide(gaussian(1, 3, 3, 1), BOX)
    with pytest.raises(lr.LinregionsError, match=r"draw\.solid"):
        draw.draw(solid)
    with pytest.raises(lr.LinregionsError, match=r"draw\.draw"):
        draw.solid(cells)
    with pytest.raises(lr.LinregionsError, match=r"draw\.draw"):
        draw.graph(cells)
    with pytest.raises(lr.LinregionsError, match="give a box"):
        draw.draw(NET)


def test_targets_that_are_refused(cells, tmp_path):
    for name in ("a.png", "absent/a.gif", "a"):
        with pytest.raises(lr.LinregionsError, match=name):
            draw.animate([cells], tmp_path / name)
    with pytest.raises(lr.LinregionsError, match="empty list"):
        draw.animate([], tmp_path / "a.gif")
    with pytest.raises(lr.LinregionsError, match="2 names"):
        draw.animate([cells], tmp_path / "a.gif", names=["a", "b"])
    with pytest.raises(lr.LinregionsError, match="seconds"):
        draw.animate([cells], tmp_path / "a.gif", seconds=0)
    assert list(tmp_path.iterdir()) == []


def test_nothing_half_written(cells, tmp_path, monkeypatch):
    from linregions.draw import html

    (tmp_path / "a.html").write_text("old")
    monkeypatch.setattr(html.Path, "write_text", _full_disk)
    with pytest.raises(lr.LinregionsError, match="No space left"):
        draw.page(cells, tmp_path / "a.html")
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["a.html"]
    assert (tmp_path / "a.html").read_text() == "old"


def _full_disk(self, *_, **__):
    self.write_bytes(b"half")
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("module", "package", "call"),
    [
        ("matplotlib", "matplotlib", lambda c, _: draw.draw(c)),
        ("PIL", "pillow", lambda c, p: draw.animate([c], p / "a.gif")),
        ("plotly", "plotly", lambda c, _: draw.solid(c)),
    ],
)
def test_absent_packages_are_named(cells, tmp_path, monkeypatch, module, package, call):
    for name in [m for m in sys.modules if m.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(lr.LinregionsError, match=rf"{package}.*linregions\[draw\]"):
        call(cells, tmp_path)


def test_importing_the_room_is_light():
    code = "import sys, linregions.cli.draw; print(json.dumps([m for m in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", "import json;" + code], capture_output=True, text=True, check=True
    )
    loaded = {m.split(".")[0] for m in json.loads(done.stdout)}
    assert not loaded & {"matplotlib", "plotly", "PIL"}


# -- the command -------------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path):
    return write_npz(tmp_path / "net.npz", NET)


@pytest.fixture
def call(capsys):
    """Run ``linregions draw`` here: exit code, stdout, stderr."""

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["draw", *map(str, arguments)])
        out = capsys.readouterr()
        return end.value.code, out.out, out.err

    return run


def test_the_json_of_a_picture(call, model, tmp_path):
    for name in ("a.png", "a.svg", "a.pdf", "a.html"):
        code, out, err = call(model, "--box=-2,2", "-o", tmp_path / name, "--json")
        assert (code, err, out.count("\n")) == (0, "", 1)
        facts = json.loads(out)
        assert facts["regions"] == lr.count(NET, BOX)
        assert facts["linear"] == lr.count(NET, BOX, kind="linear")
        assert (facts["output"], facts["dimension"]) == (str(tmp_path / name), 2)
        assert facts["exact"] is True and facts["seconds"] > 0
        assert (tmp_path / name).stat().st_size > 5000
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF", "html": b"<!doctype html>"}
    for suffix, start in starts.items():
        assert (tmp_path / f"a.{suffix}").read_bytes().startswith(start)
    assert len(list(tmp_path.iterdir())) == 5


def test_the_words_of_a_picture(call, model, tmp_path):
    code, out, _ = call(model, "--box=-2,2", "-o", tmp_path / "a.png")
    assert code == 0 and f"{lr.count(NET, BOX)} activation regions" in out and "a.png" in out


def test_options_of_a_picture(call, model, tmp_path):
    np.save(tmp_path / "points.npy", np.zeros((3, 2)))
    code, _, err = call(
        model, "--box=-2,2", "-o", tmp_path / "a.png", "--color=affine", "--edges=black",
        "--boundary", "--points", tmp_path / "points.npy",
    )  # fmt: skip
    assert (code, err) == (0, "")
    code, _, err = call(model, "--box=-2,2", "-o", tmp_path / "b.png", "--layers")
    assert (code, err) == (0, "")


def test_a_plane_and_a_segment(call, tmp_path):
    net = gaussian(8, 6, 5, 4, 3)
    model = write_npz(tmp_path / "net.npz", net)
    three = np.random.default_rng(1).normal(size=(3, 6))
    np.save(tmp_path / "three.npy", three)
    np.save(tmp_path / "two.npy", three[:2])
    code, out, _ = call(
        model, "--plane", tmp_path / "three.npy", "--size=2", "-o", tmp_path / "a.html", "--json"
    )
    assert code == 0
    assert json.loads(out)["regions"] == lr.count(net, Plane.through(*three, size=2))
    code, out, _ = call(
        model, "--segment", tmp_path / "two.npy", "-o", tmp_path / "a.svg", "--json"
    )
    assert code == 0
    assert json.loads(out)["regions"] == lr.count(net, Segment(*three[:2]))
    assert json.loads(out)["dimension"] == 1


def test_checkpoints(call, model, tmp_path):
    other = write_npz(tmp_path / "later.npz", [(W + 0.1, b) for W, b in NET])
    for name in ("a.gif", "a.html"):
        code, out, _ = call(model, other, "--box=-2,2", "-o", tmp_path / name, "--json")
        facts = json.loads(out)
        assert code == 0 and [c["model"] for c in facts["checkpoints"]] == ["net", "later"]
        assert facts["checkpoints"][0]["regions"] == lr.count(NET, BOX)


def test_a_solid_from_the_command(call, tmp_path):
    net = gaussian(1, 3, 4, 3, 1)
    model = write_npz(tmp_path / "net.npz", net)
    code, out, _ = call(model, "--box=-2,2", "-o", tmp_path / "a.html", "--json")
    assert code == 0 and json.loads(out)["regions"] == lr.count(net, BOX)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--box=-2,2"], "-o FILE"),
        (["--box=-2,2", "-o", "a.jpg"], "a.jpg"),
        (["--box=-2,2", "-o", "absent/a.png"], "does not exist"),
        (["-o", "a.png"], "no domain"),
        (["--box=-2,2", "--plane", "p.npy", "-o", "a.png"], "--box and --plane together"),
        (["--plane", "absent.npy", "-o", "a.png"], "no such file"),
        (["--plane", "flat.npy", "-o", "a.png"], "one line"),
        (["--plane", "points.npy", "-o", "a.png"], "3 are needed"),
        (["--segment", "flat.npy", "-o", "a.png"], "2 are needed"),
        (["--plane", "text.npy", "-o", "a.png"], "text.npy"),
        (["--box=-2,2", "--points", "wide.npy", "-o", "a.png"], "shape (3, 5)"),
        (["--box=-2,2", "--color=pretty", "-o", "a.png"], "pretty"),
        (["--box=-2,2", "--edges=thickish", "-o", "a.png"], "thickish"),
        (["--box=0:0,0:0", "-o", "a.png"], "dimension 0"),
        (["--box=-2:2,0:0", "-o", "a.html"], ".png"),
        (["--box=0,inf", "-o", "a.png"], "unbounded"),
    ],
)
def test_commands_that_are_refused(call, model, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    np.save("flat.npy", [[0.0, 0], [1, 1], [2, 2]])
    np.save("points.npy", np.zeros((4, 2)))
    np.save("wide.npy", np.zeros((3, 5)))
    (tmp_path / "text.npy").write_text("nothing")
    before = sorted(p.name for p in tmp_path.iterdir())
    code, out, err = call(model, *arguments)
    assert (code, out) == (2, "") and err.startswith("linregions: ") and err.count("\n") == 1
    assert message in err
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_several_checkpoints_make_no_still(call, model, tmp_path):
    code, _, err = call(model, model, "--box=-2,2", "-o", tmp_path / "a.png")
    assert code == 2 and ".gif" in err
    assert "no model" in call("--box=-2,2", "-o", tmp_path / "a.png")[2]


# -- the gallery -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "picture", "said"),
    [
        ("hanin_figure2", "hanin_figure2.png", r"\d+ activation regions, \d+ linear regions"),
        ("hanin_figure4", "hanin_figure4.png", r"\d+ activation regions, \d+ linear regions"),
        ("boundary_theorem", "boundary_theorem.png", r"1-\[10\].*kinks \| \d.\d+ ± "),
        ("local_complexity", "local_complexity.png", r"after: [\d,]+ patterns of "),
        ("wang_figure1", "wang_figure1.png", "7 activation regions, 5 linear regions"),
    ],
)
def test_scripts_of_the_gallery(script, picture, said, tmp_path):
    pytest.importorskip("PIL")
    examples = Path(__file__).parents[1] / "examples"
    done = subprocess.run(
        [sys.executable, examples / f"{script}.py", "--quick", "-o", tmp_path],
        capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "MPLBACKEND": "Agg"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(said, done.stdout)
    assert (tmp_path / picture).stat().st_size < 200_000
