"""Approval requests, editors' answers, and flow runs that resume after them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError, RelayError
from upcycle_news.models import IssueId, RenderedIssue
from upcycle_news.services.issues import approval
from upcycle_news.services.issues.compose import compose_issue
from upcycle_news.services.issues.essay_filter import EssayFilter
from upcycle_news.services.issues.preview_link import preview_html, preview_url
from upcycle_news.services.issues.render import render_revision
from upcycle_news.services.issues.revisions import find_revision
from upcycle_news.services.monitoring import alerts, notifications
from upcycle_news.services.runs import steps
from upcycle_news.services.runs.admission import RunAdmission, admit_run
from upcycle_news.storage import approvals
from upcycle_news.text.escaped_markdown import markdown_link

from ...delivery.memory_ledger import Clock
from ...publications import Publication, parse_mail, relay_variables, send_issue
from ...transports.bad_relays import MisbehavingRelay, always, for_addresses

ISSUE = IssueId.parse("2026-11-26")
FILTER = EssayFilter()
ANSWERS = ("send", "send test again", "leave items out", "reject")


def request_approval(
    context: AppContext, run: str = "run one"
) -> tuple[str, approval.ApprovalForm]:
    revision = steps.compose(context, ISSUE, FILTER, run=run).revision_id
    steps.render(context, ISSUE, revision)
    return revision, approval.request_approval(context, ISSUE, revision, run=run)


def approve_elsewhere(
    context: AppContext, revision: str, by: str, **options: bool
) -> tuple[approvals.ApprovalRequest, ...]:
    """Approve as the command line does; returns the requests of the runs that wait."""
    rendered = render_revision(context, find_revision(context, ISSUE, revision))
    return approval.approve(context, rendered, by=by, **options)


def answer_form(
    context: AppContext, revision: str, form: approval.ApprovalForm, /, **answer: str
) -> approval.ApprovalOutcome:
    return approval.apply_decision(context, ISSUE, revision, form.request, answer)


def test_an_approval_in_the_form_lets_the_issue_be_sent(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context()
    revision, form = request_approval(context)
    assert "**2** Leserinnen" in form.markdown
    assert answer_form(context, revision, form, decision="send", name="Anna").approved
    decision = approvals.last_decision(context.store, ISSUE, revision)
    assert decision is not None
    assert (decision.approved, decision.by) == (True, "Anna")
    assert steps.enqueue_once(context, ISSUE, revision, run="run one") == 2


def test_a_resumed_run_gets_the_same_form(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    revision, form = request_approval(publication.context())
    publication.write_essay("Neu dazu")
    same_revision, same_form = request_approval(publication.context())
    assert (same_revision, same_form.key) == (revision, form.key)


def test_an_approval_after_a_change_is_refused_with_the_changes(
    publication: Publication,
) -> None:
    slug = publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    revision, form = request_approval(context)
    publication.write_essay(text="Ein anderer Text.\n")
    refused = answer_form(context, revision, form, decision="send")
    assert not refused.approved
    assert f"essay {slug}" in refused.refused
    with pytest.raises(IssueError, match="has changed since it was shown"):
        approve_elsewhere(context, revision, "Anna")
    newer, second = request_approval(context)
    assert newer != revision
    assert second.key != form.key
    assert "geändert: Was vom Bahnhof bleibt" in second.markdown
    assert answer_form(context, newer, second, decision="send").approved


def test_new_subscribers_do_not_void_an_approval(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    revision, form = request_approval(context)
    publication.add_subscribers("spaet@example.org")
    assert answer_form(context, revision, form, decision="send").approved
    assert steps.enqueue_once(context, ISSUE, revision, run="run one") == 2


def test_a_rejected_issue_ends_with_a_sentence(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    revision, form = request_approval(context)
    result = answer_form(context, revision, form, decision="reject").ended
    assert result is not None
    assert (result.kind, result.name) == ("cancelled", "Rejected")
    with pytest.raises(IssueError, match="is not approved"):
        steps.enqueue_once(context, ISSUE, revision, run="run one")


def test_a_rejection_is_too_late_once_the_issue_is_being_sent(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    revision, form = request_approval(context)
    approve_elsewhere(context, revision, "Bert")
    steps.enqueue_once(context, ISSUE, revision, run="run one")
    result = answer_form(context, revision, form, decision="reject").ended
    assert result is not None
    assert (result.kind, result.name) == ("failed", "TooLate")
    assert "issue pause 2026-11-26" in result.message
    refused = publication.run("issue", "reject", str(ISSUE), code=1)
    assert "das Verschicken hat begonnen" in refused.err


def test_a_run_with_approve_does_not_override_a_rejection(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    revision = steps.compose(context, ISSUE, FILTER, run="one").revision_id
    approval.reject(context, ISSUE, revision, by="Anna")
    approval.approve_if_undecided(context, ISSUE, revision, by="flow")
    result = approval.request_approval(context, ISSUE, revision, run="one").ended
    assert result is not None
    assert result.name == "Rejected"
    approve_elsewhere(context, revision, "Anna")
    assert approval.request_approval(context, ISSUE, revision, run="one").approved


def test_a_test_mail_can_be_requested_again(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    revision, form = request_approval(context)
    outcome = answer_form(context, revision, form, decision="send test again")
    assert (outcome.test_again, outcome.approved, outcome.ended) == (True, False, None)
    assert request_approval(context)[1].key != form.key


def test_unknown_item_numbers_are_refused(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    revision, form = request_approval(context)
    outcome = answer_form(context, revision, form, decision="leave items out", leave_out="7")
    assert "keine Meldung" in outcome.refused


def test_an_unanswered_request_expires_and_can_be_made_again(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    revision, form = request_approval(publication.context())
    clock.now += timedelta(hours=43)
    reminder, *_ = notifications.send_reminders(publication.context())
    assert "wartet bis Samstag, 28. November" in reminder.message
    assert notifications.send_reminders(publication.context()) == []
    assert alerts.find_stale_runs(publication.context()) == []
    clock.now += timedelta(hours=6)
    context = publication.context()
    [stale] = alerts.find_stale_runs(context)
    assert stale.run == "run one"
    assert stale.ended is not None
    assert "issue send 2026-11-26" in stale.ended.message
    assert answer_form(context, revision, form, decision="send").ended == stale.ended
    alerts.mark_resolved(context, stale)
    assert alerts.find_stale_runs(context) == []
    assert admit_run(
        context, "2026-11-26", planned_at=clock.now, run="by hand", max_lateness_hours=12
    ) == RunAdmission("2026-11-26")


def test_a_run_whose_issue_was_approved_elsewhere_is_resumed(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    revision, _ = request_approval(context)
    approve_elsewhere(context, revision, "Bert")
    [stale] = alerts.find_stale_runs(context)
    assert (stale.run, stale.answer, stale.ended) == ("run one", "send", None)
    assert approval.request_approval(context, ISSUE, revision, run="run one").approved


def test_an_approval_returns_the_waiting_runs(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    revision, _ = request_approval(context)
    assert [request.run for request in approve_elsewhere(context, revision, "Anna")] == ["run one"]


def test_a_preview_link_opens_one_revision_until_it_expires(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    context = publication.context()
    revision, _ = request_approval(context)
    url = preview_url(context, ISSUE, revision, expires=clock.now + timedelta(hours=1))
    token = url.rpartition("/")[2]
    page = preview_html(context, token)
    assert page is not None
    assert "Was vom Bahnhof bleibt" in page
    assert preview_html(context, token[:-1] + ("A" if token[-1] != "A" else "B")) is None
    assert preview_html(context, "") is None
    clock.now += timedelta(hours=2)
    assert preview_html(publication.context(), token) is None


def test_editors_get_one_reminder_in_their_language(publication: Publication, clock: Clock) -> None:
    publication.write_essay()
    consent = ("--consent", "letter of 3 May 2026", "--group", "redaktion")
    publication.run("subscribers", "add", "anna@example.org", *consent)
    publication.change_setting("[retry]", '[cockpit]\neditors = "redaktion"\n\n[retry]')
    request_approval(publication.context())
    clock.now += timedelta(hours=41)
    assert notifications.send_reminders(publication.context()) == []  # too early
    clock.now += timedelta(hours=2)
    unreachable = publication.context(**relay_variables(9))  # nobody listens on the discard port
    assert notifications.send_reminders(unreachable) == []
    assert len(notifications.send_reminders(publication.context())) == 1
    assert notifications.send_reminders(publication.context()) == []
    [mail] = map(parse_mail, publication.mails())
    assert mail["To"] == "anna@example.org"
    assert mail["Subject"] == (
        "Umbaupost: Ausgabe 2026-11-26 wartet auf Ihre Freigabe bis Samstag, 28. November, 07:00 Uhr"
    )
    assert "/preview/" in mail.get_content()
    clock.now += timedelta(hours=6)
    assert (
        notifications.send_reminders(publication.context()) == []
    )  # too late: the request has expired


def test_a_dead_address_does_not_cause_repeated_reminders_to_the_others(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    consent = ("--consent", "letter of 3 May 2026", "--group", "redaktion")
    for name in ("anna", "weg", "zoe"):
        publication.run("subscribers", "add", f"{name}@example.org", *consent)
    publication.change_setting("[retry]", '[cockpit]\neditors = "redaktion"\n\n[retry]')
    request_approval(publication.context())
    clock.now += timedelta(hours=43)
    with MisbehavingRelay(mail=always("550 5.7.1 not you")) as relay:
        assert (
            notifications.send_reminders(
                publication.context(**relay_variables(relay.controller.port))
            )
            == []
        )
    with MisbehavingRelay(rcpt=for_addresses("weg", "550 5.1.1 no such user")) as relay:
        context = publication.context(**relay_variables(relay.controller.port))
        assert len(notifications.send_reminders(context)) == 1
        assert notifications.send_reminders(context) == []
    assert [address for address, _ in relay.accepted] == ["anna@example.org", "zoe@example.org"]


def test_a_retry_sends_test_mails_that_failed(publication: Publication) -> None:
    publication.write_essay()
    consent = ("--consent", "letter of 3 May 2026", "--group", "redaktion")
    publication.run("subscribers", "add", "anna@example.org", *consent)
    revision, _ = request_approval(publication.context())
    arguments = (ISSUE, revision, "redaktion")
    with pytest.raises(RelayError):
        steps.send_tests(publication.context(**relay_variables(9)), *arguments)
    context = publication.context()
    assert [steps.send_tests(context, *arguments) for _ in range(2)] == [1, 0]


def mail_of(context: AppContext, revision: str) -> RenderedIssue:
    return render_revision(context, find_revision(context, ISSUE, revision)).content


def test_send_with_a_changed_subject_sends_nothing_and_shows_the_new_one(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context()
    revision, form = request_approval(context)
    shown = {"subject": "Was vom Bahnhof bleibt", "greeting": "", "revision": revision[:12]}
    assert form.values == shown
    answer = {**form.values, "decision": "send", "subject": " Der Bahnhof,  umgebaut ", "name": "A"}
    outcome = answer_form(context, revision, form, **answer)
    assert not outcome.approved
    assert outcome.refused.startswith("Der Betreff ist geändert")
    with pytest.raises(IssueError, match="is not approved"):
        steps.enqueue_once(context, ISSUE, revision, run="run one")
    newer, second = request_approval(context)
    assert newer != revision
    assert second.values["subject"] == "Der Bahnhof, umgebaut"
    assert "## Der Bahnhof, umgebaut" in second.markdown
    since = "- Betreff: „Der Bahnhof, umgebaut“, vorher „Was vom Bahnhof bleibt“"
    assert since in second.markdown
    assert mail_of(context, newer).subject == "Der Bahnhof, umgebaut"
    assert answer_form(context, newer, second, decision="send", **second.values).approved
    assert steps.enqueue_once(context, ISSUE, newer, run="run one") == 2


@pytest.mark.parametrize("decision", ["send", "send test again", "leave items out"])
def test_an_answer_from_an_old_window_is_refused_and_the_question_comes_again(
    publication: Publication, decision: str
) -> None:
    """Two editors have the form open; one changes the subject, the other answers what was there before."""
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context()
    revision, first = request_approval(context)
    answer_form(context, revision, first, **{**first.values, "decision": "send", "subject": "Neu"})
    newer, second = request_approval(context)
    old = {**first.values, "decision": decision, "leave_out": "1"}
    outcome = answer_form(context, newer, second, **old)
    assert not outcome.approved and not outcome.test_again
    assert "das eine andere Fassung zeigte" in outcome.refused
    again, third = request_approval(context)
    assert again == newer and third.values["subject"] == "Neu", (
        "no text of the old window came back"
    )
    assert answer_form(context, newer, third, **{**third.values, "decision": "send"}).approved


def test_what_was_shown_before_the_wording_changed_can_not_be_approved_elsewhere(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    revision, form = request_approval(context)
    answer_form(
        context, revision, form, decision="send", greeting="Liebe Leute,\r\nes ist so weit."
    )
    with pytest.raises(IssueError, match=r"has changed since it was shown \(greeting\)"):
        approve_elsewhere(context, revision, "Anna")
    newer, second = request_approval(context)
    assert second.values["greeting"] == "Liebe Leute,\nes ist so weit."
    assert "- Begrüßung: „Liebe Leute, es ist so weit.“, vorher nichts" in second.markdown
    assert "Liebe Leute,\nes ist so weit." in mail_of(context, newer).text
    assert "es ist so weit." in mail_of(context, newer).html
    assert approve_elsewhere(context, newer, "Anna")


@pytest.mark.parametrize("decision", ["send test again", "leave items out"])
def test_texts_changed_with_another_answer_are_in_the_next_question(
    publication: Publication, decision: str
) -> None:
    publication.write_essay()
    context = publication.context()
    revision, form = request_approval(context)
    outcome = answer_form(context, revision, form, decision=decision, subject="Anders gesagt")
    assert outcome.test_again == (decision == "send test again")
    _, second = request_approval(context)
    assert second.values["subject"] == "Anders gesagt"


def test_a_rejection_takes_no_text_and_no_field_changes_nothing(publication: Publication) -> None:
    publication.write_essay()
    context = publication.context()
    revision, form = request_approval(context)
    answer_form(context, revision, form, decision="reject", subject="Anders", greeting="Hallo")
    assert compose_issue(context, ISSUE).revision_id == revision
    second = approval.request_approval(context, ISSUE, revision, run="run two")
    assert second.ended is not None
    other = publication.write_essay("Ein zweiter")
    assert other
    newer, third = request_approval(context, run="run three")
    texts = {**third.values, "greeting": "\r\n"}  # as a browser may write nothing
    assert answer_form(context, newer, third, decision="send", **texts).approved


def test_an_emptied_subject_is_the_one_of_the_files_again(publication: Publication) -> None:
    publication.write_essay()
    context = publication.context()
    revision, form = request_approval(context)
    answer_form(context, revision, form, decision="send", subject="Anders gesagt")
    newer, second = request_approval(context)
    outcome = answer_form(context, newer, second, decision="send", subject="", greeting="")
    assert not outcome.approved
    last, third = request_approval(context)
    assert last == revision
    assert third.values["subject"] == "Was vom Bahnhof bleibt"
    assert "- Betreff: „Was vom Bahnhof bleibt“, vorher „Anders gesagt“" in third.markdown


def test_the_legend_and_the_choices_stand_above_the_findings_and_in_the_first_field(
    publication: Publication,
) -> None:
    publication.write_essay()
    context = publication.context()
    _, form = request_approval(context)
    page, (title, description) = form.markdown, form.labels["decision"]
    assert title == "Entscheidung"
    for text in (page, description):
        places = [text.index(f"- **{choice}**: ") for choice in ANSWERS]
        assert places == sorted(places)
        assert places[-1] < text.index("Die Prüfung")
    as_prefect_shows_it = re.sub(r"\n(?!\n)", " ", description)
    assert "\n\n **Darin:**" in as_prefect_shows_it
    assert "\n - **reject**: " in as_prefect_shows_it
    assert "data:image" not in page  # no Chromium is set, and no word is said about it


def test_changes_since_the_last_issue_stand_beside_those_since_the_last_question(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    send_issue(publication.context(), "2026-11-19")
    slug = publication.write_essay("Ein zweiter")
    context = publication.context()
    _, form = request_approval(context)
    assert "Seit" not in form.markdown  # nothing did
    publication.change_setting('name = "Umbaupost"', 'name = "Umbaupost neu"')
    context = publication.context()
    publication.write_essay("Ein zweiter", text="Ein anderer Text.\n")
    approvals.answer_request(context.store, form.request, "changed", now=context.clock())
    _, second = request_approval(context)
    asked = second.markdown.index("Seit der letzten Freigabeanfrage")
    assert f"- geändert: {slug}" not in second.markdown
    assert second.markdown.index("- geändert: Ein zweiter") > asked
    assert second.markdown.index("Seit Ausgabe 2026-11-19") > asked
    assert second.markdown.count("geänderte Einstellungen: name") == 2


def test_a_link_of_an_item_keeps_its_brackets_and_quotes() -> None:
    link = markdown_link("Zeitung [Ort]", "https://example.org/a_(b)/„c“?x=<y> z")
    assert link == "[Zeitung \\[Ort\\]](<https://example.org/a_(b)/„c“?x=%3Cy%3E%20z>)"


@pytest.mark.parametrize(
    ("greeting", "why"),
    [("![](fehlt.jpg)", "fehlt.jpg"), ("Liebe {{ reader.name }}, hier ist sie.", "{{")],
)
def test_a_greeting_that_could_not_be_sent_is_not_taken_and_the_question_says_why(
    publication: Publication, greeting: str, why: str
) -> None:
    publication.write_essay()
    context = publication.context()
    revision, form = request_approval(context)
    outcome = answer_form(context, revision, form, decision="send", greeting=greeting)
    assert not outcome.approved
    assert why in outcome.refused
    same, second = request_approval(context)  # which would end the run if it had been taken
    assert same == revision
    assert second.values["greeting"] == ""


def test_spaces_and_line_ends_that_a_browser_writes_otherwise_change_nothing(
    publication: Publication,
) -> None:
    publication.write_essay(title="Der  Bahnhof bleibt")
    context = publication.context()
    revision, form = request_approval(context)
    answer_form(
        context, revision, form, decision="send test again", greeting="Hallo,\n\nliebe Leute."
    )
    newer, second = request_approval(context)
    texts = {"subject": "Der Bahnhof bleibt\n", "greeting": "Hallo,\r\n\r\nliebe Leute.\r\n"}
    assert newer != revision
    assert answer_form(context, newer, second, decision="send", **texts).approved
