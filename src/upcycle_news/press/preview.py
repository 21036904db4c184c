"""A page for people: the issue on a phone, on a desk, in the dark and as plain text at once."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from html import escape

from upcycle_news.model import Finding, Related, RenderedIssue
from upcycle_news.press.sizes import LARGE, TOO_LARGE, encoded_size

_DARK = "@media (prefers-color-scheme: dark)"

# Views of the HTML part: name, width in CSS pixels, dark, with pictures.
_VIEWS = (
    ("Phone", 320, False, True),
    ("Phone, dark", 375, True, True),
    ("Desk", 680, False, True),
    ("Desk, dark", 680, True, True),
    ("Pictures off", 680, False, False),
)

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'">
{refresh}
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ground: #e7e5df; --card: #fff; --ink: #22221f; --soft: #625f58;
  --line: #cfcbc1; --good: #1d6152; --warn: #8a5300; --bad: #a3261b; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ground: #191b1a; --card: #242726; --ink: #ece9e2; --soft: #aaa69c; --line: #3f4341;
    --good: #8fcab7; --warn: #e7b566; --bad: #f09a8f; }}
}}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }}
header {{ background: var(--card); border-bottom: 1px solid var(--line); padding: 20px 28px; }}
h1 {{ font-size: 20px; line-height: 1.3; margin: 0 0 4px; }}
h2 {{ font-size: 13px; font-weight: 600; color: var(--soft); margin: 0 0 8px; }}
p {{ margin: 0; color: var(--soft); }}
ul {{ list-style: none; margin: 14px 0 0; padding: 0; }}
li {{ border-left: 3px solid var(--warn); margin: 6px 0; padding: 1px 0 1px 12px; }}
li.error {{ border-color: var(--bad); }}
li b {{ color: var(--warn); }}
li.error b {{ color: var(--bad); }}
code {{ font: 13px/1.4 Menlo, Consolas, "Liberation Mono", monospace; }}
ul.why li {{ border-color: var(--line); }}
details {{ margin-top: 12px; color: var(--soft); }}
.ready {{ color: var(--good); font-weight: 600; margin-top: 12px; }}
meter {{ width: 160px; vertical-align: middle; }}
main {{ display: flex; gap: 24px; overflow-x: auto; padding: 24px 28px 28px;
  scroll-snap-type: x proximity; }}
section {{ flex: none; scroll-snap-align: start; scroll-margin: 28px; }}
iframe, pre {{ background: #fff; border: 1px solid var(--line); border-radius: 10px; display: block;
  height: max(480px, calc(100vh - {above}px)); }}
pre {{ background: var(--card); margin: 0; overflow: auto; padding: 20px 24px; width: 44em;
  font: 13px/1.5 Menlo, Consolas, "Liberation Mono", monospace; white-space: pre-wrap; }}
</style>
</head>
<body>
<header>
<h1>{subject}</h1>
<p>Issue {issue} · HTML part {size} <meter min="0" max="{limit}" low="{large}" high="{limit}" optimum="0"
 value="{bytes}" aria-label="Size of the HTML part">{size}</meter> of {limit_kb} ·
 {pictures} in the mail</p>
{findings}
</header>
<main>
{views}
</main>
</body>
</html>
"""


def preview_page(
    rendered: RenderedIssue,
    findings: Sequence[Finding],
    *,
    refresh: int | None = None,
    chosen: Sequence[Related] = (),
) -> str:
    """Write one self-contained page, without scripts, that shows an issue and its findings.

    `refresh`: seconds after which a browser reads the file again, while somebody works on it.
    `chosen`: the issue's feed items, whose reasons editors see here and readers do not.
    """
    shown, hidden = standalone_html(rendered), _without_pictures(rendered.html)
    views = [
        _view(name, _in_the(shown if pictures else hidden, dark), width)
        for name, width, dark, pictures in _VIEWS
    ]
    views.append(f"<section><h2>Plain text</h2>\n<pre>{escape(rendered.text)}</pre></section>")
    size = encoded_size(rendered.html)
    count = len(rendered.images)
    return _PAGE.format(
        refresh="" if refresh is None else f'<meta http-equiv="refresh" content="{refresh}">',
        title=escape(f"{rendered.issue} · {rendered.subject}"),
        subject=escape(rendered.subject),
        issue=rendered.issue,
        size=_kilobytes(size),
        bytes=size,
        large=LARGE,
        limit=TOO_LARGE,
        limit_kb=_kilobytes(TOO_LARGE),
        pictures=f"{count} picture{'' if count == 1 else 's'}",
        findings=_findings(findings) + _reasons(chosen),
        views="\n".join(views),
        above=215 + 32 * min(len(findings), 6),
    )


def standalone_html(rendered: RenderedIssue) -> str:
    """The HTML part with its pictures inside, so that a browser shows it as one file."""
    html = rendered.html
    for image in rendered.images:
        data = f"data:{image.content_type};base64,{b64encode(image.data).decode()}"
        html = html.replace(f"cid:{image.cid}", data)
    return html


def _without_pictures(html: str) -> str:
    """As mail programs show it before somebody clicks "load images": the alt texts stand there."""
    return re.sub(r"(<img\b[^>]*?) src=\"[^\"]*\"", r"\1", html)


def _view(name: str, html: str, width: int) -> str:
    # Links open beside the preview, and a scroll bar would narrow the phone. Nothing inside can run:
    # frames inherit the page's policy. (Sandboxed ones stay empty in pictures taken headless.)
    extras = '<base target="_blank"><style>html { scrollbar-width: none }</style>'
    html = html.replace("<head>", f"<head>{extras}", 1)
    return (
        f"<section><h2>{name}, {width} px</h2>\n"
        f'<iframe title="{name}" width="{width}" '
        f'srcdoc="{escape(html)}"></iframe></section>'
    )


def _in_the(html: str, dark: bool) -> str:
    """Decide the colour scheme whatever the viewer's own setting is."""
    scheme = "dark" if dark else "light"
    html = html.replace(_DARK, "@media all" if dark else "@media not all")
    return re.sub(r"color-scheme: light dark", f"color-scheme: {scheme}", html)


def _reasons(chosen: Sequence[Related]) -> str:
    """Say of each feed item why it was chosen."""
    if not chosen:
        return ""
    lines = [
        f"<li>{escape(one.story.lead.title)} <code>{escape(one.story.lead.feed)}</code> "
        f"{escape(', '.join(one.reasons) or 'pinned, or fresh')}</li>"
        for one in chosen
    ]
    return "\n".join(
        (
            "<details><summary>Why these items</summary>",
            '<ul class="why">',
            *lines,
            "</ul></details>",
        )
    )


def _findings(findings: Sequence[Finding]) -> str:
    if not findings:
        return '<p class="ready">Preflight found nothing: ready to send.</p>'
    lines = [
        f'<li class="{found.level}"><b>{found.level}</b> <code>{escape(found.code)}</code> '
        f"{escape(found.where)}: {escape(found.message)}</li>"
        for found in findings
    ]
    return "\n".join(("<ul>", *lines, "</ul>"))


def _kilobytes(size: int) -> str:
    return f"{size / 1000:.1f} kB"
