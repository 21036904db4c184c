"""An operator on another machine opens the figures from the report of a run."""

from __future__ import annotations

import re
from datetime import timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.models import IssueId
from upcycle_news.observability.redaction import redact
from upcycle_news.services.issues import compose
from upcycle_news.services.issues.preview_link import preview_url
from upcycle_news.services.reports.report_link import VALID_FOR, link_sentence

from ..delivery.memory_ledger import Clock
from ..publications import Publication
from .web_server import WebServer


def report_url(context: AppContext) -> str:
    found = re.search(r"\((https?://[^)]+)\)", link_sentence(context).in_language("de"))
    assert found is not None
    return found[1]


def test_the_link_shows_the_figures_and_the_page_loads_nothing(
    context: AppContext, server: WebServer
) -> None:
    answer = server.get(report_url(context))
    assert answer.status == 200
    assert "die Zahlen" in answer.text and "@" not in answer.text.replace("@media", "")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "script-src" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"


def test_a_link_that_is_altered_or_for_another_page_shows_nothing(
    publication: Publication, context: AppContext, server: WebServer
) -> None:
    url = report_url(context)
    base, token = url.rsplit("/", 1)
    assert redact(f"opened {token}") == redact(
        "opened " + "x" * 43
    )  # a line in a log gives nothing away
    for altered in (
        token[:-1],
        token + "A",
        "B" + token[1:],
        token[:-2] + "AA",
        "x",
        token.swapcase(),
    ):
        assert server.get(f"{base}/{altered}").status == 404, altered
    publication.write_essay()
    issue = IssueId.parse("2026-11-26")
    revision = compose.compose_issue(context, issue).revision_id
    preview = preview_url(context, issue, revision, expires=context.clock() + timedelta(hours=1))
    assert server.get(f"{base}/{preview.rsplit('/', 1)[1]}").status == 404
    assert server.get(url.replace("/report/", "/preview/")).status == 404


def test_a_link_expires(context: AppContext, server: WebServer, clock: Clock) -> None:
    url = report_url(context)
    clock.now += VALID_FOR - timedelta(seconds=1)
    assert server.get(url).status == 200
    clock.now += timedelta(seconds=1)
    assert server.get(url).status == 404
