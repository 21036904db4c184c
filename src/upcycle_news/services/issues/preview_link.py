"""The preview of one revision behind a signed, expiring link."""

from __future__ import annotations

from datetime import datetime

from upcycle_news.app.context import AppContext
from upcycle_news.models import IssueId
from upcycle_news.rendering.preview_page import preview_page
from upcycle_news.services.issues.render import render_revision, show_variant
from upcycle_news.services.issues.revisions import find_revision
from upcycle_news.services.issues.variants import readership, variant_links
from upcycle_news.storage import issues, revisions
from upcycle_news.subscribers.link_tokens import preview_token, read_preview_token


def preview_url(context: AppContext, issue: IssueId, revision_id: str, *, expires: datetime) -> str:
    """Return the public URL of a revision's preview, valid until `expires`."""
    row = issues.get(context.store, issue)
    assert row is not None
    token = preview_token(
        context.link_signer.keys, issue=row.number, revision_id=revision_id, expires=expires
    )
    return f"{context.publication.public_url}/preview/{token}"


def preview_html(context: AppContext, token: str, variant: int = 0) -> str | None:
    """Return the page of a preview link; None for a token that is altered, foreign or expired.

    `variant` is the number of the one that it shows; an unknown one is the first.
    """
    preview = read_preview_token(context.link_signer.keys, token, now=context.clock())
    if preview is None:
        return None
    issue = issues.find_by_number(context.store, preview.issue)
    if issue is None:
        return None
    revision_id = revisions.find_by_prefix(context.store, issue, preview.revision_prefix)
    if revision_id is None:
        return None
    rendered = render_revision(context, find_revision(context, issue, revision_id))
    readers = readership(context, rendered.revision)
    if variant < len(readers.variants):
        rendered = show_variant(context, rendered, variant)
    links = variant_links(context, readers, rendered.variant, lambda one: f"?variant={one.number}")
    return preview_page(
        rendered.content, rendered.findings, language=context.language, variants=links
    )
