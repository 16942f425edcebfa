"""Shared data for tests: found through LINREGIONS_DATA, skipped where it is absent."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def shared(path):
    """The path of a shared file; the calling test is skipped where there is none."""
    base = os.environ.get("LINREGIONS_DATA", "../shared/data")
    full = ROOT / base / path
    if not full.exists():
        pytest.skip(f"shared data {path} is absent; set LINREGIONS_DATA")
    return full
