"""Examples and documentation of the theory run, and their numbers are those of the library."""

import doctest
import importlib.util
import sys
from importlib import import_module
from pathlib import Path

import pytest

import linregions as lr
from linregions import constructions, theory

ROOT = Path(__file__).parents[1]


def example(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_counterexample_three_ways(capsys):
    script = example("counterexample_255")
    script.main()
    printed = capsys.readouterr().out
    assert printed in (ROOT / "docs" / "convolutions.md").read_text()
    multipliers, value, forbidden = script.by_algebra()
    assert (multipliers, value) == ([2, -1, 1, 3, -1, -2, -3, 1], -5)
    assert script.by_linear_programs() == (255, [forbidden])


@pytest.mark.parametrize(
    ("table", "page"),
    [("poster", "bounds.md"), ("table1", "convolutions.md"), ("table2", "convolutions.md")],
)
def test_tables_in_the_documentation_are_those_computed(table, page):
    script = example("side_by_side")
    text = script.markdown(script.TABLES[table]())
    assert text.count("\n") > 3
    assert text in (ROOT / "docs" / page).read_text()


def test_table_2_names_the_printed_row():
    script = example("side_by_side")
    rows = {row[0]: row[1:] for row in script.table2()}
    assert rows["upper, printed (55 Z(2 d2, 6))"] == script.TABLE_2_PRINTED
    assert all(
        a <= b for a, b in zip(rows["lower, Theorem 5"], script.TABLE_2_SAMPLED, strict=True)
    )


def test_deep_and_shallow(capsys, tmp_path):
    script = example("deep_and_shallow")
    script.main([])
    printed = capsys.readouterr().out
    assert "L = 10  at least   81.74 (664)   at most   25.26 (1280)" in printed
    decided = [c.decided for _, c in script.rows(theory.comparison.deep_and_shallow)]
    assert decided == [False] * 2 + [True] * 8
    pytest.importorskip("matplotlib")
    script.main(["-o", str(tmp_path / "plot.png")])
    assert (tmp_path / "plot.png").stat().st_size > 10_000


def test_six_definitions_are_drawn(capsys, tmp_path):
    script = example("six_definitions")
    groups = script.labels(script.cells())
    counted = {kind: len(set(labels)) for kind, labels in groups.items()}
    counted["pattern"] += len(script.lower_dimensional())
    assert counted == constructions.six_definitions("D").regions
    pytest.importorskip("matplotlib")
    script.main(["-o", str(tmp_path / "six.png")])
    assert "pattern 19, activation 14, convex 9, linear 8, closed 7, affine 6" in (
        capsys.readouterr().out
    )
    assert (tmp_path / "six.png").stat().st_size > 10_000


def test_pictures_are_small():
    for path in (ROOT / "docs" / "pictures").glob("*.png"):
        assert path.stat().st_size < 150_000


MODULES = ["arrangements", "comparison", "conv", "deepconv", "dense", "expectation"]
MODULES += ["maxout", "shared"]


@pytest.mark.parametrize(
    "name",
    [
        "linregions.bounding",
        "linregions.constructions",
        *(f"linregions.theory.{m}" for m in MODULES),
    ],
)
def test_docstrings(name):
    module, attempted = import_module(name), 0
    for public in module.__all__:
        thing = getattr(module, public)
        if not callable(thing):
            continue
        for test in doctest.DocTestFinder().find(thing, public, globs=dict(vars(module))):
            result = doctest.DocTestRunner().run(test)
            assert result.failed == 0
            attempted += result.attempted
    assert attempted > 2


def test_every_public_function_has_an_example_and_says_what_it_is():
    missing = []
    for name in MODULES:
        module = import_module(f"linregions.theory.{name}")
        for public in module.__all__:
            thing = getattr(module, public)
            if callable(thing) and ">>>" not in (thing.__doc__ or ""):
                missing.append(f"{name}.{public}")
    # results, shown by the functions that return them
    assert set(missing) == {"comparison.Comparison", "comparison.Side", "shared.Maximum"}


def test_theory_stands_apart():
    """Nothing but numpy, the standard library, the exceptions, and how large numbers are shown."""
    package = ROOT / "src" / "linregions"
    for path in (package / "figures.py", *(package / "theory").glob("*.py")):
        for line in path.read_text().splitlines():
            if line.startswith(("import ", "from ")):
                module = line.split()[1]
                allowed = module.split(".")[0] in sys.stdlib_module_names or module == "numpy"
                assert (
                    allowed
                    or module in ("..errors", "..figures")
                    or module.startswith("._")
                    or (module == "." or module[1:] in (*MODULES, "_check"))
                ), (path.name, line)


def test_the_number_in_the_page_on_bounds():
    """The spiral network in the box [-1, 1]^7: what the weights say, and what the shape says."""
    net = lr.load(ROOT / "examples" / "spiral.npz")
    found = {b.name: b.value for b in lr.bounds(net, lr.Box(-1, 1))}
    text = (ROOT / "docs" / "bounds.md").read_text()
    assert f"gives {found['weights']:,} in the box" in text
    assert f"shape is {min(found['serra2018'], found['hinz-recursive']):,}" in text
    assert found["weights"] >= lr.count(net, lr.Box(-1, 1))
