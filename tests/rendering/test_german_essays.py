"""Essays as German authors write them, as whole issues: mail, text part, subject and preheader."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from upcycle_news.checks.html_inspector import inspect_html
from upcycle_news.checks.issue import preflight
from upcycle_news.errors import TemplateError
from upcycle_news.models import ImageRef, Manifest, RenderedIssue
from upcycle_news.rendering.render import render

from . import sample_manifest
from .sample_manifest import LEAD, TEMPLATES

PASTED = (
    "Bahnhof. Schon das Wort riecht nach Abschied, nach ‚‚Hier fährt nichts mehr”. Und wenn das Gebäude – "
    "mitten im Ort – nur auf eine Aufgabe wartet? Niemand muss es neu erfinden.\n"
    "Wer hier ‚‚Potenzial” sagt, meint meist Geld. Wir meinen Wände. Sie stehen ja schon, sie halten den Regen "
    "ab – und sie gehören allen, die sich noch an die Fahrpläne erinnern können.\n"
    "Martha Beispiel ist Leiterin von Haus+Hof, dem Werkraum bei muster+mann."
)


def shown(body: str, **changes: object) -> RenderedIssue:
    return render(sample_manifest.with_body(body, **changes))


def lead_html(rendered: RenderedIssue) -> str:
    """Return the HTML of the leading essay's text, without styles."""
    html = re.sub(r' style="[^"]*"', "", rendered.html)
    return html.partition('class="prose"')[2].partition("</td>")[0]


def with_texts(manifest: Manifest, **texts: str) -> Manifest:
    """Return a manifest whose German catalogue has other texts."""
    name = "texts.de.toml"
    catalogue = TEMPLATES[name]
    for key, value in texts.items():
        catalogue = re.sub(rf'^{key} = ".*"$', f'{key} = "{value}"', catalogue, flags=re.MULTILINE)
    return replace(manifest, templates={**TEMPLATES, name: catalogue})


def test_a_text_that_was_pasted_as_it_was_handed_in_comes_out_set() -> None:
    manifest = sample_manifest.with_body(PASTED)
    rendered = render(manifest)
    paragraphs = re.findall(r"<p>(.*?)</p>", lead_html(rendered), re.DOTALL)
    assert [paragraph[:8] for paragraph in paragraphs] == ["Bahnhof.", "Wer hier", "Martha B"]
    assert "nach „Hier fährt nichts mehr“." in inspect_html(rendered.html).text
    assert "Wer hier „Potenzial“ sagt" in rendered.text
    assert preflight(rendered, manifest.issue, manifest.publication) == ()


def test_a_publication_has_the_quotation_marks_of_its_choice_everywhere() -> None:
    manifest = sample_manifest.manifest(
        essays=(replace(LEAD, title='Das "Wort"', body="Sie sagte „nur ‚zu‘“ und ,,da''."),),
        subject='Das "Wort"',
        preheader="Über ‚‚Leerstand”",
    )
    rendered = render(with_texts(manifest, quotation_marks="»«›‹"))
    text = inspect_html(rendered.html).text
    assert rendered.subject == "Das »Wort«"
    for part in (text, rendered.text):
        assert "Das »Wort«" in part
        assert "Sie sagte »nur ›zu‹« und »da«." in part
    assert "Über »Leerstand«" in text
    assert "„" not in rendered.text


def test_quotation_marks_that_are_no_pairs_are_refused() -> None:
    with pytest.raises(TemplateError, match=r"texts\.de\.toml") as refused:
        render(with_texts(sample_manifest.manifest(), quotation_marks="»«"))
    assert "»«›‹" in str(refused.value)


def test_an_essay_from_the_right_to_the_left_is_shown_so() -> None:
    rendered = shown("هذا متجر.\n\n1. واحد\n2. اثنان", title="متجر", language="ar")
    assert rendered.html.count('lang="ar" dir="rtl"') == 2
    assert 'dir="rtl"' not in shown("Text.").html


def test_caption_and_credit_stand_below_the_picture_of_the_head() -> None:
    image = ImageRef("giebel.png", "Giebel", caption='Der "Giebel"', credit="Foto: Erika Beispiel")
    lead = replace(LEAD, image=image)
    manifest = replace(
        sample_manifest.manifest(essays=(lead, replace(lead, slug="zweiter"))),
        images={"giebel.png": sample_manifest.png(60, 40)},
    )
    rendered = render(manifest)
    below = "Der „Giebel“ · Foto: Erika Beispiel"
    assert rendered.html.count(below) == 2
    assert rendered.text.count(f"[Bild: Giebel]\n{below}\n") == 2


def test_title_and_byline_stand_once() -> None:
    rendered = shown(f"# {LEAD.title}\n\nVon {LEAD.author}\n\nEr steht noch.")
    assert rendered.text.count(LEAD.title) == 1
    assert lead_html(rendered).count("<p>") == 1


def test_marks_and_callouts_have_a_look_of_their_own() -> None:
    html = shown("> [!tip] Gut\n> So ==ist== es.\n\n- [x] getan").html
    assert re.search(r'<blockquote class="callout" style="[^"]*background-color', html)
    assert re.search(r'<mark style="[^"]*border-bottom', html)
    assert re.search(r'<ul class="tasks" style="[^"]*list-style: ?none', html)


def test_columns_keep_their_alignment_in_the_mail() -> None:
    html = shown("| a | b |\n|---|---:|\n| 1 | 2 |").html
    assert re.search(r'<td class="right" style="[^"]*text-align: ?right', html)
    assert re.search(r'<th class="right"[^>]* style="[^"]*text-align: ?right', html)


@pytest.mark.parametrize("length", [0, 20, 150, 600])
def test_the_line_in_the_mailbox_is_filled_however_long_it_is(length: int) -> None:
    html = render(sample_manifest.manifest(preheader="x" * length)).html
    assert html.count("\u034f\u200c\u00a0") + html.count("\u034f\u200c&nbsp;") >= 70
