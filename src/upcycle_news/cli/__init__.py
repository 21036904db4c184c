"""The command line; `main` is the console script and prints expected errors as one sentence."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command; exit 0 done, 1 refused or failed, 2 wrong usage, 3 nothing new."""
    from upcycle_news.cli.app import commands
    from upcycle_news.errors import UpcycleError

    try:
        commands()
    except UpcycleError as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted; nothing is lost, the same command goes on", file=sys.stderr)  # noqa: T201
        sys.exit(130)
    except BrokenPipeError:
        # Whatever read our output (head, less) has ended: print nothing more, at interpreter exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
