"""Checks a rendered issue before anybody gets it: one small function a question.

Codes are stable: scripts and editors refer to them. An error refuses the issue, a warning does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from upcycle_news.model import Finding, Issue, Placeholder, Publication, RenderedIssue
from upcycle_news.press.essay_check import check_essay
from upcycle_news.press.findings import error, is_vague, warning
from upcycle_news.press.markdown import is_mail_link
from upcycle_news.press.page import Page, read_page
from upcycle_news.press.sizes import LARGE, TOO_LARGE, encoded_size

HTML = "issue.html"
TEXT = "issue.txt"
SUBJECT = "subject"

LONG_SUBJECT = 70
"""Characters of a subject that phones still show in two lines."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LEFTOVERS = ("{{", "{%", "<mj-", "\\u{")


@dataclass(frozen=True)
class Sheet:
    """What a check looks at: the issue, what it became, and the HTML part already read."""

    rendered: RenderedIssue
    issue: Issue
    publication: Publication
    page: Page


Check = Callable[[Sheet], Iterator[Finding]]
CHECKS: list[Check] = []
"""All checks in the order in which their findings are shown."""


def check(function: Check) -> Check:
    """Register a check."""
    CHECKS.append(function)
    return function


def preflight(
    rendered: RenderedIssue, issue: Issue, publication: Publication
) -> tuple[Finding, ...]:
    """Everything that is wrong with a rendered issue; empty means ready to send."""
    sheet = Sheet(rendered, issue, publication, read_page(rendered.html))
    found = [finding for look in CHECKS for finding in look(sheet)]
    # Only the leading essay's text is in the mail.
    written = [finding for essay in issue.essays[:1] for finding in check_essay(essay)]
    # What the editor wrote shows in the HTML as well: once is enough, at its source.
    known = {finding.code.replace("-missing", "-empty") for finding in written}
    known |= {finding.code for finding in written}
    return (*(one for one in found if not (one.code in known and _is_html(one))), *written)


def _is_html(finding: Finding) -> bool:
    return finding.where.startswith(HTML)


@check
def _subject(sheet: Sheet) -> Iterator[Finding]:
    subject = sheet.rendered.subject
    if not subject.strip():
        yield error("subject-missing", SUBJECT, "the subject is empty: give the essay a title")
    elif len(subject) > LONG_SUBJECT:
        yield warning(
            "subject-long",
            SUBJECT,
            f"the subject has {len(subject)} characters, phones cut it off after {LONG_SUBJECT}",
        )


@check
def _preheader(sheet: Sheet) -> Iterator[Finding]:
    if not sheet.issue.preheader.strip():
        yield warning(
            "preheader-missing",
            HTML,
            "there is no preheader: write a summary into the leading essay's front matter",
        )


@check
def _imprint(sheet: Sheet) -> Iterator[Finding]:
    lines = [line for line in sheet.publication.imprint if line.strip()]
    if not lines:
        cure = "write name, address and contact into [imprint] lines (§ 5 DDG)"
        yield error("imprint-missing", "newsletter.toml", f"the imprint is empty: {cure}")
        return
    text = " ".join(sheet.rendered.text.split())
    for where, shown in (
        (HTML, all(map(sheet.page.says, lines))),
        (TEXT, all(" ".join(line.split()) in text for line in lines)),
    ):
        if not shown:
            yield error("imprint-missing", where, "the template does not show the whole imprint")


@check
def _unsubscribe(sheet: Sheet) -> Iterator[Finding]:
    link = Placeholder.UNSUBSCRIBE.value
    for where, shown in (
        (HTML, link in sheet.page.addresses),
        (TEXT, link in sheet.rendered.text.split()),
    ):
        if not shown:
            yield error(
                "unsubscribe-missing",
                where,
                "there is no way to unsubscribe: the template must show links.unsubscribe",
            )


@check
def _size(sheet: Sheet) -> Iterator[Finding]:
    size = encoded_size(sheet.rendered.html)
    if size > TOO_LARGE:
        yield error(
            "size-too-large",
            HTML,
            f"the HTML part has {size:,} bytes, Gmail cuts mails off above {TOO_LARGE:,}: "
            "write length: teaser into the leading essay, or take fewer items",
        )
    elif size > LARGE:
        yield warning(
            "size-large", HTML, f"the HTML part has {size:,} bytes, the limit is {TOO_LARGE:,}"
        )


@check
def _leftovers(sheet: Sheet) -> Iterator[Finding]:
    for where, content in _parts(sheet.rendered):
        for trace in _LEFTOVERS:
            at = content.find(trace)
            if at >= 0:
                excerpt = " ".join(content[at : at + 50].split())
                place = _line_of(where, content, at)
                yield error("leftover", place, f"shows what a template left over: {excerpt!r}")


@check
def _controls(sheet: Sheet) -> Iterator[Finding]:
    for where, content in _parts(sheet.rendered):
        found = _CONTROLS.search(content)
        if found:
            code = f"U+{ord(found[0]):04X}"
            yield error(
                "control-character",
                _line_of(where, content, found.start()),
                f"holds the control character {code} (Gmail cuts mails off there): remove it",
            )


@check
def _pictures(sheet: Sheet) -> Iterator[Finding]:
    known = {f"cid:{image.cid}" for image in sheet.rendered.images}
    for image in sheet.page.images:
        where, source = f"{HTML}:{image.line}", image.source
        if image.alt is None:
            yield error("image-alt-missing", where, f"an image without alt: {source[:60]}")
        elif not image.alt.strip():
            yield warning(
                "image-alt-empty", where, f"an image that says nothing to the blind: {source[:60]}"
            )
        if not (image.width or "").isdigit():
            cure = "write width in pixels; Outlook would show the file at its own size"
            yield error("image-width-missing", where, f"an image without width: {cure}")
        if source.startswith("cid:") and source not in known:
            yield error("image-missing", where, f"no part of the mail has the id {source[4:64]}")


@check
def _links(sheet: Sheet) -> Iterator[Finding]:
    others = {item.link for related in sheet.issue.related for item in related.story.items}
    for link in sheet.page.links:
        where, address = f"{HTML}:{link.line}", link.address or ""
        if not address or not link.name:
            what = f"leads nowhere: {link.name[:60]!r}" if link.name else "has no text"
            yield error("link-empty", where, f"a link that {what}")
        elif address.startswith("#"):
            if address[1:] not in sheet.page.anchors:
                yield error(
                    "anchor-dead", where, f"nothing in the mail has the id {address[1:61]!r}"
                )
        elif not is_mail_link(address):
            yield error(
                "link-relative",
                where,
                f"the link {address[:80]!r} leads nowhere out of a mail: begin it with https://",
            )
        elif address.startswith("http://") and address not in others:
            cure = "write https:// if the page answers there"
            yield warning("link-insecure", where, f"the link {address[:80]!r} is not safe: {cure}")
        if is_vague(link.name):
            cure = "name what it leads to, or give it an aria-label"
            yield warning("link-text-vague", where, f"the link {link.name!r} says nothing: {cure}")


@check
def _headings(sheet: Sheet) -> Iterator[Finding]:
    previous = 0
    for heading in sheet.page.headings:
        if heading.level > previous + 1 or (heading.level == 1 and previous):
            after = f"after one of level {previous}" if previous else "before any other"
            yield warning(
                "heading-order",
                f"{HTML}:{heading.line}",
                f"a heading of level {heading.level} {after}: a mail has one h1, and h2 and h3 in "
                "their order",
            )
        previous = heading.level


@check
def _foreign_hosts(sheet: Sheet) -> Iterator[Finding]:
    """Nothing is loaded on opening but from the mail itself and the hosts the publication allows."""
    own = (sheet.publication.public_url, sheet.publication.site_url)
    allowed = {*(urlsplit(one).netloc for one in own), *sheet.publication.hosts}
    seen: set[str] = set()
    for load in sheet.page.loads:
        host = urlsplit(load.address).netloc
        if load.address.startswith("cid:") or (host and host in allowed) or load.address in seen:
            continue
        seen.add(load.address)
        yield error(
            "external-load",
            f"{HTML}:{load.line}",
            f"opening the mail would load {load.address[:80]!r}: readers are not to be tracked "
            "(a host you trust goes into [issue] hosts)",
        )


@check
def _parity(sheet: Sheet) -> Iterator[Finding]:
    for address in sheet.page.addresses:
        inside = address.startswith("#") or not is_mail_link(address)
        if not inside and address.removeprefix("mailto:") not in sheet.rendered.text:
            yield error(
                "text-link-missing",
                TEXT,
                f"the text part lacks a link of the HTML: {address[:100]}",
            )


def _parts(rendered: RenderedIssue) -> tuple[tuple[str, str], ...]:
    return ((SUBJECT, rendered.subject), (HTML, rendered.html), (TEXT, rendered.text))


def _line_of(where: str, content: str, position: int) -> str:
    number = content.count("\n", 0, position) + 1
    return where if where == SUBJECT else f"{where}:{number}"
