"""The command line; `main` is the console script and prints expected errors as one sentence."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import UnsupportedOperation


def main() -> None:
    """Run the command; exit 0 done, 1 refused or failed, 2 wrong usage, 3 nothing new."""
    _open_closed_streams()
    from upcycle_news.cli.app import commands
    from upcycle_news.errors import UpcycleError

    try:
        try:
            commands()
        except SystemExit:  # Typer ends so; what is still buffered has to be written before
            if sys.stdout is not None:
                sys.stdout.flush()
            raise
    except UpcycleError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _say("interrupted; nothing is lost, the same command goes on")
        sys.exit(130)
    except BrokenPipeError:
        # Whatever read our output (head, less) has ended: print nothing more, at interpreter exit neither.
        _discard_output()
        sys.exit(1)
    except OSError as error:
        from upcycle_news.api.system_errors import from_system_error

        _discard_output()  # it may be what could not be written
        _say(str(from_system_error(error)))
        sys.exit(1)


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
        with suppress(OSError):
            print(sentence, file=sys.stderr)  # noqa: T201


def _discard_output() -> None:
    """Send to the null device what is still to be written to standard output."""
    with suppress(OSError, UnsupportedOperation, AttributeError):  # closed, or not a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
