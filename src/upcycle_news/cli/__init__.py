"""The command line; `main` is the console script and prints expected errors as one sentence."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from io import UnsupportedOperation
from typing import TextIO


def main() -> None:
    """Run the command; exit 0 done, 1 refused or failed, 2 wrong usage, 3 nothing new."""
    _open_closed_streams()
    # Importing makes many objects and no garbage: looking for some after every 700 takes a tenth of a start.
    gc.set_threshold(20_000, 20, 20)
    # Else pydantic looks for plugins of its own in every installed package; Typer, too, switches that off.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    from upcycle_news.cli.app import commands
    from upcycle_news.errors import UpcycleError

    try:
        try:
            code = commands(standalone_mode=False)
        except Exception as error:
            code = _shown(error)
        if sys.stdout is not None:  # what is still buffered has to be written before the end
            sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except UpcycleError as error:
        from upcycle_news.cli.output import language

        _say(error.in_language(language()))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        from upcycle_news.cli.output import in_language
        from upcycle_news.i18n.messages import localized

        _say(in_language(localized("interrupted")))
        sys.exit(130)
    except BrokenPipeError:
        # Whatever read our output (head, less) has ended: print nothing more, at interpreter exit neither.
        _discard(sys.stdout)
        sys.exit(1)
    except OSError as error:
        from upcycle_news.api.system_errors import from_system_error

        _discard(sys.stdout)  # it may be what could not be written
        _say(str(from_system_error(error)))
        sys.exit(1)


def _shown(error: Exception) -> int:
    """Print an error that is Typer's own, and return its exit code; raises any other one again."""
    import typer

    from upcycle_news.cli.usage import CommandError, show_usage_error

    if isinstance(error, CommandError):
        show_usage_error(error)
        return int(error.exit_code)  # type: ignore[attr-defined]
    if isinstance(error, typer.Abort):
        return 1
    raise error


def _open_closed_streams() -> None:
    """Give a standard stream that the caller closed (``<&-``) to the null device.

    Else the next file that is opened gets its number, and a child process reads or writes it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number is this one
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123  for the life of the process


def _say(sentence: str) -> None:
    """Print a sentence on standard error; a stream that takes nothing changes no exit code."""
    if sys.stderr is not None:
        try:
            print(sentence, file=sys.stderr)  # noqa: T201
        except OSError:  # what is still buffered would fail again at interpreter exit: 120
            _discard(sys.stderr)


def _discard(stream: TextIO) -> None:
    """Send to the null device what is still to be written to a standard stream."""
    with suppress(OSError, UnsupportedOperation, AttributeError):  # closed, or not a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
