"""An editor on another machine opens the preview from the approval's form."""

from __future__ import annotations

from datetime import timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.models import IssueId
from upcycle_news.services.issues import compose
from upcycle_news.services.issues.preview_link import preview_url

from ..publications import Publication
from .web_server import WebServer


def test_the_preview_link_shows_the_issue_and_loads_nothing(
    publication: Publication, context: AppContext, server: WebServer
) -> None:
    publication.write_essay()
    issue = IssueId.parse("2026-11-26")
    revision = compose.compose_issue(context, issue).revision_id
    url = preview_url(context, issue, revision, expires=context.clock() + timedelta(hours=1))
    answer = server.get(url)
    assert answer.status == 200
    assert "Was vom Bahnhof bleibt" in answer.text
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert server.get(url[:-1] + "-").status == 404
    expired = preview_url(context, issue, revision, expires=context.clock() - timedelta(hours=1))
    assert server.get(expired).status == 404
