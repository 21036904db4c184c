"""Checks a rendered issue before anybody gets it: one small function a question.

Codes are stable: scripts and editors refer to them. An error refuses the issue, a warning does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from upcycle_news.checks.essay import check_essay, check_placeholder
from upcycle_news.checks.findings import error, is_vague_link_text, warning
from upcycle_news.checks.html_inspector import HtmlDocument, inspect_html
from upcycle_news.i18n.messages import localized
from upcycle_news.models import (
    Finding,
    Issue,
    Placeholder,
    Publication,
    RenderedIssue,
)
from upcycle_news.rendering.markdown import is_mail_link
from upcycle_news.rendering.render import MAX_HTML_BYTES, WARN_HTML_BYTES, encoded_size

HTML = "issue.html"
TEXT = "issue.txt"
SUBJECT = "subject"

LONG_SUBJECT = 70
"""Characters of a subject that phones still show in two lines."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LEFTOVERS = ("{{", "{%", "<mj-", "\\u{")


@dataclass(frozen=True)
class CheckInput:
    """What a check looks at: the issue, what it became, and the HTML part already read."""

    rendered: RenderedIssue
    issue: Issue
    publication: Publication
    page: HtmlDocument


Check = Callable[[CheckInput], Iterator[Finding]]
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
    sheet = CheckInput(rendered, issue, publication, inspect_html(rendered.html))
    found = [finding for look in CHECKS for finding in look(sheet)]
    # Only the leading essay's text is in the mail; of the others, the placeholder would be.
    written = [finding for essay in issue.essays[:1] for finding in check_essay(essay)]
    written += [finding for essay in issue.essays[1:] for finding in check_placeholder(essay)]
    # What the editor wrote shows in the HTML as well: once is enough, at its source.
    known = {finding.code.replace("-missing", "-empty") for finding in written}
    known |= {finding.code for finding in written}
    return (*(one for one in found if not (one.code in known and _is_html(one))), *written)


def _is_html(finding: Finding) -> bool:
    return finding.where.startswith(HTML)


@check
def _subject(sheet: CheckInput) -> Iterator[Finding]:
    subject = sheet.rendered.subject
    if not subject.strip():
        yield error("subject-missing", SUBJECT, localized("subject-missing"))
    elif len(subject) > LONG_SUBJECT:
        yield warning(
            "subject-long",
            SUBJECT,
            localized("subject-long", length=len(subject), limit=LONG_SUBJECT),
        )


@check
def _preheader(sheet: CheckInput) -> Iterator[Finding]:
    if not sheet.issue.preheader.strip():
        yield warning("preheader-missing", HTML, localized("preheader-missing"))


@check
def _imprint(sheet: CheckInput) -> Iterator[Finding]:
    lines = [line for line in sheet.publication.imprint if line.strip()]
    if not lines:
        yield error("imprint-missing", "newsletter.toml", localized("imprint-missing"))
        return
    text = " ".join(sheet.rendered.text.split())
    for where, shown in (
        (HTML, all(map(sheet.page.says, lines))),
        (TEXT, all(" ".join(line.split()) in text for line in lines)),
    ):
        if not shown:
            yield error("imprint-missing", where, localized("imprint-missing-in-template"))


@check
def _unsubscribe(sheet: CheckInput) -> Iterator[Finding]:
    link = Placeholder.UNSUBSCRIBE.value
    for where, shown in (
        (HTML, link in sheet.page.addresses),
        (TEXT, link in sheet.rendered.text.split()),
    ):
        if not shown:
            yield error("unsubscribe-missing", where, localized("unsubscribe-missing"))


@check
def _size(sheet: CheckInput) -> Iterator[Finding]:
    size = encoded_size(sheet.rendered.html)
    if size > MAX_HTML_BYTES:
        yield error(
            "size-too-large", HTML, localized("size-too-large", size=size, limit=MAX_HTML_BYTES)
        )
    elif size > WARN_HTML_BYTES:
        yield warning("size-large", HTML, localized("size-large", size=size, limit=MAX_HTML_BYTES))


@check
def _leftovers(sheet: CheckInput) -> Iterator[Finding]:
    for where, content in _parts(sheet.rendered):
        for trace in _LEFTOVERS:
            at = content.find(trace)
            if at >= 0:
                excerpt = " ".join(content[at : at + 50].split())
                place = _line_of(where, content, at)
                yield error("leftover", place, localized("leftover-shown", excerpt=excerpt))


@check
def _controls(sheet: CheckInput) -> Iterator[Finding]:
    for where, content in _parts(sheet.rendered):
        found = _CONTROLS.search(content)
        if found:
            code = f"U+{ord(found[0]):04X}"
            yield error(
                "control-character",
                _line_of(where, content, found.start()),
                localized("control-character", code=code),
            )


@check
def _pictures(sheet: CheckInput) -> Iterator[Finding]:
    known = {f"cid:{image.cid}" for image in sheet.rendered.images}
    for image in sheet.page.images:
        where, source = f"{HTML}:{image.line}", image.source
        if image.alt is None:
            yield error(
                "image-alt-missing",
                where,
                localized("image-alt-missing-in-html", source=source[:60]),
            )
        elif not image.alt.strip():
            yield warning(
                "image-alt-empty", where, localized("image-alt-empty", source=source[:60])
            )
        if not (image.width or "").isdigit():
            yield error("image-width-missing", where, localized("image-width-missing"))
        if source.startswith("cid:") and source not in known:
            yield error("image-missing", where, localized("image-missing-in-mail", id=source[4:64]))


@check
def _links(sheet: CheckInput) -> Iterator[Finding]:
    others = {item.link for related in sheet.issue.related for item in related.story.items}
    for link in sheet.page.links:
        where, address = f"{HTML}:{link.line}", link.address or ""
        if not address or not link.name:
            nowhere = localized("link-empty-nowhere", text=link.name[:60])
            yield error(
                "link-empty", where, nowhere if link.name else localized("link-empty-silent")
            )
        elif address.startswith("#"):
            if address[1:] not in sheet.page.anchors:
                yield error(
                    "anchor-dead", where, localized("anchor-dead-in-mail", id=address[1:61])
                )
        elif not is_mail_link(address):
            yield error("link-relative", where, localized("link-relative", link=address[:80]))
        elif address.startswith("http://") and address not in others:
            yield warning("link-insecure", where, localized("link-insecure", link=address[:80]))
        if is_vague_link_text(link.name):
            yield warning(
                "link-text-vague", where, localized("link-text-vague-in-html", text=link.name)
            )


@check
def _headings(sheet: CheckInput) -> Iterator[Finding]:
    previous = 0
    for heading in sheet.page.headings:
        if heading.level > previous + 1 or (heading.level == 1 and previous):
            said = (
                localized("heading-order-after", level=heading.level, previous=previous)
                if previous
                else localized("heading-order-first", level=heading.level)
            )
            yield warning("heading-order", f"{HTML}:{heading.line}", said)
        previous = heading.level


@check
def _foreign_hosts(sheet: CheckInput) -> Iterator[Finding]:
    """Nothing is loaded on opening but from the mail itself and the hosts the publication allows."""
    own = (sheet.publication.public_url, sheet.publication.site_url)
    allowed = {*(urlsplit(one).netloc for one in own), *sheet.publication.hosts}
    seen: set[str] = set()
    for load in sheet.page.resources:
        host = urlsplit(load.address).netloc
        if load.address.startswith("cid:") or (host and host in allowed) or load.address in seen:
            continue
        seen.add(load.address)
        yield error(
            "external-load",
            f"{HTML}:{load.line}",
            localized("external-load", address=load.address[:80]),
        )


@check
def _parity(sheet: CheckInput) -> Iterator[Finding]:
    for address in sheet.page.addresses:
        inside = address.startswith("#") or not is_mail_link(address)
        if not inside and address.removeprefix("mailto:") not in sheet.rendered.text:
            yield error(
                "text-link-missing", TEXT, localized("text-link-missing", address=address[:100])
            )


def _parts(rendered: RenderedIssue) -> tuple[tuple[str, str], ...]:
    return ((SUBJECT, rendered.subject), (HTML, rendered.html), (TEXT, rendered.text))


def _line_of(where: str, content: str, position: int) -> str:
    number = content.count("\n", 0, position) + 1
    return where if where == SUBJECT else f"{where}:{number}"
