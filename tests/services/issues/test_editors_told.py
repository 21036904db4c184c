"""Editors hear at once that an issue waits, and once; a test mail is sent again to them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from upcycle_news.api import App
from upcycle_news.models import IssueId
from upcycle_news.services.issues.compose import compose_issue

from ...delivery.memory_ledger import Clock
from ...publications import Publication, parse_mail, relay_variables
from ...transports.bad_relays import MisbehavingRelay, always

ISSUE = IssueId.parse("2026-11-26")
URL = "http://127.0.0.1:4200/api"


@pytest.fixture
def waiting(publication: Publication, monkeypatch: pytest.MonkeyPatch) -> App:
    """An app with an issue for which the run „run-one“ waits, and a group of editors."""
    monkeypatch.setenv("PREFECT_API_URL", URL)
    publication.write_essay()
    consent = ("--consent", "letter of 3 May 2026", "--group", "redaktion")
    publication.run("subscribers", "add", "anna@example.org", *consent)
    publication.change_setting("[retry]", '[cockpit]\neditors = "redaktion"\n\n[retry]')
    app = App(publication.context())
    ask(app)
    return app


def ask(app: App, refused: str = "") -> str:
    revision = compose_issue(app._context, ISSUE).revision_id
    form = app.runs.ask(str(ISSUE), revision, run="run-one", refused=refused)
    assert form.markdown
    return revision


def test_the_mail_has_the_issue_the_preview_and_the_address_of_the_run(
    waiting: App, publication: Publication
) -> None:
    [event] = waiting.runs.tell_editors("run-one")
    assert event.name == "upcycle-news.issue.waiting"
    [mail] = map(parse_mail, publication.mails())
    assert mail["To"] == "anna@example.org"
    assert mail["Subject"] == "Umbaupost: Ausgabe 2026-11-26 wartet auf Ihre Freigabe"
    text = mail.get_content()
    assert "„Was vom Bahnhof bleibt“" in text
    assert "/preview/" in text
    assert "http://127.0.0.1:4200/runs/flow-run/run-one" in text


def test_a_further_question_of_the_run_and_a_resumed_run_tell_nothing_again(
    waiting: App, publication: Publication
) -> None:
    assert len(waiting.runs.tell_editors("run-one")) == 1
    publication.write_essay("Ein zweiter")
    ask(waiting, refused="etwas")
    assert waiting.runs.tell_editors("run-one") == []
    assert waiting.runs.tell_editors() == []
    assert len(publication.mails()) == 1


def test_what_the_relay_did_not_take_is_told_later(
    waiting: App, publication: Publication, clock: Clock
) -> None:
    away = App(publication.context(**relay_variables(9)))  # nobody listens on the discard port
    assert away.runs.tell_editors("run-one") == []
    clock.now += timedelta(minutes=10)
    assert len(waiting.runs.tell_editors()) == 1
    assert waiting.runs.tell_editors() == []


def test_a_question_that_ends_soon_is_told_and_not_reminded_of_at_once(
    waiting: App, publication: Publication, clock: Clock
) -> None:
    clock.now += timedelta(hours=43)
    assert len(waiting.runs.tell_editors()) == 1
    assert waiting.runs.send_reminders() == []


@pytest.mark.parametrize("first", ["tell_editors", "send_reminders"])
@pytest.mark.parametrize("second", ["tell_editors", "send_reminders"])
def test_what_ends_soon_is_one_mail_also_when_another_process_looks_while_it_is_sent(
    waiting: App, publication: Publication, clock: Clock, first: str, second: str
) -> None:
    clock.now += timedelta(hours=43)
    others = []

    def look(relay: MisbehavingRelay, recipient: str) -> None:
        others.extend(getattr(App(publication.context()).runs, second)())

    with MisbehavingRelay(data=look) as relay:
        sender = App(publication.context(**relay_variables(relay.controller.port)))
        assert len(getattr(sender.runs, first)()) == 1
        assert relay.recipients == ["anna@example.org"]
    assert others == []
    assert publication.mails() == []
    assert waiting.runs.tell_editors() == waiting.runs.send_reminders() == []


@pytest.mark.parametrize("step", ["tell_editors", "send_reminders"])
def test_a_mail_of_which_nobody_knows_whether_it_arrived_is_not_sent_again(
    waiting: App, publication: Publication, clock: Clock, step: str
) -> None:
    clock.now += timedelta(hours=43)
    with MisbehavingRelay(drop="before 250") as relay:
        sender = App(publication.context(**relay_variables(relay.controller.port)))
        assert len(getattr(sender.runs, step)()) == 1
        assert relay.recipients == ["anna@example.org"]
    assert waiting.runs.tell_editors() == waiting.runs.send_reminders() == []
    assert publication.mails() == []


def test_a_question_that_the_relay_refused_is_told_and_reminded_of_later(
    waiting: App, publication: Publication, clock: Clock
) -> None:
    clock.now += timedelta(hours=43)
    with MisbehavingRelay(data=always("451 4.3.0 try again")) as relay:
        refused = App(publication.context(**relay_variables(relay.controller.port))).runs
        assert refused.tell_editors() == refused.send_reminders() == []
    assert len(waiting.runs.tell_editors()) == 1
    assert waiting.runs.send_reminders() == []
    assert len(publication.mails()) == 1


def test_a_test_mail_is_sent_again_to_the_editors_or_the_next_question_says_why_not(
    waiting: App, publication: Publication
) -> None:
    revision = ask(waiting)
    assert waiting.runs.send_tests_again(str(ISSUE), revision, "") == ""
    assert waiting.runs.send_tests_again(str(ISSUE), revision, "") == ""
    assert publication.recipients() == ["anna@example.org"] * 2
    unknown = waiting.runs.send_tests_again(str(ISSUE), revision, "niemand")
    assert "niemand" in unknown
    publication.change_setting('editors = "redaktion"', 'editors = ""')
    without = App(publication.context())
    why = without.runs.send_tests_again(str(ISSUE), revision, "")
    assert why.startswith("Es ging keine Testmail hinaus")
    form = without.runs.ask(str(ISSUE), revision, run="run-one", refused=why)
    assert "Es ging keine Testmail hinaus" in form.markdown
    assert form.markdown.index("Entscheiden") < form.markdown.index("Prüfung")
