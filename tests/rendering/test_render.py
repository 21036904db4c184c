"""Rendering: from a manifest to the bytes of the finished issue."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from itertools import pairwise

import pytest

from upcycle_news.checks.html_inspector import inspect_html
from upcycle_news.errors import ContentError, TemplateError
from upcycle_news.models import (
    ImageRef,
    Manifest,
    Placeholder,
    Related,
    RenderedIssue,
    Story,
)
from upcycle_news.rendering.mail_size import encoded_size
from upcycle_news.rendering.render import render
from upcycle_news.rendering.view_models import reading_minutes

from . import sample_manifest
from .sample_manifest import LEAD, PUBLICATION, TEMPLATES


@pytest.fixture(scope="module")
def rendered() -> RenderedIssue:
    return render(sample_manifest.with_picture())


def with_template(name: str, text: str) -> Manifest:
    return replace(sample_manifest.manifest(), templates={**TEMPLATES, name: text})


def test_the_same_manifest_gives_the_same_bytes(rendered: RenderedIssue) -> None:
    assert render(sample_manifest.with_picture()) == rendered


def test_the_order_of_templates_in_a_manifest_changes_nothing(rendered: RenderedIssue) -> None:
    manifest = sample_manifest.with_picture()
    reordered = dict(reversed(manifest.templates.items()))
    assert render(replace(manifest, templates=reordered)) == rendered


def test_both_parts_hold_the_texts_of_the_issue(rendered: RenderedIssue) -> None:
    html_text = inspect_html(rendered.html).text
    for text in (
        "Donnerstag, 26. November 2026",
        "Das zweite Leben der Langen Straße",
        "Von Redaktion upcycle",
        "„Das Wort ‚Leerstand‘ ist falsch“",
        "Ziegel mit „Geschichte“",
        "Dazu passend",
        "Small Towns Review",
        "Die nächste Ausgabe kommt in zwei Wochen.",
        "e+k upcycle gGmbH",
        "Sie bekommen diese Mail, weil Sie e+k upcycle bestellt haben.",
    ):
        assert text in html_text, text
        assert text in " ".join(rendered.text.split()), text


def test_every_link_of_the_html_is_in_the_text_part(rendered: RenderedIssue) -> None:
    links = inspect_html(rendered.html).link_urls
    assert len(links) > 12
    for link in links:
        assert link.removeprefix("mailto:") in rendered.text


def test_personal_links_are_placeholders(rendered: RenderedIssue) -> None:
    links = inspect_html(rendered.html).link_urls
    for placeholder in Placeholder:
        assert placeholder.value in links
        assert placeholder.value in rendered.text.split()


def test_links_to_archive_and_essays_begin_with_the_public_url(rendered: RenderedIssue) -> None:
    links = inspect_html(rendered.html).link_urls
    assert "https://news.upcycle.example/archive/2026-11-26/" in links
    assert "https://news.upcycle.example/archive/" in links
    assert "https://news.upcycle.example/essays/werkstatt-statt-wertstoffhof/" in links


def test_without_a_public_url_there_are_no_relative_links() -> None:
    manifest = replace(sample_manifest.manifest(), publication=replace(PUBLICATION, public_url=""))
    result = render(manifest)
    assert all(link.startswith(("http", "mailto:")) for link in inspect_html(result.html).link_urls)
    assert "Im Browser lesen" not in result.html + result.text


def test_there_is_one_h1_and_no_heading_is_skipped(rendered: RenderedIssue) -> None:
    levels = [int(level) for level in re.findall(r"<h(\d)[ >]", rendered.html)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_layout_tables_have_the_presentation_role(rendered: RenderedIssue) -> None:
    html = re.sub(r"<!--.*?-->", "", rendered.html, flags=re.DOTALL)
    tables = re.findall(r"<table[^>]*>", html)
    plain = [table for table in tables if 'role="presentation"' not in table]
    assert len(tables) > 10
    assert len(plain) == 1  # the essay's own


def test_languages_are_marked_up(rendered: RenderedIssue) -> None:
    assert '<html lang="de" dir="ltr"' in rendered.html
    assert re.search(r'<body [^>]*lang="de" dir="ltr"', rendered.html)
    assert re.search(r'<h3 [^>]*lang="en"[^>]*>.*?A library', rendered.html)
    assert "<title>Das zweite Leben der Langen Straße</title>" in rendered.html


@pytest.mark.parametrize(
    ("language", "marked"),
    [("de", ""), ("de-AT", ""), ("de-CH", ""), ("en", "en"), ("en-GB", "en-GB"), ("fr", "fr")],
)
def test_title_and_excerpt_of_an_item_in_another_language_are_marked(
    language: str, marked: str
) -> None:
    story = Story((sample_manifest.item(1, language=language, title="Titel", summary="Auszug"),))
    manifest = sample_manifest.manifest(related=(Related(story, 1.0, ("umbau",)),))
    html = render(manifest).html
    for text, tag in (("Titel", "h3"), ("Auszug", "p")):
        (attributes,) = re.findall(rf"<{tag}([^>]*)>(?:<a[^>]*>)?{text}<", html)
        assert re.findall(r'\blang="([^"]*)"', attributes) == ([marked] if marked else [])


def test_the_preheader_is_the_first_thing_in_the_body_and_hidden(rendered: RenderedIssue) -> None:
    body = rendered.html.split("<body", 1)[1]
    first = re.search(r"<div class=\"preheader\" style=\"([^\"]*)\">([^<]*)", body)
    assert first is not None
    assert "display: none" in first[1] or "display:none" in first[1]
    assert unescape(first[2]).startswith("Eine Kleinstadt baut um")
    assert body.index("preheader") < body.index("<table")


def test_the_image_is_embedded(rendered: RenderedIssue) -> None:
    (image,) = rendered.images
    assert image.content_type == "image/png"
    assert f'src="cid:{image.cid}" alt="Giebel in der Langen Straße" width="60"' in rendered.html
    assert "[Bild: Giebel in der Langen Straße]" in rendered.text


def test_an_image_used_twice_is_embedded_once() -> None:
    manifest = sample_manifest.with_picture(body="![Noch einmal](../images/giebel.png)")
    assert len(render(manifest).images) == 1


@pytest.mark.parametrize("where", ["front matter", "body"])
def test_a_missing_image_is_reported_with_its_line(where: str) -> None:
    if where == "front matter":
        lead = replace(LEAD, image=ImageRef("fehlt.png", "x"))
        location = "content/essays/lange-strasse.md: "
    else:
        lead = replace(LEAD, body="Eins\n\nZwei ![x](fehlt.png)")
        location = "content/essays/lange-strasse.md:11: "
    with pytest.raises(ContentError) as caught:
        render(sample_manifest.manifest(essays=(lead,)))
    assert str(caught.value).startswith(location)
    assert "'fehlt.png' is not in content/images" in str(caught.value)


def test_essential_styles_are_inline(rendered: RenderedIssue) -> None:
    bare = re.sub(r"<style.*?</style>", "", rendered.html, flags=re.DOTALL)
    for tag in ("h1", "h2", "h3", "p", "blockquote", "li", "table", "th", "td", "code", "a", "img"):
        elements = re.findall(rf"<{tag}(?: [^>]*)?>", bare)
        assert elements, tag
        assert all("style=" in line for line in elements if 'role="pres' not in line), tag


def test_dark_mode_and_phone_rules_stay_in_the_style_element(rendered: RenderedIssue) -> None:
    sheet = "".join(re.findall(r"<style.*?</style>", rendered.html, flags=re.DOTALL))
    assert "@media (prefers-color-scheme: dark)" in sheet
    assert "@media (max-width: 480px)" in sheet
    assert "[data-ogsc]" in sheet
    assert "[data-ogsb]" in sheet
    assert '<meta name="color-scheme" content="light dark">' in rendered.html


def test_an_issue_is_far_below_the_limit_of_gmail(rendered: RenderedIssue) -> None:
    assert encoded_size(rendered.html) < 40_000


def test_the_text_part_is_wrapped_without_stray_white_space(rendered: RenderedIssue) -> None:
    lines = rendered.text.split("\n")
    assert all(len(line) <= 72 or "https://" in line for line in lines)
    assert not any(line != line.rstrip() for line in lines)
    assert "\n\n\n" not in rendered.text
    assert rendered.text.endswith("Musterstadt\nVertreten durch: Erika Muster · "
                                  "redaktion@upcycle.example\n")  # fmt: skip


def test_other_sources_of_a_story_are_named_once() -> None:
    story = sample_manifest.RELATED[0].story
    twice = replace(
        sample_manifest.RELATED[0], story=replace(story, items=(*story.items, *story.items))
    )
    text = render(sample_manifest.manifest(related=(twice,))).text
    assert text.count("Auch bei Kreisbote") == 1
    assert "Auch bei Umbau-Anzeiger" not in text


def test_the_day_of_an_item_is_that_of_the_publications_time_zone() -> None:
    # 23:30 in UTC on the 23rd is the 24th in Berlin.
    assert "Umbau-Anzeiger · 24. November 2026" in " ".join(
        render(sample_manifest.manifest()).text.split()
    )


def test_an_english_issue_has_english_strings() -> None:
    lead = replace(LEAD, language="en", body='He said "yes".', title='The "second" life')
    text = render(sample_manifest.manifest(language="en", subject=lead.title, essays=(lead,))).text
    for words in ("Thursday", "November 26", "Unsubscribe", "Related reading", "“yes”", "“second”"):
        assert words in text


def test_a_language_without_a_catalogue_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(
        TemplateError, match=r"texts\.fr\.toml: is missing \(the languages are de, "
    ):
        render(sample_manifest.manifest(language="fr"))


def test_an_issue_may_hold_only_feed_items_or_only_an_essay() -> None:
    assert "Dazu passend" in render(sample_manifest.manifest(essays=())).text
    essay_only = render(sample_manifest.manifest(essays=(LEAD,), related=()))
    assert "Dazu passend" not in essay_only.html
    assert "Außerdem bei uns" not in essay_only.html


def test_titles_and_names_are_escaped() -> None:
    markup = '<script>alert("1")</script> & "Söhne"'
    item = sample_manifest.item(9, title=markup, summary=markup, feed=markup)
    related = (
        replace(
            sample_manifest.RELATED[0],
            story=replace(sample_manifest.RELATED[0].story, items=(item,)),
        ),
    )
    lead = replace(LEAD, title=markup, author=markup)
    html = render(sample_manifest.manifest(essays=(lead,), related=related, subject=markup)).html
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 6


def test_control_characters_never_reach_the_mail() -> None:
    lead = replace(LEAD, title="A\x92B\x00", author="C\x08", body="x\x85y\x0c z\u202e")
    issue = render(sample_manifest.manifest(essays=(lead,), subject="S\x00", preheader="P\x1f"))
    for part in (issue.subject, issue.html, issue.text):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", part)
    assert "A’B" in issue.text


def test_a_hostile_issue_is_rendered_or_refused_without_a_crash() -> None:
    lead = replace(LEAD, title="T" * 1_000_000, body=">" * 5_000 + "- " * 5_000 + "[" * 5_000)
    try:
        assert render(sample_manifest.manifest(essays=(lead,))).html
    except TemplateError as error:
        assert "too large" in str(error)


@pytest.mark.parametrize(
    ("name", "text", "location", "sentence"),
    [
        ("newsletter.mjml", "<mjml>\n{{ lead.titel }}", "newsletter.mjml:2", "'titel' (misspelt?)"),
        ("newsletter.mjml", "\n\n{% if %}", "newsletter.mjml:3", "Expected an expression"),
        ("newsletter.txt", "{% include 'x.txt' %}", "newsletter.txt:1", "there is no templates/x"),
        ("partials/lead.mjml", "\n{{ nichts }}", "partials/lead.mjml:2", "'nichts' is undefined"),
        ("partials/lead.mjml", "\n{{ 1 / 0 }}", "partials/lead.mjml:2", "ZeroDivisionError"),
        ("partials/lead.mjml", "\n{{ t('nie') }}", "texts.de.toml", "has no words for 'nie'"),
        ("partials/lead.mjml", "{% include 'partials/lead.mjml' %}", "partials/lead.mjml:1", "Rec"),
        ("texts.de.toml", "a = 1\nb = ", "texts.de.toml:2", "is not TOML"),
        ("texts.de.toml", 'by = "{nobody}"', "texts.de.toml", "has no words for 'image'"),
        ("theme.toml", "x", "theme.toml:1", "is not TOML"),
        ("partials/inline.css", "{{ theme.light.inc }}", "partials/inline.css:1", "'inc'"),
    ],
)
def test_a_failing_template_is_reported_with_its_line(
    name: str, text: str, location: str, sentence: str
) -> None:
    with pytest.raises(TemplateError) as caught:
        render(with_template(name, text))
    assert str(caught.value).startswith(f"templates/{location}: ")
    assert sentence in str(caught.value)


def test_a_string_with_an_unknown_placeholder_is_an_error_that_lists_the_known_ones() -> None:
    text = TEMPLATES["texts.de.toml"].replace("Von {author}", "Von {autor}")
    with pytest.raises(TemplateError, match=r"texts\.de\.toml: 'by' .*it may use \{author\}"):
        render(with_template("texts.de.toml", text))


def test_reading_time_is_at_least_a_minute() -> None:
    assert reading_minutes("kurz") == 1
    assert reading_minutes("Wort " * 1000) == 5


def test_an_excerpt_is_shown_as_the_manifest_holds_it() -> None:
    summary = "Das Lager Nr. 5 öffnet, z. B. für alle, die bauen. " + "Wort und Wort. " * 24
    item = sample_manifest.item(9, summary=summary.strip())
    story = replace(sample_manifest.RELATED[0].story, items=(item,))
    related = (replace(sample_manifest.RELATED[0], story=story),)
    rendered = render(sample_manifest.manifest(essays=(LEAD,), related=related))
    for part in (rendered.html, rendered.text):
        shown = " ".join(unescape(re.sub(r"<[^>]*>", " ", part)).split())
        assert " ".join(summary.split()) in shown


def test_a_summary_that_repeats_the_title_is_not_shown() -> None:
    item = sample_manifest.item(9, title="Nur das", summary="nur das")
    related = (
        replace(
            sample_manifest.RELATED[0],
            story=replace(sample_manifest.RELATED[0].story, items=(item,)),
        ),
    )
    text = render(sample_manifest.manifest(essays=(LEAD,), related=related)).text
    assert text.lower().count("nur das") == 1


def test_the_theme_lists_the_sections_of_both_parts_in_their_order() -> None:
    own = {
        "partials/dates.mjml": "<mj-section><mj-column><mj-text><p>Termin</p></mj-text></mj-column></mj-section>",
        "partials/dates.txt": "Termin",
        "theme.toml": TEMPLATES["theme.toml"].replace(
            'sections = ["contents", "lead", "author", "teasers", "related", "question", "closing"]',
            'sections = ["dates", "related", "lead"]',
        ),
    }
    plain = sample_manifest.with_picture()
    rendered = render(replace(plain, templates={**TEMPLATES, **own}))
    lead, related = LEAD.title, plain.issue.related[0].story.lead.title
    for part in (rendered.html, rendered.text):
        shown = " ".join(
            unescape(re.sub(r"<[^>]*>", " ", part.partition("<body")[2] or part)).split()
        )
        places = [shown.find(text) for text in ("Termin", related, lead)]
        assert -1 not in places
        assert places == sorted(places)
        assert PUBLICATION.closing_note[:20] not in shown
