"""The errors of the program: one root, a message that says what, where and what to do.

No message carries an address or a secret. Expected failures of the outer world (a dead feed, a
550) are values, not exceptions; an exception here ends the command with one sentence and the exit
code of its class.
"""

from __future__ import annotations

from pathlib import Path


class UpcycleError(Exception):
    """Refused or failed, with a sentence; the root of everything we raise on purpose."""

    exit_code = 1


class PlacedError(UpcycleError):
    """An error in a file: ``file:line: what, and what to write instead``."""

    def __init__(self, where: Path | str, line: int | None, message: str) -> None:
        """Place `message` at `where` (shown as given) and at the 1-based `line`, if one is known."""
        self.where = str(where)
        self.line = line
        self.message = message
        place = self.where if line is None else f"{self.where}:{line}"
        super().__init__(f"{place}: {message}")


class ContentError(PlacedError):
    """An essay, a feeds.toml or an image that cannot be used as written."""


class SettingsError(PlacedError):
    """A setting that is unknown, missing or cannot work; `where` is a file or a variable's name."""


class TemplateError(PlacedError):
    """A template that does not render."""


class AddressError(UpcycleError):
    """A text that is not an e-mail address. The message never repeats the text."""


class StoreError(UpcycleError):
    """The store cannot be opened, read or written."""


class IssueError(UpcycleError):
    """Something was asked of an issue that its state does not allow."""


class PausedError(UpcycleError):
    """The store stands still until a person has confirmed it: nothing may go out."""


class RelayError(UpcycleError):
    """The relay cannot be reached, refuses us, or said something that stops the issue."""


class NothingNew(UpcycleError):  # noqa: N818 - it is not an error
    """There is nothing to make an issue of. Not a failure, but not an issue either."""

    exit_code = 3
