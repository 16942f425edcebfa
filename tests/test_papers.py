"""Every quick item of `linregions paper` gives at least one published or exact number."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from helpers import run_cli

import linregions as lr
from linregions import papers
from linregions.papers._networks import conv_dense

slow = pytest.mark.slow


@pytest.fixture
def quick(tmp_path):
    """Run an item and give its comparisons by what they compare, and the folder."""

    def run(paper: str, name: str):
        _, result, paths = papers.run(paper, name, quick=True, output=tmp_path)
        assert all(path.stat().st_size > 0 for path in paths)
        assert (tmp_path / f"{paper}_{name}.md").read_text().startswith(f"# {paper} {name}: ")
        return {c.what: c for c in result.compared}, result, tmp_path

    return run


def column(folder, name: str, key: str, kind: type = int) -> list:
    with (folder / f"{name}.csv").open() as file:
        return [kind(row[key]) for row in csv.DictReader(file)]


@slow
def test_xiong_table1(quick):
    _, _, folder = quick("xiong2020", "table1")
    says = [4, 15, 40, 85, 156, 259, 400, 585]
    for key in ("formula", "exact_least", "exact_most"):
        assert column(folder, "xiong2020_table1", key) == says
    assert column(folder, "xiong2020_table1", "theorem1") == [4, 15, 42, 93, 176, 299, 470, 697]
    met = column(folder, "xiong2020_table1", "sampled")
    assert met[:3] == says[:3] and all(a <= b for a, b in zip(met, says, strict=True))


@slow
def test_xiong_table2(quick):
    _, result, folder = quick("xiong2020", "table2")
    name = "xiong2020_table2"
    assert column(folder, name, "lower") == [32, 120, 320, 680, 1248, 2072, 3200, 4680]
    assert column(folder, name, "upper_eq9")[2:] == [3135, 8965, 21230, 43670, 80905, 138435]
    assert column(folder, name, "upper_refined")[2:] == [2380, 5883, 12520, 23815, 41600, 68015]
    largest = column(folder, name, "largest_found")
    sampled = [170, 261, 685, 1186, 1796, 2725, 3398, 4822]
    assert all(a > b for a, b in zip(largest, sampled, strict=True))
    best = result.tables["best"][0]  # the parameters are there to be checked
    layers = papers.xiong2020.two_layers(1)
    assert lr.count(conv_dense(layers, np.array(best["parameters"]))) == best["regions"]


@slow
def test_xiong_counterexample(quick):
    found, _, folder = quick("xiong2020", "counterexample")
    assert found["the missing pattern (filter, then position)"].here == "+-++---+"
    assert found["maximum of a 3 x 3 input, two 2 x 2 filters"][1:3] == (256, 255)
    assert column(folder, "xiong2020_counterexample", "true") == [
        255, 3998, 48903, 4061, 257108, 262143,
    ]  # fmt: skip


@slow
def test_xiong_examples_and_theorem6(quick):
    found, result, _ = quick("xiong2020", "examples")
    for what, c in found.items():
        if what.startswith("Example"):
            assert list(np.ravel(c.paper)) == list(np.ravel(c.here)), what
    _, result, _ = quick("xiong2020", "theorem6")
    rows = result.tables[""]
    assert all(r["deep_wins"] for r in rows if r["filters"] == 8 and r["depth"] >= 3)
    eight = next(r for r in rows if r["filters"] == 8 and r["depth"] == 4)
    assert (eight["deep_parameters"], eight["shallow_parameters"]) == (232, 512)


@slow
def test_xiong_beyond(quick):
    _, result, _ = quick("xiong2020", "beyond")
    assert all(r["least"] == r["most"] == r["bound"] for r in result.tables["units"])
    assert [r["bound"] for r in result.tables["units"] if r["units"] == "abs"] == [15, 85]
    assert all(r["most"] <= r["upper"] for r in result.tables["depth"])


@slow
def test_wang(quick):
    found, _, _ = quick("wang2022", "figure1")
    assert (found["activation regions"].here, found["linear regions"].here) == (7, 5)
    _, result, _ = quick("wang2022", "figure3")
    first = result.tables[""][0]  # (8, 2); 60 networks
    assert abs(first["linear"] - 647.69) < 5 * 72.24 / np.sqrt(60)
    _, result, _ = quick("wang2022", "figure4")
    for r in result.tables[""]:
        if r["shape"].endswith("x 1"):
            units = int(r["shape"].split()[0])
            assert r["linear"] == units + 1 and r["linear_deviation"] == 0
        else:
            assert r["linear"] <= r["activation"]


@slow
def test_wang_theorems(quick):
    found, result, _ = quick("wang2022", "theorems")
    assert [r["linear"] for r in result.tables["theorem31"]] == [3, 9, 15, 9, 81, 24, 64]
    assert found["Theorem 3.2: more than K linear regions if and only if satisfiable"].here[:3] == (
        "yes"
    )
    assert not any(c.why == "OUTSIDE" for c in result.compared)
    one = result.tables["means"][0]  # one unit: always two regions
    assert one["linear"] == 2


@slow
def test_wang_training_and_beyond(quick):
    _, result, _ = quick("wang2022", "table1")
    rows = [r for r in result.tables[""] if r["linear"] is not None]
    assert {r["accuracy"] for r in rows} >= {"random", "60-69 %", "80-89 %"}
    for r in rows:
        if r["accuracy"].startswith("random"):  # the published means
            error = r["printed_deviation"] / r["networks"] ** 0.5
            assert abs(r["linear"] - r["printed"]) < 5 * error
        assert 1 <= r["linear"] <= 2**10
    _, result, _ = quick("wang2022", "beyond")
    shallow = {r["units"]: r["mean"] for r in result.tables[""] if r["layers"] == 1}
    assert shallow == {N: lr.theory.arrangements.generic(N, 3) for N in (20, 30)}


@slow
def test_hanin_pictures(quick):
    found, _, _ = quick("hanin2019", "figure1")
    assert found["regions in the plane"].here == found["the same by the other engine"].here
    found, result, _ = quick("hanin2019", "figure2")
    assert found["regions after layer 3"].here == found["cells of the whole complex"].here
    assert result.tables[""][0]["regions"] <= 37
    found, result, _ = quick("hanin2019", "figure3")
    assert (result.tables[""][0]["regions"], result.tables[""][0]["line"]) == (2**5, 2**5 + 2)
    found, _, _ = quick("hanin2019", "figure4")
    assert (
        found["regions on all of R, 60 units"].here == found["the same by sweeping the line"].here
    )


@slow
def test_hanin_training(quick):
    _, result, _ = quick("hanin2019", "figure5")
    first = [r["lines"] / sum(map(int, r["widths"][1:-1].split(","))) for r in result.tables[""]
             if r["epoch"] == 0]  # fmt: skip
    assert len(first) == 4 and all(0.7 < v < 1.3 for v in first)  # "very close to 1"
    found, result, _ = quick("hanin2019", "figure6")
    low, high = map(float, found["range of distance x units"].here.split(" to "))
    assert 0.2 < low < high < 3
    _, result, _ = quick("hanin2019", "figure7")
    assert [r["epoch"] for r in result.tables[""]] == [0, 1, 10]
    assert all(r["deviation"] > 0.8 for r in result.tables[""])  # orders of magnitude
    _, result, _ = quick("hanin2019", "figure8")
    assert all(r["linear"] <= r["activation"] <= 72**2 for r in result.tables[""])


@slow
def test_hanin_theorem3(quick):
    _, result, _ = quick("hanin2019", "theorem3")
    for r in result.tables[""]:
        error = np.hypot(r["measured_error"], r["expected_error"])
        assert abs(r["measured"] - r["expected"]) < 5 * error


@slow
def test_serra(quick):
    _, result, _ = quick("serra2018", "bounds")
    assert [r["serra2018"] for r in result.tables[""][:3]] == [23, 254, 1794]
    assert [r["serra2018"] for r in result.tables[""][-2:]] == [4194281, 4194303]
    _, result, folder = quick("serra2018", "counts")
    assert all(r["milp"] == r["search"] for r in result.tables["referee"])
    assert all(r["most"] <= r["serra2018"] <= r["montufar2017"] for r in result.tables[""])
    _, again, _ = papers.run("serra2018", "errors", quick=True, output=folder)
    assert again.tables[""] == result.tables["networks"]  # taken over, seconds and all


# -- the frame ------------------------------------------------------------------------------------


@pytest.fixture
def toy(monkeypatch):
    """An item of three units that can be stopped in the middle; what it computed."""
    from linregions.papers import _item

    done: list[int] = []
    stop = {"at": -1}

    def work(run):
        def unit(i):
            if stop["at"] == i:
                raise KeyboardInterrupt
            done.append(i)
            return {"value": i * run["factor"] + run.seed}

        rows = [run.unit(lambda i=i: unit(i), i=i) for i in range(3)]
        return papers.Result({"": rows}, [_item.Compared("sum", 3, sum(r["value"] for r in rows))])

    chosen = papers.Item("toy2020", "table", "a toy", work, {"factor": 1}, {"factor": 2})
    monkeypatch.setitem(papers.ITEMS, ("toy2020", "table"), chosen)
    return done, stop


def test_an_interrupted_run_goes_on(toy, tmp_path):
    done, stop = toy
    stop["at"] = 2
    with pytest.raises(KeyboardInterrupt):
        papers.run("toy2020", "table", output=tmp_path)
    assert done == [0, 1]
    with (tmp_path / "toy2020_table.jsonl").open("a") as file:
        file.write('{"key": {"i": 2}, "ro')  # a line torn by the interrupt
    stop["at"] = -1
    _, result, _ = papers.run("toy2020", "table", output=tmp_path)
    assert done == [0, 1, 2] and result.compared[0].here == 3
    assert column(tmp_path, "toy2020_table", "value") == [0, 1, 2]
    papers.run("toy2020", "table", output=tmp_path, quick=True)  # other settings: all anew
    assert done == [0, 1, 2, 0, 1, 2]
    _, result, _ = papers.run("toy2020", "table", output=tmp_path, seed=5)
    assert result.compared[0].here == 18 and len(done) == 9


def test_interrupt_on_the_command_line(toy, tmp_path, capsys):
    from linregions.cli.app import main

    toy[1]["at"] = 1
    with pytest.raises(SystemExit) as end:
        main(["paper", "toy2020", "table", "-o", str(tmp_path), "--json"])
    assert end.value.code == 130
    said = capsys.readouterr()
    assert json.loads(said.out)["complete"] is False and "goes on" in said.err


def test_the_command_lists_and_refuses(tmp_path):
    listed = run_cli("paper")
    assert listed.returncode == 0 and "table2" in listed.stdout
    rows = json.loads(run_cli("paper", "--json").stdout)
    assert {r["paper"] for r in rows} >= {"xiong2020"}
    for arguments, words in (
        (("paper", "xiong2021", "table1"), "give one of hanin2019"),
        (("paper", "xiong2020", "table9"), "give one of table1, table2"),
        (("paper", "xiong2020"), "which item; give one of table1"),
        (("paper", "xiong2020", "table1", "-o", __file__), "cannot be made"),
    ):
        done = run_cli(*arguments)
        assert done.returncode == 2 and words in done.stderr
        assert len(done.stderr.splitlines()) == 1 and done.stdout == ""
