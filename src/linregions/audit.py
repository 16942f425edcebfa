"""Whether every decision is to be proved again, and what is raised where one is not true."""

from __future__ import annotations

import os


class AuditError(AssertionError):
    """A decision that was called proved is not true; this is a defect of the library."""


def asked() -> bool:
    """Whether the environment asks for an audit: ``LINREGIONS_AUDIT=1``."""
    return os.environ.get("LINREGIONS_AUDIT", "") not in ("", "0")
