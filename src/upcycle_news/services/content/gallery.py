"""The gallery: every piece of mails and pages, as the publication's templates show it, with the lines that make it."""

from __future__ import annotations

import re
import tomllib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.archive_site.builder import build_archive
from upcycle_news.archive_site.view_models import SentIssue, SiteConfig
from upcycle_news.fileio import write_atomically
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import (
    Author,
    Channel,
    Essay,
    ImageRef,
    Issue,
    IssueId,
    Manifest,
    Publication,
)
from upcycle_news.models.archive_paths import STYLE, essay_path, file_of
from upcycle_news.rendering.preview_page import standalone_html, with_colour_scheme
from upcycle_news.rendering.render import HTML_TEMPLATE, TEXT_TEMPLATE, render
from upcycle_news.rendering.theme import (
    LOOK_THEME,
    THEME,
    merged_themes,
    read_theme,
    theme_toml,
)
from upcycle_news.services.content.gallery_pieces import ESSAY, PIECES, Piece
from upcycle_news.services.content.templates import publication_templates

FILE = "gallery.html"

_DAY = date(2027, 2, 25)
_AT = datetime(2027, 2, 25, 6, tzinfo=UTC)
_SLUG = "muster"

_FRAME = """\
<mjml lang="{{{{ issue.language }}}}" dir="ltr">
  {{% include "partials/head.mjml" %}}
  <mj-body width="600px" background-color="{{{{ theme.light.page }}}}" css-class="page">
  {parts}
  </mj-body>
</mjml>
"""
_ESSAY = """\
<mj-section css-class="sheet" padding="20px 32px 8px"><mj-column><mj-text css-class="prose" \
font-family="{{ theme.fonts.serif }}" font-size="{{ theme.size.body }}" \
line-height="{{ theme.line.body }}"><div>{{ lead.html }}</div></mj-text></mj-column></mj-section>
"""

_PAGE = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 -apple-system, "Segoe UI", Roboto, Arial, sans-serif; margin: 0 auto; max-width: 1320px; padding: 24px; }}
h1 {{ font-size: 26px; }}
h2 {{ border-top: 1px solid #8888; font-size: 20px; margin: 40px 0 8px; padding-top: 24px; }}
nav ul {{ columns: 12em; list-style: none; padding: 0; }}
nav a {{ display: inline-block; padding: 4px 0; }}
.views {{ display: flex; flex-wrap: wrap; gap: 16px; }}
figure {{ margin: 0; max-width: 100%; }}
figcaption {{ font-size: 14px; padding: 4px 0; }}
iframe {{ border: 1px solid #8888; max-width: 100%; width: 620px; }}
pre {{ background: #8881; border: 1px solid #8888; margin: 0; overflow-wrap: anywhere; padding: 12px; white-space: pre-wrap; }}
.lines {{ max-width: 88ch; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{intro}</p>
<nav aria-label="{title}"><ul>{contents}</ul></nav>
{pieces}
</body>
</html>
"""


@dataclass(frozen=True)
class ShownPiece:
    """A piece as readers see it: the mail's HTML and text, and the essay's page in the archive."""

    piece: Piece
    mail: str
    text: str
    page: str


def write_gallery(context: AppContext, out: Path | None = None) -> Path:
    """Write the gallery as one page, to `out` or below the state folder; returns its path.

    Raises `TemplateError` for templates that do not work.
    """
    file = out or context.settings.state / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    shown = shown_pieces(publication_templates(context), context.publication)
    write_atomically(file, gallery_page(shown, context.publication.language).encode())
    return file


def shown_pieces(templates: Mapping[str, str], publication: Publication) -> Iterator[ShownPiece]:
    """Yield every piece as these templates show it, with sample words in the publication's language."""
    for piece in PIECES:
        manifest = _manifest(piece, templates, publication)
        framed = replace(manifest, templates={**manifest.templates, **_frame(piece)})
        mail = render(framed)
        yield ShownPiece(piece, standalone_html(mail), mail.text, _archive_page(manifest))


def gallery_page(shown: Iterator[ShownPiece], language: str) -> str:
    """Return one page without scripts that shows pieces, light and dark."""

    def words(text: LocalizedText) -> str:
        return escape(text.in_language(language))

    sections: list[str] = []
    contents: list[str] = []
    for one in shown:
        name, title = one.piece.name, words(one.piece.title)
        contents.append(f'<li><a href="#{name}">{title}</a></li>')
        lines = escape(one.piece.lines[_known(language)])
        media = ((_MAIL, one.mail, one.piece.height), (_PAGES, one.page, one.piece.page_height))
        views = [
            _view(f"{words(medium)}, {words(shade)}", html, height, dark=dark)
            for medium, html, height in media
            if height
            for dark, shade in enumerate(_SHADES)
        ]
        sections.append(
            f'<section aria-labelledby="{name}">\n<h2 id="{name}">{title}</h2>\n'
            f'<figure class="lines"><figcaption>{_file(one.piece, language)}</figcaption>'
            f"<pre>{lines}</pre></figure>\n"
            f'<div class="views">{"".join(views)}</div>\n'
            f'<figure class="lines"><figcaption>{words(localized("gallery-text"))}</figcaption>'
            f"<pre>{escape(one.text)}</pre></figure>\n</section>"
        )
    return _PAGE.format(
        language=_known(language),
        title=words(localized("gallery-title")),
        intro=words(localized("gallery-intro")),
        contents="".join(contents),
        pieces="\n".join(sections),
    )


_MAIL, _PAGES = localized("gallery-mail"), localized("gallery-page")
_SHADES = (localized("gallery-light"), localized("gallery-dark"))
_IN_ESSAYS = {"essay": localized("gallery-in-essay"), "front matter": localized("gallery-in-head")}


def _file(piece: Piece, language: str) -> str:
    if piece.file in _IN_ESSAYS:
        return escape(_IN_ESSAYS[piece.file].in_language(language))
    return f"<code>{escape(piece.file)}</code>"


def _view(name: str, html: str, height: int, *, dark: int) -> str:
    framed = escape(with_colour_scheme(html, bool(dark)))
    return (
        f"<figure><figcaption>{name}</figcaption>"
        f'<iframe title="{name}" height="{height}" srcdoc="{framed}"></iframe></figure>'
    )


def _known(language: str) -> str:
    return "de" if language.startswith("de") else "en"


def _frame(piece: Piece) -> dict[str, str]:
    """Return the templates of a mail that has nothing but a piece."""
    parts = [
        _ESSAY if name == ESSAY else f'{{% include "partials/{name}.mjml" %}}'
        for name in piece.partials
    ]
    texts = [
        "{{ lead.text }}" if name == ESSAY else f'{{% include "partials/{name}.txt" %}}'
        for name in piece.partials
    ]
    return {HTML_TEMPLATE: _FRAME.format(parts="\n".join(parts)), TEXT_TEMPLATE: "\n".join(texts)}


def _manifest(piece: Piece, templates: Mapping[str, str], publication: Publication) -> Manifest:
    """Return a sample issue of which the lines of a piece are a part, applied as written."""
    language = _known(publication.language)
    lines, essay = piece.lines[language], _essay(piece, language)
    theme = read_theme(templates)
    if piece.file.endswith(THEME):
        theme = merged_themes(theme, tomllib.loads(lines))
    if piece.file == "newsletter.toml":
        publication = _with_settings(publication, tomllib.loads(lines))
    shown = {name: text for name, text in templates.items() if name != LOOK_THEME}
    others = [
        replace(essay, slug=f"{_SLUG}-{number}", title=title, image=ImageRef("werkbank.png", title))
        for number, title in enumerate(_TITLES[language][: piece.teasers], 1)
    ]
    return Manifest(
        issue=Issue(IssueId(_DAY), language, essay.title, essay.summary, (essay, *others)),
        publication=replace(
            publication, images="embedded", reply_to=publication.reply_to or "redaktion@example.org"
        ),
        templates={**shown, THEME: theme_toml(theme)},
        images=_pictures(publication.name, theme),
    )


_TITLES = {
    "de": ("Die Rolltreppe steht", "Lob der Schraube"),
    "en": ("The escalator stands still", "In praise of the screw"),
}
_TEXTS = {
    "de": ("Das zweite Leben der Langen Straße", "Was fehlt, ist selten Geld.", "Was fehlt, ist selten Geld."),
    "en": ("The second life of Long Street", "What is missing is rarely money.", "What is missing is rarely money."),
}  # fmt: skip


def _essay(piece: Piece, language: str) -> Essay:
    title, summary, body = _TEXTS[language]
    fields = {
        name: value[language] if isinstance(value, Mapping) else value
        for name, value in piece.essay.items()
    }
    return Essay(
        **{
            "slug": _SLUG, "source": "muster.md", "title": title, "author": "Mathilde Übersee",
            "date": _DAY, "language": language, "summary": summary,
            "body": piece.lines[language] if piece.file == "essay" else body, **fields,
        }
    )  # fmt: skip


def _with_settings(publication: Publication, settings: Mapping[str, Any]) -> Publication:
    imprint = settings.get("imprint", {})
    return replace(
        publication,
        imprint_url=imprint.get("url", publication.imprint_url),
        privacy_url=imprint.get("privacy_url", publication.privacy_url),
        channels=tuple(Channel(**one) for one in settings.get("channels", ())),
        authors=tuple(Author(**one) for one in settings.get("authors", ())),
    )


def _archive_page(manifest: Manifest) -> str:
    """Return the page of the leading essay in the archive as one file."""
    sent = SentIssue(manifest, _AT, _AT)
    files = build_archive(
        [sent],
        SiteConfig(
            manifest.publication,
            manifest.templates,
            "tag:example.org,2027:feed",
            pictures=manifest.images,
        ),
    ).files
    html, style = files[file_of(essay_path(_SLUG))].decode(), files[STYLE].decode()
    html = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    html = re.sub(r'<link rel="stylesheet"[^>]*>', lambda _: f"<style>{style}</style>", html)
    return re.sub(
        r'src="(?:\.\./)*(images/[^"]+)"',
        lambda match: f'src="data:image/png;base64,{b64encode(files[match[1]]).decode()}"',
        html,
    )


def _pictures(name: str, theme: Mapping[str, Any]) -> dict[str, bytes]:
    """Return sample pictures in the colours of the theme, by their paths."""
    light, dark = theme["light"], theme["dark"]
    return {
        "logo.png": _picture(360, 100, light["accent"], light["sheet"], name),
        "logo-dark.png": _picture(360, 100, dark["accent"], dark["sheet"], name),
        "kopf.png": _picture(1072, 360, light["accent"], light["tint"]),
        "mathilde.png": _picture(144, 144, light["accent"], light["tint"]),
        "werkbank.png": _picture(536, 260, light["accent"], light["tint"]),
    }


def _picture(width: int, height: int, ground: str, ink: str, words: str = "") -> bytes:
    """Return a PNG: words on a ground, or a row of roofs."""
    from PIL import Image, ImageColor, ImageDraw, ImageFont

    image = Image.new("RGB", (width, height), ImageColor.getrgb(ground))
    draw = ImageDraw.Draw(image)
    if words:
        draw.text(
            (height // 4, height // 4),
            words[:16],
            ImageColor.getrgb(ink),
            ImageFont.load_default(height * 0.4),
        )
    else:
        step = height // 2
        for left in range(0, width, step):
            roof = [
                (left, height),
                (left, step),
                (left + step // 2, step // 2),
                (left + step, step),
                (left + step, height),
            ]
            draw.polygon(roof, outline=ImageColor.getrgb(ink), width=3)
    out = BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()
