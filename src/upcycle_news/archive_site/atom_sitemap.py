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
from upcycle_news.rendering.template_filling import fill_template
from upcycle_news.text.typography import normalise_text

NEWEST = 30
"""Issues in the feed at the most."""

_ATOM = "http://www.w3.org/2005/Atom"


def tag_uri(publication: Publication, day: str, name: str) -> str:
    """Return a tag URI, which stays the same when the archive moves (RFC 4151).

    `publication` and `day` are those of the time when the issue or feed was first published.
    """
    return f"tag:{issue_host(publication)},{day}:{name}"


def issue_host(publication: Publication) -> str:
    """Return the host that ids of a publication name: the archive's, else the sender's."""
    host = urlsplit(publication.site_url).hostname or ""
    host = host or publication.sender_address.rpartition("@")[2] or "newsletter.invalid"
    try:
        host = host.encode("idna").decode()
    except UnicodeError:
        host = "newsletter.invalid"
    return host


def issue_id(sent: SentIssue) -> str:
    """Return the id of an issue's Atom entry."""
    issue = sent.manifest.issue.id
    return tag_uri(sent.manifest.publication, issue.day.isoformat(), f"issue/{issue}")


def atom_feed(shown: Sequence[SentIssue], config: SiteConfig) -> bytes:
    """Return the newest issues with full texts as Atom; `shown` by date, not empty."""
    pages, publication = PageRenderer(config, has_feed=True), config.publication
    newest = list(reversed(shown))[:NEWEST]
    # Without a public URL, links are at least absolute paths.
    root = f"{publication.site_url}/"
    links = RelativeLinks(root, config.index_html)
    feed = ET.Element("feed", {"xmlns": _ATOM, "xml:lang": publication.language})
    _text(feed, "id", config.feed_id)
    _text(feed, "title", publication.name)
    if publication.tagline:
        _text(feed, "subtitle", publication.tagline)
    _text(feed, "updated", rfc3339(max(sent.changed_at for sent in newest)))
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
    strings = pages.strings(language)
    builder = SiteViewModelBuilder(
        sent.manifest,
        strings,
        links,
        language=language,
        templates=pages.config.templates,
        anchors=False,
    )
    view = pages.entry(sent, links, language)
    essays = [essay for essay in sent.manifest.issue.essays if essay.slug not in sent.withdrawn]
    element = ET.Element("entry", {"xml:lang": language})
    _text(element, "id", issue_id(sent))
    _text(element, "title", view.subject)
    ET.SubElement(element, "link", {"rel": "alternate", "type": "text/html", "href": view.url})
    _text(element, "published", rfc3339(sent.sent_at))
    _text(element, "updated", rfc3339(sent.changed_at))
    for name in dict.fromkeys(essay.byline for essay in view.essays if essay.byline):
        _author(element, name)
    for topic in dict.fromkeys(topic for essay in essays for topic in essay.topics):
        ET.SubElement(element, "category", {"term": normalise_text(topic)})
    if view.preheader:
        _text(element, "summary", view.preheader)
    variables = {
        "essays": tuple(pages.essay_view(sent, essay, builder, in_full=True) for essay in essays),
        "related": tuple(map(builder.story, sent.manifest.issue.related)),
        "t": strings,
    }
    content = fill_template(pages.config.templates, f"{FOLDER}/entry.html", variables)
    _text(element, "content", content.strip()).set("type", "html")
    return element


def _text(parent: ET.Element, name: str, text: str) -> ET.Element:
    element = ET.SubElement(parent, name)
    element.text = normalise_text(text)  # XML allows no control characters
    return element


def _author(parent: ET.Element, name: str) -> None:
    _text(ET.SubElement(parent, "author"), "name", name)


def sitemap(shown: Sequence[SentIssue], config: SiteConfig) -> str:
    """Return the site map: every page that is the original of its text, with the day of its last change."""
    site_url = config.publication.site_address
    newest = max((sent.changed_at for sent in shown), default=None)
    days = dict.fromkeys((HOME, ARCHIVE, ESSAYS), newest)
    for sent in shown:
        days[issue_path(str(sent.manifest.issue.id))] = sent.changed_at
        for essay in sent.manifest.issue.essays:
            # A page that names another one as the original is not the one to be found.
            if essay.slug not in sent.withdrawn and not essay.canonical:
                days[essay_path(essay.slug)] = sent.changed_at
    root = ET.Element("urlset", {"xmlns": "http://www.sitemaps.org/schemas/sitemap/0.9"})
    for path, day in days.items():
        url = ET.SubElement(root, "url")
        ET.SubElement(url, "loc").text = site_url(path)
        if day is not None:
            ET.SubElement(url, "lastmod").text = day.date().isoformat()
    ET.indent(root, space=" ")
    xml: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{xml}\n'


def robots(config: SiteConfig) -> str:
    """Return robots.txt, which allows everything; it has effect at the root of a host only."""
    lines = ["User-agent: *", "Allow: /"]
    if config.publication.site_url:
        lines += ["", f"Sitemap: {config.publication.site_address(SITEMAP)}"]
    return "\n".join(lines) + "\n"
