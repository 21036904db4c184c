"""Parsing of a feed's body into posts with their full texts; what is cut is told as cut.

A text counts as whole only if the format means its element for whole texts, or if it is plainly a
text of several paragraphs; and only if it does not end like the beginning of a longer one.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from datetime import datetime

from upcycle_news.feeds.boilerplate import (
    Passage,
    folded,
    invites_to_read_on,
    without_trailer,
)
from upcycle_news.feeds.dates import DayMonthOrder, day_month_order, item_date
from upcycle_news.feeds.encoding import decode_body
from upcycle_news.feeds.entries import MAX_ENTRIES, MAX_TITLE, RawEntry, RawFeed, RawText
from upcycle_news.feeds.json_feed import is_json, parse_json_feed
from upcycle_news.feeds.parser import newest_entries
from upcycle_news.i18n.messages import localized
from upcycle_news.models.posts import CutReason, ParsedPosts, Post
from upcycle_news.text.html_text import html_to_lines, looks_like_html
from upcycle_news.text.sanitize import normalise_whitespace, truncate
from upcycle_news.text.urls import BadLinkError, resolve_link, safe_link

MIN_PARAGRAPHS, MIN_LENGTH = 3, 1500
"""Of a description that counts as a whole text although its element is meant for a summary."""

EXCERPT_LENGTH = 1000
"""Characters up to which a text that ends with an ellipsis is taken for an excerpt."""

_CUT_END = re.compile(r"(?:\[\s*(?:…|\.{3})\s*\]|\((?:…|\.{3})\))\W*$")
_ELLIPSIS_END = re.compile(r"(?:…|\.{3})$")
_MORE_LINK = re.compile(
    r"<a\b[^>]*\bclass\s*=\s*[\"'][^\"']*\b(?:more-link|read-more)\b[^>]*>(?:(?!</a>).)*</a>"
    r"\s*(?:</\w+>\s*)*$",
    re.IGNORECASE | re.DOTALL,
)
_MAILBOX = re.compile(r"[^\s@()<>]+@[^\s@()<>]+")


def parse_posts(
    body: bytes, *, url: str, content_type: str, name: str, language: str, now: datetime
) -> ParsedPosts:
    """Parse the `body` fetched from `url` of the site `name`, its newest post first as it has them."""
    decoded = decode_body(body, content_type)
    if is_json(decoded.text, content_type):
        # U+0000 would end a text for parsers of HTML, and no store of Postgres takes it.
        raw = parse_json_feed(decoded.text.replace("\\u0000", "").replace("\0", ""))
    else:
        from upcycle_news.feeds.xml_feed import parse_xml_feed  # late: loads feedparser

        raw = parse_xml_feed(decoded.text, url)
    problems = list(raw.problems)
    entries: Sequence[RawEntry] = raw.entries
    if len(entries) > MAX_ENTRIES:
        entries, problem = newest_entries(entries, now)
        problems.append(problem)
    order = day_month_order(date for entry in entries for date in entry.dates)
    posts: dict[str, Post] = {}
    for number, entry in enumerate(entries, start=1):
        try:
            post = _post(entry, raw, url, (raw.title.headline(), name), language, order, now)
        except BadLinkError as error:
            problems.append(str(localized("entry-left-out", number=number, reason=error.text)))
            continue
        posts.setdefault(post.key, post)
    return ParsedPosts(raw.format, tuple(posts.values()), tuple(dict.fromkeys(problems))[:20])


def _post(
    entry: RawEntry, raw: RawFeed, url: str, names: tuple[str, str], language: str,
    order: DayMonthOrder, now: datetime,
) -> Post:  # fmt: skip
    """Return an entry as a post; raises `BadLinkError` for one without a page or a title."""
    title = next(filter(None, (title.headline() for title in entry.titles)), "")
    link = _link(entry, raw, url)
    if not title:
        raise BadLinkError(localized("entry-empty"))
    date = item_date(entry.dates, now=now, language=language, order=order)
    summary = next(filter(None, (_plain(text) for text in entry.summaries)), "")
    markup, cut = _whole_text(entry, title, summary, names)
    return Post(
        key=entry.id or link,
        link=link,
        title=truncate(title, MAX_TITLE),
        html=markup,
        at=date.date if date.source in ("feed", "german") else None,
        author=_author(entry.authors),
        topics=tuple(dict.fromkeys(filter(None, map(_category, entry.categories)))),
        language=entry.language or raw.language,
        summary="" if summary.endswith(("…", "...", "]")) else summary,
        image=_image(entry, link),
        trailer=_trailer(markup, title, names),
        cut=cut,
    )


def _link(entry: RawEntry, raw: RawFeed, url: str) -> str:
    """Return the address of an entry's page; raises `BadLinkError`."""
    pages = [link for link in entry.links if link.rel == "alternate" and link.href]
    pages.sort(key=lambda link: link.type not in ("", "text/html", "application/xhtml+xml"))
    if pages:
        return safe_link(resolve_link(pages[0].href, pages[0].base or raw.page or url))
    if entry.permalink and re.match(r"https?://", entry.id, re.IGNORECASE):
        return safe_link(entry.id)
    raise BadLinkError(localized("href-missing"))


def _markup(text: RawText) -> str:
    """Return a text as HTML; the paragraphs of plain text are parted by empty lines."""
    if looks_like_html(text.value) if text.html is None else text.html:
        return text.value
    paragraphs = re.split(r"\n\s*\n", text.value.replace("\r\n", "\n").strip())
    return "".join(f"<p>{html.escape(paragraph)}</p>" for paragraph in paragraphs if paragraph)


def _plain(text: RawText) -> str:
    return normalise_whitespace(html_to_lines(_markup(text)))


def _whole_text(
    entry: RawEntry, title: str, summary: str, names: Sequence[str]
) -> tuple[str, CutReason]:
    """Return an entry's text, and why it is not the whole one (empty: it is)."""
    for content in entry.contents:
        markup = _markup(content)
        plain = _plain(content)
        if not plain and not re.search(r"<(?:img|figure)\b", markup, re.IGNORECASE):
            continue
        return markup, _cut(markup, title, names)
    for text in entry.summaries:
        markup = _markup(text)
        if len(_lines(markup)) >= MIN_PARAGRAPHS and len(_plain(text)) >= MIN_LENGTH:
            return markup, _cut(markup, title, names)
    return "", "summary" if summary else "empty"


def _cut(markup: str, title: str, names: Sequence[str]) -> CutReason:
    """Return "ends" for a text that ends as beginnings of longer ones do."""
    lines = _lines(markup)
    if _trailer(markup, title, names):
        lines = lines[:-1]
    text = " ".join(lines)
    more = bool(_MORE_LINK.search(markup.rstrip()))
    short = len(text) <= EXCERPT_LENGTH and bool(_ELLIPSIS_END.search(text))
    if more or short or _CUT_END.search(text) or invites_to_read_on(Passage(title, text), names):
        return "ends"
    return ""


def _trailer(markup: str, title: str, names: Sequence[str]) -> str:
    """Return the last line of a text if it is one that sites append, and says nothing of a rest."""
    lines = _lines(markup)
    last = Passage(title, lines[-1]) if len(lines) > 1 else Passage(title, title)
    appended = not without_trailer(last, names) and not invites_to_read_on(last, names)
    return last.text if appended else ""


def _lines(markup: str) -> list[str]:
    return [line for line in map(normalise_whitespace, html_to_lines(markup).split("\n")) if line]


def _author(names: Sequence[str]) -> str:
    """Return who wrote a post, without an address: ``post@example.org (Mathilde Übersee)``."""
    found = []
    for name in names:
        inside = re.search(r"\(([^()@]+)\)", name) if _MAILBOX.search(name) else None
        name = normalise_whitespace(_MAILBOX.sub("", inside[1] if inside else name)).strip("()<> ")
        if name:
            found.append(name)
    return ", ".join(dict.fromkeys(found))[:200]


def _category(name: str) -> str:
    """Return a category as a topic; WordPress's name for posts without one is none."""
    name = normalise_whitespace(html.unescape(name)).removeprefix("#")[:80]
    return "" if folded(name) in ("uncategorized", "allgemein", "unkategorisiert") else name


def _image(entry: RawEntry, link: str) -> str:
    for address, *_ in entry.images:
        try:
            return safe_link(resolve_link(address, link))
        except BadLinkError:
            continue
    return ""
