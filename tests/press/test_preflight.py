"""Every code has an issue that triggers it, and only it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from upcycle_news.model import Issue, Placeholder, Publication, RenderedIssue
from upcycle_news.press.preflight import CHECKS, encoded_size, preflight
from upcycle_news.press.render import render

from . import samples
from .samples import ISSUE, LEAD, PUBLICATION

GOOD = render(samples.with_picture())
OWN = replace(ISSUE, essays=samples.with_picture().issue.essays)

Case = Callable[[], tuple[RenderedIssue, Issue, Publication]]


def html(before: str, after: str) -> Case:
    assert before in GOOD.html
    return lambda: (replace(GOOD, html=GOOD.html.replace(before, after)), OWN, PUBLICATION)


def more(markup: str) -> Case:
    return html("</body>", f"{markup}</body>")


def body(markdown: str) -> Case:
    essays = (replace(LEAD, body=markdown),)
    return lambda: (GOOD, replace(OWN, essays=essays), PUBLICATION)


def of(**changes: object) -> Case:
    return lambda: (replace(GOOD, **changes), OWN, PUBLICATION)  # type: ignore[arg-type]


IMPRINT = "redaktion@upcycle.example"
UNSUBSCRIBE = Placeholder.UNSUBSCRIBE.value
CID = GOOD.images[0].cid

CASES: list[tuple[str, str, str, Case]] = [
    ("error", "subject-missing", "subject", of(subject=" ")),
    ("warning", "subject-long", "subject", of(subject="x" * 71)),
    ("warning", "preheader-missing", "issue.html",
     lambda: (GOOD, replace(OWN, preheader=""), PUBLICATION)),
    ("error", "imprint-missing", "newsletter.toml",
     lambda: (GOOD, OWN, replace(PUBLICATION, imprint=(" ",)))),
    ("error", "imprint-missing", "issue.html", html(IMPRINT, "x")),
    ("error", "imprint-missing", "issue.txt", of(text=GOOD.text.replace(IMPRINT, "x"))),
    ("error", "unsubscribe-missing", "issue.html", html(f'href="{UNSUBSCRIBE}"', 'class="x"')),
    ("warning", "size-large", "issue.html", more("x" * 48_000)),
    ("error", "size-too-large", "issue.html", more("x" * 80_000)),
    ("error", "leftover", "issue.html", more("{{ lead.title }}")),
    ("error", "leftover", "issue.txt", of(text=GOOD.text + "{% if %}")),
    ("error", "leftover", "issue.html", more("<mj-text>")),
    ("error", "leftover", "issue.html", more("\\u{a0}")),
    ("error", "control-character", "issue.html", more("\x92")),
    ("error", "control-character", "issue.txt", of(text=GOOD.text + "\x0c")),
    ("error", "control-character", "subject", of(subject="a\rb")),
    ("error", "image-alt-missing", "issue.html", html(' alt="Giebel in der Langen Straße"', "")),
    ("warning", "image-alt-empty", "issue.html", html('alt="Giebel in der Langen Straße"', 'alt=""')),
    ("error", "image-missing", "issue.html", html(f"cid:{CID}", "cid:other@images")),
    ("error", "link-relative", "issue.html", more('<a href="/archiv">issue.txt /archiv</a>')),
    ("error", "link-relative", "content/essays/lange-strasse.md:11", body("a\n\n[b](/c)")),
    ("error", "image-foreign", "content/essays/lange-strasse.md:9",
     body("![b](https://fremd.example/c.png)")),
    ("error", "external-load", "issue.html",
     more('<img alt="x" src="https://zaehler.example/pixel.gif">')),
    ("error", "external-load", "issue.html",
     more('<p style="background: url(//fremd.example/x.png)">')),
    ("error", "external-load", "issue.html",
     more("<style>@import 'https://fonts.example/x.css';</style>")),
    ("error", "external-load", "issue.html", more('<td background="https://fremd.example/x">')),
    ("error", "external-load", "issue.html", more('<img alt="x" src="data:image/png;base64,AA">')),
    ("error", "text-link-missing", "issue.txt", more('<a href="https://neu.example/">x</a>')),
]  # fmt: skip


def test_a_good_issue_has_no_findings() -> None:
    assert preflight(GOOD, OWN, PUBLICATION) == ()


@pytest.mark.parametrize(
    ("level", "code", "where", "case"), CASES, ids=[f"{c[1]}-{c[2]}" for c in CASES]
)
def test_every_code_is_found_where_it_stands_and_alone(
    level: str, code: str, where: str, case: Case
) -> None:
    findings = preflight(*case())
    # A link that leads nowhere is, by that, also missing from the text.
    findings = tuple(f for f in findings if code != "link-relative" or f.code == code)
    assert [(f.level, f.code, f.where) for f in findings] == [(level, code, where)]
    assert len(findings[0].message) > 20


def test_a_text_part_without_a_way_out_is_refused() -> None:
    text = GOOD.text.replace(UNSUBSCRIBE, "")
    codes = [f.code for f in preflight(replace(GOOD, text=text), OWN, PUBLICATION)]
    assert codes == ["unsubscribe-missing", "text-link-missing"]


def test_pictures_under_our_own_address_may_be_loaded() -> None:
    own, issue, publication = more(f'<img alt="x" src="{PUBLICATION.public_url}/i/x.png">')()
    assert preflight(own, issue, publication) == ()


def test_every_check_is_registered_once() -> None:
    assert len(CHECKS) == len(set(CHECKS)) == 12


def test_the_size_is_that_of_the_encoded_part() -> None:
    assert encoded_size("ä" * 10) == 60
