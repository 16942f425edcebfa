"""The command line: thin words around the library.

Results go to stdout, everything else to stderr. Exit 0 success, 1 a proof is refused, 2 bad input,
130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from contextlib import suppress
from typing import NoReturn

from cyclopts import App, CycloptsError

from ..errors import LinregionsError, PartialAnswerWarning
from ..version import __version__

COMMANDS = (  # each `command` in a file of its name, imported when it is called
    "count", "list", "info", "bounds", "check", "compile", "estimate", "plan", "draw", "paper",
    "sample", "merge", "measure", "extremes",
)  # fmt: skip

app = App(
    name="linregions",
    help="Count the linear regions of piecewise-linear neural networks, exactly.",
    version=__version__,
    suppress_keyboard_interrupt=False,  # `_run` says it, with the JSON
)
for _name in COMMANDS:
    app.command(f"{__package__}.{_name}:command", name=_name)


def main(argv: list[str] | None = None) -> None:
    """Entry point of the ``linregions`` command."""
    code = _run(argv)
    if argv is None:
        _leave(code)
    sys.exit(code)


def _leave(code: int) -> NoReturn:
    """End the process at once.

    Taking down an interpreter that has read a large model takes seconds, in which a Ctrl-C would
    change the exit code, and work that was left behind may not end at all.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # the reader of a pipe has gone
            stream.flush()
    os._exit(code)


def _run(argv: list[str] | None) -> int:
    tokens = sys.argv[1:] if argv is None else argv
    if not tokens or tokens[0] in app.help_flags:
        app.resolved_commands()  # the help shows the first line of each
    try:
        with warnings.catch_warnings():  # floats beyond 1e308 are no news
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.simplefilter("ignore", PartialAnswerWarning)  # the words say it
            code = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        print(f"linregions: {' '.join(lines)} (see linregions --help)", file=sys.stderr)
        return 2
    except LinregionsError as error:
        print(f"linregions: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("linregions: interrupted", file=sys.stderr)
        if "--json" in tokens:  # there is no answer yet, and the object still comes
            print(json.dumps({"complete": False, "stopped": "interrupt"}))
        return 130
    except (ArithmeticError, MemoryError, RecursionError) as error:  # numbers no check foresaw
        why = " ".join(f"{type(error).__name__} {error}".split())
        print(
            f"linregions: {' '.join(tokens[:2])}: numbers too large or too small to work with "
            f"({why}); scale the domain or the weights, or ask for less",
            file=sys.stderr,
        )
        return 2
    except BrokenPipeError:  # the reader of a pipe has gone: nothing left to say
        sys.stderr.close()
        return 0
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    main()
