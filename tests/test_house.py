"""The plan of the house, read off the sources: layers, no circles, short functions, one name each.

`docs/architecture.md` shows the same layers to people. Numbers in `AT_MOST` only go down.
"""

import ast
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "linregions"

# rooms from the ground up: a file imports from its own room and from those before it
LAYERS = (
    "ground", "theory", "network", "large", "domain", "constructions", "readers", "exact", "search",
    "merging", "complex", "line", "bounding", "milp", "sampling", "estimation", "parallel",
    "certificates", "questions", "boundary", "measure", "draw", "training", "testing", "public",
    "papers", "cli",
)  # fmt: skip
# optional or heavy: parts of the house that stand on one are loaded when they are needed
OPTIONAL = {"torch", "onnx", "matplotlib", "plotly", "PIL", "pyarrow", "distributed", "pyscipopt"}
VERBS = 16  # parameters of a public verb, at most: its options are by keyword
COMMANDS = 12
AT_MOST = {"parameters": 5, "long functions": 0, "long files": 16, "classes of one name": 0}


class Import:
    """One import of the package itself: from where, of what, and inside a function or not."""

    def __init__(self, target: str, name: str | None, inside: bool) -> None:
        self.target, self.name, self.inside = target, name, inside


@cache
def sources() -> dict[str, ast.Module]:
    """Modules by name: ``search.kernel``; that of a package is its folder, the root's is empty."""
    out = {}
    for path in sorted(SOURCE.rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        out[re.sub(r"\.?__init__$", "", name)] = ast.parse(path.read_text())
    return out


def is_package(module: str) -> bool:
    return (SOURCE / module.replace(".", "/")).is_dir()


def room(module: str) -> str:
    first, *rest = module.split(".")
    if module in ("", "__main__"):
        return "public" if not module else "cli"
    return first if rest or is_package(first) else "ground"


@cache
def imports(module: str) -> list[Import]:
    """What a module imports from the package, type-checking blocks included."""
    inner = module.split(".") if is_package(module) and module else module.split(".")[:-1]
    found: list[Import] = []

    def visit(node: ast.AST, inside: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ImportFrom) and child.level:
                base = inner[: len(inner) - child.level + 1]
                target = ".".join([*base, *(child.module or "").split(".")]).strip(".")
                for alias in child.names:
                    deeper = f"{target}.{alias.name}".strip(".")
                    whole = deeper in sources()
                    found.append(Import(deeper if whole else target, alias.name, inside))
            elif isinstance(child, ast.Import | ast.ImportFrom):
                names = [a.name for a in child.names]
                where = [child.module or ""] if isinstance(child, ast.ImportFrom) else names
                found.extend(
                    Import(n.removeprefix("linregions").strip("."), None, inside)
                    for n in where
                    if n.split(".")[0] == "linregions"
                )
            else:
                visit(child, inside or isinstance(child, ast.FunctionDef | ast.Lambda))

    visit(sources()[module], False)
    return found


def adapters() -> set[str]:
    """Modules that import an optional package when they are imported, and what needs these."""
    known = {
        name for name, tree in sources().items()
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        and {n.split(".")[0] for n in (
            [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        )} & OPTIONAL
    }  # fmt: skip
    while True:
        more = {m for m in sources() if any(i.target in known and not i.inside for i in imports(m))}
        if more <= known:
            return known
        known |= more


def functions() -> list[tuple[str, ast.FunctionDef]]:
    return [
        (module, node)
        for module, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    ]


def test_every_module_is_in_a_room():
    assert {room(m) for m in sources()} == set(LAYERS)


def test_the_page_shows_these_layers():
    page = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text()
    assert tuple(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == LAYERS


def test_imports_go_down():
    order = {name: i for i, name in enumerate(LAYERS)}
    up = [
        f"{m or 'linregions'} -> {i.target or 'linregions'}"
        for m in sources() if m  # the root shows what is above it
        for i in imports(m) if order[room(i.target)] > order[room(m)]
    ]  # fmt: skip
    assert not up


def test_there_is_no_circle():
    seen: dict[str, int] = {}

    def walk(module: str, path: tuple[str, ...]) -> None:
        if seen.get(module) == 2:
            return
        assert seen.get(module) != 1, " -> ".join([*path, module])
        seen[module] = 1
        for i in imports(module):
            if i.target != module:
                walk(i.target, (*path, module))
        seen[module] = 2

    for module in sources():
        walk(module, ())


def test_private_names_stay_in_their_rooms():
    abroad = [
        f"{m}: {i.target}.{i.name}"
        for m in sources()
        for i in imports(m)
        if i.name and i.name.startswith("_") and i.name != "__version__"
        if room(i.target) != room(m)
    ]
    assert not abroad


def test_functions_import_optional_packages_alone():
    """And those parts of the house that stand on one; commands are loaded when they are called."""
    allowed = adapters()
    inside = [
        f"{m}: {i.target}"
        for m in sources()
        if m and room(m) != "cli"
        for i in imports(m)
        if i.inside and i.target not in allowed
    ]
    assert not inside


def parameters(node: ast.FunctionDef) -> int:
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return len([n for n in names if n not in ("self", "cls")])


def test_functions_take_at_most_eight_things():
    import linregions

    public = set(linregions.__all__) | set(linregions.draw.__all__)
    many = []
    for module, node in functions():
        verb = node.name in public and not module.startswith("cli")
        command = room(module) == "cli" and node.name == "command"
        limit = VERBS if verb else COMMANDS if command else 8
        if parameters(node) > limit:
            many.append(f"{module}.{node.name}: {parameters(node)}")
    assert len(many) <= AT_MOST["parameters"], many


def length(node: ast.FunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = node.body[0]
    said = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = (first.end_lineno or 0) - first.lineno + 1 if said else 0
    return (node.end_lineno or 0) - node.lineno + 1 - docstring


def test_functions_and_files_are_short():
    long = [f"{m}.{n.name}: {length(n)}" for m, n in functions() if length(n) > 80]
    assert len(long) <= AT_MOST["long functions"], long
    lines = {p: len(p.read_text().splitlines()) for p in SOURCE.rglob("*.py")}
    large = [f"{p.relative_to(SOURCE)}: {n}" for p, n in lines.items() if n > 400]
    assert len(large) <= AT_MOST["long files"], large
    sizes = sorted(n for n in lines.values() if n)
    assert sizes[len(sizes) // 2] < 160


def test_one_name_is_one_class():
    names = Counter(
        node.name
        for module, tree in sources().items()
        if module != "check_regions"  # which stands alone
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    )
    twice = sorted(n for n, count in names.items() if count > 1)
    assert len(twice) <= AT_MOST["classes of one name"], twice


def test_an_import_costs_little():
    """Nothing heavy comes with the package itself: numbers are loaded with the first question."""
    code = "import sys, linregions; print([m for m in ('numpy', 'numba') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_every_public_name_is_there():
    import linregions

    for name in linregions.__all__:
        assert getattr(linregions, name) is not None
    assert set(linregions.__all__) <= set(dir(linregions))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        linregions.nonsense  # noqa: B018
