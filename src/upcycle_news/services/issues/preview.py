"""The preview of an issue: rendered, checked, and written to files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.fileio import write_atomically
from upcycle_news.models import Finding, IssueId
from upcycle_news.models.delivery import digest_fields
from upcycle_news.rendering.preview_page import standalone_html
from upcycle_news.services.browser.pictures import issue_pictures, write_pictures
from upcycle_news.services.issues.render import (
    RenderedRevision,
    render_revision,
    show_variant,
    write_preview_files,
)
from upcycle_news.services.issues.variants import (
    Readership,
    find_variant,
    readership,
    variant_links,
)
from upcycle_news.storage.revisions import Revision


@dataclass(frozen=True)
class IssuePreview:
    """A rendered revision and its files below var/issues/ISSUE/.

    `files` has the paths by kind: html, text, mjml, eml, manifest, and preview, the page to look at; with
    pictures also phone, phone-dark, desktop and desktop-dark. `readers` says who gets which variant.
    """

    rendered: RenderedRevision
    files: Mapping[str, Path]
    readers: Readership

    @property
    def revision(self) -> Revision:
        """The revision."""
        return self.rendered.revision

    @property
    def issue(self) -> IssueId:
        """The issue."""
        return self.rendered.issue

    @property
    def subject(self) -> str:
        """The subject of the mail."""
        return self.rendered.content.subject

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What preflight found; an error refuses the issue, a warning does not."""
        return self.rendered.findings

    def as_dict(self, language: str) -> dict[str, Any]:
        """Return the JSON object of `issue preview`, with findings in `language`."""
        content = self.revision.manifest.issue
        return {
            "issue": str(self.issue),
            "hash": self.revision.revision_id,
            "subject": self.subject,
            "essays": [essay.slug for essay in content.all_essays],
            "items": len(content.all_related),
            "bytes": self.rendered.html_bytes,
            **self._variants(),
            **digest_fields(self.readers.left_for_digest, self.readers.digest_day),
            **({"digest_of": list(content.digest_of)} if content.digest_of else {}),
            "files": {kind: str(path) for kind, path in self.files.items() if kind != "preview"},
            "findings": [
                {
                    "level": finding.level,
                    "code": finding.code,
                    "where": finding.where,
                    "message": finding.in_language(language),
                }
                for finding in self.findings
            ],
        }

    def _variants(self) -> dict[str, Any]:
        """Return what JSON says of an issue with several variants."""
        if not self.revision.manifest.variants:
            return {}
        return {
            "variant": self.rendered.variant,
            "variants": [one.as_dict() for one in self.readers.variants],
            "without_own_variant": self.readers.others,
            "without_issue": dict(self.readers.without),
        }


LINKED_VARIANTS = 32
"""Variants with a page of their own beside the preview: those that most readers get."""


def preview_revision(
    context: AppContext, revision: Revision, *, refresh: int | None = None, variant: str = ""
) -> IssuePreview:
    """Render and check a revision and write its files; `refresh` as for `write_preview_files`.

    `variant`: the number or key of the one that they show; raises `IssueError` for an unknown one.
    """
    rendered = render_revision(context, revision)
    if variant:
        number = find_variant(revision.issue, revision.manifest.variants, variant)
        rendered = show_variant(context, rendered, number)
    readers = readership(context, revision)
    most = sorted(readers.variants, key=lambda one: (-one.readers, one.number))[:LINKED_VARIANTS]
    pages = {one.number: f"variant-{one.number}.html" for one in most}
    links = variant_links(context, readers, rendered.variant, lambda one: pages.get(one.number, ""))
    files = write_preview_files(context, rendered, refresh=refresh, variants=links)
    if links:
        _write_variants(context, rendered, pages)
    return IssuePreview(rendered, files, readers)


def _write_variants(
    context: AppContext, rendered: RenderedRevision, pages: Mapping[int, str]
) -> None:
    """Write the mails of variants beside a preview."""
    folder = context.issues_folder / str(rendered.issue)
    for old in folder.glob("variant-*.html"):
        old.unlink(missing_ok=True)
    for number, name in pages.items():
        content = show_variant(context, rendered, number).content
        write_atomically(folder / name, standalone_html(content).encode())


def with_pictures(context: AppContext, preview: IssuePreview) -> IssuePreview:
    """Take PNG pictures of a preview and write them beside its issue.html; return it with their paths.

    Raises `BrowserError` when there is no Chromium, or it fails.
    """
    pictures = issue_pictures(preview.rendered.content, context.settings.browser.chromium)
    files = write_pictures(preview.files["html"].parent, pictures)
    return replace(preview, files={**preview.files, **files})
