"""The delivery report and the approval page: changes, relays, language."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.delivery.ports import DeliveryReport
from upcycle_news.models import FeedItem, IssueId
from upcycle_news.models.relay_stats import RelayStats, RelayStatsCounter
from upcycle_news.services.feeds.collect import FeedRunReport
from upcycle_news.services.issues.approval import approval_deadline
from upcycle_news.services.issues.approval_form import approval_page
from upcycle_news.services.issues.compose import compose_issue
from upcycle_news.services.issues.render import render_revision
from upcycle_news.services.reports import delivery_report
from upcycle_news.services.runs.deliver import deliver_with_progress
from upcycle_news.storage import relay_stats
from upcycle_news.storage.feeds import FeedState, record

from ...delivery.memory_ledger import Clock
from ...publications import Publication, send_issue
from ..delivery.test_send_settings import queued as queued_issue

PULL = "git pull failed (another git is at work here); the content may be old"
FIRST, SECOND = IssueId.parse("2026-11-26"), IssueId.parse("2026-12-03")
ITEM = FeedItem(
    key="tag:1", feed="Der *Bote*", link="https://bote.example/1",
    canonical="https://bote.example/1", title="Der Bahnhof der Kleinstadt",
    summary="Der Bahnhof wird umgebaut.", date=datetime(2026, 12, 1, tzinfo=UTC),
    date_source="feed",
)  # fmt: skip


def store_item(context: AppContext) -> None:
    state = FeedState("https://bote.example/feed", ITEM.feed)
    record(context.store, state, [ITEM], now=context.clock())


def stats_of(relay: str, *seconds: float) -> RelayStats:
    counter = RelayStatsCounter(relay)
    for duration in seconds:
        counter.add("accepted", duration)
    return counter.snapshot()


def report_of_second_issue(publication: Publication, clock: Clock) -> str:
    """Send two issues, with changed templates, settings and feeds; return the second report."""
    publication.add_many_subscribers(2)
    publication.write_essay("Zuerst")
    send_issue(publication.context())
    clock.now += timedelta(days=7)
    (publication.home / "content/feeds.toml").write_text(
        '[[feeds]]\nname = "Der *Bote*"\nurl = "https://bote.example/feed"\n'
    )
    publication.write_essay("Bahnhof und Kleinstadt")
    path = publication.home / "templates/partials/closing.mjml"
    path.write_text(path.read_text() + "\n<!-- neu -->\n")
    publication.change_setting(
        'address = "post@umbaupost.example.net"', 'address = "neu@umbaupost.example.net"'
    )
    context = publication.context()
    compose_issue(context, SECOND)  # a first preview, still without the item
    clock.now += timedelta(minutes=5)
    store_item(context)
    send_issue(context, str(SECOND))
    relay_stats.save(context.store, SECOND, 98, stats_of("main", *[0.2] * 30), now=clock.now)
    second = replace(stats_of("second", *[12.0] * 30), refused=2, lost=1)
    relay_stats.save(context.store, SECOND, 99, second, now=clock.now)
    return delivery_report.delivery_report(context, SECOND)


def test_the_report_says_what_changed_since_the_last_issue_and_the_last_revision(
    publication: Publication, clock: Clock
) -> None:
    report = report_of_second_issue(publication, clock).splitlines()
    since_issue = report.index("**Seit Ausgabe 2026-11-26:**")
    [since_revision] = [n for n, line in enumerate(report) if line.startswith("**Seit Revision")]
    assert report[since_issue + 2 : since_revision - 1] == [
        "- neu: Bahnhof und Kleinstadt",
        "- neu: Der Bahnhof der Kleinstadt",
        "- nicht mehr dabei: Zuerst",
        r"- Feeds, die jetzt dabei sind und damals nicht: Der \*Bote\*",
        "- geänderte Vorlagen: partials/closing.mjml",
        r"- geänderte Einstellungen: sender\_address",
    ]
    assert report[since_revision + 2 :] == ["- neu: Der Bahnhof der Kleinstadt"]
    assert "@" not in "".join(report)


def test_the_report_compares_the_relays(publication: Publication, clock: Clock) -> None:
    report = report_of_second_issue(publication, clock).splitlines()
    start = report.index(
        "| Relay | angenommen | aufgeschoben | abgelehnt | ohne Antwort | Median | längste |"
    )
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in report[start + 2 :][:3]]
    assert [row[:5] for row in rows] == [
        ["mailbox", "2", "0", "0", "0"],
        ["main", "30", "0", "0", "0"],
        ["second", "30", "0", "2", "1"],
    ]
    assert rows[1][6] == "200 ms"
    assert rows[2][6] == "12,0 s"
    [slow] = [line for line in report if line.startswith("- **Langsam:**")]
    assert slow.startswith(
        "- **Langsam:** Relay second: die Hälfte seiner Antworten braucht länger"
    )
    assert slow.endswith(" s (Alarm ab 10 s)")


def test_the_report_is_written_in_the_publications_language(
    publication: Publication, clock: Clock
) -> None:
    german = report_of_second_issue(publication, clock)
    assert "## Ausgabe 2026-12-03" in german
    assert "| verschickt (*sent*) | 2 |" in german
    assert "Alle Zustellungen sind abgerechnet." in german
    assert "**Feeds:** 1 von 1 in Ordnung" in german
    pulled = delivery_report.delivery_report(
        publication.context(), SECOND, FeedRunReport(pull=PULL)
    )
    assert "git pull ging nicht (ein anderes git arbeitet hier gerade)" in pulled
    english = delivery_report.delivery_report(
        publication.context(PUBLICATION__LANGUAGE="en"), SECOND, FeedRunReport(pull=PULL)
    )
    assert "| sent | 2 |" in english
    assert "All deliveries are accounted for." in english
    assert "**Since issue 2026-11-26:**" in english
    assert f"content: {PULL}" in english


def test_the_first_approval_page_lists_changed_templates_since_the_last_issue(
    publication: Publication, clock: Clock
) -> None:
    publication.add_many_subscribers(1)
    publication.write_essay("Zuerst")
    send_issue(publication.context())
    publication.write_essay("Danach")
    path = publication.home / "templates/partials/closing.mjml"
    path.write_text(path.read_text() + "\n<!-- neu -->\n")
    clock.now += timedelta(days=7)
    context = publication.context()
    revision = compose_issue(context, SECOND)
    rendered = render_revision(context, revision)
    page = approval_page(context, rendered, until=approval_deadline(context))
    assert "**Seit Ausgabe 2026-11-26:**" in page
    assert "- geänderte Vorlagen: partials/closing.mjml" in page
    assert "- neu: Danach" not in page  # all of it is new, and stands above
    assert "Ausgabe **2026-12-03** für **1** Person: 1 Essay, 0 Meldungen" in page
    assert "Wartet bis Samstag, 5. Dezember, 07:00 Uhr." in page
    publication.change_setting('name = "Umbaupost"\n', 'name = "Umbaupost"\nlanguage = "en"\n')
    context = publication.context()
    rendered = render_revision(context, revision)
    page = approval_page(context, rendered, until=approval_deadline(context))
    assert "Issue **2026-12-03** for **1** reader: 1 essay, 0 feed items" in page
    assert "Waits until Saturday, 5 December, 07:00." in page
    assert "- changed templates: partials/closing.mjml" in page


def test_an_issue_is_sent_even_if_progress_cannot_be_shown(
    publication: Publication,
) -> None:
    """Prefect's server may be restarted while mail goes out."""
    publication.write_essay()
    publication.add_many_subscribers(3)
    context = publication.context()
    issue = queued_issue(context)
    shown: list[str] = []

    def fail(percent: float, text: str) -> None:
        shown.append(text)
        raise ConnectionError("Prefect does not answer")

    assert deliver_with_progress(context, issue, fail).as_dict()["sent"] == 3
    assert shown
    progress = delivery_report.Progress(3, 0, fail, every=0.0)
    progress(DeliveryReport(sent=1))
    assert len(shown) == 2


def test_the_report_links_to_the_figures_or_names_the_command(
    publication: Publication, clock: Clock
) -> None:
    report = report_of_second_issue(publication, clock)
    [link] = [line for line in report.splitlines() if "Zahlen über die Zeit" in line]
    assert link.startswith("[Die Zahlen über die Zeit](https://umbaupost.example.net/report/")
    assert "der Link gilt bis 2. Januar 2027" in link
    publication.change_setting('public_url = "https://umbaupost.example.net"', "")
    report = delivery_report.delivery_report(publication.context(), SECOND)
    [line] = [line for line in report.splitlines() if "Zahlen über die Zeit" in line]
    assert "upcycle-news report" in line and "http" not in line
