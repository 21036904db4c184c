"""The question of an issue as mails and pages of the archive show it: with links that carry nobody's token."""

from __future__ import annotations

from dataclasses import dataclass

from upcycle_news.models import Issue, IssueId, Publication
from upcycle_news.models.archive_paths import question_path
from upcycle_news.rendering.typesetter import Typesetter

LANGUAGE = "lang"
"""The field that names the language of the page; without it, it is the publication's."""
ANSWER = "answer"
"""The field of the form that holds the number of an answer; a link with it chooses, and does not answer."""


@dataclass(frozen=True)
class AnswerView:
    """An answer, and the page on which it is chosen already."""

    text: str
    url: str


@dataclass(frozen=True)
class QuestionView:
    """The question of an issue: where it is answered, and what there is to choose from."""

    text: str
    url: str
    answers: tuple[AnswerView, ...]


def question_address(publication: Publication, issue: IssueId, folder: str = "") -> str:
    """Return the address of the page with the question of an issue; the publication has a public one.

    `folder` is that of the issue's language, empty for the publication's own.
    """
    address = f"{publication.public_url}/{question_path(str(issue))}"
    return f"{address}?{LANGUAGE}={folder}" if folder else address


def question_view(
    publication: Publication, issue: Issue, typeset: Typesetter
) -> QuestionView | None:
    """Return the question of an issue; None without one, or where nobody could answer it."""
    question = issue.question
    if question is None or not publication.public_url:
        return None
    url = question_address(publication, issue.id, issue.folder)
    chosen = f"{url}{'&' if issue.folder else '?'}{ANSWER}"
    return QuestionView(
        text=typeset(question.text, issue.language),
        url=url,
        answers=tuple(
            AnswerView(typeset(answer, issue.language), f"{chosen}={number}")
            for number, answer in enumerate(question.answers, 1)
        ),
    )
