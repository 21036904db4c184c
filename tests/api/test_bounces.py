"""Bounces through the app, and the result of the flow that collects them."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from upcycle_news.api import App
from upcycle_news.api.bounces import Collected, collection_result
from upcycle_news.errors import SettingsError, StoreError, UpcycleError
from upcycle_news.models import SuppressionSource
from upcycle_news.services.bounces import process

from ..bounces import sample_reports
from ..publications import Publication, add_confirmed_subscribers, send_issue

ANNA = "anna@example.org"


@pytest.fixture
def app(publication: Publication) -> App:
    """Anna has had an issue, and the inbox is a Maildir."""
    for name in ("tmp", "new", "cur"):
        (publication.home / "inbox" / name).mkdir(parents=True)
    context = publication.context(SENDER__VERP="true", INBOX__MAILDIR="inbox")
    add_confirmed_subscribers(context, ANNA)
    publication.write_essay()
    assert send_issue(context).closed
    return App(context)


def returned_mail(publication: Publication) -> bytes:
    """Return what the server of the newest mail's reader would send back."""
    path = max((publication.home / "var/mailbox/new").iterdir(), key=lambda path: path.name)
    line = path.read_bytes().split(b"\r\n", 1)[0].decode()
    return sample_reports.postfix(line.removeprefix("Return-Path: <").rstrip(">"), ANNA)


def test_what_lies_in_the_inbox_is_counted_listed_and_shown(
    publication: Publication, app: App
) -> None:
    report = returned_mail(publication)
    (publication.home / "inbox/new/1").write_bytes(report)
    counts = app.bounces.collect()
    assert counts == Collected(hard=1, suppressed=1)
    assert str(counts.summary) == "1 hard, 1 suppressed"
    assert str(app.bounces.collect().summary) == "the inbox is empty"
    [bounce] = app.bounces.list(kind="hard")
    assert list(app.bounces.list(kind="soft")) == []
    assert list(app.bounces.list(issue="2020-01-01")) == []
    assert app.bounces.raw_report(bounce.id) == report
    (row,) = publication.run("bounces", "list", "--json").lines
    assert row == bounce.as_dict()
    assert row["understood"] is True
    assert ANNA not in str(row)
    [suppression] = app.suppressions.list()
    assert (suppression.issue, suppression.source) == (bounce.issue, SuppressionSource.BOUNCE)


def test_a_report_that_is_not_there_or_no_longer_kept_is_an_error(
    publication: Publication, app: App
) -> None:
    with pytest.raises(UpcycleError, match="there is no report 7"):
        app.bounces.raw_report(7)
    (publication.home / "inbox/new/1").write_bytes(returned_mail(publication))
    app.bounces.collect()
    [bounce] = app.bounces.list()
    app.subscribers.forget(ANNA)
    with pytest.raises(UpcycleError, match="was deleted after its time"):
        app.bounces.raw_report(bounce.id)


def test_a_process_that_dies_between_report_and_suppression_leaves_neither(
    publication: Publication, app: App
) -> None:
    context = publication.context(SENDER__VERP="true")
    report = returned_mail(publication)
    with context.store.writing() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER dies BEFORE INSERT ON suppressions "
                "BEGIN SELECT RAISE(ABORT, 'the power is gone'); END"
            )
        )
    with pytest.raises(StoreError):
        process.handle(context, report)
    assert list(app.bounces.list()) == []
    with context.store.writing() as connection:
        connection.execute(text("DROP TRIGGER dies"))
    assert process.handle(context, report) == ({"hard": 1, "suppressed": 1}, True)
    assert len(list(app.suppressions.list())) == 1


def test_without_an_inbox_collecting_is_an_error_and_a_flow_says_so(
    publication: Publication,
) -> None:
    app = App(publication.context())
    with pytest.raises(SettingsError, match="there is no inbox"):
        app.bounces.collect()
    assert app.bounces.collect_if_configured() is None
    assert collection_result(None, []).message == "no inbox is configured"
    assert app.bounces.alerts() == ()


def test_an_alert_degrades_the_run() -> None:
    result = collection_result(Collected(hard=4, left_alone=2), ["issue 2026-11-26: 6.7 %"])
    assert (result.kind, result.name) == ("completed", "Degraded")
    assert result.message == "4 hard, 2 left alone; issue 2026-11-26: 6.7 %"
    assert collection_result(Collected(), []).name == "Completed"
