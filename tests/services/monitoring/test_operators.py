"""Notices to operators: an alert about the relay waits for it, and goes to the webhook meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
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
from ...publications import Publication, approve_issue, relay_variables
from ...transports.bad_relays import MisbehavingRelay, always

EVENT = "upcycle-news.issue.refused"
MESSAGE = "Ausgabe 2026-11-26 ist angehalten: Das Relay hat den Absender abgelehnt."


class Chat:
    """A webhook that answers with the given statuses one after another, then with 200."""

    def __init__(self, *statuses: int) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        left = list(statuses)
        bodies, headers = self.bodies, self.headers

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                headers.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(left.pop(0) if left else 200)
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook/geheim"

    @property
    def posts(self) -> list[dict[str, Any]]:
        """The bodies as JSON."""
        return [json.loads(body) for body in self.bodies]

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
    title = "Umbaupost: Das Verschicken ist angehalten"  # there is no such issue in the store
    assert (post["title"], post["text"]) == (title, f"{title}\n{MESSAGE}")


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


RUN = "http://127.0.0.1:4200/runs/flow-run/0f9d"
TITLE = "Umbaupost: Das Verschicken ist angehalten"


@pytest.mark.parametrize("form", ["slack", "matrix"])
def test_a_chat_gets_one_text(publication: Publication, form: str) -> None:
    with Chat() as chat:
        context = publication.context(COCKPIT__WEBHOOK=chat.url, COCKPIT__WEBHOOK_FORMAT=form)
        assert notify_operators(context, EVENT, MESSAGE, RUN).posts == 1
    assert chat.posts == [{"text": f"{TITLE}\n{MESSAGE}\n\nDer Lauf dazu: {RUN}"}]


def test_ntfy_gets_plain_text_with_title_priority_and_the_runs_address(
    publication: Publication,
) -> None:
    with Chat() as chat:
        context = publication.context(COCKPIT__WEBHOOK=chat.url, COCKPIT__WEBHOOK_FORMAT="ntfy")
        notify_operators(context, "upcycle-news.relay.slow", "Grüße vom Relay", RUN)
    assert chat.bodies == [f"Grüße vom Relay\n\nDer Lauf dazu: {RUN}".encode()]
    [headers] = chat.headers
    assert (
        str(make_header(decode_header(headers["title"])))
        == "Umbaupost: Das Relay antwortet langsam"
    )
    assert (headers["priority"], headers["click"]) == ("high", RUN)
    assert headers["content-type"].startswith("text/plain")


def test_a_long_alarm_stays_a_message_of_ntfy(publication: Publication) -> None:
    with Chat() as chat:
        context = publication.context(COCKPIT__WEBHOOK=chat.url, COCKPIT__WEBHOOK_FORMAT="ntfy")
        notify_operators(context, EVENT, "Grüße " * 2000)
    assert len(chat.bodies[0]) <= 4096
    assert chat.bodies[0].decode()  # cut between characters


def test_an_unknown_service_is_refused(publication: Publication) -> None:
    with pytest.raises(SettingsError, match="webhook_format"):
        publication.context(COCKPIT__WEBHOOK_FORMAT="carrier pigeon")


def test_no_address_and_no_secret_goes_to_the_webhook(
    staff: Publication, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with Chat() as chat, MisbehavingRelay() as relay:
        context = context_of(staff, relay.controller.port, chat.url)
        notify_operators(context, EVENT, f"an eva@example.org ging nichts, {chat.url} auch nicht")
    said = chat.bodies[0].decode() + relay.accepted[0][1].decode()
    assert "eva@" not in said and "geheim" not in said
    assert "geheim" not in caplog.text


def test_the_webhooks_address_may_stand_in_a_file(publication: Publication, tmp_path: Path) -> None:
    with Chat() as chat:
        (tmp_path / "hook").write_text(f"{chat.url}\n")
        context = publication.context(COCKPIT__WEBHOOK_FILE=str(tmp_path / "hook"))
        assert notify_operators(context, EVENT, MESSAGE).posts == 1


def test_the_mail_names_publication_issue_and_run(staff: Publication) -> None:
    staff.write_essay()
    staff.add_many_subscribers(1)
    with MisbehavingRelay() as relay:
        context = context_of(staff, relay.controller.port)
        _, rendered = approve_issue(context)
        issue = rendered.issue
        message = f"Ausgabe {issue} ist angehalten: Das Relay mag uns nicht."
        notify_operators(context, EVENT, message, RUN)
    mail = message_from_bytes(relay.accepted[0][1], policy=default)
    assert mail["Subject"] == f"Umbaupost, Ausgabe {issue}: Das Verschicken ist angehalten"
    text = mail.get_content()
    assert message in text and f"Der Lauf dazu: {RUN}" in text


@pytest.mark.parametrize(
    ("event", "message", "wanted"),
    [
        ("Failed", "backup: /mnt: Auf der Platte ist kein Platz.", "backup: /mnt: Auf der"),
        (
            "Failed",
            "watch: Flow run encountered an exception: KeyError: 'x'",
            "Prefect sagt dazu: „Flow run encountered an exception: KeyError: 'x'“",
        ),
        (
            "Crashed",
            "publish-next: Flow run process exited with status -9.",
            "Der Lauf publish-next hat nicht zu Ende geführt, was er sollte. Prefect sagt dazu: „Flow",
        ),
    ],
)
def test_what_prefect_itself_says_of_a_run_is_quoted(
    staff: Publication, event: str, message: str, wanted: str
) -> None:
    with MisbehavingRelay() as relay:
        context = context_of(staff, relay.controller.port)
        notify_operators(context, f"prefect.flow-run.{event}", message)
    mail = message_from_bytes(relay.accepted[0][1], policy=default)
    assert wanted in " ".join(mail.get_content().split())
    assert mail["Subject"] in (
        "Umbaupost: Ein Lauf ist gescheitert",
        "Umbaupost: Ein Lauf ist abgestürzt",
    )
