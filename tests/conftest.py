"""Shared by all tests."""

import pytest

from linregions.merging.compile import compile_kernel


@pytest.fixture(scope="session", autouse=True)
def compiled():
    """Compile once, before any test counts seconds or lines on stderr."""
    compile_kernel(merge=True)
