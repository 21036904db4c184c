"""Conversion of MJML: each known fault of mjml-python has a test."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from upcycle_news.errors import TemplateError
from upcycle_news.rendering.mjml import MAX_DEPTH, drop_indentation, fix_attributes, render_mjml


def mail(content: str, head: str = "", css: str = "") -> str:
    return render_mjml(document(content, head), language="de", css=css)


def document(content: str, head: str = "") -> str:
    return (
        f'<mjml lang="de" dir="ltr"><mj-head><mj-title>T</mj-title>{head}</mj-head><mj-body>'
        f"<mj-section><mj-column><mj-text>{content}</mj-text></mj-column></mj-section>"
        "</mj-body></mjml>"
    )


def alt_of(html: str) -> str:
    match = re.search(r'alt="([^"]*)"', html)
    assert match is not None
    return unescape(match[1])


@pytest.mark.parametrize(
    ("alt", "shown"),
    [
        ("z.\u00a0B. ein Haus", "z.\u00a0B. ein Haus"),
        ("Möglich\u00adkeit", "Möglich\u00adkeit"),
        ("Mu\u0308ller", "Müller"),
        ("zwei\nZeilen", "zwei\nZeilen"),
        ("Tab\tda", "Tab\tda"),
        ("C:\\Bilder", "C:\\Bilder"),
        ("q\u0323\u0307 \u200d \u2028 \U0001f3e0", "q\u0323\u0307 \u200d \u2028 \U0001f3e0"),
    ],
)
def test_special_characters_in_an_alt_text_are_kept(alt: str, shown: str) -> None:
    assert alt_of(mail(f'<img src="cid:a" alt="{alt}" />')) == shown


def test_an_attribute_cannot_break_out_of_single_quotes() -> None:
    html = mail("""<img src="cid:a" alt='x" onerror="alert(1)' />""")
    assert alt_of(html) == 'x" onerror="alert(1)'
    assert " onerror=" not in html.replace("&quot; onerror=", "")


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co"])))
def test_any_alt_text_is_kept(alt: str) -> None:
    from html import escape
    from unicodedata import normalize

    # These are refused everywhere: they look like an unrendered template.
    assume("{{" not in alt and "\\u{" not in alt)
    html = mail(f'<img src="cid:a" alt="{escape(alt)}" />')
    assert alt_of(html) == normalize("NFC", alt)


def test_white_space_between_inline_elements_is_kept() -> None:
    assert "<em>eins</em> \n<strong>zwei</strong>" in mail("<em>eins</em>\n<strong>zwei</strong>")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("<p>offen", "</mj-text> inside <p> closes nothing"),
        ("a < b", "a '<' that begins no tag"),
        ("</p>", "</p> inside <mj-text> closes nothing"),
        ("<![CDATA[x]]>", "a '<' that begins no tag"),
        ('<p a="1>x</p>', "a '<' that begins no tag"),
        ('<mj-include path="/etc/passwd" />', "<mj-include> is not supported"),
        ("<BR>", "</mj-text> inside <BR> closes nothing"),
    ],
)
def test_markup_that_mrml_cannot_parse_is_refused_with_its_line(
    content: str, sentence: str
) -> None:
    with pytest.raises(TemplateError, match=r"templates/newsletter\.mjml: ") as caught:
        mail(content)
    assert sentence in str(caught.value)
    assert "line 1 of the rendered MJML" in str(caught.value)


def test_an_error_is_mapped_to_the_line_of_the_template() -> None:
    templates = {"newsletter.mjml": "…", "partials/a.mjml": "<p>\n  <b>nie zu</p>\n"}
    with pytest.raises(TemplateError, match=r"templates/partials/a\.mjml:2: ") as caught:
        render_mjml(document("<p>\n  <b>nie zu</p>\n"), language="de", templates=templates)
    assert "</p> inside <b>" in str(caught.value)


def test_ten_thousand_nested_divs_are_refused_without_a_crash() -> None:
    with pytest.raises(TemplateError, match=f"more than {MAX_DEPTH} elements"):
        mail("<div>" * 10_000 + "</div>" * 10_000)


def test_oversized_or_unterminated_markup_is_refused() -> None:
    with pytest.raises(TemplateError, match="too large"):
        mail("x" * 2_000_001)
    with pytest.raises(TemplateError, match="begins no tag"):
        mail("<a " + "\"'" * 20_000)


def test_a_panic_in_rust_becomes_a_template_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import mjml

    panic = type("PanicException", (BaseException,), {})

    def raise_panic(*_: object, **__: object) -> str:
        raise panic("called `Option::unwrap()` on a `None` value")

    monkeypatch.setattr(mjml, "mjml2html", raise_panic)
    with pytest.raises(TemplateError, match="the MJML renderer gave up"):
        mail("x")


def test_a_keyboard_interrupt_is_not_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    import mjml

    def interrupt(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(mjml, "mjml2html", interrupt)
    with pytest.raises(KeyboardInterrupt):
        mail("x")


def test_a_document_must_begin_with_mjml() -> None:
    with pytest.raises(TemplateError, match="must begin with <mjml>"):
        render_mjml("<!doctype html>" + document("x"), language="de")


def test_an_unknown_mjml_tag_is_refused_although_mrml_accepts_it() -> None:
    with pytest.raises(TemplateError, match="a tag that MJML does not know: <mj-tetx>"):
        mail("<mj-tetx>x</mj-tetx>")


def test_an_unrendered_expression_is_refused() -> None:
    with pytest.raises(TemplateError, match=r"was not filled in: \{\{ lead\.titel \}\}"):
        mail("{{ lead.titel }}")


def test_no_font_is_loaded_from_google() -> None:
    html = mail("x", head='<mj-attributes><mj-all font-family="Roboto" /></mj-attributes>')
    assert "googleapis" not in html
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"|http-equiv', "", html)


def test_lang_and_dir_are_set_on_the_body_too() -> None:
    assert re.search(r'<body [^>]*lang="de"[^>]*dir="ltr"', mail("x"))


def test_our_style_sheet_is_inlined_and_media_queries_stay() -> None:
    head = "<mj-style>@media (prefers-color-scheme: dark) { p { color: #fff } }</mj-style>"
    html = mail("<p>x</p>", head, css="p { margin: 0 0 20px; }")
    assert re.search(r'<p style="margin: ?0 0 20px;?">x</p>', html)
    assert "@media (prefers-color-scheme: dark) { p { color: #fff } }" in html
    assert "<!--[if mso" in html


def test_a_child_selector_in_a_style_sheet_is_not_escaped() -> None:
    assert ".a > .b" in mail("x", "<mj-style>.a > .b { color: red }</mj-style>")


def test_angle_brackets_in_attributes_are_escaped() -> None:
    html = mail('<img src="cid:a" alt="&lt;script&gt; a &gt; b" />')
    assert 'alt="&lt;script&gt; a &gt; b"' in html
    assert "<!--[if mso | IE]>" in html


def test_empty_attributes_and_attributes_without_value_stay() -> None:
    assert fix_attributes('<img alt="" hidden />') == '<img alt="" hidden />'


def test_the_same_source_gives_the_same_bytes() -> None:
    assert mail("<p>ä</p>", css="p{margin:0}") == mail("<p>ä</p>", css="p{margin:0}")


@pytest.mark.parametrize("title", ["Kreis\u00adlauf", "Haus \U0001f3da\ufe0f", "A \\ B", '„x“ "y"'])
def test_special_characters_of_the_title_are_kept_in_the_aria_label(title: str) -> None:
    html = render_mjml(
        document("x").replace(">T<", f">{title.replace(chr(34), '&quot;')}<"), language="de"
    )
    label = re.search(r'aria-label="([^"]*)"', html)
    assert label is not None
    assert unescape(label[1]) == title
    assert f"<title>{title}</title>" in unescape(html)


def test_indentation_goes_but_for_preformatted_text() -> None:
    html = "<div>\n      <p>a\n  b</p>\n<pre>  x\n    y\n</pre>\n    <p>c</p></div>"
    wanted = "<div>\n<p>a\nb</p>\n<pre>  x\n    y\n</pre>\n<p>c</p></div>"
    assert drop_indentation(html) == wanted
