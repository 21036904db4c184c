"""The preview of an issue: rendered, checked, and written to files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.models import Finding, IssueId
from upcycle_news.services.browser.pictures import issue_pictures, write_pictures
from upcycle_news.services.issues.render import (
    RenderedRevision,
    render_revision,
    write_preview_files,
)
from upcycle_news.storage.revisions import Revision


@dataclass(frozen=True)
class IssuePreview:
    """A rendered revision and its files below var/issues/ISSUE/.

    `files` has the paths by kind: html, text, mjml, eml, manifest, and preview, the page to look at; with
    pictures also phone, phone-dark, desktop and desktop-dark.
    """

    rendered: RenderedRevision
    files: Mapping[str, Path]

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
            "essays": [essay.slug for essay in content.essays],
            "items": len(content.related),
            "bytes": self.rendered.html_bytes,
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


def preview_revision(
    context: AppContext, revision: Revision, *, refresh: int | None = None
) -> IssuePreview:
    """Render and check a revision and write its files; `refresh` as for `write_preview_files`."""
    rendered = render_revision(context, revision)
    return IssuePreview(rendered, write_preview_files(context, rendered, refresh=refresh))


def with_pictures(context: AppContext, preview: IssuePreview) -> IssuePreview:
    """Take PNG pictures of a preview and write them beside its issue.html; return it with their paths.

    Raises `BrowserError` when there is no Chromium, or it fails.
    """
    pictures = issue_pictures(preview.rendered.content, context.settings.browser.chromium)
    files = write_pictures(preview.files["html"].parent, pictures)
    return replace(preview, files={**preview.files, **files})
