"""Checks of templates without rendering: misspelt variables are found in every branch."""

from __future__ import annotations

import pytest

from upcycle_news.checks.templates import check_templates

from ..rendering.sample_manifest import TEMPLATES

LEAD = "partials/lead.mjml"
LAST = TEMPLATES[LEAD].count("\n") + 1


def test_the_shipped_templates_have_no_findings() -> None:
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
def test_a_mistake_in_a_template_is_reported_with_its_line(code: str, more: str) -> None:
    findings = check_templates({**TEMPLATES, LEAD: TEMPLATES[LEAD] + more})
    assert [finding.code for finding in findings] == [code]
    assert findings[0].where in (f"templates/{LEAD}:{LAST}", f"templates/{LEAD}:1")


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
def test_a_mistake_in_an_archive_template_is_reported_too(name: str, more: str, code: str) -> None:
    name = f"archive/{name}"
    findings = check_templates({**TEMPLATES, name: TEMPLATES[name] + more})
    assert {finding.code for finding in findings} == {code}
    assert all(finding.where.startswith(f"templates/{name}:") for finding in findings)


def test_a_missing_archive_template_is_reported() -> None:
    templates = {name: text for name, text in TEMPLATES.items() if name != "archive/gone.html"}
    (finding,) = check_templates(templates)
    assert (finding.code, finding.where) == ("template", "templates/archive/gone.html")


@pytest.mark.parametrize("name", ["confirm.txt", "list_confirm.mjml", "address_changed.mjml"])
def test_a_missing_mail_to_a_reader_is_told_and_stops_nothing(name: str) -> None:
    templates = {path: text for path, text in TEMPLATES.items() if path != name}
    (finding,) = check_templates(templates)
    assert (finding.level, finding.code, finding.where) == (
        "warning",
        "template",
        f"templates/{name}",
    )
    assert f"cp var/neu/templates/{name} templates/" in finding.text.in_language("de")


def test_a_missing_string_is_reported_for_each_language() -> None:
    findings = check_templates({**TEMPLATES, LEAD: TEMPLATES[LEAD] + '{{ t("moin") }}'})
    assert [finding.code for finding in findings] == ["words-missing"] * 2
    assert "texts.de.toml" in str(findings[0].text)
    assert "texts.en.toml" in str(findings[1].text)


def test_a_string_with_a_missing_value_is_reported() -> None:
    findings = check_templates({**TEMPLATES, LEAD: TEMPLATES[LEAD] + '{{ t("by") }}'})
    assert {finding.code for finding in findings} == {"words-missing"}
    assert "{author}" in str(findings[0].text)


def test_variables_of_an_including_template_may_be_used() -> None:
    more = '{% for item in related %}{% include "partials/item.mjml" %}{% endfor %}'
    templates = {**TEMPLATES, LEAD: TEMPLATES[LEAD] + more, "partials/item.mjml": "{{ item.url }}"}
    assert check_templates(templates) == ()


def test_a_theme_that_is_not_toml_is_reported_with_its_line() -> None:
    (finding,) = check_templates({**TEMPLATES, "theme.toml": "[light]\npage = #fff\n"})
    assert (finding.code, finding.where) == ("template", "templates/theme.toml:2")


SECTIONS = 'sections = ["contents", "lead", "author", "teasers", "related", "question", "closing"]'


def with_sections(*names: str) -> dict[str, str]:
    """The shipped templates with these sections in the theme's list."""
    assert SECTIONS in TEMPLATES["theme.toml"]
    listed = ", ".join(f'"{name}"' for name in names)
    return {
        **TEMPLATES,
        "theme.toml": TEMPLATES["theme.toml"].replace(SECTIONS, f"sections = [{listed}]"),
    }


def test_a_section_without_its_partials_is_reported_for_both_parts() -> None:
    findings = check_templates(with_sections("lead", "dates"))
    assert [(finding.code, finding.where.partition(":")[0]) for finding in findings] == [
        ("template", "templates/newsletter.txt"),
        ("template", "templates/newsletter.mjml"),
    ]
    assert "partials/dates.mjml" in str(findings[1].text)


def test_the_partials_of_a_section_are_checked() -> None:
    templates = with_sections("lead", "dates") | {
        "partials/dates.mjml": "{{ lead.titel }}",
        "partials/dates.txt": "{{ lead.title }}",
    }
    (finding,) = check_templates(templates)
    assert (finding.code, finding.where) == ("variable-unknown", "templates/partials/dates.mjml:1")


def test_a_theme_without_the_list_of_sections_is_reported() -> None:
    theme = TEMPLATES["theme.toml"].partition("[mail]")[0]
    findings = check_templates({**TEMPLATES, "theme.toml": theme})
    assert {finding.code for finding in findings} == {"variable-unknown"}
    assert all("sections" in str(finding.text) for finding in findings)


def test_each_of_several_templates_to_choose_from_is_checked() -> None:
    more = "{% include ['partials/one.mjml', 'partials/two.mjml'] %}"
    templates = {**TEMPLATES, LEAD: TEMPLATES[LEAD] + more, "partials/one.mjml": "{{ leed }}"}
    assert [finding.code for finding in check_templates(templates)] == [
        "template", "variable-unknown",
    ]  # fmt: skip
