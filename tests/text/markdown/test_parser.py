"""Titles and summaries as plain words, private notes, and CommonMark's rules."""

from __future__ import annotations

import pytest

from upcycle_news.text.markdown.parser import parse_body
from upcycle_news.text.markdown.plain_line import plain_line

from .parsing import html


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("Garn &amp; Kn&ouml;pfe &#8211; ein Laden", "Garn & Knöpfe – ein Laden"),
        ("Der **Laden** steht [leer](https://example.org/leer).", "Der Laden steht leer."),
        ("Ein *leises* `Wort` und ~~kein~~ ==lautes==", "Ein leises Wort und kein lautes"),
        ("von R&D, wo 5 > 3 gilt und 2 * 3", "von R&D, wo 5 > 3 gilt und 2 * 3"),
        ("https://example.org/laden?a=1&copy=2", "https://example.org/laden?a=1&copy=2"),
        ("Alle Händler*innen und Nachbar_innen", "Alle Händler*innen und Nachbar_innen"),
        ("C#-Dur und Platz #3", "C#-Dur und Platz #3"),
        ("# 3", "# 3"),
        ("1. Mai", "1. Mai"),
        ("Siehe [1] und <b>", "Siehe [1] und <b>"),
        ("Er sagte \"so\" -- und ging", "Er sagte \"so\" -- und ging"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_line_of_the_head_is_plain_words(written: str, words: str) -> None:
    assert plain_line(written, "de") == words


def test_private_notes_are_not_parsed() -> None:
    assert html("Vorn %%geheim%% hinten.\n\n%%\nauch\n%%") == "<p>Vorn hinten.</p>"


def test_tokens_keep_the_lines_of_the_body() -> None:
    body = "%%\nNotiz\n%%\n\nEins.\n\n• a\n• b\n\nZeile zwei.\n---\n\n    Indent.\n\n> [!note] T\n> Text\n"
    lines = [
        token.map[0]
        for token in parse_body(body, language="de")
        if token.type == "inline" and token.map
    ]
    assert lines == [4, 6, 7, 9, 12, 14, 15]


# What CommonMark (0.31.2) says of the constructs that essays use, one example of each rule.
COMMONMARK = [
    ("# foo\n## foo", "<h1>foo</h1>\n<h2>foo</h2>"),
    ("####### foo", "<p>####### foo</p>"),
    ("#hashtag", "<p>#hashtag</p>"),
    ("## foo ##", "<h2>foo</h2>"),
    ("***\n\n___", "<hr />\n<hr />"),
    (" * * *", "<hr />"),
    ("```\n<\n >\n```", "<pre><code>&lt;\n &gt;\n</code></pre>"),
    ("~~~ ruby\ndef foo(x)\nend\n~~~", '<pre><code class="language-ruby">def foo(x)\nend\n</code></pre>'),
    ("> bar\nbaz\n> foo, which is a line that is longer than fifty signs",
     "<blockquote>\n<p>bar\nbaz\nfoo, which is a line that is longer than fifty signs</p>\n</blockquote>"),
    ("> - foo\n- bar", "<blockquote>\n<ul>\n<li>foo</li>\n</ul>\n</blockquote>\n<ul>\n<li>bar</li>\n</ul>"),
    ("- one\n\n  two", "<ul>\n<li>\n<p>one</p>\n<p>two</p>\n</li>\n</ul>"),
    ("- foo\n  - bar\n    - baz",
     "<ul>\n<li>foo\n<ul>\n<li>bar\n<ul>\n<li>baz</li>\n</ul>\n</li>\n</ul>\n</li>\n</ul>"),
    ("-one", "<p>-one</p>"),
    ("-1. not ok", "<p>-1. not ok</p>"),
    ("1. foo\n2. bar\n3) baz\n4) baz",
     '<ol>\n<li>foo</li>\n<li>bar</li>\n</ol>\n<ol start="3">\n<li>baz</li>\n<li>baz</li>\n</ol>'),
    ("`` foo ` bar ``", "<p><code>foo ` bar</code></p>"),
    ("*foo bar*", "<p><em>foo bar</em></p>"),
    ("a * foo bar*", "<p>a * foo bar*</p>"),
    ("_foo bar_", "<p><em>foo bar</em></p>"),
    ("foo_bar_baz", "<p>foo_bar_baz</p>"),
    ("**foo bar**", "<p><strong>foo bar</strong></p>"),
    ("*foo **bar** baz*", "<p><em>foo <strong>bar</strong> baz</em></p>"),
    ("***foo** bar*", "<p><em><strong>foo</strong> bar</em></p>"),
    ("[link](/uri \"title\")", '<p><a href="/uri" title="title">link</a></p>'),
    ("[link](</my uri>)", '<p><a href="/my%20uri">link</a></p>'),
    ("[foo][bar]\n\n[bar]: /url", '<p><a href="/url">foo</a></p>'),
    ("[foo]\n\n[foo]: /url", '<p><a href="/url">foo</a></p>'),
    ("![foo](/url)", '<p><img src="/url" alt="foo" /></p>'),
    ("<https://foo.bar.baz>", '<p><a href="https://foo.bar.baz">https://foo.bar.baz</a></p>'),
    (r"\*not emphasized*", "<p>*not emphasized*</p>"),
    ("foo  \nbaz", "<p>foo<br />baz</p>"),
    ("foo\\\nbaz", "<p>foo<br />baz</p>"),
    ("&copy; &auml; &#35;", "<p>© ä #</p>"),
    ("| a | b |\n|---|---|\n| 1 | 2 |",
     "<table>\n<thead>\n<tr>\n<th>a</th>\n<th>b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>1</td>\n<td>2</td>\n"
     "</tr>\n</tbody>\n</table>"),
]  # fmt: skip

# Where an essay differs on purpose; docs/templates.md says why.
DIFFERENT = {
    "indented code that is prose": ("    foo", "<p>foo</p>"),
    "lines below fifty characters": ("foo\nbaz", "<p>foo<br />baz</p>"),
    "a heading of several lines": ("Foo\nbar\n===", "<p>Foo<br />bar</p>\n<hr />"),
    "a list of one number": ("123. ok", "<p>123. ok</p>"),
    "a list of one plus": ("+ ok", "<p>+ ok</p>"),
    "numbers with gaps": ("1. a\n3. b", '<ol>\n<li>a</li>\n<li value="3">b</li>\n</ol>'),
    "stars between digits": ("5*6*78", "<p>5*6*78</p>"),
    "bare addresses": ("https://example.com", '<p><a href="https://example.com">https://example.com</a></p>'),
    "straight quotation marks": ('"foo"', "<p>„foo“</p>"),
    "HTML": ("<b>foo</b>", "<p>&lt;b&gt;foo&lt;/b&gt;</p>"),
    "comments": ("a <!-- b --> c", "<p>a c</p>"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "shown"), COMMONMARK)
def test_essays_are_commonmark(body: str, shown: str) -> None:
    assert html(body) == shown


@pytest.mark.parametrize("what", DIFFERENT)
def test_where_essays_differ_from_commonmark(what: str) -> None:
    body, shown = DIFFERENT[what]
    assert html(body) == shown
