"""Typography across marks and links, never in code and addresses."""

from __future__ import annotations

import pytest

from upcycle_news.text.markdown.parser import markdown_parser, parse_body

from .parsing import html, line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('"Das *Wort* zählt"', "„Das <em>Wort</em> zählt“"),
        ('*"so"* und **\'so\'**', "<em>„so“</em> und <strong>‚so‘</strong>"),
        ('"`code`" und "[so](https://example.org)"',
         '„<code>code</code>“ und „<a href="https://example.org">so</a>“'),
        (",,nur **zu**''", "„nur <strong>zu</strong>“"),
        ('"eins\nzwei" drei vier fünf sechs sieben acht neun zehn elf zwölf',
         "„eins\nzwei“ drei vier fünf sechs sieben acht neun zehn elf zwölf"),
        ("&quot;so&quot; und &#39;so&#39;", "„so“ und ‚so‘"),
        (r"\"so\"", "&quot;so&quot;"),
        ('`"x"` bleibt', "<code>&quot;x&quot;</code> bleibt"),
        ("Das Brett misst 24\".", "Das Brett misst 24&quot;."),
        ("»Schluss« steht da.", "»Schluss« steht da."),
    ],
)  # fmt: skip
def test_quotation_marks_are_set_by_the_context_of_the_block(text: str, shown: str) -> None:
    assert line(text) == shown


def test_a_publications_own_marks_are_used_for_all() -> None:
    body = '„Er rief "komm"", so »heißt« es ,,da\'\'.'
    parser = markdown_parser("de")
    shown = parser.renderer.render(
        parse_body(body, language="de", marks="»«›‹"), parser.options, {}
    )
    assert shown == "<p>»Er rief ›komm‹«, so »heißt« es »da«.</p>\n"


def test_stray_invisible_characters_go_and_needed_ones_stay() -> None:
    assert (
        line("Klein\u00adhandel\u200b im Erd\u2060geschoss\u200f") == "Kleinhandel im Erdgeschoss"
    )
    assert (
        line("40\u202f000\u00a0Euro 👩\u200d🔧 می\u200cخواهم")
        == "40\u202f000\u00a0Euro 👩\u200d🔧 می\u200cخواهم"
    )
    assert line("Da steht \u200fمتجر (A)\u200f drauf") == "Da steht \u200fمتجر (A)\u200f drauf"
    assert line("**fett\u200b** und [Li\u00adnk](https://example.org)") == (
        '<strong>fett</strong> und <a href="https://example.org">Link</a>'
    )
    assert (
        html("\u200b## Titel\n\n\u2060- a\n- b")
        == "<h2>Titel</h2>\n<ul>\n<li>a</li>\n<li>b</li>\n</ul>"
    )


def test_code_keeps_its_invisible_characters() -> None:
    assert line("`a\u200bb\u00ad`") == "<code>a\u200bb\u00ad</code>"
    assert html("```\n\u200b- a\u00ad\n```") == "<pre><code>\u200b- a\u00ad\n</code></pre>"


def test_signs_of_symbol_fonts_become_signs_that_all_fonts_have() -> None:
    assert line("Danke \uf04a und \uf0e0 weiter") == "Danke ☺ und → weiter"


def test_alt_texts_and_captions_are_set() -> None:
    assert line('![Das "Haus"](h.png "Foto: \'M\'")') == (
        '<img src="h.png" alt="Das „Haus“" title="Foto: ‚M‘" />'
    )


def test_columns_are_aligned_by_classes() -> None:
    shown = html("| a | b | c |\n|:--|--:|:-:|\n| 1 | 2 | 3 |")
    assert "style" not in shown
    assert shown.count('class="right"') == shown.count('class="center"') == 2
