"""The files of a pull request's review: the page, the summary, GitLab's report, and pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from upcycle_news.checks.annotations import gitlab_code_quality
from upcycle_news.fileio import write_atomically
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding
from upcycle_news.observability.logging import Log
from upcycle_news.rendering.preview_page import LEVELS, PreviewPart, preview_pages
from upcycle_news.services.browser.chromium import OFF, BrowserError, find_chromium
from upcycle_news.services.browser.pictures import issue_pictures, write_pictures
from upcycle_news.services.pull_request.review import PullRequestReview
from upcycle_news.text.escaped_markdown import Translator, escape_markdown

log = Log(__name__)

PAGE, SUMMARY, CODE_QUALITY = "preview.html", "summary.md", "gl-code-quality-report.json"
PICTURES = "pictures"
MAX_TEXT = 40_000
"""Characters of a text part or diff in the summary: GitHub takes 1 MiB for all of it."""


def write_review(
    review: PullRequestReview, folder: Path, *, chromium: str = OFF
) -> Mapping[str, Path]:
    """Write the review's files into `folder`; returns their paths by name.

    Where there is a Chromium (`chromium` as `browser.chromium`), `folder`/pictures/NAME has PNG pictures
    of each essay or issue: phone and desktop, light and dark.
    """
    language = review.language
    translate = Translator(language)
    shown = {finding for part in review.parts.values() for finding in part.findings}
    page = preview_pages(
        translate(localized("pull-request-title")),
        tuple(review.parts.values()),
        language=language,
        remarks=[translate(remark) for remark in review.remarks],
        findings=[finding for finding in review.findings if finding not in shown],
    )
    contents = {
        PAGE: page,
        SUMMARY: summary(review),
        CODE_QUALITY: gitlab_code_quality(review.findings, language, review.prefix),
    }
    for name, text in contents.items():
        write_atomically(folder / name, text.encode())
    for name, part in review.parts.items():
        _write_pictures(part, folder / PICTURES / name, chromium)
    return {name: folder / name for name in contents}


def _write_pictures(part: PreviewPart, folder: Path, chromium: str) -> None:
    """Write the pictures of a part if there is a Chromium; one that fails costs the pictures alone."""
    try:
        if find_chromium(chromium) is not None:
            write_pictures(folder, issue_pictures(part.rendered, chromium))
    except BrowserError as error:
        log.warning("no pictures of a changed essay", name=folder.name, why=error)


def summary(review: PullRequestReview) -> str:
    """Return the review as Markdown for the summary of a job: findings, text parts, what changed.

    Whatever comes from files is escaped or stands in a code block: a stranger's branch brings neither
    links nor HTML into the page.
    """
    translate = Translator(review.language)
    lines = [f"## {translate(localized('pull-request-title'))}", ""]
    lines += [line for remark in review.remarks for line in (escape_markdown(translate(remark)), "")]  # fmt: skip
    lines += _findings(review.findings, translate)
    for part in review.parts.values():
        lines += _part(part, translate)
    return "\n".join(lines)


def _findings(findings: Sequence[Finding], translate: Translator) -> Iterator[str]:
    if not findings:
        yield from (translate(localized("nothing-found")), "")
        return
    for finding in findings:
        level = translate(LEVELS[finding.level])
        sentence = escape_markdown(finding.in_language(translate.language))
        yield f"- **{level}** {escape_markdown(finding.where)}: {sentence} ({finding.code})"
    yield ""


def _part(part: PreviewPart, translate: Translator) -> Iterator[str]:
    yield from (f"### {escape_markdown(part.rendered.subject)}", "", escape_markdown(part.note), "")
    texts = (
        (part.diff, localized("preview-diff"), "diff"),
        (part.rendered.text, localized("preview-text"), "text"),
    )
    for text, title, kind in texts:
        if text:
            summary_line = translate(title)
            yield from (f"<details><summary>{summary_line}</summary>", "")
            yield from _code_block(text, kind, translate)
            yield from ("", "</details>", "")


def _code_block(text: str, kind: str, translate: Translator) -> Iterator[str]:
    """Yield a fenced block whose fence is longer than any in the text (CommonMark 4.5)."""
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}\n{translate(localized('pull-request-cut'))}"
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from (f"{fence}{kind}", text, fence)
