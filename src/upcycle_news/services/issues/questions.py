"""The question of an issue: until when it is open, what was answered, and an answer that is counted.

Nothing is kept of who answers: only how often each answer was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import IssueId, Question
from upcycle_news.models.content import base_of
from upcycle_news.storage import issues, question_answers, revisions

LEAST_ANSWERS = 5
"""So many answers in all are needed before any figure is shown to anybody."""


@dataclass(frozen=True)
class AskedQuestion:
    """The question of an issue that was sent; `language` is the one that it is asked in here.

    `folder` is that of the issue's pages in this language, empty for the publication's own.
    `counts` is how often each answer was given, in their order, and empty while there are too few to show.
    """

    issue: IssueId
    revision_id: str
    question: Question
    language: str
    folder: str
    closes_at: datetime
    is_open: bool
    counts: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        """How many answers there are; 0 while there are too few to show."""
        return sum(self.counts)

    def as_dict(self) -> dict[str, Any]:
        """Return the object `question` of `issue status --json`; `answers` is null while there are too few."""
        pairs = dict(zip(self.question.answers, self.counts, strict=True)) if self.counts else None
        return {
            "question": self.question.text,
            "open": self.is_open,
            "closes_at": self.closes_at.isoformat(timespec="seconds"),
            "answers": pairs,
        }

    def sentences(self) -> Sequence[LocalizedText]:
        """Return the question, and a line for each answer, or that there are too few."""
        asked = localized("question-asked", question=self.question.text)
        if not self.counts:
            return (asked, localized("question-few", least=LEAST_ANSWERS))
        answers = zip(self.question.answers, self.counts, strict=True)
        return (
            asked,
            *(
                localized(
                    "question-answer", answer=answer, number=count, share=100 * count / self.total
                )
                for answer, count in answers
            ),
            localized("question-stuffed"),
        )


def asked_question(context: AppContext, issue: IssueId, language: str = "") -> AskedQuestion | None:
    """Return the question of an issue; None without one, and before the issue is queued.

    In `language` where the issue asks in it, else in the issue's own.
    """
    row = issues.get(context.store, issue)
    if row is None or not row.frozen or row.enqueued_at is None:
        return None
    found = revisions.question_of(context.store, issue, row.revision_id, language)
    if found is None:
        return None
    question, asked_in = found
    base = base_of(asked_in)
    closes_at = row.enqueued_at + timedelta(days=context.settings.web.question_days)
    given = question_answers.answer_counts(context.store, issue, row.revision_id)
    counts = tuple(given.get(number, 0) for number, _ in enumerate(question.answers, 1))
    return AskedQuestion(
        issue,
        row.revision_id,
        question,
        asked_in,
        "" if base == base_of(context.settings.publication.language) else base,
        closes_at,
        is_open=context.clock() < closes_at,
        counts=counts if sum(counts) >= LEAST_ANSWERS else (),
    )


def count_answer(context: AppContext, issue: IssueId, answer: int) -> bool:
    """Count an answer, from 1; False, and nothing counted, if there is none such or the question is closed."""
    asked = asked_question(context, issue)
    if asked is None or not asked.is_open or not 1 <= answer <= len(asked.question.answers):
        return False
    question_answers.count_answer(context.store, issue, asked.revision_id, answer)
    return True
