"""Checks a rendered issue before anybody gets it: one small function a question.

Codes are stable: scripts and editors refer to them. An error refuses the issue, a warning does not.
"""

from __future__ import annotations

import quopri
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from upcycle_news.model import Finding, Issue, Placeholder, Publication, RenderedIssue
from upcycle_news.press.markdown import image_path, is_mail_link, references
from upcycle_news.press.page import Page, read_page

HTML = "issue.html"
TEXT = "issue.txt"
SUBJECT = "subject"

LARGE = 80_000
"""Bytes of the encoded HTML part from which we warn."""

TOO_LARGE = 100_000
"""Bytes from which Gmail would cut the mail off, and with it the imprint and the links."""

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
    return tuple(finding for look in CHECKS for finding in look(sheet))


def encoded_size(html: str) -> int:
    """Bytes of the HTML part as it travels: quoted-printable, UTF-8."""
    return len(quopri.encodestring(html.encode()))


@check
def _subject(sheet: Sheet) -> Iterator[Finding]:
    subject = sheet.rendered.subject
    if not subject.strip():
        yield _error("subject-missing", SUBJECT, "the subject is empty: give the essay a title")
    elif len(subject) > LONG_SUBJECT:
        yield _warning(
            "subject-long",
            SUBJECT,
            f"the subject has {len(subject)} characters, phones cut it off after {LONG_SUBJECT}",
        )


@check
def _preheader(sheet: Sheet) -> Iterator[Finding]:
    if not sheet.issue.preheader.strip():
        yield _warning(
            "preheader-missing",
            HTML,
            "there is no preheader: write a summary into the leading essay's front matter",
        )


@check
def _imprint(sheet: Sheet) -> Iterator[Finding]:
    lines = [line for line in sheet.publication.imprint if line.strip()]
    if not lines:
        cure = "write name, address and contact into publication.imprint (§ 5 DDG)"
        yield _error("imprint-missing", "newsletter.toml", f"the imprint is empty: {cure}")
        return
    text = " ".join(sheet.rendered.text.split())
    for where, shown in (
        (HTML, all(map(sheet.page.says, lines))),
        (TEXT, all(" ".join(line.split()) in text for line in lines)),
    ):
        if not shown:
            yield _error("imprint-missing", where, "the template does not show the whole imprint")


@check
def _unsubscribe(sheet: Sheet) -> Iterator[Finding]:
    link = Placeholder.UNSUBSCRIBE.value
    for where, shown in (
        (HTML, link in sheet.page.links),
        (TEXT, link in sheet.rendered.text.split()),
    ):
        if not shown:
            yield _error(
                "unsubscribe-missing",
                where,
                "there is no way to unsubscribe: the template must show links.unsubscribe",
            )


@check
def _size(sheet: Sheet) -> Iterator[Finding]:
    size = encoded_size(sheet.rendered.html)
    if size > TOO_LARGE:
        yield _error(
            "size-too-large",
            HTML,
            f"the HTML part has {size:,} bytes, Gmail cuts mails off above {TOO_LARGE:,}: "
            "shorten the leading essay or take fewer items",
        )
    elif size > LARGE:
        yield _warning(
            "size-large", HTML, f"the HTML part has {size:,} bytes, the limit is {TOO_LARGE:,}"
        )


@check
def _leftovers(sheet: Sheet) -> Iterator[Finding]:
    for where, content in _parts(sheet.rendered):
        for trace in _LEFTOVERS:
            at = content.find(trace)
            if at >= 0:
                excerpt = " ".join(content[at : at + 50].split())
                yield _error("leftover", where, f"shows what a template left over: {excerpt!r}")


@check
def _controls(sheet: Sheet) -> Iterator[Finding]:
    for where, content in _parts(sheet.rendered):
        found = _CONTROLS.search(content)
        if found:
            code = f"U+{ord(found[0]):04X}"
            yield _error(
                "control-character",
                where,
                f"holds the control character {code} (Gmail cuts mails off there): remove it",
            )


@check
def _pictures(sheet: Sheet) -> Iterator[Finding]:
    known = {f"cid:{image.cid}" for image in sheet.rendered.images}
    for source, alt in sheet.page.images:
        if alt is None:
            yield _error("image-alt-missing", HTML, f"an image without alt: {source[:60]}")
        elif not alt.strip():
            yield _warning(
                "image-alt-empty", HTML, f"an image that says nothing to the blind: {source[:60]}"
            )
        if source.startswith("cid:") and source not in known:
            yield _error("image-missing", HTML, f"no part of the mail has the id {source[4:64]}")


@check
def _links(sheet: Sheet) -> Iterator[Finding]:
    for link in dict.fromkeys(sheet.page.links):
        if not is_mail_link(link):
            yield _error(
                "link-relative",
                HTML,
                f"the link {link[:80]!r} leads nowhere out of a mail: begin it with https://",
            )


@check
def _essay_references(sheet: Sheet) -> Iterator[Finding]:
    """Links that were dropped and images that are not ours, where the editor wrote them."""
    for essay in sheet.issue.essays[:1]:
        for found in references(essay.body):
            where = f"{essay.source}:{essay.body_line + found.line - 1}"
            if found.kind == "link" and not is_mail_link(found.target):
                yield _error(
                    "link-relative",
                    where,
                    f"the link {found.target[:80]!r} leads nowhere out of a mail: "
                    "begin it with https://",
                )
            if found.kind == "image" and image_path(found.target) is None:
                yield _error(
                    "image-foreign",
                    where,
                    f"the image {found.target[:80]!r} is not ours: put it into content/images",
                )


@check
def _foreign_hosts(sheet: Sheet) -> Iterator[Finding]:
    """Nothing may be loaded on opening but from the mail itself or our own public address."""
    own = urlsplit(sheet.publication.public_url).netloc
    for address in dict.fromkeys(sheet.page.loads):
        host = urlsplit(address).netloc
        if not address.startswith("cid:") and (not host or host != own):
            yield _error(
                "external-load",
                HTML,
                f"opening the mail would load {address[:80]!r}: readers are not to be tracked",
            )


@check
def _parity(sheet: Sheet) -> Iterator[Finding]:
    for link in dict.fromkeys(sheet.page.links):
        if link.removeprefix("mailto:") not in sheet.rendered.text:
            yield _error(
                "text-link-missing", TEXT, f"the text part lacks a link of the HTML: {link[:100]}"
            )


def _parts(rendered: RenderedIssue) -> tuple[tuple[str, str], ...]:
    return ((SUBJECT, rendered.subject), (HTML, rendered.html), (TEXT, rendered.text))


def _error(code: str, where: str, message: str) -> Finding:
    return Finding("error", code, where, message)


def _warning(code: str, where: str, message: str) -> Finding:
    return Finding("warning", code, where, message)
