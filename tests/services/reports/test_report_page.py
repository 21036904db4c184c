"""The page of figures: what it says of an empty store, of one issue and of years, and that it loads nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.models import IssueId
from upcycle_news.services.reports.figures import month_starts, quota_usage
from upcycle_news.services.reports.report_link import report_html
from upcycle_news.storage import issue_relays

from ...publications import Publication
from ...rendering.page_screenshots import NODE_MODULES, node_tool
from ...web.browser_session import browsing, missing
from .sample_years import (
    NOW,
    write_bounce,
    write_collection,
    write_consents,
    write_issue,
    write_reply_times,
    write_sent_marks,
    write_unsubscribe,
    write_weeks,
)

RULES = Path(__file__).parents[3] / "tools" / "node" / "htmlvalidate.json"
BERLIN = ZoneInfo("Europe/Berlin")
FEEDS = """\
[[feeds]]
name = "Bote"
url = "https://bote.example/feed"

[[feeds]]
name = "Stadtblatt für Umbau und Nachbarschaftshilfe <b>"
url = "https://stadt.example/feed"
"""
QUOTAS = {
    "RELAYS__MAIN__HOST": "smtp.example.org",
    "RELAYS__MAIN__QUOTAS": '["1000/h", "50000/d"]',
    "QUOTAS__SENDER": '["500/d"]',
    "QUOTAS__DOMAINS": '{"gmx.example": ["30/min"], "*": ["10/min"]}',
}


def section(html: str, name: str) -> str:
    """Return the text of a section, its tables included."""
    found = re.search(rf'<section id="{name}".*?</section>', html, re.DOTALL)
    assert found is not None, name
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())


def rows(html: str, name: str) -> list[list[str]]:
    """Return the cells of a section's tables."""
    found = re.search(rf'<section id="{name}".*?</section>', html, re.DOTALL)
    assert found is not None, name
    return [
        re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row)
        for row in re.findall(r"<tr>(.*?)</tr>", found[0], re.DOTALL)
    ]


# --- what it says


def test_of_an_empty_store_every_section_says_that_nothing_was_measured(
    publication: Publication,
) -> None:
    html = report_html(publication.context())
    assert "<svg" not in html and "<table" not in html
    assert "Noch nichts zu zeigen: Bisher hat sich niemand angemeldet" in section(html, "list")
    assert "Es wurde noch keine Ausgabe verschickt." in section(html, "issues")
    assert "Noch nichts gemessen" in section(html, "relays")
    assert "Sie wurden noch nicht geholt." in section(html, "feeds")
    assert "kein Kontingent gesetzt" in section(html, "quotas")
    assert "kein Alarm" not in html and "in Ordnung" not in html


def test_a_small_issue_is_shown_and_not_called_free_of_alarms(publication: Publication) -> None:
    context = publication.context()
    write_consents(context.store, [NOW - timedelta(days=2)] * 12)
    issue = write_issue(context.store, 1, NOW - timedelta(days=1), audience=12, rejected=2)
    html = report_html(context)
    assert rows(html, "issues")[1:] == [[issue, "12", "10", "2", *"000000"]]
    assert "wurde bei der letzten Ausgabe nicht geprüft" in section(html, "issues")
    assert "kein Alarm" not in html
    assert "Anteile an den verschickten Mails" not in html


def test_no_alarm_is_said_of_the_issues_that_were_looked_at(publication: Publication) -> None:
    context = publication.context()
    write_issue(context.store, 1, NOW - timedelta(days=9), audience=20)
    write_issue(context.store, 2, NOW - timedelta(days=2), audience=200)
    assert "wurde nur bei einer der letzten 2 Ausgaben geprüft: kein Alarm" in report_html(context)
    write_issue(context.store, 3, NOW - timedelta(days=1), audience=200)
    write_issue(context.store, 4, NOW - timedelta(hours=1), audience=200)
    assert "Bei den letzten 3 Ausgaben wurde geprüft" in report_html(context)


def test_an_alarm_stands_at_the_top(publication: Publication) -> None:
    context = publication.context()
    issue = write_issue(context.store, 1, NOW - timedelta(days=1), audience=100)
    for reader in range(1, 8):
        write_bounce(context.store, reader, NOW, "hard", issue=issue)
    html = report_html(context)
    [alarm] = re.findall(r'<ul class="alerts">(.*?)</ul>', html, re.DOTALL)
    assert f"Ausgabe {issue}: 7,0 % kamen zurück" in alarm
    assert "kein Alarm" not in html
    assert rows(html, "issues")[-1] == [issue, "7 %", "0 %", "0 %"]


def test_one_complaint_of_many_mails_is_not_written_as_none(publication: Publication) -> None:
    context = publication.context()
    issue = write_issue(context.store, 1, NOW - timedelta(days=1), audience=40_000)
    write_bounce(context.store, 1, NOW, "complaint", issue=issue)
    assert rows(report_html(context), "issues")[-1] == [issue, "0 %", "unter 0,01 %", "0 %"]


def test_issues_in_the_mailbox_count_for_no_reader(publication: Publication) -> None:
    context = publication.context()
    issue = write_issue(context.store, 1, NOW - timedelta(days=1), audience=100)
    issue_relays.record_first(context.store, IssueId.parse(issue), "mailbox")
    text = section(report_html(context), "issues")
    assert "1 Ausgabe liegt nur im eingebauten Postfach: Kein Leser hat sie." in text
    assert f"{issue} (nur im Postfach)" in text
    assert "nicht geprüft" in text and "kein Alarm" not in text


def test_the_list_is_told_by_the_months_of_the_publications_time_zone(
    publication: Publication,
) -> None:
    context = publication.context()
    november_in_berlin = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)
    write_consents(context.store, [november_in_berlin, november_in_berlin - timedelta(hours=1)])
    write_consents(context.store, [NOW - timedelta(days=1)] * 5, imported=True, first=10)
    write_unsubscribe(context.store, 1, NOW)
    write_bounce(context.store, 2, NOW, "hard")
    write_bounce(context.store, 2, NOW, "complaint")
    html = report_html(context)
    assert rows(html, "list") == [
        ["Monat", "angemeldet", "übernommen", "abgemeldet", "kam zurück", "beschwert"],
        ["Nov 26", "1", "5", "1", "1", "1"],
        ["Okt 26", "1", "0", "0", "0", "0"],
    ]
    assert "5 Adressen wurden aus Listen übernommen" in section(html, "list")


def test_a_list_that_was_only_imported_has_its_table_and_no_empty_chart(
    publication: Publication,
) -> None:
    context = publication.context()
    write_consents(context.store, [NOW - timedelta(days=1)] * 3, imported=True)
    html = report_html(context)
    found = re.search(r'<section id="list".*?</section>', html, re.DOTALL)
    assert found is not None and "<svg" not in found[0] and "<details" not in found[0]
    assert rows(html, "list")[1] == ["Nov 26", "0", "3", "0", "0", "0"]
    assert "Noch hat sich niemand selbst angemeldet" in section(html, "list")
    assert "Nulllinie" not in html


def test_only_the_newest_months_are_shown_and_the_page_says_so() -> None:
    starts = month_starts(datetime(2019, 3, 5, tzinfo=UTC), NOW, BERLIN)
    assert len(starts) == 37
    assert (starts[0].isoformat(), starts[-1].isoformat()) == ("2023-12-01", "2026-12-01")
    later = month_starts(NOW + timedelta(days=90), NOW, BERLIN)
    assert [start.isoformat() for start in later] == ["2026-11-01", "2026-12-01"]
    turn = month_starts(datetime(2026, 10, 31, 23, 30, tzinfo=UTC), NOW, BERLIN)
    assert [start.isoformat() for start in turn] == ["2026-11-01", "2026-12-01"]


def test_older_months_are_named(publication: Publication) -> None:
    context = publication.context()
    write_consents(context.store, [datetime(2019, 3, 5, 12, tzinfo=UTC), NOW])
    text = section(report_html(context), "list")
    assert "Gezeigt sind die letzten 36 Monate; die Liste gibt es seit dem 05.03.19." in text


def test_reply_times_name_what_was_not_measured(publication: Publication) -> None:
    context = publication.context()
    timed = write_issue(context.store, 1, NOW - timedelta(days=8), audience=3)
    write_issue(context.store, 2, NOW - timedelta(days=1), audience=3)
    write_reply_times(context.store, timed, "main", 0.2, 0.2, 1.5)
    html = report_html(context)
    assert "Bei 1 Ausgabe wurde nicht gemessen." in section(html, "relays")
    [_, row] = rows(html, "relays")
    assert row[:3] == [timed, "main", "3"] and row[4:] == ["1,5 s", "0", "0", "0"]


def test_feeds_are_told_by_condition_the_worst_first(publication: Publication) -> None:
    (publication.home / "content/feeds.toml").write_text(FEEDS, encoding="utf-8")
    context = publication.context()
    from upcycle_news.storage.feeds import FeedState, record_states

    broken = FeedState(
        "https://stadt.example/feed", "Stadtblatt", tried_at=NOW, errors=3, last_error="no answer"
    )
    record_states(context.store, [broken])
    write_collection(context.store, NOW, asked=2, failed=1)
    html = report_html(context)
    assert "2 Feeds werden geholt: 1 ohne brauchbare Antwort, 1 noch nie geholt." in section(
        html, "feeds"
    )
    tables = rows(html, "feeds")
    assert tables[1] == ["26.11.26 07:00", "2", "1", "1", "0"]
    assert tables[3:] == [
        ["Stadtblatt für Umbau und Nachbarschaftshilfe &lt;b&gt;", "ohne brauchbare Antwort",
         "noch nie", "3"],
        ["Bote", "noch nie geholt", "noch nie", "0"],
    ]  # fmt: skip


def test_a_list_of_feeds_that_cannot_be_read_is_told_and_the_rest_shown(
    publication: Publication,
) -> None:
    (publication.home / "content/feeds.toml").write_text("[[feeds]\n", encoding="utf-8")
    context = publication.context()
    write_issue(context.store, 1, NOW - timedelta(days=1), audience=3)
    html = report_html(context)
    assert "Wie es den Feeds geht, ist nicht bekannt" in section(html, "feeds")
    assert "content/feeds.toml:1" in section(html, "feeds")
    assert "2026-11-25" in section(html, "issues")


def test_quotas_say_what_is_left(publication: Publication) -> None:
    context = publication.context(**QUOTAS)
    write_sent_marks(context.store, "relay main", 900)
    write_sent_marks(context.store, "sender post@umbaupost.example.net", 600)
    usages = quota_usage(context)
    assert [(usage.relay, usage.domain, usage.left) for usage in usages] == [
        ("main", "", 100), ("main", "", 49_100), ("", "", 0), ("", "gmx.example", 30),
    ]  # fmt: skip
    assert rows(report_html(context), "quotas")[1:] == [
        ["main · je Stunde", "100", "900", "1.000"],
        ["main · je Tag", "49.100", "900", "50.000"],
        ["Absender · je Tag", "0", "600", "500"],
        ["gmx.example · je Minute", "30", "0", "30"],
    ]


def test_an_english_publication_gets_an_english_page(publication: Publication) -> None:
    publication.change_setting('name = "Umbaupost"', 'name = "Umbaupost"\nlanguage = "en"')
    context = publication.context()
    write_weeks(context.store, 4, 2000)
    html = report_html(context)
    assert '<html lang="en">' in html
    assert "As of 26 November 2026, 07:00." in html
    assert "2,000" in html and "the figures" in html
    assert not re.search("[äöüß„]", html)


# --- that it is self-contained, valid, and can be read by everybody


def months_of_letters(context: AppContext) -> None:
    write_weeks(context.store, 60, 50_000)
    write_sent_marks(context.store, "relay main", 900)


STORES: dict[str, Callable[[AppContext], None]] = {
    "empty": lambda context: None,
    "one issue": lambda context: write_weeks(context.store, 1, 120),
    "60 issues, 50,000 readers": months_of_letters,
}


@pytest.mark.chromium
@pytest.mark.slow
@pytest.mark.parametrize("name", STORES)
def test_the_page_is_valid_loads_nothing_and_axe_finds_no_violation(
    publication: Publication, tmp_path: Path, name: str
) -> None:
    axe = node_tool("axe-core/axe.min.js").read_text(encoding="utf-8")
    (publication.home / "content/feeds.toml").write_text(FEEDS, encoding="utf-8")
    context = publication.context(**QUOTAS)
    STORES[name](context)
    html = report_html(context)
    assert not re.search(r"https?://|//[a-z]|@[a-z]+\.|<script|<img|<link|url\(|@import", html)
    file = tmp_path / "page" / "report.html"
    file.parent.mkdir()
    file.write_text(html, encoding="utf-8")
    assert html_validate(file.parent) == ""
    with browsing() as browser:
        for width in (320, 360, 700, 1280):
            for dark in (False, True):
                browser.look(width=width, dark=dark)
                browser.open(file.as_uri())
                assert browser.overflow() <= 0, (width, dark)
        for width in (360, 1280):
            for dark in (False, True):
                browser.look(width=width, dark=dark)
                browser.open(file.as_uri())
                browser.run("document.querySelectorAll('details').forEach(d => d.open = true);0")
                assert browser.overflow() <= 0, (width, dark)
                browser.run(axe + ";0")
                passes, violations = browser.run(
                    "axe.run().then(r => [r.passes.length, r.violations.map("
                    "v => v.id + ': ' + v.nodes.map(n => n.html).join(' | '))])"
                )
                assert passes > 10
                assert violations == [], (width, dark)
        # One of the two drawings of each chart is shown.
        charts = html.count('class="desk"')
        shown = "[...document.querySelectorAll('svg')].filter(e => e.getBoundingClientRect().width).length"
        assert browser.run(shown) == charts
        assert set(browser.requests) <= {file.as_uri()}


@pytest.mark.chromium
def test_a_chart_opens_its_table_with_the_keyboard(
    publication: Publication, tmp_path: Path
) -> None:
    context = publication.context()
    write_issue(context.store, 1, NOW - timedelta(days=1), audience=3)
    file = tmp_path / "report.html"
    file.write_text(report_html(context), encoding="utf-8")
    with browsing() as browser:
        browser.look(width=360)
        browser.open(file.as_uri())
        links, tables = 5, 1
        for _ in range(links + tables):
            for kind in ("keyDown", "keyUp"):
                browser.ask(
                    "Input.dispatchKeyEvent",
                    type=kind,
                    key="Tab",
                    code="Tab",
                    windowsVirtualKeyCode=9,
                )
        assert browser.run("document.activeElement.tagName") == "SUMMARY"
        for kind in ("keyDown", "keyUp"):
            browser.ask(
                "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r",
                windowsVirtualKeyCode=13,
            )  # fmt: skip
        assert browser.run("document.querySelector('details').open")


def html_validate(folder: Path) -> str:
    node = shutil.which("node") or missing("no Node here (apt-get install npm)")
    tool = NODE_MODULES / "html-validate/bin/html-validate.mjs"
    process = subprocess.run(
        [node, str(tool), "--config", str(RULES), "--ext", "html", str(folder)],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    return process.stdout


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_stand_out_from_their_ground(scheme: str) -> None:
    from upcycle_news.rendering import report_page

    style = (Path(report_page.__file__).parent / report_page.TEMPLATE).read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    colours = dict(re.findall(r"--([a-z]+): (#[0-9a-f]+)", light if scheme == "light" else dark))
    for name in ("ink", "soft", "good", "bad"):
        for ground in ("ground", "card"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    for tone in ("good", "plain", "warn", "odd", "bad"):
        assert contrast(colours[tone], colours["card"]) >= 4.5, tone


def contrast(one: str, other: str) -> float:
    """Return the ratio of WCAG 2.2, 1.4.3."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
