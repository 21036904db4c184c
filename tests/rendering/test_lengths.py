"""The length setting: an essay in full, its opening with a link, or what the size allows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from upcycle_news.checks.issue import preflight
from upcycle_news.models import Length, Manifest
from upcycle_news.rendering.mail_size import WARN_HTML_BYTES, encoded_size
from upcycle_news.rendering.render import render

from . import sample_manifest
from .sample_manifest import LEAD, PUBLICATION, TEASERS

PARAGRAPH = "Ein Haus, das man repariert hat, verkauft man nicht so leicht. " * 6
LONG = "\n\n".join(f"Absatz {number}. {PARAGRAPH}" for number in range(1, 401))
URL = f"{PUBLICATION.public_url}/essays/{LEAD.slug}/"


def manifest(body: str, publication: Length, essay: Length | None = None) -> Manifest:
    lead = replace(LEAD, body=body, length=essay)
    changed = sample_manifest.manifest(essays=(lead, *TEASERS))
    return replace(changed, publication=replace(PUBLICATION, length=publication))


@pytest.mark.parametrize(
    ("publication", "essay", "whole"),
    [
        ("full", None, True),
        ("auto", None, True),
        ("teaser", None, False),
        ("full", "teaser", False),
        ("teaser", "full", True),
    ],
)
def test_the_essays_own_length_overrides_the_publications(
    publication: Length, essay: Length | None, whole: bool
) -> None:
    rendered = render(manifest(sample_manifest.BODY, publication, essay))
    for part in (rendered.html, " ".join(rendered.text.split())):
        assert ("Im Frühjahr zieht die Bücherei ein" in part) is whole
        assert (URL in part) is not whole
        assert "hört zuerst die Bohrmaschine" in part


def test_an_essay_that_makes_the_mail_too_large_is_shortened_with_a_link() -> None:
    assert encoded_size(render(manifest(LONG, "full")).html) > WARN_HTML_BYTES
    long_issue = manifest(LONG, "auto")
    rendered = render(long_issue)
    assert encoded_size(rendered.html) < 40_000
    assert URL in rendered.html
    assert "Absatz 2." in rendered.html
    assert "Absatz 3." not in rendered.html
    assert preflight(rendered, long_issue.issue, long_issue.publication) == ()


def test_an_opening_that_is_the_whole_essay_has_no_link() -> None:
    rendered = render(manifest("Kurz gesagt.", "teaser"))
    assert URL not in rendered.html + rendered.text


def test_an_opening_has_only_its_own_footnotes() -> None:
    body = (
        f"Erstens.[^a] {PARAGRAPH * 3}\n\n## Weiter\n\nZweitens.[^b]\n\n[^a]: Eins.\n[^b]: Zwei.\n"
    )
    rendered = render(manifest(body, "teaser"))
    assert "Erstens.<sup" in rendered.html
    assert "Eins." in rendered.html
    assert "Zwei." not in rendered.html + rendered.text


def test_footnotes_are_below_the_essay_in_both_parts() -> None:
    body = "Ein Satz.[^q] Noch einer.^[Gleich hier.]\n\n[^q]: Die [Quelle](https://quelle.example/x).\n"
    rendered = render(manifest(body, "full"))
    assert "Ein Satz.¹ Noch einer.²" in rendered.text
    assert "¹ Die Quelle [1].\n² Gleich hier.\n" in rendered.text
    assert "[1] https://quelle.example/x" in rendered.text
    assert ">1</sup>" in rendered.html
    assert 'class="notes"' in rendered.html
    assert 'href="#' not in rendered.html


def test_a_teaser_whose_first_paragraph_does_not_end_is_told_how_to_divide_it() -> None:
    endless = manifest(f"## Anfang\n\n{PARAGRAPH * 12}\n\nEnde.", "full", "teaser")
    [finding] = preflight(render(endless), endless.issue, endless.publication)
    assert (finding.level, finding.code) == ("warning", "opening-long")
    assert finding.where == f"{LEAD.source}:{LEAD.body_line + 2}"
    assert "Leerzeilen" in finding.text.in_language("de")


def test_a_mail_that_a_teaser_would_not_shorten_is_told_what_does() -> None:
    endless = manifest(PARAGRAPH * 300, "auto")
    findings = preflight(render(endless), endless.issue, endless.publication)
    [large] = [finding for finding in findings if finding.code == "size-too-large"]
    assert f"{LEAD.source}:{LEAD.body_line}" in large.text.in_language("de")
    many = manifest(LONG, "full")
    findings = preflight(render(many), many.issue, many.publication)
    [large] = [finding for finding in findings if finding.code == "size-too-large"]
    assert "Leerzeilen" not in large.text.in_language("de")
