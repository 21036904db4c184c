"""The variants of an issue: the bytes that each would have alone, in few conversions of MJML."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from itertools import combinations

import pytest

from upcycle_news.models import Choice, Manifest, Related, RenderedIssue, Story
from upcycle_news.models.variants import issue_of, variants_for
from upcycle_news.rendering import render as rendering
from upcycle_news.rendering.render import render
from upcycle_news.rendering.variants import render_variants

from .sample_manifest import TEMPLATES, item, manifest

TOPICS = tuple(f"Thema {number}" for number in range(8))
SETS = [some for size in range(9) for some in combinations(TOPICS, size)]


def with_topics(
    *, sets: list[tuple[str, ...]] = SETS, items: int = 8, **templates: str
) -> Manifest:
    """Return the sample issue with an item for each topic, and variants for these sets of topics."""
    related = tuple(
        Related(
            Story(
                (
                    item(number, feed=f"Blatt {number}", topics=(TOPICS[number],)),
                    *(item(90 + n, feed=f"Bote {n}") for n in range(number % 3)),
                )
            ),
            1.0,
        )
        for number in range(items)
    )
    base = manifest()
    issue = replace(base.issue, related=related)
    return replace(
        base,
        issue=issue,
        templates={**TEMPLATES, **templates},
        variants=variants_for(issue, dict.fromkeys((Choice("de", one) for one in sets), 1),
                              TOPICS, limit=256),
    )  # fmt: skip


def alone(whole: Manifest, number: int) -> RenderedIssue:
    return render(whole.of(issue_of(whole.issue, whole.variants, number)))


class Conversions:
    """Counts how often MJML becomes HTML."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, convert = 0, rendering.render_mjml

        def counted(*arguments: object, **named: object) -> str:
            self.count += 1
            return convert(*arguments, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(rendering, "render_mjml", counted)


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> Conversions:
    return Conversions(monkeypatch)


def test_every_variant_has_the_bytes_that_it_has_when_it_is_rendered_alone() -> None:
    whole = with_topics()
    rendered = render_variants(whole)
    assert len(rendered) == 255
    assert rendered[0] == render(replace(whole, variants=type(whole.variants)()))
    for number in range(0, 255, 8):
        assert rendered[number] == alone(whole, number), whole.variants.all[number].key


def test_hundreds_of_variants_need_two_conversions_for_each_item(conversions: Conversions) -> None:
    render_variants(with_topics())
    assert conversions.count <= 2 * 8 + 2


def test_few_variants_are_converted_one_by_one(conversions: Conversions) -> None:
    rendered = render_variants(with_topics(sets=[("Thema 1",), ("Thema 2", "Thema 3")]))
    assert len(rendered) == conversions.count == 3


def test_an_issue_without_variants_is_rendered_once(conversions: Conversions) -> None:
    assert render_variants(manifest()) == (render(manifest()),)
    assert conversions.count == 2


NUMBERED = TEMPLATES["partials/related.mjml"].replace(
    "{{ story.title }}", "{{ loop.index }} von {{ related | length }}: {{ story.title }}"
)
STRIPED = TEMPLATES["partials/pieces.css"] + "\ndiv.story:nth-child(even) { color: #123456; }\n"
IN_A_COLUMN_EACH = """\
<mj-section css-class="tint" background-color="{{ theme.light.tint }}">
  {% for story in related %}
  <mj-column><mj-text css-class="related"><h3>{{ story.title }}</h3></mj-text></mj-column>
  {% endfor %}
</mj-section>
"""
COUNTED_ELSEWHERE = TEMPLATES["partials/masthead.mjml"] + (
    "\n{# how many #}<mj-section><mj-column><mj-text>{{ related | length }} Meldungen</mj-text>"
    "</mj-column></mj-section>\n"
)


@pytest.mark.parametrize(
    "templates",
    [
        {"partials/related.mjml": NUMBERED},
        {"partials/pieces.css": STRIPED},
        {"partials/related.mjml": IN_A_COLUMN_EACH},
        {"partials/masthead.mjml": COUNTED_ELSEWHERE},
    ],
    ids=["numbered", "striped", "columns", "counted"],
)
def test_a_design_that_does_more_with_items_is_rendered_truly_all_the_same(
    templates: dict[str, str],
) -> None:
    sets = [some for some in SETS if len(some) in (1, 2, 6)]
    whole = with_topics(sets=sets, **templates)
    rendered = render_variants(whole)
    for number in range(0, len(rendered), 5):
        assert rendered[number] == alone(whole, number), whole.variants.all[number].key


def test_where_no_item_fits_their_heading_goes_from_both_parts() -> None:
    whole = with_topics(sets=[("Thema 7",)], items=3)
    everything, nothing = render_variants(whole)
    heading = tomllib.loads(TEMPLATES["texts.de.toml"])["related"]
    assert heading in everything.html
    assert heading in everything.text
    assert heading not in nothing.html + nothing.text
    assert nothing == alone(whole, 1)


def test_all_variants_show_as_much_of_the_essay_as_the_mail_with_all_items() -> None:
    whole = with_topics(sets=[("Thema 1",)])
    long = replace(whole.issue.essays[0], body=whole.issue.essays[0].body * 14)
    issue = replace(whole.issue, essays=(long, *whole.issue.essays[1:]))
    everything, few = render_variants(replace(whole, issue=issue))
    end = "Der Text erscheint in einer Reihe"
    assert (end in everything.text) == (end in few.text)
