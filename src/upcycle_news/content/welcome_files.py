"""Reads the steps of the welcome: content/welcome/*.md, front matter and the words below it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from upcycle_news.content import frontmatter
from upcycle_news.content.essays import leftover
from upcycle_news.content.frontmatter import FrontMatter
from upcycle_news.errors import ContentError
from upcycle_news.fileio import did_you_mean, display_path, list_folder, os_reason, read_text
from upcycle_news.i18n.messages import localized
from upcycle_news.models.welcome import WelcomeFile
from upcycle_news.text.markdown.plain_line import plain_line

FOLDER = "welcome"
KEYS = ("subject", "preheader", "after", "newest_issue")
MOST_DAYS = 365

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}\.md")


@dataclass(frozen=True)
class WelcomeFiles:
    """The steps in their order, and what is wrong with the files of others."""

    steps: tuple[WelcomeFile, ...] = ()
    errors: tuple[ContentError, ...] = ()


def read_welcome_files(content: Path, root: Path, language: str) -> WelcomeFiles:
    """Read ``content/welcome``; paths are shown relative to `root`. Broken files become errors."""
    folder = content / FOLDER
    try:
        paths = [path for path in list_folder(folder) if _is_meant(path)]
    except OSError as error:
        reason = localized("folder-unreadable", reason=os_reason(error))
        return WelcomeFiles((), (ContentError(display_path(folder, root), None, reason),))
    steps: list[WelcomeFile] = []
    errors: list[ContentError] = []
    for path in sorted(paths):
        where = display_path(path, root)
        try:
            step, found = _read(path, where, language)
        except ContentError as error:
            found = [error]
        errors += found
        if not found:
            steps.append(step)
    return WelcomeFiles(
        tuple(sorted(steps, key=lambda step: (step.after, step.step))), tuple(errors)
    )


def _is_meant(path: Path) -> bool:
    return not (path.name.startswith((".", "README")) or path.name.endswith("~") or path.is_dir())


def _read(path: Path, where: str, language: str) -> tuple[WelcomeFile, list[ContentError]]:
    if not _NAME.fullmatch(path.name):
        raise ContentError(where, 1, localized("welcome-file-name"))
    parts = frontmatter.split_front_matter(where, read_text(path, where))
    head = FrontMatter(
        where,
        parts.head,
        KEYS,
        prose=("subject", "preheader"),
        is_toml=parts.is_toml,
        explain_unknown=lambda name, _: localized(
            "welcome-file-key", key=name[:40], hint=did_you_mean(name, KEYS)
        ),
    )
    for key in ("subject", "preheader"):
        if (objection := leftover(key, head.written(key))) is not None:
            head.add_error(head.line(key), objection)
    newest = (
        head.choice("newest_issue", ("true", "false"), "false")
        if head.has("newest_issue")
        else "false"
    )
    step = WelcomeFile(
        step=path.name.removesuffix(".md"),
        source=where,
        after=_after(head),
        subject=plain_line(head.text("subject"), language),
        preheader=plain_line(head.text("preheader"), language),
        body=parts.body,
        body_line=parts.body_line,
        newest_issue=newest == "true",
    )
    if step.newest_issue:
        if step.body or step.subject or step.preheader:
            head.add_error(head.line("newest_issue"), localized("welcome-file-both"))
    else:
        head.require("subject", 'subject: "…"')
        if not step.body:
            head.add_error(parts.body_line, localized("welcome-file-empty"))
    head.errors.sort(key=lambda error: error.line or 0)
    return step, head.errors


def _after(head: FrontMatter) -> timedelta:
    """Read ``after: 3 days``; anything else is an error."""
    head.require("after", "after: 0 days")
    written = head.text("after")
    match = re.fullmatch(r"(\d{1,3}) ?(?:days?|tage?)", written, re.ASCII | re.IGNORECASE)
    if written and (match is None or int(match[1]) > MOST_DAYS):
        text = localized("welcome-file-after", written=written[:40], limit=MOST_DAYS)
        head.add_error(head.line("after"), text)
    return timedelta(days=int(match[1])) if match else timedelta()
