"""The report's section about accessibility: what axe-core found, and what a screen reader meets."""

from __future__ import annotations

import json
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.checks.accessibility import Outline, outline_of
from upcycle_news.checks.theme import check_colours
from upcycle_news.fileio import write_atomically
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Manifest, RenderedIssue
from upcycle_news.services.browser.axe import AxeResult, examine, find_axe
from upcycle_news.services.browser.chromium import BrowserError, find_chromium
from upcycle_news.text.escaped_markdown import Translator, escape_markdown, markdown_of_sentence

MAX_LINES = 40
"""Steps of the reading order that the report shows."""


def accessibility_section(
    context: AppContext, translate: Translator, manifest: Manifest, rendered: RenderedIssue
) -> list[str]:
    """Return the lines of the section in Markdown.

    They are kept beside the preview, and made again only for another mail, program or axe-core.
    """
    browser = context.settings.browser
    try:
        program = find_chromium(browser.chromium)
    except BrowserError:
        program = None
    script = find_axe(browser.axe, context.settings.home)
    parts = [rendered.html, *map(str, manifest.templates.items()), str(program), str(script)]
    key = sha256("\0".join([*parts, context.language]).encode()).hexdigest()
    cache = context.issues_folder / str(rendered.issue) / "accessibility.json"
    if (kept := _kept(cache, key)) is not None:
        return kept
    found = examine(rendered, program, script, context.language)
    lines = _section(translate, manifest, rendered, found)
    if program is None or script is None or isinstance(found, AxeResult):
        write_atomically(cache, json.dumps({"key": key, "lines": lines}).encode())
    return lines


def _kept(cache: Path, key: str) -> list[str] | None:
    try:
        kept = json.loads(cache.read_text(encoding="utf-8"))
        return list(map(str, kept["lines"])) if kept["key"] == key else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _section(
    translate: Translator,
    manifest: Manifest,
    rendered: RenderedIssue,
    found: AxeResult | LocalizedText,
) -> list[str]:
    outline = outline_of(rendered.html)
    weak = _weak_colours(frozenset(manifest.templates.items()))
    said = [*_axe(found), *_outline(outline)]
    said += weak or (localized("access-contrast"),)
    lines = [f"- {markdown_of_sentence(translate(text))}" for text in said]
    steps = [_step(translate, step.level, step.text) for step in outline.steps[:MAX_LINES]]
    return [
        f"### {translate(localized('access-title'))}",
        "",
        *lines,
        f"- {translate(localized('access-order'))}",
        *(f"    {number}. {step}" for number, step in enumerate(steps, 1)),
        "",
    ]


@lru_cache(maxsize=4)
def _weak_colours(templates: frozenset[tuple[str, str]]) -> tuple[LocalizedText, ...]:
    """Return what is wrong with the contrasts of templates; they are filled for it, which takes seconds."""
    return tuple(finding.text for finding in check_colours(dict(templates)))


def _axe(found: AxeResult | LocalizedText) -> list[LocalizedText]:
    if isinstance(found, LocalizedText):
        return [localized("access-not-examined", why=found)]
    texts = [
        localized(
            "access-axe", version=found.version, count=len(found.violations), passes=found.passes
        )
    ]
    return texts + [
        localized(
            "access-violation",
            rule=one.rule,
            help=one.help,
            element=one.element[:120],
            scheme=localized("access-dark") if one.scheme == "dark" else localized("access-light"),
        )
        for one in found.violations
    ]


def _outline(outline: Outline) -> list[LocalizedText]:
    pictures = sum(1 for step in outline.steps if not step.level)
    texts = [
        localized("access-headings")
        if outline.headings_in_order
        else localized("access-headings-not"),
        localized("access-pictures", count=pictures)
        if pictures or outline.bare_pictures
        else localized("access-no-pictures"),
    ]
    if outline.bare_pictures:
        texts.append(localized("access-bare", count=outline.bare_pictures))
    marked = tuple(f"{language} ({count})" for language, count in sorted(outline.marked.items()))
    if not outline.language:
        texts.append(localized("access-no-language"))
    elif marked:
        texts.append(localized("access-languages", language=outline.language, marked=marked))
    else:
        texts.append(localized("access-language", language=outline.language))
    return texts


def _step(translate: Translator, level: int, text: str) -> str:
    kind = localized("access-heading", level=level) if level else localized("access-picture")
    return f"{translate(kind)}: {escape_markdown(text)}"
