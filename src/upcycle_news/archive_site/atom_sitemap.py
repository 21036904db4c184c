"""The feed of the archive with its full texts (Atom, RFC 4287), its site map and robots.txt."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

from upcycle_news.archive_site.pages import FOLDER, PageRenderer, rfc3339
from upcycle_news.archive_site.view_models import (
    RelativeLinks,
    SentIssue,
    SiteConfig,
    SiteViewModelBuilder,
)
from upcycle_news.models import Publication
from upcycle_news.models.archive_paths import (
    ARCHIVE,
    ESSAYS,
    FEED,
    HOME,
    SITEMAP,
    essay_path,
    issue_path,
)
from upcycle_news.rendering.render import fill_template
from upcycle_news.text.typography import normalise_text

NEWEST = 30
"""Issues in the feed at the most."""

_ATOM = "http://www.w3.org/2005/Atom"


def tag_uri(publication: Publication, day: str, name: str) -> str:
    """An id that never changes, wherever the archive moves to (RFC 4151).

    `publication` and `day` are those of the time when the thing came to be.
    """
    host = urlsplit(publication.site_url).hostname or ""
    host = host or publication.sender_address.rpartition("@")[2] or "newsletter.invalid"
    try:
        host = host.encode("idna").decode()
    except UnicodeError:
        host = "newsletter.invalid"
    return f"tag:{host},{day}:{name}"


def issue_id(sent: SentIssue) -> str:
    """The id of an issue's entry."""
    issue = sent.manifest.issue.id
    return tag_uri(sent.manifest.publication, issue.day.isoformat(), f"issue/{issue}")


def atom_feed(there: Sequence[SentIssue], config: SiteConfig) -> bytes:
    """The newest issues, each with the whole text of its essays; `there` by date, not empty."""
    pages, publication = PageRenderer(config, has_feed=True), config.publication
    newest = list(reversed(there))[:NEWEST]
    # A path is better than nothing where there is no public address yet.
    root = f"{publication.site_url}/"
    links = RelativeLinks(root, config.index_html)
    feed = ET.Element("feed", {"xmlns": _ATOM, "xml:lang": publication.language})
    _text(feed, "id", config.feed_id)
    _text(feed, "title", publication.name)
    if publication.tagline:
        _text(feed, "subtitle", publication.tagline)
    _text(feed, "updated", rfc3339(max(one.changed_at for one in newest)))
    _author(feed, publication.name)
    ET.SubElement(
        feed, "link", {"rel": "self", "type": "application/atom+xml", "href": links.to(FEED)}
    )
    ET.SubElement(feed, "link", {"rel": "alternate", "type": "text/html", "href": links.to(HOME)})
    for sent in newest:
        feed.append(_entry(sent, pages, links))
    ET.indent(feed, space=" ")
    data: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def _entry(sent: SentIssue, pages: PageRenderer, links: RelativeLinks) -> ET.Element:
    language = pages.page_language(sent.manifest.issue.language)
    words = pages.words(language)
    builder = SiteViewModelBuilder(sent.manifest, words, links, language=language, anchors=False)
    entry = pages.entry(sent, links, language)
    essays = [one for one in sent.manifest.issue.essays if one.slug not in sent.withdrawn]
    found = ET.Element("entry", {"xml:lang": language})
    _text(found, "id", issue_id(sent))
    _text(found, "title", entry.subject)
    ET.SubElement(found, "link", {"rel": "alternate", "type": "text/html", "href": entry.url})
    _text(found, "published", rfc3339(sent.sent_at))
    _text(found, "updated", rfc3339(sent.changed_at))
    for name in dict.fromkeys(view.byline for view in entry.essays if view.byline):
        _author(found, name)
    for topic in dict.fromkeys(topic for essay in essays for topic in essay.topics):
        ET.SubElement(found, "category", {"term": normalise_text(topic)})
    if entry.preheader:
        _text(found, "summary", entry.preheader)
    names = {
        "essays": tuple(pages.essay_view(sent, one, builder, in_full=True) for one in essays),
        "related": tuple(map(builder.story, sent.manifest.issue.related)),
        "t": words,
    }
    content = fill_template(pages.config.templates, f"{FOLDER}/entry.html", names)
    _text(found, "content", content.strip()).set("type", "html")
    return found


def _text(parent: ET.Element, name: str, text: str) -> ET.Element:
    element = ET.SubElement(parent, name)
    element.text = normalise_text(text)  # XML knows no control characters
    return element


def _author(parent: ET.Element, name: str) -> None:
    _text(ET.SubElement(parent, "author"), "name", name)


def sitemap(there: Sequence[SentIssue], config: SiteConfig) -> str:
    """Every page that search engines may show, with the day of its last change."""
    address = config.publication.site_address
    newest = max((one.changed_at for one in there), default=None)
    days = dict.fromkeys((HOME, ARCHIVE, ESSAYS), newest)
    for sent in there:
        days[issue_path(str(sent.manifest.issue.id))] = sent.changed_at
        for essay in sent.manifest.issue.essays:
            if essay.slug not in sent.withdrawn:
                days[essay_path(essay.slug)] = sent.changed_at
    root = ET.Element("urlset", {"xmlns": "http://www.sitemaps.org/schemas/sitemap/0.9"})
    for path, day in days.items():
        url = ET.SubElement(root, "url")
        ET.SubElement(url, "loc").text = address(path)
        if day is not None:
            ET.SubElement(url, "lastmod").text = day.date().isoformat()
    ET.indent(root, space=" ")
    written: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{written}\n'


def robots(config: SiteConfig) -> str:
    """Everything may be read; it counts where the archive is the root of its host."""
    lines = ["User-agent: *", "Allow: /"]
    if config.publication.site_url:
        lines += ["", f"Sitemap: {config.publication.site_address(SITEMAP)}"]
    return "\n".join(lines) + "\n"
