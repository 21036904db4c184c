"""`/question/ISSUE`: where readers answer the question of an issue. A GET shows, only a POST counts.

The links of mails carry no token, and nothing is kept of who answers: no address, no cookie, no time.
"""

from __future__ import annotations

from functools import partial

from babel.dates import format_date
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from upcycle_news.api.issues import LEAST_ANSWERS, AskedQuestion
from upcycle_news.errors import UpcycleError
from upcycle_news.models import IssueId
from upcycle_news.models.archive_paths import in_folder, question_path
from upcycle_news.web.handlers import Handlers
from upcycle_news.web.rate_limit import NetworkRateLimit, read_form

_FIELD, _LANGUAGE = "answer", "lang"
_DONE = "counted"


class QuestionPages:
    """Shows the questions of issues that were sent, and counts the answers."""

    def __init__(self, handlers: Handlers, limit: NetworkRateLimit) -> None:
        """`limit` is how many answers one network may give."""
        self._handlers, self._limit = handlers, limit

    async def show(self, request: Request) -> Response:
        """Return the question with its form, or with its end; a link of a mail chooses an answer."""
        asked = await self._asked(request)
        notice = "page_question_thanks" if _DONE in request.query_params else ""
        return self._page(
            asked, chosen=_number(request.query_params.get(_FIELD, "")), notice=notice
        )

    async def answer(self, request: Request) -> Response:
        """Count an answer, and lead on to the page: whoever loads it again answers no second time."""
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise HTTPException(400)  # the form of a foreign page, sent in the name of its visitors
        form = await read_form(request)
        asked = await self._asked(request)
        if form is None:
            raise HTTPException(400)
        number = _number(form.get(_FIELD, [""])[0])
        if not asked.is_open:
            return self._page(asked)
        if not 1 <= number <= len(asked.question.answers):
            return self._page(asked, 422, error="page_question_choose")
        if not self._limit.allows(request.client.host if request.client else ""):
            return self._handlers.page(
                "too_many_answers", asked.language, 429, headers={"Retry-After": "3600"}
            )
        count = self._handlers.app.issues.count_answer
        if not await self._handlers.run_in_thread(count, asked.issue, number):
            return self._page(await self._asked(request))  # it was closed just now
        path = self._path(asked)
        return RedirectResponse(f"{path}{'&' if asked.folder else '?'}{_DONE}", 303)

    async def _asked(self, request: Request) -> AskedQuestion:
        """Return the question that the path names; 404 for an issue without one, and for no issue."""
        try:
            issue = IssueId.parse(request.path_params["issue"])
        except UpcycleError:
            raise HTTPException(404) from None
        language = request.query_params.get(_LANGUAGE, "")
        question = partial(self._handlers.app.issues.question, issue, language=language)
        asked = await self._handlers.run_in_thread(question)
        if asked is None:
            raise HTTPException(404)
        return asked

    def _path(self, asked: AskedQuestion) -> str:
        path = f"{self._handlers.app.pages.root}/{question_path(str(asked.issue))}"
        return f"{path}?{_LANGUAGE}={asked.folder}" if asked.folder else path

    def _page(
        self,
        asked: AskedQuestion,
        status: int = 200,
        *,
        chosen: int = 0,
        error: str = "",
        notice: str = "",
    ) -> Response:
        zone, locale = (
            self._handlers.app.settings.publication.zone,
            asked.language.partition("-")[0],
        )
        total = asked.total
        sums = [
            {"answer": answer, "count": count, "percent": round(100 * count / total)}
            for answer, count in zip(asked.question.answers, asked.counts, strict=False)
        ]
        return self._handlers.page(
            "question",
            asked.language,
            status,
            question=asked.question.text,
            answers=asked.question.answers,
            action=self._path(asked),
            issue=str(asked.issue),
            folder=in_folder("", asked.folder),
            date=format_date(asked.issue.day, "long", locale=locale),
            closes=format_date(asked.closes_at.astimezone(zone), "long", locale=locale),
            open=asked.is_open,
            chosen=chosen,
            sums=sums,
            total=total,
            least=LEAST_ANSWERS,
            error=error,
            notice=notice,
        )


def _number(text: str) -> int:
    """Return the number of an answer; 0 for anything else."""
    return int(text) if len(text) == 1 and text.isascii() and text.isdecimal() else 0
