"""The preview page: issues as phone, desktop, dark mode and plain text show them, side by side."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from upcycle_news.i18n.messages import LocalizedText, localized, supported_language
from upcycle_news.models import Finding, Related, RenderedIssue
from upcycle_news.rendering.mail_size import MAX_HTML_BYTES, WARN_HTML_BYTES, encoded_size

_DARK = "@media (prefers-color-scheme: dark)"

# Views of the HTML part: kind, name, width in CSS pixels, dark. Light and dark come in pairs, so that a
# wide window shows a phone beside a desktop.
_VIEWS = (
    ("phone", localized("preview-phone"), 320, False),
    ("desktop", localized("preview-desktop"), 680, False),
    ("phone", localized("preview-phone-dark"), 375, True),
    ("desktop", localized("preview-desktop-dark"), 680, True),
)

_PAGE = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'">
{refresh}
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ground: #e7e5df; --card: #fff; --ink: #22221f; --soft: #5c5952;
  --line: #cfcbc1; --good: #1d6152; --warn: #8a5300; --bad: #a3261b; --edge: 28px; --scale: 1; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ground: #191b1a; --card: #242726; --ink: #ece9e2; --soft: #aaa69c; --line: #3f4341;
    --good: #8fcab7; --warn: #e7b566; --bad: #f09a8f; }}
}}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }}
header, .lead {{ background: var(--card); border-bottom: 1px solid var(--line); padding: 20px var(--edge);
  overflow-wrap: anywhere; }}
h1, header h2 {{ font-size: 20px; line-height: 1.3; margin: 0 0 4px; }}
.views h2, .views h3 {{ font-size: 13px; font-weight: 600; color: var(--soft); margin: 0 0 8px; }}
p {{ margin: 0; color: var(--soft); }}
ul {{ list-style: none; margin: 14px 0 0; padding: 0; max-width: 62em; }}
li {{ border-left: 3px solid var(--warn); margin: 8px 0; padding: 1px 0 1px 12px; }}
li.error {{ border-color: var(--bad); }}
li b {{ color: var(--warn); }}
li.error b {{ color: var(--bad); }}
li span {{ display: block; }}
code {{ color: var(--soft); font: 13px/1.4 Menlo, Consolas, "Liberation Mono", monospace; }}
ul.why li, .variants li {{ border-color: var(--line); }}
.variants a {{ color: inherit; }}
.variants strong {{ color: var(--ink); }}
.variants ul {{ columns: 22em; column-gap: 24px; max-width: none; }}
.variants li {{ break-inside: avoid; margin: 0 0 8px; }}
details {{ margin-top: 12px; color: var(--soft); }}
.ready {{ color: var(--good); font-weight: 600; margin-top: 12px; }}
meter {{ width: 160px; max-width: 100%; vertical-align: middle; }}
.views {{ display: flex; flex-wrap: wrap; gap: 28px 24px; padding: 24px var(--edge) 28px; }}
section {{ flex: none; min-width: 0; }}
.frame {{ width: calc((var(--width) + 2px) * var(--scale));
  height: calc((var(--height) + 2px) * var(--scale)); }}
iframe {{ box-sizing: content-box; width: var(--width); height: var(--height); transform: scale(var(--scale));
  transform-origin: 0 0; }}
iframe, pre {{ background: #fff; border: 1px solid var(--line); border-radius: 10px; display: block; }}
main {{ --height: clamp(480px, 86vh, 900px); }}
section.text {{ max-width: 100%; }}
.lead h1 + p {{ max-width: 62em; }}
pre.diff {{ margin: 12px 0 0; max-height: 60vh; overflow: auto; }}
pre ins {{ color: var(--good); text-decoration: none; }}
pre del {{ color: var(--bad); text-decoration: none; }}
pre {{ background: var(--card); margin: 0; padding: 20px 24px; overflow-wrap: anywhere;
  width: calc(72ch + 50px); max-width: 100%;
  font: 13px/1.5 Menlo, Consolas, "Liberation Mono", monospace; white-space: pre-wrap; }}
/* Nothing is wider than the window: phones come first, and desktops are scaled down. */
@media (max-width: 1159px) {{ .phone {{ order: -1; }} }}
@media (max-width: 767px) {{
  :root {{ --edge: 11px; }}
  .desktop {{ --scale: .75; }}
}}
@media (max-width: 559px) {{ .desktop {{ --scale: .5; }} pre {{ padding: 16px; }} }}
@media (max-width: 398px) {{ .phone {{ --scale: .9; }} }}
@media (max-width: 363px) {{ .phone {{ --scale: .75; }} .desktop {{ --scale: .42; }} }}
</style>
</head>
<body>
{lead}<main>
{parts}
</main>
</body>
</html>
"""

_PART = """\
<header>
<{heading} lang="{issue_language}">{subject}</{heading}>
<p>{facts} <meter min="0" max="{limit}" low="{large}" high="{limit}" optimum="0"
 value="{bytes}" aria-label="{meter}">{bytes}</meter> · {pictures}</p>
{remarks}
</header>
<div class="views">
{views}
</div>
"""

LEVELS = {"error": localized("preview-error"), "warning": localized("preview-warning")}
"""The level of a finding in words."""


@dataclass(frozen=True)
class PreviewPart:
    """A rendered issue as a preview page shows it.

    `related`: its feed items, whose reasons are shown to editors only. `note` is a remark on it, and
    `diff` a unified diff of its text part; both are shown if they are not empty. `variants` are those of
    the issue, if it has several.
    """

    rendered: RenderedIssue
    findings: Sequence[Finding] = ()
    related: Sequence[Related] = ()
    note: str = ""
    diff: str = ""
    variants: Sequence[VariantLink] = ()


@dataclass(frozen=True)
class VariantLink:
    """A variant as a preview page names it: how many items it has, and how many readers get it.

    `href` leads to its page and is empty where there is none; `shown`: it is the one on this page.
    """

    label: LocalizedText
    items: int
    readers: int
    href: str = ""
    shown: bool = False


def preview_page(
    rendered: RenderedIssue,
    findings: Sequence[Finding],
    *,
    language: str,
    refresh: int | None = None,
    related: Sequence[Related] = (),
    variants: Sequence[VariantLink] = (),
) -> str:
    """Return one self-contained page, without scripts, that shows an issue and its findings.

    `language`: of the page's own texts, for editors. `refresh`: seconds after which a browser
    reloads the file, while an editor works on it. `related`: the issue's feed items, whose reasons
    are shown to editors only. `variants`: what other readers get, to choose from.
    """
    return _document(
        f"{rendered.issue} · {rendered.subject}",
        _part(PreviewPart(rendered, findings, related, variants=variants), language, "h1"),
        language=language,
        refresh=refresh,
    )


def preview_pages(
    title: str,
    parts: Sequence[PreviewPart],
    *,
    language: str,
    remarks: Sequence[str] = (),
    findings: Sequence[Finding] = (),
) -> str:
    """Return one self-contained page, without scripts, that shows several issues below a title.

    `remarks` are sentences below the title, `findings` those that belong to no issue.
    """
    translate = _escaped(language)
    lead = (
        f'<div class="lead">\n<h1>{escape(title)}</h1>\n'
        + "".join(f"<p>{escape(remark)}</p>\n" for remark in remarks)
        + f"{_findings(findings, translate, localized('preview-no-findings'))}\n</div>\n"
    )
    sections = (f"<article>\n{_part(part, language, 'h2')}</article>" for part in parts)
    return _document(title, "\n".join(sections), language=language, lead=lead)


def _document(
    title: str, parts: str, *, language: str, refresh: int | None = None, lead: str = ""
) -> str:
    return _PAGE.format(
        language=supported_language(language),
        refresh="" if refresh is None else f'<meta http-equiv="refresh" content="{refresh}">',
        title=escape(title),
        lead=lead,
        parts=parts,
    )


def _escaped(language: str) -> Callable[[LocalizedText], str]:
    return lambda text: escape(text.in_language(language))


def _part(part: PreviewPart, language: str, heading: str) -> str:
    rendered, translate = part.rendered, _escaped(language)
    size = encoded_size(rendered.html)
    issue = str(rendered.issue)
    clean = localized("preview-ready") if heading == "h1" else localized("preview-no-findings")
    remarks = [
        f"<p>{escape(part.note)}</p>" if part.note else "",
        _variants(part.variants, translate),
        _findings(part.findings, translate, clean),
        _reasons(part.related, translate),
        _diff(part.diff, translate),
    ]
    return _PART.format(
        heading=heading,
        issue_language=rendered.language,
        subject=escape(rendered.subject),
        facts=translate(
            localized("preview-facts", issue=issue, size=size / 1000, limit=MAX_HTML_BYTES / 1000)
        ),
        meter=translate(localized("preview-meter")),
        bytes=size,
        large=WARN_HTML_BYTES,
        limit=MAX_HTML_BYTES,
        pictures=translate(localized("preview-pictures", count=len(rendered.images))),
        remarks="\n".join(filter(None, remarks)),
        views="\n".join(_views(rendered, translate, "h2" if heading == "h1" else "h3")),
    )


def _views(
    rendered: RenderedIssue, translate: Callable[[LocalizedText], str], heading: str
) -> list[str]:
    complete = standalone_html(rendered)
    views = [
        _view(kind, translate(name), with_colour_scheme(complete, dark), width, heading)
        for kind, name, width, dark in _VIEWS
    ]
    for name, html in (
        (localized("preview-no-pictures"), _without_images(rendered.html)),
        (localized("preview-no-styles"), _without_styles(complete)),
    ):
        plain = with_colour_scheme(html, dark=False)
        views.append(_view("desktop", translate(name), plain, 680, heading))
    views.append(
        f'<section class="text"><{heading}>{translate(localized("preview-text"))}</{heading}>\n'
        f'<pre lang="{rendered.language}">{escape(rendered.text)}</pre></section>'
    )
    return views


def _diff(diff: str, translate: Callable[[LocalizedText], str]) -> str:
    """Return a unified diff with its lines marked, closed until somebody opens it."""
    if not diff:
        return ""
    marks = {"+": "ins", "-": "del"}
    lines = [
        f"<{tag}>{escape(line)}</{tag}>" if (tag := marks.get(line[:1])) else escape(line)
        for line in diff.splitlines()
    ]
    summary = translate(localized("preview-diff"))
    return (
        f"<details><summary>{summary}</summary>"
        f'<pre class="diff">{chr(10).join(lines)}</pre></details>'
    )


def standalone_html(rendered: RenderedIssue) -> str:
    """Return the HTML part with its images as data URLs, so that a browser shows it as one file."""
    html = rendered.html
    for image in rendered.images:
        data = f"data:{image.content_type};base64,{b64encode(image.data).decode()}"
        html = html.replace(f"cid:{image.cid}", data)
    return html


def _without_images(html: str) -> str:
    """Return HTML as mail programs show it before images are loaded: with alt texts."""
    return re.sub(r"(<img\b[^>]*?) src=\"[^\"]*\"", r"\1", html)


def _without_styles(html: str) -> str:
    """Return HTML as programs show it that drop style sheets, such as GMX: with inline styles alone."""
    return re.sub(r"<style\b.*?</style>", "", html, flags=re.DOTALL)


def _view(kind: str, name: str, html: str, width: int, heading: str) -> str:
    name = f"{name}, {width} px"
    # Links open in a new tab, and a scroll bar would narrow the phone. Scripts cannot run: frames
    # inherit the page's policy. (Sandboxed frames stay empty in headless screenshots.)
    extras = '<base target="_blank"><style>html { scrollbar-width: none }</style>'
    html = html.replace("<head>", f"<head>{extras}", 1)
    return (
        f'<section class="{kind}" style="--width: {width}px"><{heading}>{name}</{heading}>\n'
        f'<div class="frame"><iframe title="{name}" width="{width}" '
        f'srcdoc="{escape(html)}"></iframe></div></section>'
    )


def with_colour_scheme(html: str, dark: bool) -> str:
    """Fix the colour scheme, whatever the browser's own setting is."""
    scheme = "dark" if dark else "light"
    html = html.replace(_DARK, "@media all" if dark else "@media not all")
    return re.sub(r"color-scheme: light dark", f"color-scheme: {scheme}", html)


def _variants(variants: Sequence[VariantLink], translate: Callable[[LocalizedText], str]) -> str:
    """Return a list of the variants with their readers, closed unless they are few."""
    if not variants:
        return ""
    count = sum(variant.readers for variant in variants)
    title = localized("preview-variants", variants=len(variants), count=count)
    opened = " open" if len(variants) <= 8 else ""
    lines = []
    for variant in variants:
        name = translate(variant.label)
        if variant.shown:
            name = f'<strong aria-current="page">{name}</strong>'
        elif variant.href:
            name = f'<a href="{escape(variant.href)}">{name}</a>'
        items = localized("request-items", count=variant.items)
        readers = localized("preview-variant-readers", count=variant.readers)
        lines.append(f"<li>{name} <span>{translate(items)} · {translate(readers)}</span></li>")
    return "\n".join(
        (
            f'<details class="variants"{opened}><summary>{translate(title)}</summary>',
            "<ul>",
            *lines,
            "</ul></details>",
        )
    )


def _reasons(related: Sequence[Related], translate: Callable[[LocalizedText], str]) -> str:
    """Return a list of the feed items with the reasons for which they were chosen."""
    if not related:
        return ""
    lines = [
        f'<li><span lang="{item.story.lead.language}">{escape(item.story.lead.title)}</span> '
        f"<code>{escape(item.story.lead.feed)}</code> "
        f"{escape(', '.join(item.reasons)) or translate(localized('preview-pinned'))}</li>"
        for item in related
    ]
    return "\n".join(
        (
            f"<details><summary>{translate(localized('preview-why'))}</summary>",
            '<ul class="why">',
            *lines,
            "</ul></details>",
        )
    )


def _findings(
    findings: Sequence[Finding],
    translate: Callable[[LocalizedText], str],
    none: LocalizedText,
) -> str:
    """Return a list of findings; `none` is the sentence that stands for an empty one."""
    if not findings:
        return f'<p class="ready">{translate(none)}</p>'
    lines = [
        f'<li class="{finding.level}"><b>{translate(LEVELS[finding.level])}</b> '
        f"{escape(finding.where)} <code>{escape(finding.code)}</code> "
        f"<span>{translate(finding.text)}</span></li>"
        for finding in findings
    ]
    return "\n".join(("<ul>", *lines, "</ul>"))
