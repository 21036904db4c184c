"""Parsing of RSS, Atom and their relatives with feedparser, an entry's own children only.

feedparser tokenises (strictly, and loosely what is not well-formed), knows the namespaces and the
formats, and gathers inline markup. Which element of an entry means what is decided here: feedparser
takes the last of several links and any title at any depth.
"""

from __future__ import annotations

import io
import re
import xml.sax  # external entities are off, internal ones are resolved before (xml_text)
import xml.sax.handler
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import feedparser.api
import feedparser.exceptions

from upcycle_news.feeds.entries import RawEntry, RawFeed, RawLink, RawText
from upcycle_news.feeds.xml_text import is_netscape, normalise_xml
from upcycle_news.i18n.messages import localized
from upcycle_news.text.sanitize import normalise_whitespace, truncate

_EMPTY = RawText("", html=False)
# The children of an entry by what they mean, the best of each kind first.
_TITLES = ("title", "itunes:title", "dc:title", "dcterms:title", "media:title")
_TEXTS = (
    "description", "summary", "abstract", "content", "content:encoded", "body", "xhtml:body",
    "fullitem", "dc:description", "dcterms:description", "dcterms:abstract", "itunes:summary",
    "itunes:subtitle", "media:description",
)  # fmt: skip
_PUBLISHED = ("published", "pubdate", "issued", "dcterms:issued")
_UPDATED = ("updated", "modified", "dc:date", "dcterms:modified", "lastbuilddate")
_CREATED = ("created", "dcterms:created", "dcterms:date", "date")
_DATES = (*_PUBLISHED, *_UPDATED, *_CREATED)
# What holds a whole text where a feed has one (Atom 4.1.3; RSS content module), best first.
_CONTENTS = ("content:encoded", "content", "body", "xhtml:body", "fullitem")
_SUMMARIES = ("description", "summary", "abstract", "dc:description")
_AUTHORS = ("dc:creator", "name", "author", "itunes:author")
_PLAIN = frozenset(
    {*_DATES, *_AUTHORS, "guid", "id", "link", "dc:language", "enclosure", "category"}
)
_MEDIA = frozenset({"media:content", "media:thumbnail"})
# What may stand in these is the entry's own as well (Media RSS, "media:group").
_TRANSPARENT = frozenset({"media:group", "media:content", "author"})
_IN_TRANSPARENT = frozenset({*_MEDIA, "media:title", "media:description", "name"})
_OWN = frozenset({*_TITLES, *_TEXTS, *_PLAIN, *_MEDIA})
# Children of an entry that have children of their own; others were not closed where some begin.
_WITH_CHILDREN = frozenset(
    {"author", "contributor", "image", "itunes:owner", "source", "textinput", *_TRANSPARENT}
)
_DEFAULT_TYPES = dict.fromkeys(_TEXTS, "text/html") | {
    "title": "text/plain", "summary": "text/plain", "content": "text/plain", "abstract": "text/plain",
    "body": "application/xhtml+xml", "xhtml:body": "application/xhtml+xml",
}  # fmt: skip
_RELATION = re.compile(r"https?://www\.iana\.org/assignments/(?:link-)?relations?/")


def parse_xml_feed(text: str, url: str) -> RawFeed:
    """Parse a decoded body fetched from `url`; errors become problems, never exceptions."""
    document = normalise_xml(text)
    reader, error = _read(document, url)
    version = "rss091n" if is_netscape(text) and reader.version else reader.version
    if not version and not reader.own_entries:
        page = re.search(r"<(?:!doctype\s+)?html", text[:2000], re.IGNORECASE)
        problem = localized("feed-is-page") if page else localized("feed-is-none")
        if not text.strip():
            problem = localized("feed-empty")
        return RawFeed("", _EMPTY, (), (str(problem),))
    problems: tuple[str, ...] = ()
    if error is not None:
        reason = truncate(normalise_whitespace(str(error)), 160)
        problems = (str(localized("feed-malformed", reason=reason)),)
    atom = version.startswith("atom")
    channel = reader.feeddata
    return RawFeed(
        version or "unknown",
        _typed(channel.get("title") or "", _title_type(channel), atom),
        tuple(entry.finish(atom) for entry in reader.own_entries),
        problems,
        base=_own_address(channel),
        page=_page(channel),
        language=str(channel.get("language") or ""),
        complete=error is None,
    )


def _read(document: str, url: str) -> tuple[_EntryReader, Exception | None]:
    """Parse strictly, else loosely; return the reader, and the error that made it read loosely."""
    strict = _StrictReader(url, None, "utf-8")
    parser = xml.sax.make_parser()  # noqa: S317
    parser.setFeature(xml.sax.handler.feature_namespaces, 1)
    parser.setFeature(xml.sax.handler.feature_external_ges, 0)
    parser.setContentHandler(strict)
    parser.setErrorHandler(strict)
    source = xml.sax.InputSource()
    source.setByteStream(io.BytesIO(document.encode("utf-8", "replace")))
    source.setEncoding("utf-8")
    error: Exception | None = None
    try:
        parser.parse(source)
    except MemoryError:
        raise
    except (xml.sax.SAXException, feedparser.exceptions.UndeclaredNamespace) as problem:
        error = strict.exc or problem
    except Exception as problem:  # a bug of a parser costs the parser, not the feed
        error = problem
    if error is None:
        return strict, None
    loose = _LooseReader(url, None, "utf-8", {})
    try:
        loose.feed(document)
    except MemoryError:
        raise
    except Exception as problem:
        return (loose if len(loose.own_entries) > len(strict.own_entries) else strict), problem
    return loose, error


def _links_of(channel: Any) -> list[Mapping[str, Any]]:
    """Return a channel's links; an element that is called `links` puts a text in their place."""
    links = channel.get("links")
    return [link for link in links if isinstance(link, Mapping)] if isinstance(links, list) else []


def _title_type(channel: Any) -> Any:
    """Return the media type of a channel's title, None without one."""
    detail = channel.get("title_detail")
    return detail.get("type") if isinstance(detail, Mapping) else None


def _own_address(channel: Any) -> str:
    """Return the address a feed gives for itself, the base of relative links without another."""
    links = [*_links_of(channel), {"rel": "", "href": channel.get("link")}]
    ranked = sorted(links, key=lambda link: link.get("rel") != "self")
    addresses = (str(link.get("href") or "") for link in ranked)
    return next((href for href in addresses if re.match(r"https?://", href, re.IGNORECASE)), "")


def _page(channel: Any) -> str:
    """Return the address of the web page that a feed belongs to, empty where it names none."""
    links = [link for link in _links_of(channel) if link.get("rel") == "alternate"]
    addresses = (str(link.get("href") or "") for link in links)
    return next((href for href in addresses if re.match(r"https?://", href, re.IGNORECASE)), "")


def _typed(value: Any, kind: Any, atom: bool) -> RawText:
    if "html" in str(kind or ""):
        return RawText(str(value), html=True)
    # Atom declares the type of a text; RSS does not, and many titles hold HTML.
    return RawText(str(value), html=False if atom else None)


@dataclass
class _OwnEntry:
    """What the own children of an entry hold, in the order of the document."""

    about: str = ""
    language: str = ""
    texts: list[tuple[str, str, str]] = field(default_factory=list)  # name, value, media type
    guid: str = ""
    permalink: bool = True
    links: list[RawLink] = field(default_factory=list)
    images: list[tuple[str, str, str]] = field(default_factory=list)

    def finish(self, atom: bool) -> RawEntry:
        """Return the entry with its candidates in their order."""
        dates = [*self._values(_PUBLISHED), *self._values(_UPDATED), *self._values(_CREATED)]
        languages = self._values(("dc:language",))
        return RawEntry(
            id=self.guid or self.about,
            titles=tuple(self._typed(_TITLES, atom)),
            texts=tuple(self._typed(_TEXTS, atom)),
            dates=tuple(dates),
            links=tuple(self.links),
            permalink=self.permalink or (not self.guid and bool(self.about)),
            updated=next(iter(self._values(_UPDATED)), ""),
            language=self.language or next(iter(languages), ""),
            images=tuple(self.images),
            contents=tuple(self._typed(_CONTENTS, atom)),
            summaries=tuple(self._typed(_SUMMARIES, atom)),
            authors=tuple(self._values(_AUTHORS)),
            categories=tuple(self._values(("category",))),
        )

    def _values(self, names: tuple[str, ...]) -> list[str]:
        return [value for name in names for own, value, _ in self.texts if own == name]

    def _typed(self, names: tuple[str, ...], atom: bool) -> Iterator[RawText]:
        for name in names:
            for own, value, kind in self.texts:
                if own == name:
                    yield _typed(value, kind, atom)


class _EntryReader:
    """The part of a feedparser parser that decides which elements of an entry count.

    It stands before feedparser's mixin and gives it the own children of an entry under names of ours
    (`own_text`, `own_plain`, `own_ignored`), so that it keeps the stacks of xml:base and xml:lang and
    the markup within texts, and has no opinion on what they mean.
    """

    loose = False
    version: str
    feeddata: Any
    exc: Exception | None

    def __init__(self, url: str, *arguments: Any) -> None:
        super().__init__(url, *arguments)  # type: ignore[call-arg]
        self.document_url = url
        self.own_entries: list[_OwnEntry] = []
        self.path: list[str] = []  # the open elements within the entry
        self.attributes: dict[str, str] = {}
        self.default_type = "text/html"

    # --- elements ---

    def unknown_starttag(self, tag: str, attrs: Any) -> None:
        name = self._standard_name(tag)
        if not self.inentry:  # type: ignore[attr-defined]
            super().unknown_starttag(tag, attrs)  # type: ignore[misc]
            if self.inentry:  # type: ignore[attr-defined]
                self._begin_entry(dict(attrs))
            return
        if self.loose and name in ("item", "entry"):  # the last one was not closed
            self._end_children(0)
            super().unknown_endtag(tag)  # type: ignore[misc]
            self.unknown_starttag(tag, attrs)
            return
        if self.incontent:  # type: ignore[attr-defined]
            self.path.append(tag)
            super().unknown_starttag(tag, attrs)  # type: ignore[misc]
            return
        if self.loose and name in _OWN and self.path and self.path[-1] not in _WITH_CHILDREN:
            self._end_children(len(self.path) - 1)  # it has no children, so it was not closed
        self._start_child(name, attrs)

    def unknown_endtag(self, tag: str) -> None:
        name = self._standard_name(tag)
        if not self.inentry:  # type: ignore[attr-defined]
            super().unknown_endtag(tag)  # type: ignore[misc]
            return
        if name in ("item", "entry") and (self.loose or not self.path):
            self._end_children(0)
            super().unknown_endtag(tag)  # type: ignore[misc]
            return
        key = tag if self.incontent and len(self.path) > self._content_depth() else name  # type: ignore[attr-defined]
        if key in self.path:
            place = len(self.path) - 1 - self.path[::-1].index(key)
            if place >= self._content_depth() - 1:
                self._end_children(place)

    def _content_depth(self) -> int:
        """Return how many open elements there are up to the text that is being read."""
        return next(
            (n for n, name in enumerate(self.path, 1) if name in _TEXTS or name in _TITLES), 0
        )

    def _begin_entry(self, attrs: dict[str, str]) -> None:
        attributes = {str(key).lower(): str(value) for key, value in attrs.items()}
        self.path = []
        self.own_entries.append(
            _OwnEntry(
                about=attributes.get("rdf:about", ""), language=attributes.get("xml:lang", "")
            )
        )
        if href := attributes.get("href"):  # CDF
            self.own_entries[-1].links.append(RawLink(href, base=self._base()))

    def _start_child(self, name: str, attrs: Any) -> None:
        own = name in _OWN and not self.path
        transparent = bool(self.path) and set(self.path) <= _TRANSPARENT and name in _IN_TRANSPARENT
        self.path.append(name)
        if not own and not transparent:
            super().unknown_starttag("own_ignored", attrs)  # type: ignore[misc]
            return
        self.attributes = {
            str(key).lower(): str(value)
            for key, value in map(self._normalize_attributes, attrs)  # type: ignore[attr-defined]
        }
        if name in _MEDIA:
            self._add_media(name)
            super().unknown_starttag("own_ignored", attrs)  # type: ignore[misc]
        elif name in _PLAIN:
            super().unknown_starttag("own_plain", attrs)  # type: ignore[misc]
        else:
            self.default_type = _DEFAULT_TYPES.get(name, "text/plain")
            super().unknown_starttag("own_text", attrs)  # type: ignore[misc]
            self.own_entries[-1].language = self.own_entries[-1].language or self.attributes.get(
                "xml:lang", ""
            )

    def _end_children(self, place: int) -> None:
        """End the open elements of the entry down to the one at `place`."""
        while len(self.path) > place:
            depth = self._content_depth()
            if depth and len(self.path) > depth:
                self._end_inline(self.path.pop())
                continue
            name = self.path[-1]
            transparent = set(self.path[:-1]) <= _TRANSPARENT and name in _IN_TRANSPARENT
            if (len(self.path) > 1 and not transparent) or name not in _OWN or name in _MEDIA:
                super().unknown_endtag("own_ignored")  # type: ignore[misc]
            else:
                super().unknown_endtag("own_plain" if name in _PLAIN else "own_text")  # type: ignore[misc]
            self.path.pop()
            self.svgOK = 0

    def _end_inline(self, tag: str) -> None:
        """End an element of inline markup as feedparser does, but for its handlers of such names."""
        parameters = self.contentparams  # type: ignore[attr-defined]
        inline = not (
            tag in ("xhtml:div", "div") and not parameters.get("type", "xml").endswith("xml")
        )
        if inline:
            parameters["type"] = "application/xhtml+xml"
            self.handle_data(f"</{tag.rpartition(':')[2]}>", escape=0)  # type: ignore[attr-defined]
        for stack, attribute in ((self.basestack, "baseuri"), (self.langstack, "lang")):  # type: ignore[attr-defined]
            if stack:
                stack.pop()
                if stack and (stack[-1] or attribute == "lang"):
                    setattr(self, attribute, stack[-1])
        self.depth -= 1  # type: ignore[attr-defined]

    # --- what feedparser calls for our names ---

    def _start_own_ignored(self, _: Any) -> None:
        self.push("own_ignored", 0)  # type: ignore[attr-defined]

    def _end_own_ignored(self) -> None:
        self.pop("own_ignored")  # type: ignore[attr-defined]

    def _start_own_plain(self, _: Any) -> None:
        self.push("own_plain", 1)  # type: ignore[attr-defined]

    def _end_own_plain(self) -> None:
        value = self._popped("own_plain")
        if self.loose:
            value = value.replace("&amp;", "&")
        name, entry = self.path[-1], self.own_entries[-1]
        if name in ("guid", "id"):
            entry.guid = entry.guid or value
            entry.permalink = self.attributes.get("ispermalink", "true").strip().lower() != "false"
        elif name in ("link", "enclosure"):
            self._add_link(name, value)
        elif name == "category":
            if term := value or self.attributes.get("label") or self.attributes.get("term", ""):
                entry.texts.append(
                    (name, term, "text/plain")
                )  # Atom has attributes (RFC 4287, 4.2.2)
        elif value:
            entry.texts.append((name, value, "text/plain"))

    def _start_own_text(self, attrs: Any) -> None:
        self.push_content("own_text", attrs, self.default_type, 1)  # type: ignore[attr-defined]

    def _end_own_text(self) -> None:
        kind = str(self.contentparams.get("type") or "")  # type: ignore[attr-defined]
        value = self._popped("own_text")
        kind = str(self.contentparams.get("type") or kind)  # type: ignore[attr-defined]
        self.incontent -= 1  # type: ignore[attr-defined]
        self.contentparams.clear()  # type: ignore[attr-defined]
        if value:
            self.own_entries[-1].texts.append((self.path[-1], value, kind))

    def _popped(self, element: str) -> str:
        stack = self.elementstack  # type: ignore[attr-defined]
        while stack and stack[-1][0] != element and any(open_[0] == element for open_ in stack):
            stack.pop()
        return str(self.pop(element) or "")  # type: ignore[attr-defined]

    # --- links and pictures ---

    def _add_link(self, name: str, text: str) -> None:
        attributes = self.attributes
        href = attributes.get("href") or (attributes.get("url") if name == "enclosure" else "")
        # A web address in the text is the link, whatever other attributes say.
        if re.match(r"https?://", text, re.IGNORECASE):
            href = text
        href = href or text or attributes.get("url") or attributes.get("uri") or ""
        rel = "enclosure" if name == "enclosure" else attributes.get("rel", "alternate")
        rel = _RELATION.sub("", rel.strip().lower()) or "alternate"
        kind = attributes.get("type", "").lower()
        entry = self.own_entries[-1]
        # The loose parser ends a reference that has no semicolon: "?a=1&b=2" is "?a=1&b;=2" then.
        href = re.sub(r"&([A-Za-z0-9_]+);", r"&\1", href) if self.loose else href
        language = attributes.get("hreflang", "")
        entry.links.append(RawLink(href.strip(), rel, kind, language, self._base()))
        if rel == "enclosure" and kind.startswith("image/"):
            entry.images.append((href, "", ""))

    def _add_media(self, name: str) -> None:
        attributes, entry = self.attributes, self.own_entries[-1]
        kind = attributes.get("medium") or attributes.get("type") or "image"
        address = attributes.get("url", "")
        if kind.startswith("image"):
            sizes = attributes.get("width", ""), attributes.get("height", "")
            entry.images.append((address, *sizes))
        elif name == "media:content" and address:
            entry.links.append(RawLink(address, "enclosure", kind, base=self._base()))

    def _base(self) -> str:
        """Return the base of RFC 3986 that xml:base gives here, empty where it gives none."""
        base = str(self.baseuri or "")  # type: ignore[attr-defined]
        return "" if base == self.document_url else base

    def _standard_name(self, tag: str) -> str:
        prefix, _, name = tag.rpartition(":")
        prefix = self.namespacemap.get(prefix, prefix) if prefix else ""  # type: ignore[attr-defined]
        return f"{prefix}:{name}".lower() if prefix else name.lower()


class _StrictReader(_EntryReader, feedparser.api.StrictFeedParser):  # type: ignore[misc]
    resolve_relative_uris = False
    sanitize_html = False


class _LooseReader(_EntryReader, feedparser.api.LooseFeedParser):  # type: ignore[misc]
    loose = True
    exc = None
    resolve_relative_uris = False
    sanitize_html = False
