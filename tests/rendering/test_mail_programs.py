"""What old Outlook, phones and Gmail need stands in each mail: a rule, a test on the HTML that is sent."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from upcycle_news.rendering.render import render, render_transactional

from . import sample_issues, sample_manifest

BODY = """\
Ein Absatz, Tel. 0345 123456, Donnerstag, 26. November.

- eins
    - innen
- zwei

7. sieben
8. acht

- [ ] offen

> Ein Haus ist kein Lager.
>
> > Oder doch?

> [!note] Gut zu wissen
> Der Zettel hängt.

Mit Fußnote.[^a]

[^a]: Die Fußnote.
"""
ESSAY = replace(sample_manifest.LEAD, body=BODY)
TRANSACTIONAL = ("confirm", "list_confirm", "address_confirm")


class Elements(HTMLParser):
    """All start tags of a page with their attributes, and the tags around each."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str], tuple[str, ...]]] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}, tuple(self.open)))
        if tag not in ("br", "hr", "img", "meta", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            del self.open[len(self.open) - 1 - self.open[::-1].index(tag) :]

    def all(self, *tags: str) -> list[tuple[dict[str, str], tuple[str, ...]]]:
        return [(attrs, around) for tag, attrs, around in self.found if tag in tags]


@pytest.fixture(autouse=True, params=list(sample_issues.LOOKS))
def templates(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rule holds in every look."""
    looked = sample_issues.with_look(sample_manifest.manifest(), request.param)
    monkeypatch.setattr(sample_manifest, "TEMPLATES", looked.templates)


def issue_html(language: str = "de") -> str:
    return render(sample_manifest.manifest(essays=(replace(ESSAY, language=language),))).html


def transactional_html(name: str) -> str:
    mail = render_transactional(
        sample_manifest.TEMPLATES,
        name,
        publication=sample_manifest.PUBLICATION,
        language="de",
        values={
            "link": "https://news.upcycle.example/confirm/x",
            "days": 7,
            "consent": "Messe",
            "chosen_rhythm": None,
        },
    )
    return mail.html


def style(attrs: dict[str, str]) -> dict[str, str]:
    """The declarations of a style attribute; the last one of a name counts, as in a browser."""
    pairs = (part.partition(":") for part in attrs.get("style", "").split(";") if part)
    return {name.strip(): value.strip() for name, _, value in pairs}


def sides(declared: dict[str, str], name: str) -> dict[str, str]:
    """The four sides of a margin or padding, with longhands that follow the shorthand."""
    parts = declared.get(name, "0").split()
    top, right, bottom, left = (parts * 4 if len(parts) == 1 else (parts * 2)[:4])[:4]
    if len(parts) == 3:
        top, right, bottom, left = parts[0], parts[1], parts[2], parts[1]
    given = {"top": top, "right": right, "bottom": bottom, "left": left}
    return {side: declared.get(f"{name}-{side}", value) for side, value in given.items()}


@pytest.mark.parametrize(("language", "side"), [("de", "left"), ("ar", "right")])
def test_lists_are_indented_by_a_margin_since_outlook_drops_their_padding(
    language: str, side: str
) -> None:
    lists = Elements(issue_html(language)).all("ul", "ol")
    assert len(lists) == 5
    for attrs, _ in lists:
        declared = style(attrs)
        margin = int(sides(declared, "margin")[side].removesuffix("px"))
        assert margin >= 25 or "tasks" in attrs.get("class", "")
        padding = sides(declared, "padding")
        assert (padding["left"], padding["right"]) == ("0", "0")


def test_a_quotation_stands_in_a_cell_whose_padding_outlook_keeps() -> None:
    elements = Elements(issue_html())
    quotations = elements.all("blockquote")
    cells = [cell for cell in elements.all("td") if "quoted" in cell[0].get("class", "")]
    assert len(quotations) == len(cells) == 3
    for attrs, _ in quotations:
        assert sides(style(attrs), "padding")["left"] == "0"
    for attrs, around in cells:
        assert "border-left" in style(attrs)
        assert int(sides(style(attrs), "padding")["left"].removesuffix("px")) >= 18
        assert around[-4:] == ("blockquote", "table", "tbody", "tr")
    for attrs, around in elements.all("table"):
        if around and around[-1] == "blockquote":
            assert attrs["role"] == "presentation"


def test_quotations_in_quotations_stay_below_the_limit_of_nesting() -> None:
    essay = replace(ESSAY, body="> " * 20 + "tief")
    html = render(sample_manifest.manifest(essays=(essay,))).html
    assert html.count("<blockquote") == 20
    assert 1 <= html.count('class="quoted"') <= 4


@pytest.mark.parametrize("name", TRANSACTIONAL)
def test_a_button_has_its_ground_and_its_padding_where_outlook_looks_for_them(name: str) -> None:
    elements = Elements(transactional_html(name))
    cells = [attrs for attrs, _ in elements.all("td") if "bgcolor" in attrs]
    assert len(cells) == 1
    assert cells[0]["bgcolor"] == style(cells[0])["background"]
    assert style(cells[0])["mso-padding-alt"] == "14px 26px"
    (button,) = [attrs for attrs, _ in elements.all("a") if "background" in style(attrs)]
    assert style(button)["padding"] == "14px 26px"
    assert style(button)["mso-padding-alt"] == "0px"
    assert style(button)["display"] == "inline-block"


def every_mail() -> list[str]:
    return [issue_html(), *map(transactional_html, (*TRANSACTIONAL, "address_changed"))]


def test_phones_neither_reformat_a_mail_nor_make_links_of_its_dates() -> None:
    for html in every_mail():
        meta = {attrs.get("name"): attrs for attrs, _ in Elements(html).all("meta")}
        assert "x-apple-disable-message-reformatting" in meta
        assert meta["format-detection"]["content"].split(", ") == [
            f"{kind}=no" for kind in ("telephone", "date", "address", "email", "url")
        ]


def test_what_programs_make_links_of_by_themselves_keeps_the_colour_of_its_text() -> None:
    for html in every_mail():
        sheet = "\n".join(re.findall(r"<style[^>]*>(.*?)</style>", html, re.DOTALL))
        rules = dict(re.findall(r"^\s*([^{}@\n]+?) \{ ([^}]*) \}", sheet, re.MULTILINE))
        apple = rules[".page a[x-apple-data-detectors]"]
        assert "color: inherit !important" in apple
        assert "text-decoration: none !important" in apple
        for selector in ("u + #body a", "#MessageViewBody a"):
            assert "color: inherit;" in rules[selector]
            # It would take the colour of the mail's own links, too.
            assert "!important" not in rules[selector]
        (body,) = Elements(html).all("body")
        assert body[0]["id"] == "body"
        for attrs, _ in Elements(html).all("a"):
            assert {"color", "text-decoration"} <= set(style(attrs))


def test_no_rule_needs_a_selector_that_gmail_and_outlook_do_not_know() -> None:
    for html in every_mail():
        assert ":not(" not in html
        assert ":is(" not in html
        assert ":has(" not in html


@pytest.mark.parametrize("preheader", ["", "Kurz.", "Ein langer Satz über Leerstand. " * 20])
def test_nothing_leaks_into_the_line_of_the_inbox_however_long_it_is(preheader: str) -> None:
    html = render(sample_manifest.manifest(preheader=preheader)).html
    hidden = re.search(
        r'role="article"[^>]*>\s*<div class="preheader" style="([^"]*)">(.*?)</div>', html
    )
    assert hidden is not None
    assert {"display:none", "mso-hide:all", "overflow:hidden"} <= set(hidden[1].split(";"))
    text = hidden[2].replace("&nbsp;", "\u00a0")
    filler = text[len(preheader.strip()) :] if preheader else text
    assert filler.count("\u034f\u200c\u00a0") >= 70
    assert re.sub("[\u034f\u200c\u00a0 ]", "", filler) == ""


def test_pictures_have_a_width_that_outlook_takes_and_a_line_that_ends_them() -> None:
    html = render(sample_manifest.with_picture()).html
    pictures = Elements(html).all("img")
    assert pictures
    for attrs, _ in pictures:
        assert attrs["width"].isdigit()
        assert attrs["alt"]
        assert style(attrs)["display"] == "block"


def test_the_first_font_of_texts_is_one_that_windows_has() -> None:
    # Outlook for Windows shows Times New Roman for a list that begins with a font it does not have.
    for html in every_mail():
        for _, attrs, _ in Elements(html).found:
            first = style(attrs).get("font-family", "Arial").split(",")[0].strip("'\" ")
            assert first in ("Georgia", "Segoe UI", "Menlo", "Consolas", "Arial")
