"""What `check` finds across the publication: in files, in settings, in the issue as it would be."""

from __future__ import annotations

from pathlib import Path

import pytest

from upcycle_news.models import Finding, IssueId
from upcycle_news.services.checks.run import check_everything
from upcycle_news.storage import feeds as feed_rows
from upcycle_news.storage.feeds import FeedState

from ...delivery.memory_ledger import Clock
from ...publications import Publication
from ...rendering.sample_manifest import item

ISSUE = IssueId.parse("2026-11-26")
BAHNHOF = "content/essays/2024-05-02-was-vom-bahnhof-bleibt.md"
KNOWN = "https://stadtanzeiger.example/leerstand"


def found(publication: Publication, **environment: str) -> list[tuple[str, str, str]]:
    return [(one.level, one.code, one.where) for one in everything(publication, **environment)]


def everything(publication: Publication, **environment: str) -> tuple[Finding, ...]:
    return check_everything(publication.context(**environment), ISSUE)


def tell(publication: Publication, clock: Clock, link: str) -> None:
    """A feed was asked and told of this page."""
    from dataclasses import replace

    state = FeedState(
        url="https://stadtanzeiger.example/feed", name="Stadtanzeiger", succeeded_at=clock()
    )
    told = replace(item(1), link=link, canonical=link)
    feed_rows.record(publication.context().store, state, [told], now=clock())


@pytest.mark.parametrize("begin", ["Hier beginnt der Essay.", "The essay begins here."])
def test_a_ready_essay_that_nobody_wrote_is_found_and_kept_back(
    publication: Publication, begin: str
) -> None:
    publication.essay(text=f"{begin}\n")
    publication.crowd(1)
    assert found(publication) == [("error", "placeholder", f"{BAHNHOF}:8")]
    told = publication.run("check", code=1).out
    assert f"{BAHNHOF}:8: error placeholder „{begin}“ steht noch vom Anlegen da." in told
    refused = publication.run("issue", "send", "--yes", code=1).err
    assert "placeholder" in refused
    assert publication.mails() == []


def test_the_placeholder_is_found_in_an_essay_that_follows_too(publication: Publication) -> None:
    publication.essay("Der erste", date="2024-05-09")
    publication.essay("Der zweite", text="Hier beginnt der Essay.\n")
    publication.crowd(1)
    assert "vom Anlegen" in publication.run("issue", "send", "--yes", code=1).err


def test_a_draft_may_hold_the_placeholder(publication: Publication) -> None:
    publication.essay()
    publication.run("essay", "new", "Später")
    assert found(publication) == []


def test_a_pin_with_a_slip_is_told_at_its_line(publication: Publication, clock: Clock) -> None:
    tell(publication, clock, KNOWN)
    publication.essay(pin=f"[{KNOWN}, {KNOWN}-und-mehr]")
    assert found(publication) == [("warning", "pin-unknown", f"{BAHNHOF}:5")]
    [one] = everything(publication)
    assert f"{KNOWN}-und-mehr" in one.in_language("de")
    shown = publication.run("issue", "preview", str(ISSUE), "--no-open", "--no-collect", "--json")
    assert [one["code"] for one in shown.json["findings"]] == ["pin-unknown"]


def test_a_pin_that_differs_by_tracking_alone_is_known(
    publication: Publication, clock: Clock
) -> None:
    tell(publication, clock, KNOWN)
    publication.essay(pin=f"['{KNOWN}?utm_source=feed']")
    assert found(publication) == []


def test_where_no_feed_was_asked_nothing_is_said_of_pins(publication: Publication) -> None:
    publication.essay(pin=f"[{KNOWN}]")
    assert found(publication) == []


def test_an_issue_that_cannot_be_made_says_why(publication: Publication) -> None:
    publication.essay()
    template = publication.home / "templates/newsletter.mjml"
    text = template.read_text(encoding="utf-8")
    template.write_text(text.replace("</mj-body>", "<mj-kapitel /></mj-body>"), encoding="utf-8")
    [(level, code, where)] = found(publication)
    assert (level, code) == ("error", "issue")
    assert Path(where.partition(":")[0]).suffix == ".mjml"


def test_a_real_relay_finds_what_is_left_of_the_sample(publication: Publication) -> None:
    publication.essay()
    publication.setting("post@umbaupost.example.net", "redaktion@example.org")
    assert found(publication) == []
    one, *others = everything(publication, RELAYS__MAIN__HOST="smtp.umbaupost.net")
    assert {(other.level, other.code) for other in (one, *others)} == {("error", "sample-settings")}
    file, _, line = one.where.partition(":")
    settings = (publication.home / file).read_text(encoding="utf-8").splitlines()
    assert settings[int(line) - 1] == 'address = "redaktion@example.org"'
    assert one.in_language("de").startswith("„sender.address“ ist noch das mitgelieferte Beispiel.")


def test_findings_speak_the_publications_language(publication: Publication) -> None:
    publication.essay(text="Ein Satz -  und ein [Link](hier).\n", summary="'Kurz - gesagt'")
    german = publication.run("check", "--json", code=1).lines
    english = publication.run("check", "--json", code=1, PUBLICATION__LANGUAGE="en").lines
    assert {"link-relative", "typography-spaces"} <= {one["code"] for one in german}
    plain = ("level", "code", "where", "file", "line")
    assert [[one[key] for key in plain] for one in german if "typography" not in one["code"]] == [
        [one[key] for key in plain] for one in english if "typography" not in one["code"]
    ]
    [told] = [one["message"] for one in german if one["code"] == "link-relative"]
    assert (
        told == "Der Link „hier“ führt aus einer Mail nirgendwohin. Beginnen Sie ihn mit https://"
    )
    [told] = [one["message"] for one in english if one["code"] == "link-relative"]
    assert told == "the link 'hier' leads nowhere out of a mail: begin it with https://"


def test_what_stands_against_approving_is_told_in_the_publications_language(
    publication: Publication,
) -> None:
    publication.essay(text="Ein [Link](hier).\n")
    publication.run("issue", "preview", str(ISSUE), "--no-open", "--no-collect")
    told = publication.run("issue", "approve", str(ISSUE), code=1).err
    assert "kann so nicht verschickt werden" in told
    assert "link-relative: Der Link „hier“" in told
