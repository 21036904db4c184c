"""Renders a revision, checks it (preflight), and writes the files of a preview."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upcycle_news.app.context import AppContext
from upcycle_news.checks.essay import check_essay
from upcycle_news.checks.issue import preflight
from upcycle_news.checks.translations import check_issue_languages
from upcycle_news.errors import IssueError, TemplateError
from upcycle_news.fileio import write_atomically
from upcycle_news.i18n.messages import localized
from upcycle_news.mail.headers import quoted_printable
from upcycle_news.mail.message import MessageTemplate, RecipientFields, message_hash
from upcycle_news.models import (
    EmailAddress,
    Finding,
    InlineImage,
    Issue,
    IssueId,
    Manifest,
    RenderedIssue,
    Variant,
    Variants,
)
from upcycle_news.models.variants import issue_of
from upcycle_news.services.archive.static_files import static_findings
from upcycle_news.services.browser.pictures import remove_pictures
from upcycle_news.services.content.files import line_of_head
from upcycle_news.services.content.images import publish_images
from upcycle_news.services.feeds.feed_findings import feed_findings
from upcycle_news.services.feeds.item_recognition import withdrawn_findings
from upcycle_news.services.feeds.pins import unknown_pins
from upcycle_news.services.issues.issue_file import file_findings
from upcycle_news.services.issues.own_links import own_link_findings
from upcycle_news.services.issues.settings_findings import (
    errors_of,
    revision_findings,
    settings_findings,
)
from upcycle_news.services.kept_results import kept_json
from upcycle_news.storage import issues, manifest_json, revisions
from upcycle_news.storage.revisions import Revision
from upcycle_news.subscribers.link_tokens import Purpose

# What fills templates is loaded where an issue is rendered, since stored renderings are used again.
if TYPE_CHECKING:
    from upcycle_news.rendering.preview_page import VariantLink

# The recipient of the sample message that a preview writes.
SAMPLE_RECIPIENT = EmailAddress("leserin@example.org")


@dataclass(frozen=True)
class RenderedRevision:
    """A rendered revision with its findings; `html_bytes` is the size of the encoded HTML part.

    `feed_findings`, the last of the findings, are about feeds that fail and content that may be old.
    `variant` is the number of the one whose `content` it is.
    """

    revision: Revision
    content: RenderedIssue
    findings: tuple[Finding, ...]
    html_bytes: int
    feed_findings: tuple[Finding, ...] = ()
    variant: int = 0

    @property
    def issue(self) -> IssueId:
        """The issue."""
        return self.revision.issue

    @property
    def revision_id(self) -> str:
        """The revision's id."""
        return self.revision.revision_id

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep the issue from being sent."""
        return errors_of(self.findings)


def render_revision(context: AppContext, revision: Revision) -> RenderedRevision:
    """Render a revision, or load its stored rendering, and check it: once a step, then hand it on."""
    manifest, revision_id = revision.manifest, revision.revision_id
    rendered = revisions.load_rendering(context.store, revision.issue, revision_id)
    if rendered is None:
        variants = _render(manifest)
        revisions.save_renderings(context.store, revision_id, manifest.variants, variants)
        rendered = variants[0]
    translated = [
        content
        for number in range(1, len(manifest.issue.in_languages))
        if (content := revisions.load_rendering(context.store, revision.issue, revision_id, number))
    ]
    publish_images(context, manifest)
    feeds = feed_findings(context)
    findings = (
        *_findings(context, manifest, (rendered, *translated)),
        *_variant_findings(context, revision),
        *feeds,
    )
    return RenderedRevision(
        revision,
        rendered,
        tuple(dict.fromkeys(findings)),
        len(quoted_printable(rendered.html)),
        feeds,
    )


def _variant_findings(context: AppContext, revision: Revision) -> Iterator[Finding]:
    """Yield what preflight finds in the variant with the fewest items: the others lie between it and all."""
    manifest = revision.manifest
    variants = manifest.variants
    by_topics = [number for number, one in enumerate(variants.all) if one.topics is not None]
    contents = {number: issue_of(manifest.issue, variants, number) for number in by_topics}
    if not contents:
        return
    fewest = min(contents, key=lambda number: (len(contents[number].related), number))
    content = revisions.load_rendering(context.store, revision.issue, revision.revision_id, fewest)
    if content is not None:
        yield from _of_language(context, manifest.of(contents[fewest]), content)


def show_variant(context: AppContext, rendered: RenderedRevision, number: int) -> RenderedRevision:
    """Return a rendered revision with the content of one of its variants, as some readers get it."""
    revision = rendered.revision
    content = revisions.load_rendering(context.store, revision.issue, revision.revision_id, number)
    assert content is not None, "a variant of a revision that was not rendered"
    size = len(quoted_printable(content.html))
    return replace(rendered, content=content, html_bytes=size, variant=number)


def check_manifest(context: AppContext, manifest: Manifest) -> tuple[Finding, ...]:
    """Return the findings about a manifest that is not stored as a revision."""
    languages = tuple(Variant(one.language) for one in manifest.issue.in_languages)
    rendered = _kept_rendering(context, replace(manifest, variants=Variants(all=languages)))
    return (*_findings(context, manifest, rendered), *feed_findings(context))


def _kept_rendering(context: AppContext, manifest: Manifest) -> tuple[RenderedIssue, ...]:
    """Return what `_render` does, or did for the same manifest the last time that one was checked."""
    inputs, _ = manifest_json.encode(manifest)
    records = kept_json(
        context, "rendering", inputs, lambda: [_as_record(one) for one in _render(manifest)]
    )
    return tuple(
        RenderedIssue(
            **record,
            issue=manifest.issue.id,
            images=tuple(
                InlineImage(cid, content_type, b64decode(data))
                for cid, content_type, data in images
            ),
        )
        for record, images in records
    )


def _as_record(rendered: RenderedIssue) -> tuple[dict[str, str], list[list[str]]]:
    texts = {
        name: getattr(rendered, name) for name in ("language", "subject", "html", "text", "mjml")
    }
    return texts, [
        [one.cid, one.content_type, b64encode(one.data).decode()] for one in rendered.images
    ]


def _render(manifest: Manifest) -> tuple[RenderedIssue, ...]:
    """Render the variants of a manifest; raises `RefusedError` where an editor's text looks like a template's piece.

    The renderer finds ``{{`` in the result and could only name the template.
    """
    from upcycle_news.rendering.variants import render_variants

    try:
        return render_variants(manifest)
    except TemplateError:
        told = manifest.issue.in_languages
        texts = [essay for one in told for essay in (*one.essays, one.greeting_essay) if essay]
        issue = manifest.issue
        found = [finding for text in texts for finding in check_essay(text)]
        if pieces := [finding for finding in found if finding.code == "leftover"]:
            raise RefusedError(issue.id, pieces) from None
        raise


def _findings(
    context: AppContext, manifest: Manifest, renderings: Sequence[RenderedIssue]
) -> tuple[Finding, ...]:
    """Return the findings about an issue, by the rendering of each of its languages."""
    findings = (
        *(
            finding
            for told, rendered in zip(manifest.in_languages, renderings, strict=False)
            for finding in _of_language(context, told, rendered)
        ),
        *_unsent_findings(context, manifest),
        *static_findings(context),
        *check_issue_languages(
            manifest.issue, manifest.publication, context.settings.issue.untranslated
        ),
        *settings_findings(context),
        *revision_findings(context, manifest.publication),
    )
    return tuple(dict.fromkeys(findings))


def _of_language(
    context: AppContext, manifest: Manifest, rendered: RenderedIssue
) -> Iterator[Finding]:
    """Yield the findings about an issue in one language; of a translation in the files ``issue.en.…``."""
    folder = manifest.issue.folder
    line_of = partial(line_of_head, context)
    for finding in (
        *preflight(rendered, manifest.issue, manifest.publication, line_of),
        *own_link_findings(context, manifest, rendered),
    ):
        if folder and finding.where.startswith("issue."):
            yield replace(finding, where=f"issue.{folder}{finding.where.removeprefix('issue')}")
        else:
            yield finding


def _unsent_findings(context: AppContext, manifest: Manifest) -> Iterator[Finding]:
    """Yield findings that matter until deliveries begin: after that the issue has used its contents."""
    row = issues.get(context.store, manifest.issue.id)
    if (row is None or not row.frozen) and manifest.issue.id.is_regular:
        yield from _already_sent(context, manifest.issue)
        yield from unknown_pins(context, manifest.issue.all_essays)
        yield from withdrawn_findings(context, manifest.issue)
        yield from file_findings(context, manifest)


def _already_sent(context: AppContext, issue: Issue) -> Iterator[Finding]:
    """Yield a finding for each essay and item that another issue has sent since the preview."""
    names = {
        name
        for related in issue.all_related
        for item in related.story.items
        for name in (item.key, item.canonical)
    }
    slugs = [essay.slug for essay in issue.all_essays]
    essays = issues.published_essays(context.store, slugs, apart_from=issue.id)
    items = issues.used_items(context.store, names, apart_from=issue.id)
    for essay in issue.all_essays:
        if essay.slug in essays:
            yield Finding(
                "error", "essay-sent", essay.source, localized("essay-sent", slug=essay.slug)
            )
    for related in issue.all_related:
        for item in related.story.items:
            if item.canonical in items or item.key in items:
                text = localized("item-sent", title=item.title[:60])
                yield Finding("error", "item-sent", item.feed, text)


class RefusedError(IssueError):
    """Preflight refuses an issue; the message has a line for each error."""

    def __init__(self, issue: IssueId, findings: Sequence[Finding]) -> None:
        """Create the error from the findings of level error."""
        super().__init__(localized("refused", issue=str(issue)))
        self.issue, self.findings = issue, tuple(findings)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.issue, self.findings), {"language": self.language}

    def in_language(self, language: str) -> str:
        """Return the sentence and a line for each finding."""
        lines = (finding.line(language) for finding in self.findings)
        return "\n".join([super().in_language(language), *lines])


def raise_on_errors(rendered: RenderedRevision) -> None:
    """Raise `RefusedError` if there are findings of level error."""
    if rendered.errors:
        raise RefusedError(rendered.issue, rendered.errors)


def raise_on_settings(context: AppContext, issue: IssueId) -> None:
    """Raise `RefusedError` if the settings alone keep an issue from being sent."""
    if errors := errors_of(settings_findings(context)):
        raise RefusedError(issue, errors)


def write_preview_files(
    context: AppContext,
    rendered: RenderedRevision,
    *,
    refresh: int | None = None,
    variants: Sequence[VariantLink] = (),
) -> Mapping[str, Path]:
    """Write the preview's files below var/issues/ISSUE/; return their paths by kind.

    `refresh`: seconds after which a browser reloads the preview. `variants` are named on its page.
    """
    from upcycle_news.rendering.preview_page import preview_page, standalone_html

    manifest = rendered.revision.manifest
    shown = issue_of(manifest.issue, manifest.variants, rendered.variant)
    manifest_text, _ = manifest_json.encode(manifest)
    folder = context.issues_folder / str(rendered.issue)
    remove_pictures(folder)
    contents: dict[str, tuple[str, bytes]] = {
        "html": ("issue.html", standalone_html(rendered.content).encode()),
        "text": ("issue.txt", rendered.content.text.encode()),
        "mjml": ("issue.mjml", rendered.content.mjml.encode()),
        "eml": ("issue.eml", sample_message(context, rendered)),
        "manifest": ("manifest.json", manifest_text.encode()),
        "preview": (
            "preview.html",
            preview_page(
                rendered.content,
                rendered.findings,
                language=context.language,
                refresh=refresh,
                related=shown.related,
                variants=variants,
            ).encode(),
        ),
    }
    files = {}
    for kind, (name, data) in contents.items():
        files[kind] = folder / name
        write_atomically(files[kind], data)
    return files


def sample_message(context: AppContext, rendered: RenderedRevision) -> bytes:
    """Return the complete message for a sample recipient."""
    publication = rendered.revision.manifest.publication.in_language(rendered.content.language)
    template = MessageTemplate.compose(
        rendered.content, context.sender_headers(publication), revision_id=rendered.revision_id
    )
    zone = context.settings.publication.zone
    return template.for_recipient(
        RecipientFields(
            address=SAMPLE_RECIPIENT,
            name="Leserin",
            unsubscribe_url=context.subscriber_link(Purpose.UNSUBSCRIBE, 0),
            preferences_url=context.subscriber_link(Purpose.PREFERENCES, 0),
            message_hash=message_hash(context.message_id_key, rendered.issue, 0),
            date=datetime.combine(rendered.issue.day, time(7, 30), zone),
        )
    )
