"""Who may let an issue out: questions, answers, and what a run finds when it comes back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError, RelayError
from upcycle_news.models import IssueId
from upcycle_news.services import pipeline
from upcycle_news.services.delivery import send
from upcycle_news.services.issues import approval
from upcycle_news.services.issues.compose import EssayFilter
from upcycle_news.services.issues.preview_link import preview_html, preview_url
from upcycle_news.services.monitoring import alerts, notifications
from upcycle_news.services.pipeline import Begun
from upcycle_news.storage import approvals

from ...delivery.memory_ledger import Clock
from ...publications import Publication, parsed, relay_at
from ...transports.bad_relays import BadDay, always, for_addresses

ISSUE = IssueId.parse("2026-11-26")
CHOICE = EssayFilter()


def asked(context: AppContext, run: str = "run one") -> tuple[str, approval.Question]:
    revision = pipeline.compose(context, str(ISSUE), CHOICE, run=run).revision
    pipeline.render(context, str(ISSUE), revision)
    return revision, pipeline.ask(context, str(ISSUE), revision, run=run, waits=True)


def answered(
    context: AppContext, revision: str, question: approval.Question, **answer: str
) -> approval.Answered:
    return pipeline.take_answer(context, str(ISSUE), revision, question.number, answer)


def test_an_approval_in_the_form_lets_the_issue_out(publication: Publication) -> None:
    publication.essay()
    publication.crowd(2)
    context = publication.context()
    revision, question = asked(context)
    assert "**2** Leserinnen" in question.markdown
    assert answered(context, revision, question, decision="send", name="Anna").approved
    decided = approvals.last_decision(context.store, ISSUE, revision)
    assert decided is not None
    assert (decided.approved, decided.by) == (True, "Anna")
    assert pipeline.enqueue(context, str(ISSUE), revision, run="run one") == 2


def test_a_run_that_comes_back_finds_its_question_again(publication: Publication) -> None:
    publication.essay()
    publication.crowd(1)
    revision, question = asked(publication.context())
    publication.essay("Neu dazu")
    again, same = asked(publication.context())
    assert (again, same.key) == (revision, question.key)


def test_what_changed_after_the_preview_is_refused_with_the_difference(
    publication: Publication,
) -> None:
    slug = publication.essay()
    publication.crowd(1)
    context = publication.context()
    revision, question = asked(context)
    publication.essay(text="Ein anderer Text.\n")
    refused = answered(context, revision, question, decision="send")
    assert not refused.approved
    assert f"essay {slug}" in refused.refused
    with pytest.raises(IssueError, match="has changed since it was shown"):
        approval.approve(context, ISSUE, revision, by="Anna")
    newer, second = asked(context)
    assert newer != revision
    assert second.key != question.key
    assert "geändert: Was vom Bahnhof bleibt" in second.markdown
    assert answered(context, newer, second, decision="send").approved


def test_new_readers_do_not_void_an_approval(publication: Publication) -> None:
    publication.essay()
    publication.crowd(1)
    context = publication.context()
    revision, question = asked(context)
    publication.readers("spaet@example.org")
    assert answered(context, revision, question, decision="send").approved
    assert pipeline.enqueue(context, str(ISSUE), revision, run="run one") == 2


def test_a_rejected_issue_ends_with_a_sentence(publication: Publication) -> None:
    publication.essay()
    publication.crowd(1)
    context = publication.context()
    revision, question = asked(context)
    told = answered(context, revision, question, decision="reject").ended
    assert told is not None
    assert (told.kind, told.name) == ("cancelled", "Rejected")
    with pytest.raises(IssueError, match="is not approved"):
        send.enqueue(context, ISSUE, revision)


def test_a_rejection_in_the_form_says_that_the_issue_is_being_sent_by_now(
    publication: Publication,
) -> None:
    publication.essay()
    publication.crowd(1)
    context = publication.context()
    revision, question = asked(context)
    approval.record_approval(context, ISSUE, revision, by="somebody else")
    send.enqueue(context, ISSUE, revision)
    told = answered(context, revision, question, decision="reject").ended
    assert told is not None
    assert (told.kind, told.name) == ("failed", "TooLate")
    assert "issue pause 2026-11-26" in told.message
    refused = publication.run("issue", "reject", str(ISSUE), code=1)
    assert "its deliveries have begun" in refused.err


def test_a_run_that_sends_without_asking_keeps_to_what_an_editor_rejected(
    publication: Publication,
) -> None:
    publication.essay()
    publication.crowd(1)
    context = publication.context()
    revision = pipeline.compose(context, str(ISSUE), CHOICE, run="one").revision
    approval.record_rejection(context, ISSUE, revision, by="Anna")
    pipeline.approve(context, str(ISSUE), revision)
    told = pipeline.ask(context, str(ISSUE), revision, run="one", waits=True).ended
    assert told is not None
    assert told.name == "Rejected"
    approval.record_approval(context, ISSUE, revision, by="Anna")
    assert pipeline.ask(context, str(ISSUE), revision, run="one", waits=True).approved


def test_a_test_can_be_asked_for_again(publication: Publication) -> None:
    publication.essay()
    publication.crowd(1)
    context = publication.context()
    revision, question = asked(context)
    told = answered(context, revision, question, decision="send test again")
    assert (told.test_again, told.approved, told.ended) == (True, False, None)
    assert asked(context)[1].key != question.key


def test_nothing_can_be_left_out_that_is_not_there(publication: Publication) -> None:
    publication.essay()
    publication.crowd(1)
    context = publication.context()
    revision, question = asked(context)
    told = answered(context, revision, question, decision="leave items out", leave_out="7")
    assert "keine Meldung" in told.refused


def test_a_question_nobody_answers_ends_and_can_be_asked_again(
    publication: Publication, clock: Clock
) -> None:
    publication.essay()
    publication.crowd(1)
    revision, question = asked(publication.context())
    clock.now += timedelta(hours=43)
    reminder, *_ = notifications.remind(publication.context())
    assert "waits for an approval until" in reminder.message
    assert notifications.remind(publication.context()) == []
    assert alerts.in_vain(publication.context()) == []
    clock.now += timedelta(hours=6)
    context = publication.context()
    [waiting] = alerts.in_vain(context)
    assert waiting.run == "run one"
    assert waiting.ended is not None
    assert "issue send 2026-11-26" in waiting.ended.message
    assert answered(context, revision, question, decision="send").ended == waiting.ended
    alerts.settled(context, waiting)
    assert alerts.in_vain(context) == []
    assert pipeline.begin(
        context, "2026-11-26", planned_at=clock.now, run="by hand", max_lateness_hours=12
    ) == Begun("2026-11-26")


def test_a_run_whose_issue_was_approved_elsewhere_goes_on(publication: Publication) -> None:
    publication.essay()
    publication.crowd(1)
    context = publication.context()
    revision, _ = asked(context)
    approval.record_approval(context, ISSUE, revision, by="somebody else")
    [waiting] = alerts.in_vain(context)
    assert (waiting.run, waiting.answer, waiting.ended) == ("run one", "send", None)
    assert pipeline.ask(context, str(ISSUE), revision, run="run one", waits=True).approved


def test_the_command_line_names_the_runs_that_wait(publication: Publication) -> None:
    publication.essay()
    publication.crowd(1)
    context = publication.context()
    revision, _ = asked(context)
    assert approval.approve(context, ISSUE, revision, by="Anna") == ("run one",)


def test_a_preview_link_opens_one_revision_until_it_expires(
    publication: Publication, clock: Clock
) -> None:
    publication.essay()
    context = publication.context()
    revision, _ = asked(context)
    url = preview_url(context, ISSUE, revision, expires=clock.now + timedelta(hours=1))
    token = url.rpartition("/")[2]
    page = preview_html(context, token)
    assert page is not None
    assert "Was vom Bahnhof bleibt" in page
    assert preview_html(context, token[:-1] + ("A" if token[-1] != "A" else "B")) is None
    assert preview_html(context, "") is None
    clock.now += timedelta(hours=2)
    assert preview_html(publication.context(), token) is None


def test_a_reminder_is_a_letter_in_the_editors_language_sent_once(
    publication: Publication, clock: Clock
) -> None:
    publication.essay()
    consent = ("--consent", "letter of 3 May 2026", "--group", "redaktion")
    publication.run("subscribers", "add", "anna@example.org", *consent)
    publication.setting("[retry]", '[cockpit]\neditors = "redaktion"\n\n[retry]')
    asked(publication.context())
    clock.now += timedelta(hours=41)
    assert notifications.remind(publication.context()) == []  # too early
    clock.now += timedelta(hours=2)
    away = publication.context(**relay_at(9))  # nobody listens on the discard port
    assert notifications.remind(away) == []
    assert len(notifications.remind(publication.context())) == 1
    assert notifications.remind(publication.context()) == []
    [mail] = map(parsed, publication.mails())
    assert mail["To"] == "anna@example.org"
    assert mail["Subject"] == (
        "Ausgabe 2026-11-26 wartet auf Ihre Freigabe bis Samstag, 28. November, 07:00 Uhr"
    )
    assert "/preview/" in mail.get_content()
    clock.now += timedelta(hours=6)
    assert notifications.remind(publication.context()) == []  # too late: the question has ended


def test_an_editor_with_a_dead_address_does_not_have_the_others_reminded_again_and_again(
    publication: Publication, clock: Clock
) -> None:
    publication.essay()
    consent = ("--consent", "letter of 3 May 2026", "--group", "redaktion")
    for name in ("anna", "weg", "zoe"):
        publication.run("subscribers", "add", f"{name}@example.org", *consent)
    publication.setting("[retry]", '[cockpit]\neditors = "redaktion"\n\n[retry]')
    asked(publication.context())
    clock.now += timedelta(hours=43)
    with BadDay(mail=always("550 5.7.1 not you")) as relay:
        assert notifications.remind(publication.context(**relay_at(relay.controller.port))) == []
    with BadDay(rcpt=for_addresses("weg", "550 5.1.1 no such user")) as relay:
        context = publication.context(**relay_at(relay.controller.port))
        assert len(notifications.remind(context)) == 1
        assert notifications.remind(context) == []
    assert [who for who, _ in relay.accepted] == ["anna@example.org", "zoe@example.org"]


def test_test_mails_that_could_not_be_sent_are_sent_by_a_retry(publication: Publication) -> None:
    publication.essay()
    consent = ("--consent", "letter of 3 May 2026", "--group", "redaktion")
    publication.run("subscribers", "add", "anna@example.org", *consent)
    revision, _ = asked(publication.context())
    told = (str(ISSUE), revision, "redaktion")
    with pytest.raises(RelayError):
        pipeline.send_tests(publication.context(**relay_at(9)), *told)
    context = publication.context()
    assert [pipeline.send_tests(context, *told) for _ in range(2)] == [1, 0]
