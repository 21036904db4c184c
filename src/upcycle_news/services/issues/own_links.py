"""Links of an issue to the publication's own site: whether what they lead to is there, or will be with this issue.

A page that does not exist yet cannot be asked for over HTTP: the store, content/static and the archive's
folder know what there is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from upcycle_news.app.context import AppContext
from upcycle_news.checks.html_inspector import inspect_html
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding, IssueId, Manifest, RenderedIssue
from upcycle_news.models.archive_paths import (
    ARCHIVE,
    ESSAYS,
    IMAGES,
    INDEX,
    PERSONAL,
    SEARCH,
    file_of,
    is_reserved,
)
from upcycle_news.rendering.markdown import references
from upcycle_news.services.archive.static_files import static_paths
from upcycle_news.storage import issues

_PAGE = re.compile(r"(?P<folder>[a-z]+/)(?P<name>[^/]+)/?(?:revision\.txt|event-\d+\.ics)?\Z")
_BUILT = (ARCHIVE, ESSAYS, IMAGES, SEARCH)


def own_link_findings(
    context: AppContext, manifest: Manifest, rendered: RenderedIssue
) -> Iterator[Finding]:
    """Yield a finding for each link to the publication's site that leads nowhere, at its line.

    It is an error below the archive's own folders. Elsewhere it is a warning: the host may have other
    pages that we know nothing of.
    """
    site = _OwnSite(context, manifest)
    seen: set[str] = set()
    for essay in manifest.issue.essays:
        for reference in references(essay.body):
            if reference.kind == "link":
                seen.add(reference.target)
                where = f"{essay.source}:{essay.body_line + reference.line - 1}"
                yield from site.findings(reference.target, where)
    for link in inspect_html(rendered.html).links:
        if link.url and link.url not in seen:
            seen.add(link.url)
            yield from site.findings(link.url, f"issue.html:{link.line}")


class _OwnSite:
    """What there is on the publication's site, once this issue is out."""

    def __init__(self, context: AppContext, manifest: Manifest) -> None:
        self._context = context
        self._issue = str(manifest.issue.id)
        self._essays = {essay.slug for essay in manifest.issue.essays}
        self._static = static_paths(context)
        publication = context.publication
        self._folders = tuple(f"{language}/" for language in publication.languages[1:])
        urls = (publication.site_url, publication.public_url)
        self._roots = [urlsplit(url) for url in dict.fromkeys(urls) if url]

    def findings(self, url: str, where: str) -> Iterator[Finding]:
        path = self._path(url)
        if path is None or self._exists(path):
            return
        first, _, token = path.partition("/")
        if first in PERSONAL and token:
            # Without the token: whoever reads the finding could use it.
            yield Finding(
                "error", "link-own-personal", where, localized("link-own-personal", name=first)
            )
        elif path.startswith(_BUILT) or first in PERSONAL:
            text = localized("link-own-missing", link=url[:120])
            yield Finding("error", "link-own-missing", where, text)
        elif not is_reserved(path):
            text = localized("link-own-unknown", link=url[:120], name=file_of(path)[:80])
            yield Finding("warning", "link-own-unknown", where, text)

    def _path(self, url: str) -> str | None:
        """Return the path below the publication's address, None for a URL that leads elsewhere."""
        try:
            parts = urlsplit(url)
            for root in self._roots:
                below = root.path.rstrip("/") + "/"
                same_host = (parts.hostname, parts.port) == (root.hostname, root.port)
                if parts.scheme in ("http", "https") and same_host:
                    if f"{parts.path}/" == below:
                        return ""
                    if parts.path.startswith(below):
                        return unquote(parts.path.removeprefix(below)).removesuffix(INDEX)
        except ValueError:  # no URL
            return None
        return None

    def _exists(self, path: str) -> bool:
        if self._static & {path, file_of(path), file_of(f"{path}/")}:
            return True
        if f"{path.rstrip('/')}/".startswith(self._folders):  # the same in a further language
            path = path.partition("/")[2]
        if path.rstrip("/") in ("", ARCHIVE.rstrip("/"), ESSAYS.rstrip("/")):
            return True
        match = _PAGE.match(path)
        if match and match["folder"] == ESSAYS and self._has_essay(match["name"]):
            return True
        if match and match["folder"] == ARCHIVE and self._has_issue(match["name"]):
            return True
        folder = self._context.archive_folder
        return any((folder / file_of(name)).is_file() for name in (path, f"{path}/"))

    def _has_essay(self, slug: str) -> bool:
        if slug in self._essays:
            return True
        return slug in issues.published_essays(self._context.store, [slug])

    def _has_issue(self, name: str) -> bool:
        if name == self._issue:
            return True
        try:
            row = issues.get(self._context.store, IssueId.parse(name))
        except UpcycleError:
            return False
        return row is not None and row.frozen
