"""The pages are true: public names and commands are on them, and what they name exists."""

import ast
import re
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from helpers import run_cli

import linregions as lr
from linregions import testing
from linregions.testing import strategies

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "linregions"
SECTIONS = {"constructions", "draw", "theory", "training"}  # modules
ROOMS = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
FILE = re.compile(r"(?<![\w./*-])((?:[\w.-]+/)*\w+\.(?:py|md))\b(?!\.)")
NAME = re.compile(r"(?<![\w.-])(?:linregions|lr)((?:\.[A-Za-z_]\w*)+)")
INSIDE = re.compile(rf"`((?:{'|'.join(sorted(ROOMS))})(?:\.[A-Za-z_]\w*)+)`")  # room.file.name


@pytest.mark.parametrize("where", ["", ".draw", ".estimation", ".sampling", ".training"])
def test_every_public_name_is_on_the_page(where):
    page = (DOCS / "api.md").read_text()
    named = {name.split(".")[-1] for name in re.findall(r"auto\w+:: ([\w.]+)", page)}
    module = import_module("linregions" + where)  # `linregions.estimate` itself is the function
    assert set(module.__all__) - named - SECTIONS == set()


def test_every_command_is_on_the_page():
    page = (DOCS / "cli.md").read_text()
    for group in ((), ("measure",)):
        said = run_cli(*group, "--help").stdout
        commands = set(re.findall(r"^│ ([a-z]+) ", said, re.MULTILINE)) - {"measure"}
        assert len(commands) >= 3
        for command in commands:
            assert f"**`{' '.join([*group, command])}`**" in page


def test_every_page_is_on_one_shelf_with_a_line():
    """Three shelves on the front page; those of the menu are the same."""
    front = (DOCS / "index.md").read_text()
    said = re.findall(r"^\* \{doc\}`(.+?)`: \S.*\.$", front, re.MULTILINE)
    menus = re.findall(r"^```\{toctree\}\n(?::.*\n)+\n((?:.+\n)+)```$", front, re.MULTILINE)
    shelves = [menu.split() for menu in menus]
    assert len(shelves) == 3 and said == [page for shelf in shelves for page in shelf]
    own = {page.stem for page in DOCS.glob("*.md")} - {"index"}
    assert sorted(said) == sorted({*own, "decisions/index"})


def test_decisions_are_numbered_without_holes():
    decisions = sorted((DOCS / "decisions").glob("0*.md"))
    assert [int(page.stem[:4]) for page in decisions] == list(range(1, len(decisions) + 1))
    for number, page in enumerate(decisions, start=1):
        assert page.read_text().startswith(f"# {number}. ")


def python_of(page: str, first: str) -> str:
    """The piece of Python on a page in which a line comes first."""
    text = (DOCS / page).read_text()
    return next(p for p in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if first in p)


def test_the_question_of_the_page_on_architecture():
    names: dict[str, Any] = {}
    exec(python_of("architecture.md", "def steepest"), names)
    net = [([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 2.0]], [0.0])]
    slope, region = names["steepest"](net, lr.Box(-3, 5), seconds=60)
    assert slope == 3.0 and region.pattern.tolist() == [1, 1]


def test_the_quick_start(monkeypatch):
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    for first in ("answer = lr.count", "box = lr.Box", "lr.region(net", "lr.subdivide"):
        exec(python_of("quickstart.md", first), names)
    assert names["answer"] == 12_704 and names["inside"] == 138
    A, b = names["A"], names["b"]
    assert len(names["largest"].facets) == 21
    ends = [[names[p], names[q]] for p, q in ("xy", "yz", "zx")]
    oracles = [testing.Oracle(names["net"], lr.Segment(*pair)) for pair in ends]
    assert [oracle.count() for oracle in oracles] == [6, 8, 3]
    assert lr.crossings(names["net"], ends).regions.tolist() == [6, 8, 3]
    assert len(names["region"].neighbours) == 13
    values = lr.affine(names["net"], names["origin"])
    assert (A == values.W).all() and (b == values.b).all()
    assert lr.distance(names["net"], [names["origin"]]).distance == pytest.approx(0.0348, abs=1e-4)
    assert names["cells"].count("activation") == 41
    assert names["cells"].volumes.sum() == pytest.approx((2 * 1.2 * 10 * (2 / 3) ** 0.5) ** 2)


def test_every_public_tool_for_tests_is_on_its_page():
    page = (DOCS / "testing.md").read_text()
    assert all(re.search(rf"\.{name}$|`{name}`", page, re.MULTILINE) for name in testing.__all__)
    public = set(re.findall(r"^\| `(\w+)\(|(?<=, `)(\w+)\(n\)", page, re.MULTILINE))
    assert all(hasattr(strategies, name) for pair in public for name in pair if name)
    assert len(public) >= 6


def test_the_examples_of_the_page_on_testing():
    names: dict[str, Any] = {}
    exec(python_of("testing.md", "deep=True"), names)
    assert names["report"].cells == 3 and not names["report"].found
    exec(python_of("testing.md", "oracle.cones"), names)
    oracle = names["oracle"]
    assert (oracle.count(), oracle.count("linear")) == (3, 3)
    assert sorted(oracle.cones) == [(0, 0), (1, 0), (1, 1)]
    assert oracle.maps[1, 1] == (((2, -1),), 1)
    exec(python_of("testing.md", "@given"), names)
    names["test_counts_are_those_of_the_oracle"]()
    exec(python_of("testing.md", "def twins"), names)  # which enters it, and prints what was found
    try:
        assert testing.FAMILIES["twins"].text.startswith("Two rows")
    finally:
        del testing.FAMILIES["twins"]


def pages() -> list[Path]:
    """What is to be true today; a decision speaks of the day on which it was taken."""
    own = [p for p in DOCS.rglob("*.md") if p.parent.name != "decisions"]
    others = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md"]
    return sorted([*own, *(ROOT / name for name in others), *SOURCE.rglob("*.py")])


def text_of(page: Path) -> str:
    """A page; of the changes the newest alone, without the old names in ``old -> new``."""
    text = page.read_text()
    if page.name != "CHANGELOG.md":
        return text
    return re.sub(r"`[^`]+` ->", "", re.split(r"^## ", text, flags=re.MULTILINE)[1])


@cache
def files() -> list[str]:
    folders = ("src", "tests", "docs", "benchmarks", "examples")
    found = [*ROOT.glob("*.*"), *(p for folder in folders for p in (ROOT / folder).rglob("*.*"))]
    return ["/" + p.relative_to(ROOT).as_posix() for p in found]


def is_file(name: str, page: Path) -> bool:
    """Beside the page, from the root or the package or, by the end of its path, one file alone."""
    if any((folder / name).is_file() for folder in (page.parent, ROOT, SOURCE)):
        return True
    fits = sum(path.endswith("/" + name) for path in files())
    return fits == 1 or Path(name).stem.isupper()  # `NAME.py` is any file


def is_name(dotted: str) -> bool:
    """An attribute of the package: of its modules, or of what is in them."""
    thing, path = import_module("linregions"), "linregions"
    for part in dotted.split("."):
        path += f".{part}"
        inner = hasattr(thing, "__path__") and not hasattr(thing, part) and find_spec(path)
        thing = import_module(path) if inner else getattr(thing, part, None)
        if thing is None:
            return False
    return True


@pytest.mark.parametrize("folder", ["docs", "src", "others"])
def test_files_and_modules_that_are_named_exist(folder):
    wrong = []
    for page in pages():
        where = page.relative_to(ROOT).parts[0]
        if folder != (where if where in ("docs", "src") else "others"):
            continue
        text = text_of(page)
        named = {m[1].removeprefix("./") for m in FILE.finditer(text)}
        wrong += [f"{page.name}: {name}" for name in named if not is_file(name, page)]
        dotted = {m[1].strip(".") for m in NAME.finditer(text)}
        dotted |= {m[1] for m in INSIDE.finditer(text) if not m[1].endswith((".json", ".onnx"))}
        wrong += [f"{page.name}: {name}" for name in dotted if not is_name(name)]
    assert not wrong


def names_in(tree: ast.Module) -> set[str]:
    """Whatever has a name in a module, as code or (a column, a kind) as a string."""
    found = set()
    for node in ast.walk(tree):
        names = [getattr(node, field, None) for field in ("name", "id", "attr", "arg", "value")]
        found |= {name for name in names if isinstance(name, str) and name.isidentifier()}
    return found


def test_references_between_sources_hold():
    """`name` and `module.name` in docstrings and comments."""
    sources = {path: path.read_text() for path in SOURCE.rglob("*.py")}
    own = {path: names_in(ast.parse(text)) for path, text in sources.items()}
    everywhere = {path.stem for path in own} | ROOMS | set().union(*own.values())
    inside = {path.stem: set() for path in own} | {room: set() for room in ROOMS}
    for path, names in own.items():
        inside[path.stem] |= names
        if path.parent.name in ROOMS:  # its files, and what the room itself shows
            inside[path.parent.name] |= names if path.stem == "__init__" else {path.stem}
    wrong = []
    for path, text in sources.items():
        for module, name in re.findall(r"(?<!`)`(?:(\w+)\.)?(\w+)`(?!`)", text):
            if name not in {*inside.get(module, everywhere), "json"}:
                wrong.append(f"{path.relative_to(SOURCE)}: {module}.{name}")
    assert not wrong
