"""Ten very different issues as an archive, and helpers that check its pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urljoin, urlsplit

from upcycle_news.archive_site.atom_sitemap import tag_uri
from upcycle_news.archive_site.builder import BuiltSite, build_archive
from upcycle_news.archive_site.view_models import EditorNote, SentIssue, SiteConfig
from upcycle_news.checks.html_inspector import HtmlDocument, inspect_html
from upcycle_news.models import Manifest

from ..rendering import sample_issues, sample_manifest
from ..rendering.sample_manifest import (
    LEAD,
    PUBLICATION,
    TEASERS,
    TEMPLATES,
)

ROOT = f"{PUBLICATION.public_url}/"
DAYS = (
    "2024-11-28", "2024-12-12", "2025-03-06", "2025-03-06-2", "2025-11-27",
    "2025-12-11", "2026-02-05", "2026-05-14", "2026-10-22", "2026-11-26",
)  # fmt: skip

NOTES = """\
Das Haus hat zwei Türen.[^1] Die zweite kennt kaum jemand.[^2] Von der ersten[^1] weiß man mehr.

## Was "dazwischen" liegt

1. Ein Flur.

   > Mit Zitat.

![Ein Giebel](giebel.png)

[^1]: Siehe die [Bauakte](https://bauakte.example/1).
[^2]: Und § 5 der Satzung.
"""


def footnotes() -> Manifest:
    """Footnotes, one of them referred to twice, and an image inside the text."""
    lead = replace(LEAD, body=NOTES, title="Zwei Türen & <ein> Flur", author="")
    return replace(
        sample_manifest.manifest(essays=(lead,)), images={"giebel.png": sample_manifest.png()}
    )


def terse() -> Manifest:
    """An issue without summary, author, preheader and related items."""
    lead = replace(LEAD, title="Kurz", summary="", author="", body="Nur ein Satz.")
    return sample_manifest.manifest(essays=(lead,), related=(), preheader="", subject="Kurz")


def french() -> Manifest:
    """An essay in a language without a catalogue."""
    lead = replace(LEAD, title="La porte du troisième", language="fr", body="Une porte, un étage.")
    return sample_manifest.manifest(essays=(lead, TEASERS[0]))


MAKERS = (
    sample_issues.without_picture, sample_manifest.with_picture, sample_issues.english, sample_issues.ten_items, sample_issues.one_item,
    sample_issues.long_words, footnotes, terse, french, sample_issues.demo,
)  # fmt: skip


def issue(day: str, manifest: Manifest) -> SentIssue:
    """A manifest as the issue of a day; its essays get slugs of their own."""
    chosen = replace(
        manifest.issue,
        id=replace(manifest.issue.id, day=date.fromisoformat(day[:10]), ordinal=int(day[11:] or 1)),
        essays=tuple(
            replace(essay, slug=f"{essay.slug}-{day}") for essay in manifest.issue.essays
        ),
    )  # fmt: skip
    at = datetime.combine(chosen.id.day, time(6, 30), UTC)
    return SentIssue(replace(manifest, issue=chosen, publication=PUBLICATION), at, at)


@cache
def sent() -> tuple[SentIssue, ...]:
    """The ten issues, the second of them corrected."""
    issues = [issue(day, make()) for day, make in zip(DAYS, MAKERS, strict=True)]
    slug = issues[1].manifest.issue.essays[0].slug
    note = EditorNote(date(2024, 12, 13), "Die Schule wurde 1962 gebaut, nicht 1926.")
    issues[1] = replace(
        issues[1], corrections={slug: (note,)}, changed_at=datetime(2024, 12, 13, 9, tzinfo=UTC)
    )
    return tuple(issues)


CONFIG = SiteConfig(
    PUBLICATION, TEMPLATES, tag_uri(PUBLICATION, DAYS[0], "feed"), subscribe="subscribe"
)


@cache
def built() -> BuiltSite:
    """The archive of the ten."""
    return build_archive(sent(), CONFIG)


def pages(files: Mapping[str, bytes]) -> Iterator[tuple[str, HtmlDocument]]:
    """Yield path and contents of every page of an archive."""
    for path, data in files.items():
        if path.endswith(".html"):
            yield path, inspect_html(data.decode())


def dead_links(
    files: Mapping[str, bytes], root: str = ROOT, endpoints: tuple[str, ...] = ()
) -> list[str]:
    """Return links and resources of the pages that lead to no file or anchor of the archive.

    `root` is where the archive is published; `endpoints` are paths that the web server answers.
    """
    anchors = {path: page.anchors for path, page in pages(files)}
    dead = []
    for path, page in pages(files):
        base = root + path.removesuffix("index.html")
        resources = [resource.url for resource in page.resources]
        for link in [*page.link_urls, *resources]:
            url = urljoin(base, link)
            if not url.startswith(root):
                continue
            parts = urlsplit(url)
            name = unquote(parts.path.removeprefix(urlsplit(root).path))
            if name in endpoints:
                continue
            target = f"{name}index.html" if name == "" or name.endswith("/") else name
            if target not in files:
                dead.append(f"{path}: {link} (no {target})")
            elif parts.fragment and parts.fragment not in anchors[target]:
                dead.append(f"{path}: {link} (no such anchor)")
    return dead


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def static_host(folder: Path) -> Iterator[str]:
    """Serve a folder with a plain web server; gives its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(folder)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of an archive into a folder."""
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
