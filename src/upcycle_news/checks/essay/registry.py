"""The list of checks of an essay, and what each of them is given."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from upcycle_news.checks.essay.parsed import ParsedEssay, parse_essay
from upcycle_news.models import Essay, Finding

HeadLine = Callable[[Essay, str], int]
"""Returns the line of a key of an essay's front matter."""


def first_line(_: Essay, __: str) -> int:
    """Return line 1, where the file of an essay is not at hand."""
    return 1


@dataclass(frozen=True)
class EssayInput:
    """What a check examines: an essay, and the paths that exist below content/images.

    Without `images` the presence of files is not checked: rendering would have failed without one.
    """

    essay: Essay
    images: Collection[str] | None = None
    head_line: HeadLine = first_line

    def at(self, line: int) -> str:
        """Return ``file:line`` for a line of the essay's body, counted from 1."""
        return f"{self.essay.source}:{self.essay.body_line + line - 1}"

    def at_key(self, key: str) -> str:
        """Return ``file:line`` for a key of the essay's front matter."""
        return f"{self.essay.source}:{self.head_line(self.essay, key)}"

    @cached_property
    def parsed(self) -> ParsedEssay:
        """The essay's text as it is rendered, parsed once for all checks."""
        return parse_essay(self.essay)


EssayCheck = Callable[[EssayInput], Iterator[Finding]]
ESSAY_CHECKS: list[EssayCheck] = []
"""All checks of an essay, in the order in which their findings are shown."""


def essay_check(function: EssayCheck) -> EssayCheck:
    """Add a check of an essay to `ESSAY_CHECKS`; used as a decorator."""
    ESSAY_CHECKS.append(function)
    return function
