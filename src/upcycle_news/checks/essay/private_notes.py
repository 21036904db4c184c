"""Notes that are not for readers. They are not rendered; the issue waits until they are gone.

An issue is refused for a note in any of its essays: where a mark is a slip, what stands between it and
the next would be missing, and where its end is missing, all would read it.
"""

from __future__ import annotations

from collections.abc import Iterator

from upcycle_news.checks.essay.registry import EssayInput, essay_check
from upcycle_news.checks.findings import error
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding
from upcycle_news.text.private_notes import private_notes


@essay_check
def check_private_notes(check_input: EssayInput) -> Iterator[Finding]:
    """Yield an error for each private note of an essay that is ready, with an end or without."""
    if check_input.essay.status != "ready":
        return
    for note in private_notes(check_input.essay.body):
        where = check_input.at(note.line)
        if note.closed and not check_input.essay.slug:  # a greeting, which has no status
            yield error("private-note", where, localized("private-note-greeting", mark=note.mark))
        elif note.closed:
            yield error("private-note", where, localized("private-note", mark=note.mark))
        else:
            yield error("private-note", where, localized("private-note-open", mark=note.mark))
