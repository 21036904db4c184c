"""Markdown of essays as HTML fragments for mails."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from upcycle_news.rendering.images import DisplayedImage
from upcycle_news.rendering.markdown import parse, parse_essay, references, to_html

from .sample_manifest import LEAD

IMAGE = DisplayedImage("cid:abc@images", 300, 200)


def html(body: str, language: str = "de", below: int = 1) -> str:
    tokens = parse(body, language=language, below=below)
    return to_html(tokens, {"haus.png": IMAGE}, language)


def levels(body: str, below: int = 1) -> list[str]:
    return re.findall(r"<h(\d)>", html(body, below=below))


def test_german_quotation_marks_nest() -> None:
    assert html("\"Das 'Wort' zählt\"") == "<p>„Das ‚Wort‘ zählt“</p>\n"


def test_english_essays_keep_english_marks() -> None:
    assert html('"Yes"', "en") == "<p>“Yes”</p>\n"


def test_html_in_an_essay_is_escaped() -> None:
    assert "<script>" not in html("<script>alert(1)</script>\n\nund <b>fett</b>")
    assert "&lt;b&gt;fett" in html("und <b>fett</b>")


def test_the_first_heading_is_one_level_below_the_title() -> None:
    assert levels("# A\n\n## B\n\n### C\n\n# D") == ["2", "3", "4", "2"]
    assert levels("### A\n\n##### B") == ["2", "3"]


def test_no_level_of_heading_is_skipped() -> None:
    assert levels("### Erst tief\n\n## dann hoch\n\n#### dann tief") == ["2", "2", "3"]
    assert levels("# A\n\n## B", below=2) == ["3", "4"]


def test_a_heading_closes_with_the_tag_it_opened_with() -> None:
    assert html("#### A") == "<h2>A</h2>\n"


def test_code_keeps_its_quotation_marks_and_spaces() -> None:
    assert '<code>"z. B." -- x</code>' in html('`"z. B." -- x`').replace("&quot;", '"')


@pytest.mark.parametrize(
    "target", ["javascript:alert(1)", "data:text/html,x", "/ueber-uns", "#anker", "ftp://a.example"]
)
def test_a_link_that_mails_cannot_follow_becomes_its_text(target: str) -> None:
    assert html(f"[mehr *dazu*]({target}) hier") == "<p>mehr <em>dazu</em> hier</p>\n"


def test_web_and_mailto_links_stay() -> None:
    fragment = html("[a](https://a.example/?b=1&c=2) <mailto:x@y.example>")
    assert 'href="https://a.example/?b=1&amp;c=2"' in fragment
    assert 'href="mailto:x@y.example"' in fragment


def test_only_images_of_the_issue_are_shown() -> None:
    assert 'src="cid:abc@images" alt="Ein Haus" width="300"' in html("![Ein Haus](haus.png)")
    assert html("![Ein Haus](https://fremd.example/x.png)") == "<p>Ein Haus</p>\n"


def test_references_have_their_line() -> None:
    body = "Eins\n\nzwei [a](https://a.example)\ndrei [b](/b)\n\n![c](c.png)\n"
    assert [(r.kind, r.target, r.line) for r in references(body)] == [
        ("link", "https://a.example", 3),
        ("link", "/b", 4),
        ("image", "c.png", 6),
    ]


def test_table_headers_have_a_scope() -> None:
    fragment = html("| a | b |\n|---|--:|\n| 1 | 2 |")
    assert '<th scope="col">a</th>' in fragment
    assert fragment.startswith('<div class="scroll"><div tabindex="0"><table>')
    assert fragment.endswith("</table></div></div>\n")


def test_deep_nesting_is_limited() -> None:
    assert html(">" * 10_000 + " tief").count("<blockquote>") <= 20


def test_strikethrough_is_supported() -> None:
    assert html("~~neu~~ alt") == "<p><s>neu</s> alt</p>\n"


def test_a_caption_stands_below_its_picture() -> None:
    shown = html("![Haus](haus.png \"Foto: 'M' & Co\")")
    assert shown.endswith('<br /><span class="caption soft">Foto: ‚M‘ &amp; Co</span></p>\n')
    assert html('![Haus](fehlt.png "Foto")').startswith("<p>Haus<br /><span")
    tokens = parse('Vor ![Haus](haus.png "Foto") nach', language="de")
    page = to_html(tokens, {"haus.png": IMAGE}, "de", note_labels=("Note", "Back"))
    assert '<br><span class="caption soft">Foto</span><br> nach' in page


def test_no_style_attribute_is_written() -> None:
    body = "| a | b |\n|--:|:-:|\n| 1 | 2 |\n\n> [!note] T\n> x\n\n- [x] y\n\n==z=="
    assert "style=" not in html(body)


def test_links_that_mails_cannot_follow_are_text_when_they_are_bare_too() -> None:
    assert html("ftp://example.org und javascript:alert(1)") == (
        "<p>ftp://example.org und javascript:alert(1)</p>\n"
    )


def test_references_know_bare_addresses_and_names_with_spaces() -> None:
    body = "Auf https://example.org/a\nund ![T](Tresen von vorn.png)"
    assert [(r.kind, r.target, r.line) for r in references(body)] == [
        ("link", "https://example.org/a", 1),
        ("image", "Tresen%20von%20vorn.png", 2),
    ]


def test_an_essay_is_shown_without_its_title_and_byline() -> None:
    essay = replace(LEAD, body=f"# {LEAD.title}\n\nVon {LEAD.author}\n\n# Anfang\n\nText.")
    assert to_html(parse_essay(essay), {}, "de") == "<h2>Anfang</h2>\n<p>Text.</p>\n"


@pytest.mark.parametrize("first", ["#", "##", "###", "####"])
def test_whatever_level_headings_begin_with_the_first_is_below_the_title(first: str) -> None:
    assert levels(f"{first} A\n\n{first}# B") == ["2", "3"]
