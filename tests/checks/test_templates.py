"""Templates are read before they are filled in: misspelt names show in every branch."""

from __future__ import annotations

import pytest

from upcycle_news.checks.templates import check_templates

from ..rendering.sample_manifest import TEMPLATES

LEAD = "partials/lead.mjml"
LAST = TEMPLATES[LEAD].count("\n") + 1


def test_our_own_templates_are_in_order() -> None:
    assert check_templates(TEMPLATES) == ()


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("variable-unknown", "{{ leed.title }}"),
        ("variable-unknown", "{% if false %}{{ lead.titel }}{% endif %}"),
        ("variable-unknown", "{{ theme.light.grund }}"),
        ("variable-unknown", "{% for x in related %}{% for y in x.also %}{{ y.link }}{% endfor %}{% endfor %}"),
        ("variable-unknown", "{{ lead.image.breite }}"),
        ("template", "{% if lead %}"),
        ("template", '{% include "partials/fehlt.mjml" %}'),
        ("template", "{{ lead.title"),
    ],
)  # fmt: skip
def test_a_slip_in_a_template_is_named_with_its_line(code: str, more: str) -> None:
    found = check_templates({**TEMPLATES, LEAD: TEMPLATES[LEAD] + more})
    assert [one.code for one in found] == [code]
    assert found[0].where in (f"templates/{LEAD}:{LAST}", f"templates/{LEAD}:1")


@pytest.mark.parametrize(
    ("name", "more", "code"),
    [
        ("issue.html", "{% if lead %}{{ lead.titel }}{% endif %}", "variable-unknown"),
        ("layout.html", "{{ site.abo }}", "variable-unknown"),
        ("archive.html", "{% for year in years %}{{ year.name }}{% endfor %}", "variable-unknown"),
        ("entry.html", "{{ page.title }}", "variable-unknown"),
        ("home.html", '{% import "archive/fehlt.html" as more %}', "template"),
        ("macros.html", '{{ t("issue_of") }}', "words-missing"),
    ],
)
def test_a_slip_in_the_archive_is_named_too(name: str, more: str, code: str) -> None:
    name = f"archive/{name}"
    found = check_templates({**TEMPLATES, name: TEMPLATES[name] + more})
    assert {one.code for one in found} == {code}
    assert all(one.where.startswith(f"templates/{name}:") for one in found)


def test_a_page_of_the_archive_that_is_missing_is_named() -> None:
    templates = {name: text for name, text in TEMPLATES.items() if name != "archive/gone.html"}
    (found,) = check_templates(templates)
    assert (found.code, found.where) == ("template", "templates/archive/gone.html")


def test_words_that_nobody_wrote_are_named_for_each_language() -> None:
    found = check_templates({**TEMPLATES, LEAD: TEMPLATES[LEAD] + '{{ t("moin") }}'})
    assert [one.code for one in found] == ["words-missing"] * 2
    assert "texts.de.toml" in str(found[0].text)
    assert "texts.en.toml" in str(found[1].text)


def test_words_that_want_more_than_they_get_are_named() -> None:
    found = check_templates({**TEMPLATES, LEAD: TEMPLATES[LEAD] + '{{ t("by") }}'})
    assert {one.code for one in found} == {"words-missing"}
    assert "{author}" in str(found[0].text)


def test_what_an_including_template_sets_may_be_used() -> None:
    more = '{% for item in related %}{% include "partials/item.mjml" %}{% endfor %}'
    templates = {**TEMPLATES, LEAD: TEMPLATES[LEAD] + more, "partials/item.mjml": "{{ item.url }}"}
    assert check_templates(templates) == ()


def test_a_theme_that_is_no_toml_is_named_with_its_line() -> None:
    (found,) = check_templates({**TEMPLATES, "theme.toml": "[light]\npage = #fff\n"})
    assert (found.code, found.where) == ("template", "templates/theme.toml:2")
