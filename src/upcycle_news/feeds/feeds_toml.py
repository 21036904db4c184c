"""Reading and writing content/feeds.toml, the editors' list of feeds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from upcycle_news.errors import ContentError
from upcycle_news.fileio import (
    did_you_mean,
    display_path,
    exists,
    parse_toml,
    read_text,
)
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Feed
from upcycle_news.models.content import LANGUAGE
from upcycle_news.text.sanitize import neutralise_braces, normalise_whitespace
from upcycle_news.text.typography import language_and_region
from upcycle_news.text.urls import BadLinkError, canonical_link, safe_link, without_feed_scheme

KEYS = ("name", "url", "topics", "weight", "language", "limit", "active")
MAX_WEIGHT = 10.0


def load_feeds(path: Path, root: Path) -> tuple[Feed, ...]:
    """Read feeds.toml, if it is there; raises `ContentError` with the line of the first mistake."""
    where = display_path(path, root)
    if not exists(path):
        return ()
    text = read_text(path, where)
    data = parse_toml(text, where, 'name = "…"')
    for key in data:
        if key != "feeds":
            message = localized("feeds-key", key=key[:40], hint=did_you_mean(key, ["feeds"]))
            raise ContentError(where, _line_of_key(text, key), message)
    tables = data.get("feeds", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ContentError(where, _line_of_key(text, "feeds"), localized("feeds-no-tables"))
    lines = _lines(text)
    return _unique(
        [_Table(where, table, *_place(lines, index)) for index, table in enumerate(tables)]
    )


def as_toml(feed: Feed) -> str:
    """Write a feed as a [[feeds]] table; defaults are left out."""
    defaults = Feed(feed.name, feed.url)
    lines = ["[[feeds]]", f"name = {_quoted(feed.name)}", f"url = {_quoted(feed.url)}"]
    if feed.topics:
        lines.append(f"topics = [{', '.join(map(_quoted, feed.topics))}]")
    if feed.weight != defaults.weight:
        lines.append(f"weight = {feed.weight}")
    lines.append(f"language = {_quoted(feed.language)}")
    if feed.limit is not None:
        lines.append(f"limit = {feed.limit}")
    if not feed.active:
        lines.append("active = false")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Write a text as a TOML basic string: the same as in JSON but for U+007F."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


class _Table:
    """A [[feeds]] table and the line numbers of its keys."""

    def __init__(
        self, where: str, values: dict[str, Any], line: int | None, lines: dict[str, int]
    ) -> None:
        self.where = where
        self.values = values
        self.line = line
        self.lines = lines

    def error(self, key: str, message: LocalizedText) -> ContentError:
        return ContentError(self.where, self.lines.get(key, self.line), message)

    def feed(self) -> Feed:
        for key in self.values:
            if key not in KEYS:
                hint = did_you_mean(key, KEYS)
                raise self.error(key, localized("feed-key", key=key[:40], hint=hint))
        name = normalise_whitespace(self._get("name", str, localized("feed-is-name"), None))
        if not name or len(name) > 200:
            raise self.error("name", localized("feed-name"))
        topics = self._get("topics", list, localized("feed-is-topics"), [])
        if not all(isinstance(topic, str) and topic.strip() for topic in topics):
            raise self.error(
                "topics",
                localized("feed-wrong", key="topics", expected=localized("feed-is-topics")),
            )
        limit = self._get("limit", int, localized("feed-is-limit"), None, optional=True)
        if limit is not None and limit < 1:
            raise self.error("limit", localized("feed-limit"))
        return Feed(
            name=neutralise_braces(name),
            url=self._url(),
            topics=tuple(dict.fromkeys(normalise_whitespace(topic) for topic in topics)),
            weight=self._weight(),
            language=self._language(),
            limit=limit,
            active=self._get("active", bool, localized("feed-is-active"), True),
        )

    def _get(
        self, key: str, kind: type, expected: LocalizedText, default: Any, optional: bool = False
    ) -> Any:
        if key not in self.values:
            if default is None and not optional:
                raise self.error(key, localized("feed-without", key=key, expected=expected))
            return default
        value = self.values[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.error(key, localized("feed-wrong", key=key, expected=expected))
        return value

    def _weight(self) -> float:
        value = self.values.get("weight", 1.0)
        # Not a number of any kind, or nan: the comparison is false for it.
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0 <= value <= MAX_WEIGHT
        ):
            raise self.error(
                "weight",
                localized("feed-wrong", key="weight", expected=localized("feed-is-weight")),
            )
        return float(value)

    def _language(self) -> str:
        language: str = self._get("language", str, localized("feed-is-language"), "de")
        language = language_and_region(language)
        if not LANGUAGE.fullmatch(language):
            expected = localized("feed-is-language")
            raise self.error("language", localized("feed-wrong", key="language", expected=expected))
        return language

    def _url(self) -> str:
        url = without_feed_scheme(self._get("url", str, localized("feed-is-url"), None).strip())
        try:
            if "@" in url.partition("//")[2].partition("/")[0]:
                raise BadLinkError(localized("feed-url-user"))
            return safe_link(url)
        except BadLinkError as error:
            raise self.error(
                "url", localized("feed-url", reason=error.about(localized("href-it")))
            ) from None


def _unique(tables: list[_Table]) -> tuple[Feed, ...]:
    feeds: list[Feed] = []
    names: dict[str, int | None] = {}
    urls: dict[str, str] = {}
    for table in tables:
        feed = table.feed()
        name, url = feed.name.casefold(), canonical_link(feed.url)
        if name in names:
            raise table.error("name", localized("feed-same-name", name=feed.name))
        if url in urls:
            raise table.error("url", localized("feed-same-url", name=urls[url]))
        names[name], urls[url] = table.line, feed.name
        feeds.append(feed)
    return tuple(feeds)


def _lines(text: str) -> list[tuple[int, dict[str, int]]]:
    """Return the line of each table and of its keys, which tomllib does not report."""
    tables: list[tuple[int, dict[str, int]]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if re.match(r"\s*\[\[\s*[\"']?feeds[\"']?\s*\]\]", line):
            tables.append((number, {}))
        elif tables and (match := re.match(r"\s*[\"']?([\w-]+)[\"']?\s*[=.]", line)):
            tables[-1][1].setdefault(match[1], number)
    return tables


def _place(
    lines: list[tuple[int, dict[str, int]]], index: int
) -> tuple[int | None, dict[str, int]]:
    return lines[index] if index < len(lines) else (None, {})


def _line_of_key(text: str, key: str) -> int | None:
    for number, line in enumerate(text.split("\n"), start=1):
        if re.match(rf"\s*\[*\s*[\"']?{re.escape(key)}[\"']?\s*(?:\]|=|\.)", line):
            return number
    return None
