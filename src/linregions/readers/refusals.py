"""How a reader refuses a part of a model: one line with its name, operator, version and the remedy.

Readings raise a plain ``LinregionsError("why")`` or ``("why; remedy")``. The walk that called
them knows the `Refusal`, and the one function `refusal` makes the whole line.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..errors import LinregionsError, UnsupportedNetwork

BROKEN = "check the file with onnx.checker.check_model, or export the model again"
REWRITE = (
    "rewrite the model with dense and convolutional layers, pooling, piecewise-linear functions, "
    "sums, maxima and moves of entries, or cut it before this part"
)
KINDS = ("node '", "operator '", "module '", "layer '")  # how a named refusal begins
CURVED = "replace it by a piecewise-linear function, or cut the model before it"


@dataclass(frozen=True)
class Refusal:
    """A node, operator or module of a model.

    Parameters
    ----------
    kind
        What the framework calls it: ``node``, ``operator``, ``module``.
    name, operator
        Its own name, and the name of what it computes.
    version
        By which version it is read, such as ``opset 13``; for refusals alone.
    place
        Where in the user's own code it stands, where that is known.
    """

    kind: str
    name: str
    operator: str
    version: str = ""
    place: str = ""

    def __str__(self) -> str:
        return f"{self.kind} '{self.name}' ({self.operator})"

    @property
    def whole(self) -> str:
        """The name with the version, as refusals give it."""
        version = f", {self.version}" if self.version else ""
        at = f" at {self.place}" if self.place else ""
        return f"{self.kind} '{self.name}' ({self.operator}{version}){at}"


def refusal(part: Refusal, error: Exception, remedy: str = "") -> LinregionsError:
    """The error that a user sees: what stands where, why it is refused, and what to do.

    ``remedy`` is the one to name where the error itself has none (it follows a semicolon).
    """
    if isinstance(error, LinregionsError):
        why = str(error)
        if why.startswith(KINDS):  # an inner walk named it
            return error
        kind = UnsupportedNetwork if isinstance(error, UnsupportedNetwork) else LinregionsError
        remedy = remedy or (REWRITE if kind is UnsupportedNetwork else BROKEN)
    else:  # numpy, torch or the reference implementation, with shapes that do not fit
        why, kind = f"cannot be read ({first_line(error).replace(';', ',')})", UnsupportedNetwork
        remedy = remedy or BROKEN
    return kind(f"{part.whole}: {why}" + ("" if "; " in why else f"; {remedy}"))


@contextmanager
def reading(part: Refusal, remedy: str = "") -> Iterator[None]:
    """Name a part in every error that arises while it is read."""
    try:
        yield
    except Exception as error:
        raise refusal(part, error, remedy) from error


def first_line(error: Exception) -> str:
    """What a foreign library says, in one line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".;")
