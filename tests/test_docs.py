"""The pages of the Python interface and of the commands have every public name and command."""

import re
import sys
from pathlib import Path

import pytest
from helpers import run_cli

import linregions  # noqa: F401  (its modules are looked up below)

DOCS = Path(__file__).parents[1] / "docs"
SECTIONS = {"constructions", "draw", "theory", "training"}  # modules


@pytest.mark.parametrize("where", ["", ".draw", ".estimation", ".sampling", ".training"])
def test_every_public_name_is_on_the_page(where):
    page = (DOCS / "api.md").read_text()
    named = {name.split(".")[-1] for name in re.findall(r"auto\w+:: ([\w.]+)", page)}
    module = sys.modules["linregions" + where]  # `linregions.estimate` itself is the function
    assert set(module.__all__) - named - SECTIONS == set()


def test_every_command_is_on_the_page():
    page = (DOCS / "cli.md").read_text()
    for group in ((), ("measure",)):
        said = run_cli(*group, "--help").stdout
        commands = set(re.findall(r"^│ ([a-z]+) ", said, re.MULTILINE)) - {"measure"}
        assert len(commands) >= 3
        for command in commands:
            assert f"**`{' '.join([*group, command])}`**" in page
