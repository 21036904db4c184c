"""A fenced block that is wrong is told at its line; one that is right is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from upcycle_news.checks.essay import check_further_essay

from ...rendering.sample_manifest import LEAD
from .bodies import Found, findings_of, sentences_of

EVENT = "::: termin Fest\n{date}\nort: Markt\n{link}\n:::"
LINK = "link: https://example.org/fest"
DATE = "datum: 6.3.2027, 18–20 Uhr"


@pytest.mark.parametrize(
    "body",
    [
        "::: kasten Gut zu wissen\nText\n:::",
        ":::box\nText\n:::",
        EVENT.format(date=DATE, link=LINK),
        EVENT.format(date=DATE, link="link: -"),
        EVENT.format(date="datum: 6.3.2027 bis 8.3.2027", link="link: mailto:fest@example.org"),
        "::: event Party\ndate: 2027-03-06, 6 pm\nplace: Market\nlink: none\n:::",
        "::: knopf\n[Zur Anmeldung](https://example.org/a)\n:::",
        "::: zitat\nvon: Erika Beispiel\n\nLeer steht hier nichts.\n:::",
        "::: kasten A\nText\n\n::: knopf Zur Anmeldung\nlink: https://example.org/a\n:::\n:::",
        "`::: kasten`",
        "```\n::: kasten\n```",
        r"\::: kasten",
    ],
)
def test_a_block_that_is_right_has_no_finding(body: str) -> None:
    assert findings_of(body) == []


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("::: kasten\nText", [(1, "error", "block-open")]),
        ("Davor.\n\n> ::: Termin Fest\n> Text", [(3, "error", "block-open")]),
        ("::: kasten\n::: knopf\n[Zur Anmeldung](https://example.org/a)\n:::", [(1, "error", "block-open")]),
        ("::: kastn\nText\n:::", [(1, "error", "block-unknown")]),
        ("::: kastn\nText", [(1, "error", "block-unknown")]),
        (":::note\nText\n:::", [(1, "error", "block-unknown")]),
        ("Text\n\n:::", [(3, "warning", "container")]),
        ("::: kasten Leer\n:::", [(1, "error", "block-empty")]),
        ("::: zitat\nvon: Erika Beispiel\n:::", [(1, "error", "block-empty")]),
        (EVENT.format(date="", link=LINK), [(1, "error", "event-date")]),
        (EVENT.format(date="datum: bald", link=LINK), [(2, "error", "event-date")]),
        (EVENT.format(date="datum: 6.3.27", link=LINK), [(2, "error", "event-date")]),
        (EVENT.format(date="datum: 30.2.2027", link=LINK), [(2, "error", "event-date")]),
        (EVENT.format(date="datum: Montag, 6.3.2027", link=LINK), [(2, "error", "event-date")]),
        (EVENT.format(date="datum: 6.3.2016", link=LINK), [(2, "warning", "event-past")]),
        ("::: termin Fest\ndatum: 6.3.2027\n:::", [(1, "warning", "event-link")]),
        (EVENT.format(date=DATE, link="link: fest.html"), [(4, "error", "block-address")]),
        (EVENT.format(date=DATE, link="link: http://example.org/"), [(4, "warning", "link-insecure")]),
        ("::: event A\ndate: 2027-03-06\nwhen: 2027-03-07\nlink: -\n:::", [(3, "error", "block-field")]),
        ("::: knopf\nNur Worte\n:::", [(1, "error", "button-link")]),
        ("::: knopf Zur Anmeldung\n:::", [(1, "error", "button-link")]),
        ("::: knopf Mehr\nlink: https://example.org/a\n:::", [(1, "warning", "link-text-vague")]),
        ("::: knopf\n[Mehr](https://example.org/a)\n:::", [(2, "warning", "link-text-vague")]),
        ("::: knopf Zur Anmeldung\nlink: anmelden.html\n:::", [(1, "error", "block-address")]),
        ("::: knopf\n[Zur Anmeldung](anmelden.html)\n:::",
         [(1, "error", "block-address"), (2, "error", "link-relative")]),
    ],
)  # fmt: skip
def test_a_block_that_is_wrong_is_told_at_its_line(body: str, found: Found) -> None:
    assert findings_of(body) == found


def test_the_sentence_says_what_to_write_in_the_language_of_the_publication() -> None:
    body = EVENT.format(date="datum: 6.3.27", link=LINK)
    assert "Ist 2027-03-06 gemeint" in sentences_of(body)[0]
    assert "if 2027-03-06 is meant" in sentences_of(body, "en")[0]
    assert "meinen Sie „kasten“?" in sentences_of("::: kastn\nText\n:::")[0]


def test_an_essay_that_does_not_lead_is_not_sent_with_a_wrong_block_either() -> None:
    essay = replace(LEAD, body="::: termin Fest\nlink: -\n:::", body_line=1)
    assert [finding.code for finding in check_further_essay(essay)] == ["event-date"]
