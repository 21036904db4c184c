"""Checks essays: every finding names a line of the Markdown file.

A module is a family of findings. What is left literally in a mail, or shown nowhere, is a finding at
its line with what to write instead: nothing becomes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from upcycle_news.checks.essay import (  # each adds its checks, in this order
    blocks,
    emphasis,
    fenced_blocks,
    leftovers,
    private_notes,
    references,
    typography,
)
from upcycle_news.checks.essay.registry import (
    ESSAY_CHECKS,
    EssayCheck,
    EssayInput,
    HeadLine,
    essay_check,
    first_line,
)
from upcycle_news.models import Essay, Finding

__all__ = [
    "ESSAY_CHECKS",
    "EssayCheck",
    "EssayInput",
    "HeadLine",
    "blocks",
    "check_essay",
    "check_further_essay",
    "emphasis",
    "essay_check",
    "fenced_blocks",
    "first_line",
    "leftovers",
    "private_notes",
    "references",
    "typography",
]


def check_essay(
    essay: Essay, images: Collection[str] | None = None, head_line: HeadLine = first_line
) -> Iterator[Finding]:
    """Yield the findings about an essay, from its first line to its last.

    `images` are the paths that exist below content/images.
    """
    check_input = EssayInput(essay, images, head_line)
    findings = [finding for run_check in ESSAY_CHECKS for finding in run_check(check_input)]
    yield from sorted(findings, key=lambda finding: finding.place[1])


def check_further_essay(essay: Essay) -> Iterator[Finding]:
    """Yield what keeps an issue from being sent though the essay does not lead it.

    Of such an essay the mail has the summary only, but the archive has all of it.
    """
    check_input = EssayInput(essay)
    yield from leftovers.check_placeholder(check_input)
    yield from private_notes.check_private_notes(check_input)
    yield from fenced_blocks.check_fenced_blocks(check_input)
