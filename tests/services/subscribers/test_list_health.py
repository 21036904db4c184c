"""When the list raises an alarm."""

from __future__ import annotations

from dataclasses import replace

from upcycle_news.models import EmailAddress, IssueId, UnsubscribeMethod
from upcycle_news.services.bounces import process
from upcycle_news.services.reports.delivery_report import delivery_report
from upcycle_news.services.subscribers.list_health import (
    find_alerts,
    list_alert_sentences,
    list_health,
)
from upcycle_news.storage import subscribers
from upcycle_news.storage.statistics import IssueFigures

from ...bounces import sample_reports
from ...delivery.memory_ledger import START
from ...publications import Publication, send_issue

WELL = IssueFigures("2026-11-26", START, 2000, 2000, 0, 20, 2, 5, 10, 3)


def test_complaints_and_bounces_above_the_threshold_are_an_alert() -> None:
    limits = {"bounces_percent": 5.0, "complaints_percent": 0.1}
    assert find_alerts(WELL, **limits) == ()
    [alert] = find_alerts(replace(WELL, complaints=3), **limits)
    assert "0.15 % complained" in str(alert)
    [alert] = find_alerts(replace(WELL, bounced=120), **limits)
    assert "6.0 % came back" in str(alert)
    assert find_alerts(replace(WELL, sent=20, complaints=1, bounced=9), **limits) == ()


def test_the_figures_of_an_issue_count_bounces_and_departures(publication: Publication) -> None:
    publication.add_many_subscribers(60)
    publication.write_essay()
    context = publication.context(SENDER__VERP="true")
    assert send_issue(context).closed
    addresses = context.bounce_addresses
    assert addresses is not None
    for number in (1, 2, 3, 4):
        to = addresses.address_for(1, number)
        process.handle(context, sample_reports.postfix(to, f"reader{number}@example.org"))
    process.handle(
        context, sample_reports.complaint("fbl@example.org", addresses.address_for(1, 9))
    )
    person = subscribers.find(context.store, EmailAddress.parse("reader10@example.org"))
    assert person is not None
    subscribers.unsubscribe(
        context.store, person, now=context.clock(), method=UnsubscribeMethod.ONE_CLICK, issue=1
    )

    [health] = list_health(context)
    figures = health.figures
    assert (figures.sent, figures.bounced, figures.complaints) == (60, 4, 1)
    assert (figures.unsubscribed, figures.joined) == (1, 60)
    assert len(health.alerts) == 2
    result = process.collection_result(
        process.Collected(hard=4), list_alert_sentences(context), "de"
    )
    assert result.name == "Degraded" and result.message.startswith(
        "Berichte: 4 endgültig zurück; Ausgabe 2026-11-26: 6,7 %"
    )
    page = delivery_report(context, IssueId.parse("2026-11-26"))
    assert "**Alarm:**" in page and "1 abbestellt" in page
    stats = publication.run("subscribers", "stats", "--json").json
    assert stats["subscribers"] == {"pending": 0, "confirmed": 59, "unsubscribed": 1}
    assert stats["suppressions"] == {"complaint": 1, "hard bounce": 4}
