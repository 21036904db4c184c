"""Notices to operators: an alert about the relay waits for it, and goes to the webhook meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Self

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.errors import SettingsError
from upcycle_news.services.monitoring.operators import (
    GIVE_UP_AFTER,
    NoticeReport,
    deliver_notices,
    notification_result,
    notify_operators,
)
from upcycle_news.storage import notices

from ...delivery.memory_ledger import Clock
from ...processes import free_port
from ...publications import Publication, relay_variables
from ...transports.bad_relays import MisbehavingRelay, always

EVENT, MESSAGE = "upcycle-news.issue.refused", "issue 2026-11-26: the relay refused the sender"


class Chat:
    """A webhook that answers with the given statuses one after another, then with 200."""

    def __init__(self, *statuses: int) -> None:
        self.posts: list[dict[str, Any]] = []
        left = list(statuses)
        posts = self.posts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(left.pop(0) if left else 200)
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook/geheim"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def staff(publication: Publication) -> Iterator[Publication]:
    """A publication whose operators are two people."""
    for name in ("anna", "bert"):
        publication.run(
            "subscribers", "add", f"{name}@example.org", "--group", "technik",
            "--consent", "staff, May 2026",
        )  # fmt: skip
    yield publication


def context_of(publication: Publication, port: int, webhook: str = "") -> AppContext:
    more = {"COCKPIT__WEBHOOK": webhook} if webhook else {}
    return publication.context(**relay_variables(port), COCKPIT__OPERATORS="technik", **more)


def waiting(context: AppContext) -> int:
    return len(notices.list_due(context.store, context.clock() + timedelta(days=30)))


def test_an_alert_about_the_relay_waits_until_it_takes_mail(
    staff: Publication, clock: Clock
) -> None:
    port = free_port()
    context = context_of(staff, port)
    report = notify_operators(context, EVENT, MESSAGE)
    assert (report.delivered, len(report.waiting)) == (0, 1)
    result = notification_result(report)
    assert (result.kind, result.name) == ("completed", "Waiting")
    assert "watch versucht es wieder" in result.message
    assert "example.org" not in result.message
    assert deliver_notices(context) == NoticeReport()  # not due yet
    clock.wait(301)
    with MisbehavingRelay(mail=always("550 5.7.1 not from you")) as refusing:
        assert deliver_notices(context_of(staff, refusing.controller.port)).delivered == 0
    clock.wait(601)
    with MisbehavingRelay() as relay:
        context = context_of(staff, relay.controller.port)
        assert deliver_notices(context) == NoticeReport(mails=2)
        clock.wait(86400)
        assert deliver_notices(context) == NoticeReport()
    assert sorted(relay.recipients) == ["anna@example.org", "bert@example.org"]
    assert all(MESSAGE.encode() in mail for _, mail in relay.accepted)
    assert waiting(context) == 0


def test_it_goes_to_the_webhook_while_the_relay_is_away(staff: Publication, clock: Clock) -> None:
    with Chat() as chat:
        context = context_of(staff, free_port(), chat.url)
        report = notify_operators(context, EVENT, MESSAGE)
        assert (report.mails, report.posts, len(report.waiting)) == (0, 1, 1)
        clock.wait(301)
        with MisbehavingRelay() as relay:
            again = deliver_notices(context_of(staff, relay.controller.port, chat.url))
    assert again == NoticeReport(mails=2)
    [post] = chat.posts
    assert (post["event"], post["message"], post["publication"]) == (EVENT, MESSAGE, "Umbaupost")
    assert post["text"] == f"Umbaupost: {EVENT}: {MESSAGE}"


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_does_not_take_it_is_tried_again(
    staff: Publication, clock: Clock, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with Chat(status, status) as chat, MisbehavingRelay() as relay:
        context = context_of(staff, relay.controller.port, chat.url)
        reports = [notify_operators(context, EVENT, MESSAGE)]
        for _ in range(4):
            clock.wait(1201)
            reports.append(deliver_notices(context))
    assert [(report.mails, report.posts) for report in reports] == [
        *((2, 0), (0, 0), (0, 1)),
        *((0, 0), (0, 0)),
    ]
    assert str(status) in reports[0].waiting[0]
    assert len(relay.recipients) == 2
    assert "geheim" not in caplog.text + "".join(reports[0].waiting)


def test_the_webhook_alone_is_enough(publication: Publication) -> None:
    with Chat() as chat:
        context = publication.context(COCKPIT__WEBHOOK=chat.url)
        result = notification_result(notify_operators(context, EVENT, MESSAGE))
    assert (result.name, len(chat.posts)) == ("Completed", 1)


def test_without_operators_nothing_waits(publication: Publication) -> None:
    context = publication.context()
    result = notification_result(notify_operators(context, EVENT, MESSAGE))
    assert (result.name, waiting(context)) == ("Nobody", 0)


def test_a_notice_that_nobody_takes_is_given_up_after_days(
    staff: Publication, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    context = context_of(staff, free_port())
    notify_operators(context, EVENT, MESSAGE)
    tries = 0
    began = clock.now
    while clock.now - began <= GIVE_UP_AFTER:
        clock.wait(600)
        tries += len(deliver_notices(context).waiting)
    assert 10 < tries < 25  # later and later
    clock.wait(6 * 3600)
    assert deliver_notices(context) == NoticeReport()
    assert "notice given up" in caplog.text
    assert waiting(context) == 0


def test_two_runs_at_once_send_a_notice_once(staff: Publication, clock: Clock) -> None:
    context = context_of(staff, free_port())
    notify_operators(context, EVENT, MESSAGE)
    clock.wait(301)
    [notice] = notices.list_due(context.store, clock.now)
    later = clock.now + timedelta(minutes=5)
    assert notices.claim(context.store, notice, until=later)
    assert not notices.claim(context.store, notice, until=later)


@pytest.mark.parametrize("url", ["chat.example", "ftp://chat.example/geheim", "https://"])
def test_a_webhook_that_is_no_address_is_refused_without_repeating_it(
    publication: Publication, url: str
) -> None:
    with pytest.raises(SettingsError, match="begins with https://") as raised:
        publication.context(COCKPIT__WEBHOOK=url)
    assert "geheim" not in str(raised.value)
