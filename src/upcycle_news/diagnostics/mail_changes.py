"""What became of a mail on its way: the mail that was sent, compared with the one that arrived. Pure.

Only what a reader would meet counts: where links lead, what is loaded on opening, words, and the headers
of sender and unsubscribing. How a server encodes and breaks lines does not.
"""

from __future__ import annotations

import email
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.message import Message
from urllib.parse import urlsplit

from upcycle_news.bounces.mail_parts import decode_header_text, own_parts
from upcycle_news.checks.html_inspector import inspect_html

HEADERS = ("From", "Reply-To", "List-Unsubscribe", "List-Unsubscribe-Post")
"""The headers that are compared; a relay may replace Message-ID and Date, as some document."""

_URL = re.compile(r"(?:https?://|mailto:)[^\s<>\"]+")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True)
class PartChanges:
    """What differs in one part, in numbers.

    `links`: links of ours that are gone or lead elsewhere. `added_links`: links that were none of ours,
    beyond one for each of these. `loaded`: pictures and other things that opening the mail would load and
    that we did not send. `added_words` and `lost_words` count words; `reordered` is True when the same
    words stand in another order. `hosts` are where links and pictures lead that are not ours.
    """

    missing: bool = False
    links: int = 0
    added_links: int = 0
    loaded: int = 0
    added_words: int = 0
    lost_words: int = 0
    reordered: bool = False
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class MailChanges:
    """What differs between the mail that was sent and the one that arrived."""

    html: PartChanges = PartChanges()
    text: PartChanges = PartChanges()
    headers: tuple[str, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts, each once, to which links or pictures lead that are none of ours."""
        return tuple(dict.fromkeys((*self.html.hosts, *self.text.hosts)))


UNCHANGED = MailChanges()


@dataclass(frozen=True)
class _Part:
    links: tuple[str, ...]
    loaded: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True)
class _Mail:
    headers: Mapping[str, str]
    html: _Part | None
    text: _Part | None


def compare_mails(sent: bytes, received: bytes) -> MailChanges:
    """Return what differs; never fails, whatever arrived: what cannot be read has none of our parts."""
    ours, theirs = _read(sent), _read(received)
    return MailChanges(
        html=_compare(ours.html, theirs.html),
        text=_compare(ours.text, theirs.text),
        headers=tuple(name for name in HEADERS if ours.headers[name] != theirs.headers[name]),
    )


def _read(raw: bytes) -> _Mail:
    try:
        message = email.message_from_bytes(raw)
        headers = {name: _header(message, name) for name in HEADERS}
        return _Mail(headers, _html_part(message), _text_part(message))
    except (RecursionError, LookupError, ValueError):  # the parser's corners: nesting, charsets
        return _Mail(dict.fromkeys(HEADERS, ""), None, None)


def _compare(ours: _Part | None, theirs: _Part | None) -> PartChanges:
    if ours is None:
        return PartChanges()
    if theirs is None:
        return PartChanges(missing=True)
    lost, new = _difference(ours.links, theirs.links), _difference(theirs.links, ours.links)
    loaded = _difference(theirs.loaded, ours.loaded)
    lost_words = _difference(ours.words, theirs.words)
    added_words = _difference(theirs.words, ours.words)
    return PartChanges(
        links=len(lost),
        added_links=max(len(new) - len(lost), 0),
        loaded=len(loaded),
        added_words=len(added_words),
        lost_words=len(lost_words),
        reordered=ours.words != theirs.words and not added_words and not lost_words,
        hosts=_hosts((*new, *loaded)),
    )


def _difference(some: Iterable[str], others: Iterable[str]) -> list[str]:
    """Return those of `some` that `others` do not have, each as often as it is missing."""
    return list((Counter(some) - Counter(others)).elements())


def _hosts(urls: Iterable[str]) -> tuple[str, ...]:
    """Return the hosts of these addresses, each once; what is no host is left out."""
    found: dict[str, None] = {}
    for url in urls:
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            continue
        if _HOST.fullmatch(host):
            found[host] = None
    return tuple(found)


def _html_part(message: Message) -> _Part | None:
    html = _content(message, "text/html")
    if html is None:
        return None
    document = inspect_html(html)
    return _Part(
        links=tuple((link.url or "").strip() for link in document.links),
        loaded=tuple(resource.url.strip() for resource in document.resources),
        words=tuple(document.text.split()),
    )


def _text_part(message: Message) -> _Part | None:
    text = _content(message, "text/plain")
    if text is None:
        return None
    return _Part(tuple(_URL.findall(text)), (), tuple(_URL.sub(" ", text).split()))


def _content(message: Message, kind: str) -> str | None:
    """Return the decoded text of the first part of this type that is no attachment; None without one."""
    for part in own_parts(message):
        if part.get_content_type() == kind and part.get_content_disposition() != "attachment":
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                return _decoded(payload, part.get_content_charset("utf-8"))
    return None


def _decoded(payload: bytes, charset: str) -> str:
    try:
        return payload.decode(charset, "replace")
    except (LookupError, UnicodeError):
        return payload.decode("latin-1")


def _header(message: Message, name: str) -> str:
    """Return a header without its folding and encoding; empty when there is none."""
    return "".join(decode_header_text(str(message.get(name, ""))).split())
