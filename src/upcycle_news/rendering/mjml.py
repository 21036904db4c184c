"""Converts MJML to HTML for mail programs; the only user of mjml-python and css-inline.

mjml-python 1.4 wraps mrml. Its faults are worked around here, one function for each, so that
templates and essays need not know them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING

from upcycle_news.errors import TemplateError
from upcycle_news.i18n.messages import LocalizedText, localized

if TYPE_CHECKING:
    from css_inline import CSSInliner

MAX_DEPTH = 100
"""Nested elements; mrml recurses, and some thousands of them overflow the stack."""

MAX_SIZE = 2_000_000
"""Characters of MJML; `checks` refuse a mail far below this, with a better message."""

NAME = "templates/newsletter.mjml"

_VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "wbr"})

_NAME = r"[A-Za-z][A-Za-z0-9:_-]*"
_ATTRIBUTES = r"[^<>\"']*(?:(?:\"[^\"]*\"|'[^']*')[^<>\"']*)*"
_MARKUP = re.compile(
    rf"(?P<comment><!--.*?-->)"
    rf"|<(?P<close>/)?(?P<name>{_NAME})(?P<attributes>(?=[\s/>]){_ATTRIBUTES})>"
    rf"|(?P<stray><)",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(rf"(?P<name>{_NAME})\s*=\s*(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)')")
_CONTENT = re.compile(r"<(mj-text|mj-table|mj-button)\b[^>]*(?<!/)>.*?</\1>", re.DOTALL)
# Most attributes need no fix: plain text between double quotation marks.
_ATTRIBUTE_NEEDS_FIX = re.compile(r"[^\x20-\x7e]|\\|=\s*'")
_ANGLE_IN_ATTRIBUTE = re.compile(r'="[^"<>]*[<>]')
_TITLE_SPECIALS = re.compile(r"[^\x20-\x7e]|[\\\"']")
_PREFORMATTED = re.compile(r"(<pre\b.*?</pre>)", re.DOTALL)
_GROUND_TWICE = re.compile(r"background:(#\w+);background-color:\1(?=;|$)")
_STYLE = re.compile(r' style="[^"]*')
_ATTRIBUTE_SPECIALS = re.compile(r"[^\x20-\x7e]|[\\\"]")


def render_mjml(
    source: str, *, language: str, css: str = "", templates: Mapping[str, str] | None = None
) -> str:
    """Return MJML as HTML with `css` inlined into each element; ``<style>`` elements stay.

    `templates` are searched for the line of an error: rendered MJML has other lines than its
    template. Raises `TemplateError`.
    """
    source = unicodedata.normalize("NFC", source)
    templates = templates or {}
    tags = list(_MARKUP.finditer(source))  # looked for once: it is a fifth of the time
    check_structure(source, SourceMap(source, templates), tags)
    fixed = fix_whitespace(fix_title(fix_attributes(source, tags)))
    html = _mrml(fixed, SourceMap(fixed, templates))
    html = minify_styles(escape_attributes(_inliner(css).inline(_with_language(html, language))))
    check_output(html)
    return drop_indentation(html)


@dataclass(frozen=True)
class SourceMap:
    """Maps positions of the rendered MJML to lines of the templates."""

    source: str
    templates: Mapping[str, str]

    def error(self, position: int | None, text: LocalizedText) -> TemplateError:
        """Return an error at the only template line that equals the line at `position`."""
        if position is None:
            return TemplateError(NAME, None, text)
        number = self.source.count("\n", 0, position) + 1
        line = self.source.split("\n")[number - 1].strip()
        matches = [
            (name, template_line)
            for name, template in self.templates.items()
            for template_line, candidate in enumerate(template.split("\n"), 1)
            if line and candidate.strip() == line
        ]
        if len(matches) == 1:
            return TemplateError(f"templates/{matches[0][0]}", matches[0][1], text)
        return TemplateError(
            NAME, None, localized("mjml-line", what=text, number=number, excerpt=line[:80])
        )


def check_structure(
    source: str, source_map: SourceMap, tags: Iterable[re.Match[str]] | None = None
) -> None:
    """Raise `TemplateError` for what mrml refuses without position, crashes or panics on."""
    if len(source) > MAX_SIZE:
        raise source_map.error(None, localized("mjml-too-large", size=len(source)))
    if not source.lstrip().startswith("<mjml"):
        raise source_map.error(0, localized("mjml-begins"))
    open_tags: list[tuple[str, int]] = []
    for tag in _MARKUP.finditer(source) if tags is None else tags:
        if tag["stray"]:
            raise source_map.error(tag.start(), localized("mjml-stray"))
        if tag["comment"]:
            continue
        _track_open_elements(tag, open_tags, source_map)
    if open_tags:
        name, position = open_tags[-1]
        raise source_map.error(position, localized("mjml-open", tag=name))


def _track_open_elements(
    tag: re.Match[str], open_tags: list[tuple[str, int]], source_map: SourceMap
) -> None:
    """Update the stack of open elements; raises `TemplateError` for a tag that does not fit."""
    name = tag["name"]
    if name in ("mj-include", "mj-html-attributes"):
        cure = "{% include %}" if name == "mj-include" else localized("mjml-attributes")
        raise source_map.error(tag.start(), localized("mjml-unsupported", tag=name, cure=cure))
    if tag["close"]:
        if not open_tags or open_tags[-1][0] != name:
            text = localized("mjml-closes-nothing", tag=name)
            if open_tags:
                text = localized("mjml-closes-wrong", tag=name, outer=open_tags[-1][0])
            raise source_map.error(tag.start(), text)
        open_tags.pop()
    elif name not in _VOID and not tag["attributes"].endswith("/"):
        open_tags.append((name, tag.start()))
        if len(open_tags) > MAX_DEPTH:
            raise source_map.error(tag.start(), localized("mjml-depth", depth=MAX_DEPTH))


def fix_attributes(source: str, tags: Iterable[re.Match[str]] | None = None) -> str:
    r"""Return MJML with all but printable ASCII in attributes as numeric entities.

    mrml prints a no-break space as ``\u{a0}``, a newline as ``\n``, and lets a quotation mark out
    of a single-quoted attribute: it uses Rust's debug format. Values are put in double quotes.
    """

    def attribute(match: re.Match[str]) -> str:
        value = match["double"] if match["single"] is None else match["single"]
        value = unicodedata.normalize("NFC", value)
        return f'{match["name"]}="{_ATTRIBUTE_SPECIALS.sub(_entity, value)}"'

    pieces: list[str] = []
    end = 0
    for tag in _MARKUP.finditer(source) if tags is None else tags:
        if tag["attributes"] and _ATTRIBUTE_NEEDS_FIX.search(tag["attributes"]):
            start, stop = tag.span("attributes")
            pieces += (source[end:start], _ATTRIBUTE.sub(attribute, tag["attributes"]))
            end = stop
    return "".join((*pieces, source[end:]))


def escape_attributes(html: str) -> str:
    """Escape < and > in attributes again, which css-inline's serialiser does not.

    That is valid HTML, but a filter that matches tags with a pattern would see one.
    """
    if _ANGLE_IN_ATTRIBUTE.search(html) is None:
        return html

    def escape_tag(tag: re.Match[str]) -> str:
        attributes = tag["attributes"]
        if not attributes or ("<" not in attributes and ">" not in attributes):
            return tag[0]
        return f"<{tag['name']}{attributes.replace('<', '&lt;').replace('>', '&gt;')}>"

    return _MARKUP.sub(escape_tag, html)


def fix_title(source: str) -> str:
    r"""Escape special characters of the title as entities: mrml copies it into an aria-label.

    There it would print a soft hyphen, or the joiner of an emoji, as ``\u{ad}``.
    """
    if "<mj-title>" not in source:
        return source
    before, tag, rest = source.partition("<mj-title>")
    title, end, after = rest.partition("</mj-title>")
    return f"{before}{tag}{_TITLE_SPECIALS.sub(_entity, title)}{end}{after}"


@lru_cache(maxsize=1024)  # a mail repeats the rules of its style sheet
def _minify_style(style: str) -> str:
    style = style.replace(": ", ":").replace("; ", ";").rstrip("; ")
    return _GROUND_TWICE.sub(r"background-color:\1", style)


def minify_styles(html: str) -> str:
    """Remove what says nothing from inlined styles: spaces, and MJML's grounds that are said twice."""
    return _STYLE.sub(lambda match: _minify_style(match[0]), html)


def drop_indentation(html: str) -> str:
    """Remove the indentation that templates have: one white space is as good, but for preformatted text."""
    parts = _PREFORMATTED.split(html)
    parts[::2] = [re.sub(r"\n[ \t]+", "\n", part) for part in parts[::2]]
    return "".join(parts)


def fix_whitespace(source: str) -> str:
    """Keep white space between two inline elements: mrml drops it if it begins with a newline."""

    def content(match: re.Match[str]) -> str:
        return re.sub(r"(?<=>)\n(?=\s*<)", " \n", match[0])

    # Between MJML's own elements the same space would be an error.
    return _CONTENT.sub(content, source)


def check_output(html: str) -> None:
    """Raise `TemplateError` for leftovers of MJML or Jinja2: mrml itself validates nothing."""
    for trace, shows in (
        ("<mj-", localized("html-shows-tag")),
        ("\\u{", localized("html-shows-escape")),
        ("{{", localized("html-shows-expression")),
    ):
        position = html.find(trace)
        if position >= 0:
            excerpt = " ".join(html[position : position + 60].split())
            raise TemplateError(NAME, None, localized("html-shows", what=shows, excerpt=excerpt))


def _entity(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"


def _mrml(source: str, source_map: SourceMap) -> str:
    from mjml import mjml2html

    try:
        # No fonts: the defaults load them from Google. No include loader: files are read by Jinja.
        return mjml2html(source, fonts={})
    except ValueError as error:
        # mrml gives byte offsets, and not with every error.
        offset = re.search(r"position (\d+)", str(error))
        position = None
        if offset is not None:
            position = len(source.encode()[: int(offset[1])].decode(errors="ignore"))
            position = min(position, len(source_map.source) - 1)
        raise source_map.error(position, localized("mjml-wrong", reason=str(error))) from error
    except BaseException as error:
        # A panic in Rust arrives as pyo3's PanicException, which is no Exception and cannot be
        # imported; everything else (KeyboardInterrupt) is raised again.
        if type(error).__name__ != "PanicException":
            raise
        raise source_map.error(None, localized("mjml-gave-up", reason=str(error))) from error


def _with_language(html: str, language: str) -> str:
    """Put lang and dir on the body: webmail keeps it where it drops ``<html>``; and the id that styles for Gmail name."""
    return re.sub(r"<body\b", f'<body id="body" lang="{escape(language)}" dir="ltr"', html, count=1)


@lru_cache(maxsize=4)
def _inliner(css: str) -> CSSInliner:
    from css_inline import CSSInliner

    return CSSInliner(
        # Only our own style sheet is inlined: media queries, dark mode and MJML's Outlook rules stay.
        inline_style_tags=False,
        keep_style_tags=True,
        load_remote_stylesheets=False,
        extra_css=css,
    )
