"""The errors of the program: one root, a message that says what, where and what to do.

No message carries an address or a secret. Expected failures of the outer world (a dead feed, a
550) are values, not exceptions; an exception here ends the command with one sentence and the exit
code of its class.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from upcycle_news.i18n.messages import FALLBACK, LocalizedText, localized


class UpcycleError(Exception):
    """Refused or failed, with a sentence; the root of everything we raise on purpose.

    What editors can mend is a `Saying`: English until somebody who knows the publication's language
    sets `language`, as `Newsroom` does with every error that passes it.
    """

    exit_code = 1
    language = FALLBACK

    def __init__(self, message: str | LocalizedText = "") -> None:
        """Say `message`."""
        super().__init__(message)
        self.text = message

    @property
    def localized_text(self) -> LocalizedText:
        """What it says, without its place; a sentence that has one language only stays as it is."""
        return (
            self.text
            if isinstance(self.text, LocalizedText)
            else localized("untranslated", text=self.text)
        )

    def in_language(self, language: str) -> str:
        """The sentence in this language, if there are words for it."""
        return _in(language, self.text)

    def __str__(self) -> str:
        return self.in_language(self.language)


class PlacedError(UpcycleError):
    """An error in a file: ``file:line: what, and what to write instead``."""

    def __init__(
        self,
        where: Path | str,
        line: int | None,
        message: str | LocalizedText,
        more: Sequence[PlacedError] = (),
    ) -> None:
        """Place `message` at `where` (shown as given) and at the 1-based `line`, if one is known.

        `more` are others of the kind, told below it.
        """
        super().__init__(message)
        self.where = str(where)
        self.line = line
        self.more = tuple(more)

    def __reduce__(self) -> tuple[Any, ...]:
        # Prefect keeps what a task raised: it has to come back as it was.
        return (
            type(self),
            (self.where, self.line, self.text, self.more),
            {"language": self.language},
        )

    @property
    def place(self) -> str:
        """``file:line``, or the file."""
        return self.where if self.line is None else f"{self.where}:{self.line}"

    @property
    def message(self) -> str:
        """What, and what to write instead."""
        return _in(self.language, self.text)

    def in_language(self, language: str) -> str:
        """A line for each, beginning with its place."""
        own = f"{self.place}: {_in(language, self.text)}"
        return "\n".join([own, *(one.in_language(language) for one in self.more)])


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


class SendHoldError(UpcycleError):
    """The store stands still until a person has confirmed it: nothing may go out."""


class RelayError(UpcycleError):
    """The relay cannot be reached, refuses us, or said something that stops the issue."""


class NothingNew(UpcycleError):  # noqa: N818 - it is not an error
    """There is nothing to make an issue of. Not a failure, but not an issue either."""

    exit_code = 3


def _in(language: str, said: str | LocalizedText) -> str:
    return said.in_language(language) if isinstance(said, LocalizedText) else said
