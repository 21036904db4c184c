"""The exceptions of the program: one root, a message that says what, where and what to do.

No message carries an address or a secret. Expected failures elsewhere (a dead feed, a 550
reply) are values, not exceptions; an exception here ends the command with one sentence and the exit
code of its class.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from upcycle_news.i18n.messages import FALLBACK, LocalizedText, localized


class UpcycleError(Exception):
    """Root of all exceptions that we raise on purpose: refused or failed, with a sentence.

    What editors can fix is a `LocalizedText`: English until `language` is set, as `AppContext` does
    with every error that passes it.
    """

    exit_code = 1
    language = FALLBACK

    def __init__(self, message: str | LocalizedText = "") -> None:
        """Keep `message`, a sentence in one language or a localized one."""
        super().__init__(message)
        self.text = message

    @property
    def localized_text(self) -> LocalizedText:
        """The message without its place; one that has no translations stays as it is."""
        return (
            self.text
            if isinstance(self.text, LocalizedText)
            else localized("untranslated", text=self.text)
        )

    def in_language(self, language: str) -> str:
        """Return the message in this language if it is localized."""
        return _translate(language, self.text)

    def __str__(self) -> str:
        return self.in_language(self.language)


class PlacedError(UpcycleError):
    """An error in a file: ``file:line: what is wrong, and what to write instead``."""

    def __init__(
        self,
        where: Path | str,
        line: int | None,
        message: str | LocalizedText,
        more: Sequence[PlacedError] = (),
    ) -> None:
        """Place `message` at `where` (shown as given) and at the 1-based `line`, if one is known.

        `more` are further errors of the same file, listed below it.
        """
        super().__init__(message)
        self.where = str(where)
        self.line = line
        self.more = tuple(more)

    def __reduce__(self) -> tuple[Any, ...]:
        # Prefect pickles what a task raised: it has to be restored with all its fields.
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
        """The message in the error's own language, without its place."""
        return _translate(self.language, self.text)

    def in_language(self, language: str) -> str:
        """Return a line for this error and each of `more`, beginning with its place."""
        own = f"{self.place}: {_translate(language, self.text)}"
        return "\n".join([own, *(other.in_language(language) for other in self.more)])


class UsageError(UpcycleError):
    """A value that no publication and no state of it could take, such as an unknown language."""

    exit_code = 2


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
    """The state of an issue does not allow what was asked."""


class SendHoldError(UpcycleError):
    """A send hold is active: nothing may be sent until the store is confirmed."""


class StoreMismatchError(StoreError):
    """The store is not the one that sent what was sent: empty, lost, older or another publication's."""


class RelayError(UpcycleError):
    """The relay cannot be reached, refuses us, or gave a reply that stops the issue."""


class WebhookRefused(UpcycleError):  # noqa: N818 - a reply to a request, not a failure of ours
    """A request does not carry the secret of its source, or the signature made with it."""


class WebhookUnreadable(UpcycleError):  # noqa: N818 - a reply to a request, not a failure of ours
    """A request is genuine, but its body is not what its source documents."""


class ProviderUnavailable(UpcycleError):  # noqa: N818 - it passes
    """A request cannot be verified now, since its provider does not answer: it has to come again."""


class NothingNew(UpcycleError):  # noqa: N818 - it is not an error
    """There is no new content for an issue. Not a failure: exit code 3."""

    exit_code = 3


def _translate(language: str, text: str | LocalizedText) -> str:
    return text.in_language(language) if isinstance(text, LocalizedText) else text
