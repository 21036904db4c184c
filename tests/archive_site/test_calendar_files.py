"""Each event of an essay has a file that calendars take (RFC 5545), and its page links to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from upcycle_news.archive_site.builder import build_archive
from upcycle_news.archive_site.view_models import EditorNote, SentIssue

from ..rendering import sample_manifest
from .sample_archive import CONFIG, issue

SLUG = issue("2026-11-26", sample_manifest.with_picture()).manifest.issue.essays[0].slug
PATH = f"essays/{SLUG}/event-1.ics"
EVENT = """\
::: termin Fest; mit Musik, Essen
datum: 6.3.2027, 18–20 Uhr
ort: Markt 1, Musterstadt
link: https://example.org/fest

Erster Absatz mit *Betonung* und einem \\\\ Strich.

Zweiter Absatz, der so lang ist, dass keine Zeile ihn fasst: Äpfel, Öl, Übermut und Straßenmusik.
:::
"""


def sent(body: str = EVENT) -> SentIssue:
    given = sample_manifest.with_picture()
    lead = replace(given.issue.essays[0], body=body)
    return issue("2026-11-26", replace(given, issue=replace(given.issue, essays=(lead,))))


def files(one: SentIssue) -> dict[str, bytes]:
    return dict(build_archive([one], CONFIG).files)


def lines(data: bytes) -> dict[str, str]:
    """Return the unfolded content lines by their names."""
    assert data.endswith(b"END:VCALENDAR\r\n")
    unfolded = data.decode().replace("\r\n ", "")
    return dict(line.split(":", 1) for line in unfolded.split("\r\n") if line)


def test_an_event_with_a_time_is_in_utc() -> None:
    event = lines(files(sent())[PATH])
    assert (event["DTSTART"], event["DTEND"]) == ("20270306T170000Z", "20270306T190000Z")
    summer = lines(files(sent("::: termin A\ndatum: 6.7.2027, 18 Uhr\n:::"))[PATH])
    assert summer["DTSTART"] == "20270706T160000Z"
    assert "DTEND" not in summer


def test_whole_days_end_with_the_day_behind_the_last() -> None:
    event = lines(files(sent("::: termin A\ndatum: 6.3.2027 bis 8.3.2027\n:::"))[PATH])
    assert event["DTSTART;VALUE=DATE"] == "20270306"
    assert event["DTEND;VALUE=DATE"] == "20270309"


def test_texts_are_escaped_and_lines_folded() -> None:
    data = files(sent())[PATH]
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    assert b"\n" not in data.replace(b"\r\n", b"")
    event = lines(data)
    assert event["SUMMARY"] == r"Fest\; mit Musik\, Essen"
    assert event["LOCATION"] == r"Markt 1\, Musterstadt"
    assert event["DESCRIPTION"].startswith(r"Erster Absatz mit _Betonung_ und einem \\ Strich.\n\n")
    assert event["URL"] == "https://example.org/fest"


def test_id_and_time_come_from_the_issue_and_a_correction_is_a_new_sequence() -> None:
    one = sent()
    event = lines(files(one)[PATH])
    assert event["UID"] == f"{SLUG}-event-1@news.upcycle.example"
    assert event["DTSTAMP"] == f"{one.sent_at:%Y%m%dT%H%M%SZ}"
    assert event["SEQUENCE"] == "0"
    corrected = replace(
        one,
        changed_at=one.sent_at + timedelta(days=1),
        corrections={SLUG: (EditorNote(date(2026, 11, 27), "Neuer Tag."),)},
    )
    again = lines(files(corrected)[PATH])
    assert again["UID"] == event["UID"]
    assert again["SEQUENCE"] == "1"
    assert again["DTSTAMP"] > event["DTSTAMP"]


def test_pages_and_feed_link_to_the_file_of_each_event() -> None:
    built = files(sent(f"{EVENT}\n::: event B\ndate: 2027-04-01\n:::"))
    page = built[f"essays/{SLUG}/index.html"].decode()
    assert 'href="../../' + PATH + '" type="text/calendar"' in page
    assert 'href="../../' + PATH.replace("event-1", "event-2") in page
    assert '<time datetime="2027-03-06T18:00:00">Samstag, 6.\xa0März 2027' in page
    assert f"https://news.upcycle.example/{PATH}" in built["feed.xml"].decode()
    assert f'href="../../{PATH}"' in built["archive/2026-11-26/index.html"].decode()


@pytest.mark.parametrize(
    "body", ["::: termin A\ndatum: bald\n:::", "::: kasten\nText\n:::", "Text"]
)
def test_what_has_no_certain_date_has_no_file(body: str) -> None:
    assert not [path for path in files(sent(body)) if path.endswith(".ics")]


def test_the_file_of_a_withdrawn_essay_goes() -> None:
    one = replace(sent(), withdrawn={SLUG: EditorNote(date(2026, 11, 27), "Zurückgezogen.")})
    assert PATH not in files(one)
