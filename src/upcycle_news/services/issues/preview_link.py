"""The preview of one revision behind a signed, expiring link."""

from __future__ import annotations

from datetime import datetime

from upcycle_news.app.context import Newsroom
from upcycle_news.models import IssueId
from upcycle_news.rendering.preview_page import preview_page
from upcycle_news.services.issues.render import render_issue
from upcycle_news.storage import issues, revisions
from upcycle_news.subscribers.link_tokens import preview_token, read_preview_token


def preview_url(room: Newsroom, issue: IssueId, digest: str, *, expires: datetime) -> str:
    """The link to a revision's preview under the public address; it ends at `expires`."""
    row = issues.get(room.store, issue)
    assert row is not None
    token = preview_token(room.signer.keys, issue=row.number, revision=digest, expires=expires)
    return f"{room.publication.public_url}/preview/{token}"


def preview_html(room: Newsroom, token: str) -> str | None:
    """The page a preview link opens; None for a token that is altered, foreign or has expired."""
    found = read_preview_token(room.signer.keys, token, now=room.clock())
    if found is None:
        return None
    for row in issues.every(room.store):
        if row.number == found.issue:
            digest = revisions.hash_beginning(room.store, row.id, found.revision)
            if digest is not None:
                rendered = render_issue(room, row.id, digest)
                return preview_page(rendered.rendered, rendered.findings, language=room.language)
    return None
