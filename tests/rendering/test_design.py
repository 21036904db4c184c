"""Logo, header picture, kicker, author, contents and footer: nothing unless it is set, then in both parts."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from upcycle_news.checks.issue import preflight
from upcycle_news.models import Author, Channel, ImageRef, Manifest, RenderedIssue
from upcycle_news.rendering.preview_page import standalone_html
from upcycle_news.rendering.render import render
from upcycle_news.rendering.theme import THEME, merged_themes, read_theme, theme_toml

from . import sample_manifest
from .page_screenshots import axe, measure

PICTURES = {
    name: sample_manifest.png(width, width // 3, shade)
    for shade, (name, width) in enumerate(
        (
            ("logo.png", 360),
            ("logo-dark.png", 360),
            ("kopf.png", 900),
            ("erika.png", 144),
            ("bank.png", 300),
        )
    )
}


def manifest(theme: dict[str, Any] | None = None, **publication: Any) -> Manifest:
    given = sample_manifest.with_picture()
    themed = merged_themes(read_theme(given.templates), theme or {})
    lead, *teasers = given.issue.essays
    lead = replace(lead, author="Erika Beispiel")
    teasers[0] = replace(teasers[0], image=ImageRef("bank.png", "Eine Werkbank"))
    return replace(
        given,
        issue=replace(given.issue, essays=(lead, *teasers)),
        publication=replace(given.publication, **publication),
        templates={**given.templates, THEME: theme_toml(themed)},
        images={**given.images, **PICTURES},
    )


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html.partition("<body")[2])).split())


def in_both(mail: RenderedIssue, *texts: str) -> bool:
    plain = " ".join(mail.text.split())
    return all(text in words(mail.html) and text in plain for text in texts)


def test_nothing_is_shown_that_is_not_set() -> None:
    mail = render(manifest())
    for text in (
        "In dieser Ausgabe",
        "Weitergeleitet",
        "Auch hier",
        "Datenschutz",
        "Was denken Sie",
    ):
        assert not in_both(mail, text)
    # The lead's and a teaser's own picture.
    assert len(mail.images) == 2
    assert "logo" not in mail.html


def test_a_logo_stands_in_the_place_of_the_name_and_says_it() -> None:
    mail = render(
        manifest({"logo": {"light": "logo.png", "dark": "logo-dark.png", "width": "120px"}})
    )
    shown = re.findall(
        r'<span class="(logo(?:-dark)?)"([^>]*)><img[^>]*alt="e\+k upcycle"', mail.html
    )
    assert [name for name, _ in shown] == ["logo", "logo-dark"]
    assert "display:none" in shown[1][1]
    assert ".logo-dark { display: inline !important" in mail.html
    assert len(mail.images) == 4


def test_a_logo_without_a_dark_one_stays_in_the_dark() -> None:
    html = render(manifest({"logo": {"light": "logo.png"}})).html
    assert '<span class="logo">' in html
    assert "logo-dark" not in html


def test_a_dark_logo_alone_is_none() -> None:
    assert "logo" not in render(manifest({"logo": {"dark": "logo-dark.png"}})).html


def test_the_pictures_of_an_issue_that_is_older_than_the_theme_are_left_out() -> None:
    old = replace(
        manifest({"logo": {"light": "logo.png"}}),
        images=sample_manifest.with_picture().images | {"bank.png": PICTURES["bank.png"]},
    )
    html = render(old).html
    assert 'class="logo"' not in html


def test_a_header_picture_is_as_wide_as_the_mail() -> None:
    theme = {"masthead": {"picture": "kopf.png", "picture_alt": "Dächer"}}
    html = render(manifest(theme)).html
    assert re.search(r'<img[^>]*alt="D[^"]*cher"[^>]*', html)
    assert 'width="600"' in html


def test_a_kicker_stands_above_the_title_in_both_parts() -> None:
    given = manifest()
    lead = replace(given.issue.essays[0], kicker='"Werkstatt"')
    mail = render(replace(given, issue=replace(given.issue, essays=(lead,))))
    assert "„Werkstatt“\n" + lead.title in mail.text
    assert words(mail.html).index("„Werkstatt“") < words(mail.html).index(lead.title)


def test_the_author_of_the_leading_essay_has_a_portrait_and_two_lines() -> None:
    authors = (
        Author("Jonas Muster", "Ein anderer."),
        Author("erika beispiel", 'Tischlerin und "Leserin".', "erika.png"),
    )
    mail = render(manifest(authors=authors))
    assert in_both(mail, "Erika Beispiel Tischlerin und „Leserin“.")
    assert "Ein anderer" not in mail.html
    assert len(mail.images) == 3


@pytest.mark.parametrize(("least", "shown"), [(3, True), (4, False), (0, False)])
def test_a_long_issue_says_what_is_in_it(least: int, shown: bool) -> None:
    mail = render(manifest({"mail": {"contents_from": least}}))
    assert in_both(mail, "In dieser Ausgabe") is shown
    if shown:
        assert "\n- Werkstatt statt Wertstoffhof\n" in mail.text
        assert "\n- Dazu passend\n" in mail.text


def test_small_pictures_stand_beside_and_none_nowhere() -> None:
    small = render(manifest({"mail": {"teaser_pictures": "small"}}))
    assert re.search(
        r'<td class="small-picture"[^>]*><img[^>]*alt="" role="presentation" width="112"',
        small.html,
    )
    none = render(manifest({"mail": {"teaser_pictures": "none"}}))
    assert "Werkbank" not in words(none.html) + none.text
    assert len(none.images) == 1


def test_the_footer_has_channels_pages_and_where_to_order() -> None:
    mail = render(
        manifest(
            {"mail": {"forwarded": True}},
            channels=(Channel("Mastodon", "https://social.example/@u"),),
            imprint_url="https://example.org/impressum",
            privacy_url="https://example.org/datenschutz",
        )
    )
    assert in_both(
        mail, "Weitergeleitet bekommen? e+k upcycle hier bestellen", "Datenschutz", "Mastodon"
    )
    for address in ("/subscribe", "@u", "/impressum", "/datenschutz"):
        assert f"{address}\n" in mail.text
        assert f'{address}"' in mail.html


def test_a_reply_opens_a_mail_with_the_subject() -> None:
    theme = {"mail": {"sections": ["lead", "reply"]}}
    mail = render(manifest(theme, reply_to="redaktion@example.org"))
    assert 'href="mailto:redaktion@example.org?subject=Re%3A%20' in mail.html
    assert "Antworten: redaktion@example.org\n" in mail.text
    given = manifest(theme, reply_to="redaktion@example.org")
    found = preflight(mail, given.issue, given.publication)
    assert "text-link-missing" not in {finding.code for finding in found}


def test_everything_at_once_can_be_read_and_fits_a_phone() -> None:
    theme = {
        "logo": {"light": "logo.png", "dark": "logo-dark.png"},
        "masthead": {"picture": "kopf.png", "picture_alt": "Dächer", "align": "center"},
        "mail": {
            "sections": ["contents", "lead", "author", "teasers", "related", "reply", "closing"],
            "contents_from": 1,
            "teaser_pictures": "small",
            "forwarded": True,
        },
    }
    mail = render(
        manifest(
            theme,
            authors=(Author("Erika Beispiel", "Tischlerin.", "erika.png"),),
            channels=(Channel("Mastodon", "https://social.example/@u"),),
            privacy_url="https://example.org/datenschutz",
        )
    )
    html = standalone_html(mail)
    for dark in (False, True):
        assert axe(html, dark=dark) == []
    for shown in measure(html, widths=(320, 600), dark=False):
        assert shown.scroll <= shown.client
    assert len(mail.html.encode()) < 45_000
