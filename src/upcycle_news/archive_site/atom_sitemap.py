"""The feed of the archive with its full texts (Atom, RFC 4287), its site map and robots.txt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
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
    in_folder,
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
    """Return the id of an issue's Atom entry; a translation has its own."""
    issue, folder = sent.manifest.issue.id, sent.manifest.issue.folder
    name = f"issue/{issue}/{folder}" if folder else f"issue/{issue}"
    return tag_uri(sent.manifest.publication, issue.day.isoformat(), name)


def atom_feed(
    entries: Sequence[str], updated: datetime, config: SiteConfig, folder: str = ""
) -> bytes:
    """Return the Atom feed with these entries, the newest first; `updated` is their last change.

    `folder` is that of a further language, whose feed stands in it.
    """
    publication = config.publication
    links = feed_links(config)
    feed = ET.Element("feed", {"xmlns": _ATOM, "xml:lang": publication.language})
    _text(feed, "id", config.feed_id)
    _text(feed, "title", publication.name)
    if publication.tagline:
        _text(feed, "subtitle", publication.tagline)
    _text(feed, "updated", rfc3339(updated))
    _author(feed, publication.name)
    address = links.to(in_folder(FEED, folder))
    ET.SubElement(feed, "link", {"rel": "self", "type": "application/atom+xml", "href": address})
    home = links.to(in_folder(HOME, folder))
    ET.SubElement(feed, "link", {"rel": "alternate", "type": "text/html", "href": home})
    ET.indent(feed, space=" ")
    frame: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    end = b"\n</feed>"
    inside = "".join(f"\n {entry}" for entry in entries)
    return frame.removesuffix(end) + inside.encode() + end + b"\n"


def feed_links(config: SiteConfig) -> RelativeLinks:
    """Return the links of the feed; without a public URL they are at least absolute paths."""
    return RelativeLinks(f"{config.publication.site_url}/", config.index_html)


def feed_entry(sent: SentIssue, pages: PageRenderer) -> str:
    """Return an issue with its whole texts as an entry of the feed."""
    links = feed_links(pages.config)
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
        label = pages.publication.topic_label(topic, language)
        named = {"label": normalise_text(label)} if label != topic else {}
        ET.SubElement(element, "category", {"term": normalise_text(topic), **named})
    if view.preheader:
        _text(element, "summary", view.preheader)
    variables = {
        "essays": tuple(pages.essay_view(sent, essay, builder, in_full=True) for essay in essays),
        "related": tuple(map(builder.story, sent.manifest.issue.related)),
        "t": strings,
    }
    content = fill_template(pages.config.templates, f"{FOLDER}/entry.html", variables)
    _text(element, "content", content.strip()).set("type", "html")
    ET.indent(element, space=" ", level=1)
    return ET.tostring(element, encoding="unicode")


def _text(parent: ET.Element, name: str, text: str) -> ET.Element:
    element = ET.SubElement(parent, name)
    element.text = normalise_text(text)  # XML allows no control characters
    return element


def _author(parent: ET.Element, name: str) -> None:
    _text(ET.SubElement(parent, "author"), "name", name)


@dataclass(frozen=True)
class MappedIssue:
    """What the site map says of an issue: its languages, and those of its essays by their slug.

    Languages have their folders in the archive, the main one is first. A page that names another one as the
    original is not among the essays: it is not the one to be found.
    """

    id: str
    changed_at: datetime
    languages: Mapping[str, str]
    essays: Mapping[str, Mapping[str, str]]


def mapped_issue(sent: SentIssue) -> MappedIssue:
    """Return what the site map says of an issue that is shown."""
    issue = sent.manifest.issue
    essays: dict[str, dict[str, str]] = {}
    for essay in (one for told in issue.in_languages for one in told.essays):
        if essay.slug not in sent.withdrawn and not essay.canonical:
            essays.setdefault(essay.slug, {})[essay.language] = essay.folder
    languages = {one.language: one.folder for one in issue.in_languages}
    return MappedIssue(str(issue.id), sent.changed_at, languages, essays)


def sitemap(
    shown: Sequence[MappedIssue], config: SiteConfig, languages: Mapping[str, str] = {}
) -> str:
    """Return the site map: every page that is the original of its text, with the day of its last change.

    `languages` are the folders of all languages, the main one first. A page with translations names all of
    them, itself too, as search engines want it.
    """
    address = config.publication.site_address
    several = len(languages) > 1
    root = ET.Element("urlset", {"xmlns": "http://www.sitemaps.org/schemas/sitemap/0.9"})
    if several:
        root.set("xmlns:xhtml", "http://www.w3.org/1999/xhtml")
    for path, folders, changed in _sitemap_pages(
        shown, languages or {config.publication.language: ""}
    ):
        for folder in dict.fromkeys(folders.values()):
            url = ET.SubElement(root, "url")
            ET.SubElement(url, "loc").text = address(in_folder(path, folder))
            if changed is not None:
                ET.SubElement(url, "lastmod").text = changed.date().isoformat()
            if len(folders) > 1:
                for language, other in (
                    *folders.items(),
                    ("x-default", next(iter(folders.values()))),
                ):
                    link = {"rel": "alternate", "hreflang": language}
                    link["href"] = address(in_folder(path, other))
                    ET.SubElement(url, "xhtml:link", link)
    ET.indent(root, space=" ")
    xml: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{xml}\n'


def _sitemap_pages(
    shown: Sequence[MappedIssue], languages: Mapping[str, str]
) -> Iterator[tuple[str, Mapping[str, str], datetime | None]]:
    """Yield the path of each page without its folder, its folders by language, and its last change."""
    newest = max((issue.changed_at for issue in shown), default=None)
    for path in (HOME, ARCHIVE, ESSAYS):
        yield path, languages, newest
    for issue in shown:
        yield issue_path(issue.id), issue.languages, issue.changed_at
        for slug, folders in issue.essays.items():
            yield essay_path(slug), folders, issue.changed_at


def robots(config: SiteConfig) -> str:
    """Return robots.txt, which allows everything; it has effect at the root of a host only."""
    lines = ["User-agent: *", "Allow: /"]
    if config.publication.site_url:
        lines += ["", f"Sitemap: {config.publication.site_address(SITEMAP)}"]
    return "\n".join(lines) + "\n"
