"""Checks a rendered issue before it is sent: one function for each question.

Codes are stable: scripts and editors refer to them. An error blocks the issue, a warning does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from markdown_it.common.normalize_url import normalizeLinkText

from upcycle_news.checks.essay import (
    HeadLine,
    check_essay,
    check_further_essay,
    first_line,
)
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
from upcycle_news.rendering.mail_size import MAX_HTML_BYTES, WARN_HTML_BYTES, encoded_size
from upcycle_news.rendering.markdown import is_mail_link, long_opening
from upcycle_news.rendering.question import question_address

HTML = "issue.html"
TEXT = "issue.txt"
SUBJECT = "subject"

LONG_SUBJECT = 70
"""Characters of a subject that phones still show in two lines."""

WARN_PICTURE_BYTES, MAX_PICTURE_BYTES = 2_000_000, 9_000_000
"""Encoded bytes of all pictures in a mail; many relays and mailboxes refuse mails above 10 MB."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LEFTOVERS = ("{{", "{%", "<mj-", "\\u{")


@dataclass(frozen=True)
class CheckInput:
    """What a check examines: the issue, its rendering, and the parsed HTML part."""

    rendered: RenderedIssue
    issue: Issue
    publication: Publication
    document: HtmlDocument


Check = Callable[[CheckInput], Iterator[Finding]]
ISSUE_CHECKS: list[Check] = []
"""All checks of a rendered issue, in the order in which their findings are shown."""


def issue_check(function: Check) -> Check:
    """Add a check of the rendered issue to `ISSUE_CHECKS`; used as a decorator."""
    ISSUE_CHECKS.append(function)
    return function


def preflight(
    rendered: RenderedIssue,
    issue: Issue,
    publication: Publication,
    head_line: HeadLine = first_line,
) -> tuple[Finding, ...]:
    """Return all findings about a rendered issue; without errors it may be sent.

    `head_line` returns the line of a key in the front matter of an essay.
    """
    check_input = CheckInput(rendered, issue, publication, inspect_html(rendered.html))
    findings = [finding for run_check in ISSUE_CHECKS for finding in run_check(check_input)]
    # Of the other essays the mail has the summary only, and the archive all.
    in_essays = [
        finding for essay in issue.essays[:1] for finding in check_essay(essay, None, head_line)
    ]
    in_essays += [finding for essay in issue.essays[1:] for finding in check_further_essay(essay)]
    if issue.greeting_essay is not None:
        in_essays += check_essay(issue.greeting_essay)
    # A mistake of an essay shows in the HTML as well: it is reported once, at its source.
    reported = {finding.code.replace("-missing", "-empty") for finding in in_essays}
    reported |= {finding.code for finding in in_essays}
    others = (
        finding for finding in findings if not (finding.code in reported and _is_html(finding))
    )
    return (*others, *in_essays)


def _is_html(finding: Finding) -> bool:
    return finding.where.startswith(HTML)


@issue_check
def _subject(check_input: CheckInput) -> Iterator[Finding]:
    subject = check_input.rendered.subject
    if not subject.strip():
        yield error("subject-missing", SUBJECT, localized("subject-missing"))
    elif len(subject) > LONG_SUBJECT:
        yield warning(
            "subject-long",
            SUBJECT,
            localized("subject-long", length=len(subject), limit=LONG_SUBJECT),
        )


@issue_check
def _preheader(check_input: CheckInput) -> Iterator[Finding]:
    if not check_input.issue.preheader.strip():
        yield warning("preheader-missing", HTML, localized("preheader-missing"))


@issue_check
def _imprint(check_input: CheckInput) -> Iterator[Finding]:
    lines = [line for line in check_input.publication.imprint if line.strip()]
    if not lines:
        yield error("imprint-missing", "newsletter.toml", localized("imprint-missing"))
        return
    text = " ".join(check_input.rendered.text.split())
    for where, shown in (
        (HTML, all(map(check_input.document.contains, lines))),
        (TEXT, all(" ".join(line.split()) in text for line in lines)),
    ):
        if not shown:
            yield error("imprint-missing", where, localized("imprint-missing-in-template"))


@issue_check
def _unsubscribe(check_input: CheckInput) -> Iterator[Finding]:
    link = Placeholder.UNSUBSCRIBE.value
    for where, shown in (
        (HTML, link in check_input.document.link_urls),
        (TEXT, link in check_input.rendered.text.split()),
    ):
        if not shown:
            yield error("unsubscribe-missing", where, localized("unsubscribe-missing"))


@issue_check
def _size(check_input: CheckInput) -> Iterator[Finding]:
    size = encoded_size(check_input.rendered.html)
    if size > MAX_HTML_BYTES:
        lead = next(iter(check_input.issue.essays), None)
        if lead is not None and (opening := long_opening(lead)) is not None:
            words, line = opening
            place = f"{lead.source}:{line}"
            advice = localized(
                "size-too-large-opening", size=size, limit=MAX_HTML_BYTES, words=words, place=place
            )
        else:
            advice = localized("size-too-large", size=size, limit=MAX_HTML_BYTES)
        yield error("size-too-large", HTML, advice)
    elif size > WARN_HTML_BYTES:
        yield warning("size-large", HTML, localized("size-large", size=size, limit=MAX_HTML_BYTES))


@issue_check
def _opening(check_input: CheckInput) -> Iterator[Finding]:
    """Find a teaser that is none, because the essay's first paragraph does not end."""
    for lead in check_input.issue.essays[:1]:
        length = lead.length or check_input.publication.length
        if length == "teaser" and (opening := long_opening(lead)) is not None:
            words, line = opening
            yield warning(
                "opening-long", f"{lead.source}:{line}", localized("opening-long", words=words)
            )


@issue_check
def _pictures_together(check_input: CheckInput) -> Iterator[Finding]:
    """Embedded pictures travel with every mail, in base64: four bytes for three."""
    size = sum(4 * len(image.data) // 3 for image in check_input.rendered.images)
    if size > WARN_PICTURE_BYTES:
        too_much = size > MAX_PICTURE_BYTES
        limit = MAX_PICTURE_BYTES if too_much else WARN_PICTURE_BYTES
        count = len(check_input.rendered.images)
        text = localized("pictures-heavy", count=count, size=size, limit=limit)
        if too_much:
            yield error("pictures-heavy", HTML, text)
        else:
            yield warning("pictures-heavy", HTML, text)


@issue_check
def _leftovers(check_input: CheckInput) -> Iterator[Finding]:
    for where, content in _parts(check_input.rendered):
        for trace in _LEFTOVERS:
            at = content.find(trace)
            if at >= 0:
                excerpt = " ".join(content[at : at + 50].split())
                location = _location(where, content, at)
                yield error("leftover", location, localized("leftover-shown", excerpt=excerpt))


@issue_check
def _controls(check_input: CheckInput) -> Iterator[Finding]:
    for where, content in _parts(check_input.rendered):
        match = _CONTROLS.search(content)
        if match:
            code = f"U+{ord(match[0]):04X}"
            yield error(
                "control-character",
                _location(where, content, match.start()),
                localized("control-character", code=code),
            )


@issue_check
def _pictures(check_input: CheckInput) -> Iterator[Finding]:
    known = {f"cid:{image.cid}" for image in check_input.rendered.images}
    for image in check_input.document.images:
        where, source = f"{HTML}:{image.line}", image.source
        if image.alt is None:
            yield error(
                "image-alt-missing",
                where,
                localized("image-alt-missing-in-html", source=source[:60]),
            )
        elif not image.alt.strip() and not image.is_decoration:
            yield warning(
                "image-alt-empty", where, localized("image-alt-empty", source=source[:60])
            )
        if not (image.width or "").isdigit():
            yield error("image-width-missing", where, localized("image-width-missing"))
        if source.startswith("cid:") and source not in known:
            yield error("image-missing", where, localized("image-missing-in-mail", id=source[4:64]))


@issue_check
def _links(check_input: CheckInput) -> Iterator[Finding]:
    others = {item.link for related in check_input.issue.related for item in related.story.items}
    for link in check_input.document.links:
        where, url = f"{HTML}:{link.line}", link.url or ""
        if not url or not link.name:
            text = localized("link-empty-silent")
            if link.name:
                text = localized("link-empty-nowhere", text=link.name[:60])
            yield error("link-empty", where, text)
        elif url.startswith("#"):
            if url[1:] not in check_input.document.anchors:
                yield error("anchor-dead", where, localized("anchor-dead-in-mail", id=url[1:61]))
        elif not is_mail_link(url):
            yield error("link-relative", where, localized("link-relative", link=url[:80]))
        elif url.startswith("http://") and url not in others:
            yield warning("link-insecure", where, localized("link-insecure", link=url[:80]))
        if is_vague_link_text(link.name):
            yield warning(
                "link-text-vague", where, localized("link-text-vague-in-html", text=link.name)
            )


@issue_check
def _headings(check_input: CheckInput) -> Iterator[Finding]:
    previous = 0
    for heading in check_input.document.headings:
        if heading.level > previous + 1 or (heading.level == 1 and previous):
            text = (
                localized("heading-order-after", level=heading.level, previous=previous)
                if previous
                else localized("heading-order-first", level=heading.level)
            )
            yield warning("heading-order", f"{HTML}:{heading.line}", text)
        previous = heading.level


@issue_check
def _foreign_hosts(check_input: CheckInput) -> Iterator[Finding]:
    """Only the mail itself and the hosts the publication allows may be loaded from on opening."""
    own = (check_input.publication.public_url, check_input.publication.site_url)
    allowed = {*(urlsplit(site).netloc for site in own), *check_input.publication.hosts}
    seen: set[str] = set()
    for resource in check_input.document.resources:
        host = urlsplit(resource.url).netloc
        if resource.url.startswith("cid:") or (host and host in allowed) or resource.url in seen:
            continue
        seen.add(resource.url)
        yield error(
            "external-load",
            f"{HTML}:{resource.line}",
            localized("external-load", address=resource.url[:80]),
        )


@issue_check
def _parity(check_input: CheckInput) -> Iterator[Finding]:
    for url in check_input.document.link_urls:
        inside = url.startswith("#") or not is_mail_link(url)
        if not inside and not any(form in check_input.rendered.text for form in _text_forms(url)):
            yield error(
                "text-link-missing", TEXT, localized("text-link-missing", address=url[:100])
            )


def _text_forms(url: str) -> tuple[str, ...]:
    """Return how the text part may show an address: whole, as it is read, and as it was typed (``www.…``).

    Of a mail whose subject is given the receiver will do.
    """
    read = normalizeLinkText(url)
    if url.startswith("mailto:"):
        return (url.removeprefix("mailto:").partition("?")[0], read.removeprefix("mailto:"))
    typed = [form.removeprefix("https://") for form in (url, read) if "://www." in form]
    return (url, read, *typed)


def _parts(rendered: RenderedIssue) -> tuple[tuple[str, str], ...]:
    return ((SUBJECT, rendered.subject), (HTML, rendered.html), (TEXT, rendered.text))


def _location(where: str, content: str, position: int) -> str:
    number = content.count("\n", 0, position) + 1
    return where if where == SUBJECT else f"{where}:{number}"


@issue_check
def _question(check_input: CheckInput) -> Iterator[Finding]:
    """Check that readers see the question of the issue, and can answer it."""
    if check_input.issue.question is None:
        return
    if not check_input.publication.public_url:
        yield error("question-no-address", "newsletter.toml", localized("question-no-address"))
        return
    address = question_address(
        check_input.publication, check_input.issue.id, check_input.issue.folder
    )
    for part, text in ((HTML, check_input.rendered.html), (TEXT, check_input.rendered.text)):
        if address not in text:
            yield error("question-unshown", part, localized("question-unshown", part=part))


_OF_ANY_MAIL: tuple[Check, ...] = (
    *(_subject, _imprint, _unsubscribe, _leftovers, _controls, _pictures, _links),
)


def check_any_mail(rendered: RenderedIssue, publication: Publication) -> tuple[Finding, ...]:
    """Return the findings about a mail to readers that is no issue; without errors it may be sent."""
    issue = Issue(rendered.issue, rendered.language, rendered.subject, "", ())
    check_input = CheckInput(rendered, issue, publication, inspect_html(rendered.html))
    return tuple(finding for run_check in _OF_ANY_MAIL for finding in run_check(check_input))
