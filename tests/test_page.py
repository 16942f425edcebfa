"""The interactive page in headless Chromium: it shows what Python counted.

Skipped where Playwright or Debian's ``chromium`` is absent.
"""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from helpers import gaussian
from test_draw import MERGING, truncated

import linregions as lr
from linregions import draw
from linregions.draw.growth import Growth

BOX = lr.Box(-2, 2)
NET = gaussian(0, 2, 6, 5, 4, 1)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    sync = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("chromium is absent")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Open a page from its file; at the end: no request but the file, nothing on the console."""
    opened, requests, complaints = [], [], []

    def go(path, **options):
        context = browser.new_context(viewport={"width": 1000, "height": 700}, **options)
        page = context.new_page()
        page.on("request", lambda r: requests.append(r.url))
        page.on("console", lambda m: complaints.append(m.text))
        page.on("pageerror", lambda e: complaints.append(str(e)))
        page.goto(path.resolve().as_uri())
        page.evaluate("linregions.ready")
        opened.append((context, path.resolve().as_uri()))
        return page

    yield go
    for context, _ in opened:
        context.close()
    files = {uri for _, uri in opened}
    assert [url for url in requests if url not in files and not url.startswith("data:")] == []
    assert complaints == []


@pytest.fixture(scope="module")
def cells():
    return lr.subdivide(NET, BOX)


@pytest.fixture(scope="module")
def file(cells, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "slice.html"
    points = np.array([[0.5, 0.5], [-1.0, 1.0]])
    return draw.page(cells, path, points=points, labels=["a", "b"], title="A <random> net")


def field(page, name):
    return page.locator(f'[data-field="{name}"]').inner_text()


def hover(page, y):
    page.mouse.move(*page.evaluate("([x, y]) => linregions.onScreen(x, y)", [float(v) for v in y]))


def picture(page):
    return page.evaluate("document.querySelector('canvas.cells').toDataURL()")


def settle(page):
    page.wait_for_timeout(200)
    return picture(page)


# -- counts ------------------------------------------------------------------------------------


def test_the_counts_are_those_of_python(visit, file, cells):
    page = visit(file)
    assert page.evaluate("linregions.count('activation')") == cells.cells
    assert page.evaluate("linregions.count('linear')") == cells.count("linear")
    assert int(field(page, "activation")) == lr.count(NET, BOX)
    assert page.title() == page.locator("h1").inner_text() == "A <random> net"


def test_linear_regions_are_merged(visit, tmp_path):
    page = visit(draw.page(lr.subdivide(MERGING, BOX), tmp_path / "m.html"))
    assert page.evaluate("[linregions.count(), linregions.count('linear')]") == [7, 5]
    assert (field(page, "activation"), field(page, "linear")) == ("7", "5")


def test_stages_are_the_counts_of_truncated_networks(visit, file, cells):
    page = visit(file)
    counts = [page.evaluate(f"linregions.stage({u})") for u in range(16)]
    assert counts == Growth(cells).counts.tolist()
    assert counts[8] == lr.count(truncated(NET, 8), BOX)
    page.evaluate("linregions.stage(8)")
    assert field(page, "stage") == f"layer 2, unit 2 · {counts[8]} cells"
    page.get_by_role("button", name="layer 1").click()
    assert field(page, "stage") == f"layer 1, unit 6 · {counts[6]} cells"
    after = page.locator(".cells-after").all_inner_texts()
    assert [int(t) for t in after] == [counts[6], counts[11], counts[15]]


# -- the cell under the pointer ----------------------------------------------------------------


def test_hovering_tells_the_cell(visit, file, cells):
    page = visit(file)
    patterns = cells.patterns()
    for i in np.argsort(cells.volumes)[::-7]:
        y = cells.interior_points[i]
        found = page.evaluate("([x, y]) => linregions.cellAt(x, y)", y.tolist())
        assert (found["cell"], found["linear"]) == (i, cells.linear[i])
        assert found["pattern"] == "".join(map(str, patterns[i]))
    i = int(np.argmax(cells.volumes))
    hover(page, cells.interior_points[i])
    assert re.sub(r"\s", "", field(page, "pattern")) == "".join(map(str, patterns[i]))
    assert float(field(page, "area")) == pytest.approx(cells.volumes[i], rel=1e-3)
    assert int(field(page, "region")) == cells.linear[i]
    W, b = cells.affine_maps([i])
    numbers = [float(t) for t in re.findall(r"[\d.]+(?:e.?\d+)?", _without_names(page))]
    assert numbers == pytest.approx([*abs(W[0, 0]), abs(b[0, 0])], rel=1e-3, abs=1e-9)
    page.mouse.move(2, 2)
    assert field(page, "cell") == "Hover a cell"


def _without_names(page):
    return field(page, "map").replace("x1", "").replace("x2", "")


def test_hovering_an_early_stage(visit, file, cells):
    page = visit(file)
    page.evaluate("linregions.stage(6)")
    i = int(np.argmax(cells.volumes))
    hover(page, cells.interior_points[i])
    pattern = "".join(map(str, cells.patterns([i])[0]))
    assert re.sub(r"\s", "", field(page, "pattern")) == pattern[:6] + "·" * 9
    labels = Growth(cells).labels(6)
    area = cells.volumes[labels == labels[i]].sum()
    assert float(field(page, "area")) == pytest.approx(area, rel=1e-3)


def test_outside_there_is_no_cell(visit, file):
    page = visit(file)
    assert page.evaluate("linregions.cellAt(2.5, 0)") is None


# -- the picture -------------------------------------------------------------------------------


def test_what_is_seen_is_the_picture(visit, file, cells):
    """The colour at the middle of large cells is that of the region; edges cover it not."""
    page = visit(file)
    page.uncheck("#edges")
    page.uncheck("#points")
    settle(page)
    from linregions.draw.colours import palette, region_colours

    colours = 255 * palette()[region_colours(cells, cells.linear)]
    for i in np.argsort(cells.volumes)[-8:]:
        at = page.evaluate(
            "([x, y]) => linregions.onScreen(x, y)", cells.interior_points[i].tolist()
        )
        pixel = page.evaluate(
            """([x, y]) => { const c = document.querySelector('canvas.cells');
               const b = c.getBoundingClientRect();
               const copy = new OffscreenCanvas(c.width, c.height).getContext('2d');
               copy.drawImage(c, 0, 0);
               return [...copy.getImageData(x - b.left, y - b.top, 1, 1).data].slice(0, 3); }""",
            at,
        )
        np.testing.assert_allclose(pixel, colours[i], atol=2)


def test_zoom_and_pan(visit, file):
    page = visit(file)
    before, view = settle(page), page.evaluate("linregions.view()")
    x, y = page.evaluate("linregions.onScreen(1, 1)")
    page.mouse.move(x, y)
    page.mouse.wheel(0, -400)
    zoomed = page.evaluate("linregions.view()")
    assert zoomed["scale"] > 1.5 * view["scale"]
    assert page.evaluate("linregions.onScreen(1, 1)") == pytest.approx([x, y], abs=1)
    assert settle(page) != before
    page.mouse.down()
    page.mouse.move(x - 60, y + 30, steps=4)
    page.mouse.up()
    assert page.evaluate("linregions.onScreen(1, 1)") == pytest.approx([x - 60, y + 30], abs=1)
    page.locator("canvas.cells").focus()
    page.keyboard.press("0")
    assert page.evaluate("linregions.view().scale") == pytest.approx(view["scale"])


def test_touch(visit, file):
    page = visit(file, has_touch=True)
    scale = page.evaluate("linregions.view().scale")
    page.evaluate(
        """() => { const c = document.querySelector('canvas.cells');
           c.setPointerCapture = () => {};
           const send = (type, id, x, y) => c.dispatchEvent(new PointerEvent(type,
             { pointerId: id, clientX: x, clientY: y, pointerType: 'touch', bubbles: true }));
           send('pointerdown', 1, 200, 300); send('pointerdown', 2, 300, 300);
           send('pointermove', 2, 400, 300); send('pointerup', 1, 200, 300);
           send('pointerup', 2, 400, 300); }"""
    )
    assert page.evaluate("linregions.view().scale") == pytest.approx(2 * scale)


@pytest.mark.parametrize("outputs", [1, 3])
def test_colours_and_switches_change_the_picture(visit, tmp_path, outputs):
    stub = lr.subdivide(gaussian(3, 2, 7, 6, outputs), BOX)
    page = visit(draw.page(stub, tmp_path / "p.html", points=np.zeros((1, 2))))
    seen = {settle(page)}
    for value in ("slope", "output", "depth"):
        page.select_option("#colour", value)
        seen.add(settle(page))
        if value == "output":
            legend = page.locator('[data-part="legend"]').inner_text()
            assert "class 2" in legend if outputs == 3 else legend
    page.select_option("#colour", "linear")
    for switch in ("#edges", "#boundary", "#points"):
        page.locator(switch).click()
        seen.add(settle(page))
        page.locator(switch).click()
    page.get_by_label("edges of layer 2").uncheck()
    seen.add(settle(page))
    expected = 8 if len(stub.level_set().segments) else 7
    assert len(seen) == expected


def test_the_keyboard_alone(visit, file, cells):
    page = visit(file)
    page.locator("canvas.cells").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("0")
    middle = page.evaluate("linregions.cellAt(0, 0)")
    assert re.sub(r"\s", "", field(page, "pattern")) == middle["pattern"]
    page.keyboard.press("[")
    assert field(page, "stage").startswith("layer 3, unit 3")
    page.keyboard.press("]")
    assert field(page, "stage").startswith("all units")
    page.keyboard.press("b")
    assert page.is_checked("#boundary")


def test_light_and_dark(visit, file):
    theme = "document.documentElement.dataset.theme"
    page = visit(file, color_scheme="dark")
    assert page.evaluate(theme) == "dark"
    dark = settle(page)
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(theme) == "light"
    assert settle(page) != dark


# -- time --------------------------------------------------------------------------------------


def test_the_time_slider(visit, tmp_path):
    checkpoints = [lr.subdivide(gaussian(seed, 2, 5, 4, 1), BOX) for seed in (0, 1, 2)]
    page = visit(draw.page(checkpoints, tmp_path / "t.html", names=["init", "one", "two"]))
    assert page.locator('[data-part="time"]').is_visible()
    for k, name in ((2, "two"), (0, "init"), (1, "one")):
        page.locator("#frame").fill(str(k))
        page.evaluate("linregions.ready")
        page.wait_for_function(
            "n => document.querySelector('[data-field=frame]').textContent.startsWith(n)", arg=name
        )
        assert page.evaluate("linregions.count()") == checkpoints[k].cells
        assert int(field(page, "linear")) == checkpoints[k].count("linear")
    page.get_by_role("button", name="Play").first.click()
    page.wait_for_function("() => document.querySelector('#frame').value !== '1'", timeout=3000)


def test_one_checkpoint_has_no_time_slider(visit, file):
    assert not visit(file).locator('[data-part="time"]').is_visible()


def test_other_units_have_other_patterns(visit, tmp_path):
    """More than two pieces per unit: digits above 1, and several breakpoints per unit."""
    net = lr.Network.from_layers(NET, activation=lr.Activation((-1, 1), (0, 1, 0), -1))
    cells = lr.subdivide(net, BOX)
    page = visit(draw.page(cells, tmp_path / "h.html"))
    assert page.evaluate("linregions.count()") == lr.count(net, BOX)
    y = cells.interior_points[3]
    found = page.evaluate("([x, y]) => linregions.cellAt(x, y)", y.tolist())
    assert found["pattern"] == "".join(map(str, net.patterns(y)))
    first = lr.Network.from_layers([NET[0], NET[1]], lr.Activation((-1, 1), (0, 1, 0), -1))
    assert page.evaluate("linregions.stage(6)") == lr.count(first, BOX)


# -- mistakes ----------------------------------------------------------------------------------


def test_pages_that_are_refused(cells, tmp_path):
    for name in ("a.htm", "absent/a.html"):
        with pytest.raises(lr.LinregionsError, match=name):
            draw.page(cells, tmp_path / name)
    with pytest.raises(lr.LinregionsError, match="empty list"):
        draw.page([], tmp_path / "a.html")
    with pytest.raises(lr.LinregionsError, match="2 names"):
        draw.page([cells], tmp_path / "a.html", names=["a", "b"])
    with pytest.raises(lr.LinregionsError, match="same layers"):
        draw.page([cells, lr.subdivide(MERGING, BOX)], tmp_path / "a.html")
    with pytest.raises(lr.LinregionsError, match="shape"):
        draw.page(cells, tmp_path / "a.html", points=np.zeros((2, 7)))
    assert list(tmp_path.iterdir()) == []


def test_labels_need_points(cells, tmp_path):
    with pytest.raises(lr.LinregionsError, match="labels="):
        draw.page(cells, tmp_path / "a.html", labels=[1])
