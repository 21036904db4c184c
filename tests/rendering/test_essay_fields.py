"""Fields of an essay in templates: those that are declared for them, and the table `extra`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest

from upcycle_news.archive_site.builder import build_archive
from upcycle_news.archive_site.view_models import SentIssue, SiteConfig
from upcycle_news.checks.extra_names import names_of_extra
from upcycle_news.checks.templates import check_templates, extra_names_shown
from upcycle_news.errors import TemplateError
from upcycle_news.models import Essay, Manifest
from upcycle_news.rendering.render import render
from upcycle_news.storage.manifest_json import decode, encode, revision_id_of

from . import sample_manifest
from .sample_manifest import LEAD, TEASERS, TEMPLATES

EXTRA = {
    "series": 'Umbau "in Serie", z. B. hier',
    "part": 3,
    "link": {"name": "Bauteile & mehr", "url": "https://bauteile.example/a...b"},
    "places": ["Bonn", "Ulm"],
}
ESSAY = replace(LEAD, extra=EXTRA)


def manifest(essays: tuple[Essay, ...], **templates: str) -> Manifest:
    """A manifest; `templates` are added to the end of shipped ones, `_` stands for / and ."""
    names = {name: f"partials/{name.replace('_', '.')}" for name in templates}
    changed = {names[name]: TEMPLATES[names[name]] + more for name, more in templates.items()}
    plain = sample_manifest.manifest(essays=essays)
    return replace(plain, templates={**TEMPLATES, **changed})


def mjml(expression: str) -> str:
    """A section of the mail that shows an expression between brackets."""
    return (
        f"<mj-section><mj-column><mj-text><p>[{expression}]</p></mj-text></mj-column></mj-section>"
    )


def test_mail_and_text_show_the_fields_of_an_essay() -> None:
    shown = (
        "{{ essay.extra.series }}|{{ lead.extra.part + 1 }}|{{ essay.extra.places | join(', ') }}"
    )
    rendered = render(manifest((ESSAY,), lead_mjml=mjml(shown), lead_txt=f"[{shown}]"))
    expected = "[Umbau „in Serie“, z.\u00a0B. hier|4|Bonn, Ulm]"
    assert expected in rendered.text
    assert expected in unescape(rendered.html)


def test_values_are_escaped_in_the_mail_and_addresses_stay_as_written() -> None:
    shown = "{{ lead.extra.link.name }} {{ lead.extra.link.url }}"
    rendered = render(manifest((ESSAY,), lead_mjml=mjml(shown), lead_txt=f"[{shown}]"))
    assert "[Bauteile &amp; mehr https://bauteile.example/a...b]" in rendered.html
    assert "[Bauteile & mehr https://bauteile.example/a...b]" in rendered.text


def test_a_field_that_an_essay_lacks_is_empty() -> None:
    shown = (
        "{{ essay.extra.series }}{{ essay.extra.link.url }}{{ essay.extra.series | wrap }}"
        "{% if essay.extra.series %}yes{% endif %}{{ essay.extra.series | default('none') }}"
    )
    rendered = render(manifest((LEAD,), lead_mjml=mjml(shown), lead_txt=f"[{shown}]"))
    assert "[none]" in rendered.text
    assert "[none]" in rendered.html


def test_names_of_python_are_no_fields() -> None:
    extra = {"items": "Dinge", "values": "Werte", "get": "Holen"}
    shown = "{{ lead.extra.items }} {{ lead.extra.values }} {{ lead.extra.get }}"
    essay = replace(LEAD, extra=extra)
    rendered = render(manifest((essay,), lead_txt=f"[{shown}]"))
    assert "[Dinge Werte Holen]" in rendered.text


def test_a_misspelt_field_of_a_view_is_still_an_error() -> None:
    with pytest.raises(TemplateError, match="extras"):
        render(manifest((ESSAY,), lead_txt="{{ lead.extras.series }}"))


def test_each_further_essay_has_its_own_fields() -> None:
    more = '{% for essay in teasers %}[{% include "partials/series.txt" %}]{% endfor %}'
    other = replace(TEASERS[0], extra={"series": "Andere"})
    given = manifest((ESSAY, other, TEASERS[1]), teasers_txt=more)
    templates = {**given.templates, "partials/series.txt": "{{ essay.extra.series }}"}
    text = render(replace(given, templates=templates)).text
    assert "[Andere]" in text
    assert "[]" in text


def test_the_pages_of_the_archive_show_the_fields() -> None:
    shown = "<p>[{{ %s.extra.series }}]</p>"
    changed = {
        "archive/essay.html": shown % "essay",
        "archive/issue.html": shown % "lead",
        "archive/entry.html": "{% for essay in essays %}" + shown % "essay" + "{% endfor %}",
    }
    templates = {**TEMPLATES}
    for name, more in changed.items():
        templates[name] = (
            templates[name].replace("{% endblock %}", more + "{% endblock %}")
            if "{% endblock %}" in templates[name]
            else templates[name] + more
        )
    at = datetime(2026, 11, 26, 6, 30, tzinfo=UTC)
    sent = SentIssue(sample_manifest.manifest(essays=(ESSAY,)), at, at)
    site = build_archive(
        [sent], SiteConfig(sample_manifest.PUBLICATION, templates, "tag:x.example,2026:feed")
    )
    pages = [
        unescape(unescape(data.decode()))
        for path, data in site.files.items()
        if path.endswith((".html", ".xml"))
    ]
    assert sum("[Umbau „in Serie“, z.\u00a0B. hier]" in page for page in pages) == 3


def test_the_fields_are_part_of_the_revision() -> None:
    plain, _ = encode(sample_manifest.manifest(essays=(LEAD,)))
    text, _ = encode(sample_manifest.manifest(essays=(ESSAY,)))
    assert revision_id_of(plain) != revision_id_of(text)
    assert decode(text, {}).issue.essays[0].extra == EXTRA
    turned = replace(LEAD, extra=dict(reversed(EXTRA.items())))
    assert encode(sample_manifest.manifest(essays=(turned,)))[0] == text


NAMES = names_of_extra(
    [ESSAY, replace(LEAD, extra={"dates": [{"day": "1. Mai"}, {"town": "Ulm"}]})]
)


KNOWN = """\
{{ lead.extra.series }}
{{ essay.extra.part }}
{{ lead.extra.link.url }}
{% for essay in teasers %}{{ essay.extra.series }}{% endfor %}
{% for date in lead.extra.dates %}{{ date.day }} {{ date.town }}{% endfor %}
{% macro series(work) %}{{ work.extra.series }}{% endmacro %}
{{ lead.topics | join(', ') }}
"""


def test_names_that_an_essay_has_are_known() -> None:
    lead = "partials/lead.mjml"
    assert check_templates({**TEMPLATES, lead: TEMPLATES[lead] + KNOWN}, NAMES) == ()


UNKNOWN = (
    ("{{ lead.extra.serie }}", "serie"),
    ("{% if false %}{{ essay.extra.serie }}{% endif %}", "serie"),
    ("{% for essay in teasers %}{{ essay.extra.serie }}{% endfor %}", "serie"),
    ("{{ lead.extra.link.ulr }}", "ulr"),
    ("{% for date in lead.extra.dates %}{{ date.tag }}{% endfor %}", "tag"),
    ("{% macro series(work) %}{{ work.extra.serie }}{% endmacro %}", "serie"),
)


def test_each_name_that_no_essay_has_is_reported_at_its_line() -> None:
    templates, expected = dict(TEMPLATES), {}
    for template in ("partials/lead.mjml", "partials/lead.txt", "archive/macros.html"):
        templates[template] = TEMPLATES[template].rstrip("\n") + "\n"
        for expression, name in UNKNOWN:
            if template.startswith("archive") and "macro" not in expression:
                continue
            templates[template] += f"{expression}\n"
            line = templates[template].count("\n")
            expected[f"templates/{template}:{line}"] = name
    findings = {finding.where: finding for finding in check_templates(templates, NAMES)}
    assert findings.keys() == expected.keys()
    for where, finding in findings.items():
        assert (finding.level, finding.code) == ("error", "variable-unknown")
        assert f"'{expected[where]}'" in str(finding.text)


def test_a_near_miss_names_the_field_that_is_meant() -> None:
    lead = "partials/lead.mjml"
    templates = {**TEMPLATES, lead: TEMPLATES[lead] + "{{ lead.extra.serie }}"}
    (finding,) = check_templates(templates, NAMES)
    assert "meinen Sie „series“" in finding.in_language("de")
    assert extra_names_shown(templates) == {"serie"}


def test_a_name_in_two_loops_may_be_either_and_is_checked_for_both() -> None:
    loops = "{% for x in related %}{{ x.excerpt }}{% endfor %}{% for x in teasers %}{{ x.NAME }}{% endfor %}"
    lead = "partials/lead.mjml"
    good, bad = (TEMPLATES[lead] + loops.replace("NAME", name) for name in ("minutes", "minuten"))
    assert check_templates({**TEMPLATES, lead: good}) == ()
    (finding,) = check_templates({**TEMPLATES, lead: bad})
    assert finding.code == "variable-unknown"
