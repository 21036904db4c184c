"""`check` over a whole publication: its files, its settings, and the issue as composed now."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from upcycle_news.models import Finding, IssueId
from upcycle_news.services.checks.run import check_everything
from upcycle_news.storage import feeds as feed_rows
from upcycle_news.storage.feeds import FeedState

from ...delivery.memory_ledger import Clock
from ...publications import Publication
from ...rendering.sample_manifest import item, png

ISSUE = IssueId.parse("2026-11-26")
BAHNHOF = "content/essays/2024-05-02-was-vom-bahnhof-bleibt.md"
KNOWN = "https://stadtanzeiger.example/leerstand"


def summaries(publication: Publication, **environment: str) -> list[tuple[str, str, str]]:
    return [
        (finding.level, finding.code, finding.where)
        for finding in everything(publication, **environment)
    ]


def everything(publication: Publication, **environment: str) -> tuple[Finding, ...]:
    return check_everything(publication.context(**environment), ISSUE)


def store_item(publication: Publication, clock: Clock, link: str) -> None:
    """Store a feed item with this link, as if its feed had been collected."""
    from dataclasses import replace

    state = FeedState(
        url="https://stadtanzeiger.example/feed", name="Stadtanzeiger", succeeded_at=clock()
    )
    feed_item = replace(item(1), link=link, canonical=link)
    feed_rows.record(publication.context().store, state, [feed_item], now=clock())


@pytest.mark.parametrize("begin", ["Hier beginnt der Essay.", "The essay begins here."])
def test_a_ready_essay_with_the_placeholder_text_is_reported_and_not_sent(
    publication: Publication, begin: str
) -> None:
    publication.write_essay(text=f"{begin}\n")
    publication.add_many_subscribers(1)
    assert summaries(publication) == [("error", "placeholder", f"{BAHNHOF}:8")]
    output = publication.run("check", code=1).out
    assert f"{BAHNHOF}:8: error placeholder „{begin}“ steht noch vom Anlegen da." in output
    refused = publication.run("issue", "send", "--yes", code=1).err
    assert "placeholder" in refused
    assert publication.mails() == []


def test_the_placeholder_is_found_in_a_further_essay_too(publication: Publication) -> None:
    publication.write_essay("Der erste", date="2024-05-09")
    publication.write_essay("Der zweite", text="Hier beginnt der Essay.\n")
    publication.add_many_subscribers(1)
    assert "vom Anlegen" in publication.run("issue", "send", "--yes", code=1).err


def test_a_draft_may_hold_the_placeholder(publication: Publication) -> None:
    publication.write_essay()
    publication.run("essay", "new", "Später")
    assert summaries(publication) == []


def test_an_unknown_pin_is_reported_with_its_line(publication: Publication, clock: Clock) -> None:
    store_item(publication, clock, KNOWN)
    publication.write_essay(pin=f"[{KNOWN}, {KNOWN}-und-mehr]")
    assert summaries(publication) == [("warning", "pin-unknown", f"{BAHNHOF}:5")]
    [finding] = everything(publication)
    assert f"{KNOWN}-und-mehr" in finding.in_language("de")
    preview = publication.run("issue", "preview", str(ISSUE), "--no-open", "--no-collect", "--json")
    assert [finding["code"] for finding in preview.json["findings"]] == ["pin-unknown"]


def test_a_pin_that_differs_by_tracking_alone_is_known(
    publication: Publication, clock: Clock
) -> None:
    store_item(publication, clock, KNOWN)
    publication.write_essay(pin=f"['{KNOWN}?utm_source=feed']")
    assert summaries(publication) == []


def test_pins_are_not_checked_before_a_feed_was_collected(publication: Publication) -> None:
    publication.write_essay(pin=f"[{KNOWN}]")
    assert summaries(publication) == []


def show_field(publication: Publication, expression: str) -> None:
    template = publication.home / "templates/partials/lead.txt"
    template.write_text(template.read_text("utf-8") + "\n" + expression, encoding="utf-8")


def test_a_field_of_ones_own_is_checked_in_templates_and_essays(publication: Publication) -> None:
    publication.write_essay(extra='{series: "Umbau"}')
    show_field(publication, "{{ essay.extra.series }}")
    assert summaries(publication) == []
    publication.write_essay("Der zweite", extra='{serie: "Umbau"}')
    second = "content/essays/2024-05-02-der-zweite.md"
    assert [finding[:2] for finding in summaries(publication)] == [("warning", "extra-unused")]
    assert summaries(publication)[0][2].startswith(f"{second}:")
    show_field(publication, "{{ essay.extra.seires }}")
    output = publication.run("check", code=1).out
    assert "error variable-unknown Kein Essay hat unter „extra“ ein Feld „seires“" in output


def test_names_of_fields_are_not_judged_while_an_essay_cannot_be_read(
    publication: Publication,
) -> None:
    publication.write_essay(extra='{series: "Umbau"}', date="morgen")
    show_field(publication, "{{ essay.extra.series }}")
    assert [finding[1] for finding in summaries(publication)] == ["essay"]


def test_a_picture_is_found_whatever_form_its_umlauts_have(publication: Publication) -> None:
    for form, name in (("NFD", "Türschlösser.png"), ("NFC", "Läden.png")):
        file = publication.home / "content/images" / unicodedata.normalize(form, name)  # type: ignore[arg-type]
        file.write_bytes(png(60, 40, shade=90 + len(name)))
    text = "Zwei Bilder vom Laden.\n\n"
    text += unicodedata.normalize("NFC", "![Schlösser](Türschlösser.png)\n\n")
    text += unicodedata.normalize("NFD", "![Läden](../images/Läden.png)\n")
    publication.write_essay(text=text, image="images/Türschlösser.png", image_alt="Schlösser")
    assert summaries(publication) == []
    preview = publication.run("issue", "preview", "--no-open", "--no-collect", "--json")
    mail = (publication.home / preview.json["files"]["eml"]).read_bytes()
    assert mail.count(b"Content-Type: image/png") == 2


def test_findings_about_the_head_have_the_line_of_their_key(publication: Publication) -> None:
    publication.write_essay(summary='"TODO: noch etwas - oder mehr"')
    assert summaries(publication) == [
        ("warning", "todo", f"{BAHNHOF}:5"),
        ("warning", "typography-dash", f"{BAHNHOF}:5"),
    ]
    preview = publication.run("issue", "preview", "--no-open", "--no-collect", "--json")
    places = [finding["where"] for finding in preview.json["findings"]]
    assert places == [f"{BAHNHOF}:5"] * 2


def test_a_colour_that_many_cannot_read_is_told_at_its_line(publication: Publication) -> None:
    publication.write_essay()
    theme = publication.home / "templates/theme.toml"
    theme.write_text(theme.read_text("utf-8").replace("#1d6152", "#f2b705"), encoding="utf-8")
    [(level, code, where)] = summaries(publication)
    assert (level, code) == ("warning", "contrast")
    line = int(where.removeprefix("templates/theme.toml:"))
    assert theme.read_text("utf-8").splitlines()[line - 1].startswith("accent")


def test_an_issue_that_cannot_be_rendered_is_a_finding(publication: Publication) -> None:
    publication.write_essay()
    template = publication.home / "templates/newsletter.mjml"
    text = template.read_text(encoding="utf-8")
    template.write_text(text.replace("</mj-body>", "<mj-kapitel /></mj-body>"), encoding="utf-8")
    [(level, code, where)] = summaries(publication)
    assert (level, code) == ("error", "issue")
    assert Path(where.partition(":")[0]).suffix == ".mjml"


def test_with_a_real_relay_sample_settings_are_reported(publication: Publication) -> None:
    publication.write_essay()
    publication.change_setting("post@umbaupost.example.net", "redaktion@example.org")
    assert summaries(publication) == [("warning", "sample-settings", "newsletter.toml:7")]
    first, *others = everything(publication, RELAYS__MAIN__HOST="smtp.umbaupost.net")
    assert {(finding.level, finding.code) for finding in (first, *others)} == {
        ("error", "sample-settings")
    }
    file, _, line = first.where.partition(":")
    settings = (publication.home / file).read_text(encoding="utf-8").splitlines()
    assert settings[int(line) - 1] == 'address = "redaktion@example.org"'
    assert first.in_language("de").startswith(
        "„sender.address“ ist noch das mitgelieferte Beispiel."
    )


def test_findings_are_in_the_publications_language(publication: Publication) -> None:
    publication.write_essay(text="Ein Satz -  und ein [Link](hier).\n", summary="'Kurz - gesagt'")
    german = publication.run("check", "--json", code=1).lines
    english = publication.run("check", "--json", code=1, PUBLICATION__LANGUAGE="en").lines
    assert {"link-relative", "typography-spaces"} <= {finding["code"] for finding in german}
    plain = ("level", "code", "where", "file", "line")
    assert [
        [finding[key] for key in plain] for finding in german if "typography" not in finding["code"]
    ] == [
        [finding[key] for key in plain]
        for finding in english
        if "typography" not in finding["code"]
    ]
    [message] = [row["message"] for row in german if row["code"] == "link-relative"]
    assert (
        message
        == "Der Link „hier“ führt aus einer Mail nirgendwohin. Beginnen Sie ihn mit https://"
    )
    [message] = [row["message"] for row in english if row["code"] == "link-relative"]
    assert message == "the link 'hier' leads nowhere out of a mail: begin it with https://"


def test_a_refused_approval_is_explained_in_the_publications_language(
    publication: Publication,
) -> None:
    publication.write_essay(text="Ein [Link](hier).\n")
    publication.run("issue", "preview", str(ISSUE), "--no-open", "--no-collect")
    errors = publication.run("issue", "approve", str(ISSUE), code=1).err
    assert "kann so nicht verschickt werden" in errors
    assert "link-relative: Der Link „hier“" in errors
