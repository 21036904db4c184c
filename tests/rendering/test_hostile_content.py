"""Hostile essays and feed items give a correct mail or a clear error, never a crash."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import pytest

from upcycle_news.checks.html_inspector import inspect_html
from upcycle_news.checks.issue import preflight
from upcycle_news.curation.compose_issue import Limits, excerpt_story
from upcycle_news.errors import TemplateError
from upcycle_news.models import ImageRef, Manifest, RenderedIssue
from upcycle_news.rendering.render import render

from . import sample_manifest
from .sample_manifest import LEAD, TEASERS

HOSTILE = {
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "broken tags": "<p><b><div></p></i></table></mj-text></mjml>",
    "10,000 divs": "<div>" * 10_000,
    "10,000 quotes": ">" * 10_000 + " tief",
    "10,000 brackets": "[" * 10_000,
    "10,000 stars": "*a " * 10_000,
    "one megabyte": "W" * 1_000_000,
    "template": "{{ 7 * 7 }}{% raw %}{# #}<mj-include path='/etc/passwd' />",
    "CDATA": "<![CDATA[ <x> ]]><!-- --><?php ?><!DOCTYPE html>",
    "entities": "&lt;script&gt; &#60;script&#62; &nbsp &",
    "nulls": "a\x00b\x92c\x1b[31md\u2028e\ufefff",
    "overrides": "\u202egnp.exe\u2066",
    "surrogate pair": "🏚️ → 🏠 \U0001f3f4\u200d\u2620\ufe0f",
    "NFD": unicodedata.normalize("NFD", "Übergrößenträger"),
    "soft hyphens": "Kreis\u00adlauf\u00adwirt\u00adschaft",
    "quotes": '"\'"\'„“‚‘»«\\\\"',
    "link": "[x](javascript:alert(1)) [y](data:text/html,x) <javascript:alert(1)>",
}

ERRORS_ALLOWED = {
    "html", "leftover", "private-note", "size-too-large", "link-relative", "image-foreign",
    "subject-missing",
}  # fmt: skip


def assert_harmless(rendered: RenderedIssue, manifest: Manifest) -> None:
    """Check that there is no script, nothing is loaded, and only expected errors are found."""
    html = rendered.html.lower()
    assert "<script" not in html
    assert "<img src=x" not in html
    assert "javascript:" not in "".join(inspect_html(rendered.html).link_urls)
    assert "\\u{" not in html
    assert unicodedata.is_normalized("NFC", rendered.html)
    findings = preflight(rendered, manifest.issue, manifest.publication)
    assert {finding.code for finding in findings if finding.level == "error"} <= ERRORS_ALLOWED


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_essay_is_harmless(text: str) -> None:
    manifest = sample_manifest.with_body(f"Vorher.\n\n{text}\n\nNachher.", length="full")
    assert_harmless(render_or_refuse(manifest), manifest)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_titles_and_names_are_harmless(text: str) -> None:
    lead = replace(LEAD, title=text, author=text, summary=text)
    teaser = replace(TEASERS[0], title=text, author=text, summary=text)
    manifest = sample_manifest.manifest(essays=(lead, teaser), subject=text, preheader=text)
    assert_harmless(render_or_refuse(manifest), manifest)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_feed_item_is_harmless(text: str) -> None:
    item = sample_manifest.item(1, title=text, summary=text)
    other = sample_manifest.item(2, title=text)
    story = excerpt_story(
        replace(sample_manifest.RELATED[0].story, items=(item, other)), Limits().excerpt
    )
    manifest = sample_manifest.manifest(related=(replace(sample_manifest.RELATED[0], story=story),))
    assert_harmless(render_or_refuse(manifest), manifest)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_alt_text_is_harmless(text: str) -> None:
    lead = replace(LEAD, image=ImageRef("giebel.png", text))
    manifest = replace(
        sample_manifest.manifest(essays=(lead, *TEASERS)),
        images={"giebel.png": sample_manifest.png(60, 40)},
    )
    assert_harmless(render_or_refuse(manifest), manifest)


def render_or_refuse(manifest: Manifest) -> RenderedIssue:
    """Render the manifest; the sample issue when it is refused with one of the expected errors."""
    try:
        return render(manifest)
    except TemplateError as error:
        assert re.search("too large|not filled in", str(error))
        assert not any(item.story.lead.title in HOSTILE.values() for item in manifest.issue.related)
        return render(sample_manifest.manifest())
