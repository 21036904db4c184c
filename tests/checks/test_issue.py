"""Checks of a rendered issue: for every code, an issue that has this finding and no other."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from upcycle_news.checks.essay import ESSAY_CHECKS, check_essay
from upcycle_news.checks.issue import ISSUE_CHECKS, preflight
from upcycle_news.models import (
    Finding,
    Issue,
    Placeholder,
    Publication,
    RenderedIssue,
)
from upcycle_news.rendering.mail_size import encoded_size
from upcycle_news.rendering.render import render
from upcycle_news.services.checks.run import PUBLICATION_CHECKS

from ..rendering import sample_manifest
from ..rendering.sample_manifest import ISSUE, LEAD, PUBLICATION

GOOD = render(sample_manifest.with_picture())
OWN = replace(ISSUE, essays=sample_manifest.with_picture().issue.essays)

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
    ("error", "unsubscribe-missing", "issue.html",
     html(f'href="{UNSUBSCRIBE}"', f'href="{PUBLICATION.public_url}/archive/"')),
    ("warning", "size-large", "issue.html", more("x" * 48_000)),
    ("error", "size-too-large", "issue.html", more("x" * 80_000)),
    ("error", "leftover", "issue.html", more("{{ lead.title }}")),
    ("error", "leftover", "issue.txt", of(text=GOOD.text + "{% if %}")),
    ("error", "leftover", "issue.html", more("<mj-text>")),
    ("error", "leftover", "issue.html", more("\\u{a0}")),
    ("error", "leftover", "content/essays/lange-strasse.md:10", body("a\n`{{ x }}`")),
    ("error", "html", "content/essays/lange-strasse.md:11", body('a\n\n<p class="MsoNormal">b</p>')),
    ("error", "html", "content/essays/lange-strasse.md:10", body("a\nb<br>c")),
    ("error", "private-note", "content/essays/lange-strasse.md:9", body("<!-- Notiz -->")),
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
     more('<img alt="x" width="1" src="https://zaehler.example/pixel.gif">')),
    ("error", "external-load", "issue.html",
     more('<p style="background: url(//fremd.example/x.png)">')),
    ("error", "external-load", "issue.html",
     more("<style>@import 'https://fonts.example/x.css';</style>")),
    ("error", "external-load", "issue.html", more('<td background="https://fremd.example/x">')),
    ("error", "external-load", "issue.html", more('<img alt="x" width="1" src="data:image/png;base64,AA">')),
    ("error", "image-width-missing", "issue.html", html(' width="60"', "")),
    ("warning", "link-insecure", "issue.html",
     of(html=GOOD.html.replace("https://beispiel.example/b", "http://beispiel.example/b"),
        text=GOOD.text.replace("https://beispiel.example/b", "http://beispiel.example/b"))),
    ("warning", "link-insecure", "content/essays/lange-strasse.md:10",
     body("Siehe\n[die Liste der Orte](http://beispiel.example/orte)")),
    ("error", "link-empty", "issue.html", html(">Themen ändern</a>", "></a>")),
    ("error", "link-empty", "issue.html", more('<a href="">Nirgends</a>')),
    ("error", "link-empty", "content/essays/lange-strasse.md:9", body("[](https://a.example)")),
    ("error", "anchor-dead", "issue.html", more('<a href="#ende">Zum Ende</a>')),
    ("error", "anchor-dead", "content/essays/lange-strasse.md:9", body("[Zum Ende](#ende)")),
    ("warning", "link-text-vague", "issue.html", html(">Themen ändern</a>", ">Hier</a>")),
    ("warning", "link-text-vague", "content/essays/lange-strasse.md:11",
     body("a\n\nWer will, klickt [**hier**](https://a.example).")),
    ("warning", "heading-order", "issue.html", more("<h6>Zu tief</h6>")),
    ("warning", "heading-order", "content/essays/lange-strasse.md:11", body("## Eins\n\n#### Drei")),
    ("error", "image-alt-missing", "content/essays/lange-strasse.md:9", body("![](giebel.png)")),
    ("warning", "typography-quotes", "content/essays/lange-strasse.md:11",
     body("„Zu.“\n\n„Offen, sagt er.")),
    ("warning", "typography-quotes", "content/essays/lange-strasse.md:9", body("Zu“, sagt er.")),
    ("warning", "typography-spaces", "content/essays/lange-strasse.md:10", body("Ein\nHaus,  alt.")),
    ("warning", "typography-dash", "content/essays/lange-strasse.md:9", body("Ein Haus - alt.")),
    ("error", "text-link-missing", "issue.txt", more('<a href="https://neu.example/">x</a>')),
]  # fmt: skip


def location(finding: Finding) -> str:
    """Return where it was found, without line numbers of rendered parts."""
    return re.sub(r"^(issue\.\w+):\d+$", r"\1", finding.where)


def test_a_picture_that_a_template_marks_as_decoration_needs_no_words() -> None:
    rendered, issue, publication = more(
        f'<img alt="" role="presentation" width="9" src="cid:{CID}">'
    )()
    assert preflight(rendered, issue, publication) == ()


def test_a_good_issue_has_no_findings() -> None:
    assert preflight(GOOD, OWN, PUBLICATION) == ()


@pytest.mark.parametrize(
    ("level", "code", "where", "case"), CASES, ids=[f"{c[1]}-{c[2]}" for c in CASES]
)
def test_every_code_is_reported_at_its_location_and_alone(
    level: str, code: str, where: str, case: Case
) -> None:
    findings = preflight(*case())
    assert [(f.level, f.code, location(f)) for f in findings] == [(level, code, where)]
    assert all(len(findings[0].in_language(language)) > 14 for language in ("de", "en"))


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://www.neu.example/weg", "www.neu.example/weg"),
        ("https://neu.example/%C3%A4-%C3%B6", "https://neu.example/ä-ö"),
        ("https://xn--mnchen-3ya.example/", "https://münchen.example/"),
    ],
)
def test_an_address_in_the_text_part_may_stand_as_it_was_typed(url: str, written: str) -> None:
    page = GOOD.html.replace("</body>", f'<a href="{url}">{written}</a></body>')
    shown = replace(GOOD, html=page, text=f"{GOOD.text}\n{written}\n")
    assert preflight(shown, OWN, PUBLICATION) == ()
    assert [f.code for f in preflight(replace(shown, text=GOOD.text), OWN, PUBLICATION)] == [
        "text-link-missing"
    ]


def test_a_text_part_without_unsubscribe_link_is_refused() -> None:
    text = GOOD.text.replace(UNSUBSCRIBE, "")
    codes = [f.code for f in preflight(replace(GOOD, text=text), OWN, PUBLICATION)]
    assert codes == ["unsubscribe-missing", "text-link-missing"]


def test_images_below_the_public_url_may_be_loaded() -> None:
    own, issue, publication = more(
        f'<img alt="x" width="9" src="{PUBLICATION.public_url}/i/x.png">'
    )()
    assert preflight(own, issue, publication) == ()


def test_images_of_an_allowed_host_may_be_loaded() -> None:
    own, issue, publication = more('<img alt="x" width="9" src="https://cdn.example/x.png">')()
    assert preflight(own, issue, replace(publication, hosts=("cdn.example",))) == ()


@pytest.mark.parametrize(
    "text",
    [
        "Sie sagt: „Er rief ‚Halt!‘ – und blieb.“ Die „Werkstatt“ schließt.",
        "Rechne 3 - 2, und nimm die Liste:\n\n- eins\n- zwei",
        'Zeile mit Umbruch  \nund Code `a  -  b` und "gerade Zeichen".',
        "| a   | b |\n|---|---|\n| 1   | 2 |",
        "[die Übersicht](https://a.example) und <https://b.example/x>",
    ],
)
def test_correct_german_typography_has_no_findings(text: str) -> None:
    assert preflight(*body(text)()) == ()


def test_a_missing_image_is_reported_with_its_line() -> None:
    essay = replace(LEAD, body="Text\n\n![Ein Haus](haus.png)")
    (finding,) = check_essay(essay, {"giebel.png"})
    assert (finding.code, finding.where) == ("image-missing", "content/essays/lange-strasse.md:11")


def test_an_english_essay_may_use_english_quotation_marks() -> None:
    essay = replace(LEAD, language="en", title="A “title”", summary="", body="“Stay” - he said.")
    assert list(check_essay(essay)) == []


def test_every_check_is_registered_once() -> None:
    for checks in (ISSUE_CHECKS, ESSAY_CHECKS, PUBLICATION_CHECKS):
        names = [check.__name__ for check in checks]
        assert len(names) == len(set(names)) > 5


def test_the_size_is_that_of_the_encoded_part() -> None:
    assert encoded_size("ä" * 10) == 60
