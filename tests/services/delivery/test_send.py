"""What happens to an issue between approval and the last reader."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import timedelta

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError, NothingNew, RelayError
from upcycle_news.models import (
    DeliveryState,
    EmailAddress,
    IssueId,
    IssueState,
)
from upcycle_news.services.delivery import (
    issue_control,
    send,
    test_mail,
    worker_identity,
)
from upcycle_news.services.issues import approval, compose
from upcycle_news.services.issues.essay_filter import EssayFilter
from upcycle_news.services.issues.ids import current_issue, latest_issue
from upcycle_news.services.issues.render import render_revision
from upcycle_news.services.runs import steps
from upcycle_news.services.runs.deliver import deliver_with_progress
from upcycle_news.services.runs.pending import pending_issues
from upcycle_news.storage import audience, deliveries, issues, workers
from upcycle_news.storage.subscribers import NewSubscriber

from ...delivery.memory_ledger import Clock
from ...publications import (
    Publication,
    approve_issue,
    issue_status,
    parse_mail,
    relay_variables,
    send_issue,
)
from ...single_leases import SingleLeaseLedger
from ...transports.bad_relays import (
    MisbehavingRelay,
    always,
    first_time,
    for_addresses,
)

ISSUE = IssueId.parse("2026-11-26")


def counts(context: AppContext) -> dict[str, int]:
    return {str(state): number for state, number in issue_status(context, ISSUE).counts.items()}


def test_every_subscriber_gets_an_issue_once_and_all_deliveries_are_accounted_for(
    publication: Publication,
) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(3)
    summary = send_issue(publication.context())
    assert summary.closed
    assert publication.recipients() == readers
    assert summary.as_dict()["sent"] == summary.audience == 3


def test_no_subscriber_gets_an_issue_twice(publication: Publication) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(3)
    context = publication.context()
    send_issue(context)
    send.deliver_issue(context, ISSUE)
    issue_control.resume(context, ISSUE)
    send.deliver_issue(publication.context(), ISSUE)
    assert publication.recipients() == readers


def test_an_issue_nobody_approved_is_not_queued(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    rendered = render_revision(context, compose.compose_issue(context, ISSUE))
    with pytest.raises(IssueError, match="is not approved"):
        send.enqueue(context, rendered)
    approval.approve(context, rendered, by="Anna")
    approval.reject(context, ISSUE, rendered.revision_id, by="Bert")
    with pytest.raises(IssueError, match="is not approved"):
        send.enqueue(context, rendered)
    with pytest.raises(IssueError, match="has not been queued"):
        send.deliver_issue(context, ISSUE)
    assert publication.mails() == []


def test_an_approval_does_not_hold_for_another_revision(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    _, approved = approve_issue(context)
    publication.write_essay(text="Ein anderer Text.\n")
    changed = render_revision(context, compose.compose_issue(context, ISSUE))
    assert changed.revision_id != approved.revision_id
    with pytest.raises(IssueError, match="is not approved"):
        send.enqueue(context, changed)


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ('lines = ["Umbau e. V., Lange Straße 1, 12345 Musterstadt"]', "imprint"),
        ('address = "post@umbaupost.example.net"', "sender-missing"),
        ('public_url = "https://umbaupost.example.net"', "public-url-missing"),
    ],
)
def test_without_imprint_sender_or_public_address_nothing_is_queued(
    publication: Publication, setting: str, code: str
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    publication.change_setting(setting, "")
    context = publication.context()
    rendered = render_revision(context, compose.compose_issue(context, ISSUE))
    with pytest.raises(IssueError, match=code):
        approval.approve(context, rendered, by="Anna")
    assert counts(context) == {}
    row = issues.get(context.store, ISSUE)
    assert row is not None
    assert row.state is IssueState.OPEN


def test_a_real_relay_does_not_get_the_samples_settings(publication: Publication) -> None:
    publication.write_essay()
    publication.change_setting("post@umbaupost.example.net", "redaktion@example.org")
    context = publication.context(RELAYS__MAIN__HOST="smtp.umbaupost.net")
    rendered = render_revision(context, compose.compose_issue(context, ISSUE))
    with pytest.raises(IssueError, match=r"'sender\.address' is still the sample's"):
        approval.approve(context, rendered, by="Anna")


# --- relays


def test_a_relay_that_refuses_the_connection_loses_no_delivery(publication: Publication) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(4)
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        port = nobody_listens.getsockname()[1]
        context = publication.context(**relay_variables(port))
        issue, rendered = approve_issue(context)
        send.enqueue(context, rendered)
        with pytest.raises(RelayError):
            send.deliver_issue(context, issue)
    assert counts(context) == {"queued": 4}
    with MisbehavingRelay() as relay:
        better = publication.context(**relay_variables(relay.controller.port))
        issue_control.resume(better, issue)
        send.deliver_issue(better, issue)
    assert sorted(relay.recipients) == readers
    assert issue_status(context, issue).closed


def test_a_relay_that_refuses_everybody_stops_the_issue_and_suppresses_nobody(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(12)
    with MisbehavingRelay(rcpt=always("550 5.7.1 your address is listed")) as relay:
        settings = publication.context(**relay_variables(relay.controller.port)).settings
        context = AppContext(settings, clock=clock, wait=clock.wait)
        publication.contexts.append(context)
        with pytest.raises(RelayError, match="stopped"):
            send_issue(context)
    assert clock.waits, "a relay that refuses for our sake is asked more slowly"
    row = issues.get(context.store, ISSUE)
    assert row is not None
    assert row.state is IssueState.STOPPED
    assert counts(context) == {"queued": 12}
    with pytest.raises(IssueError, match=r"is stopped: .*resume 2026-11-26"):
        send.deliver_issue(context, ISSUE)
    with MisbehavingRelay() as relay:
        better = publication.context(**relay_variables(relay.controller.port))
        issue_control.resume(better, ISSUE)
        send.deliver_issue(better, ISSUE)
    assert len(relay.recipients) == 12


def test_greylisted_deliveries_are_sent_when_they_are_due(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(3)
    with MisbehavingRelay(rcpt=first_time("451 4.7.1 greylisted, try later")) as relay:
        context = publication.context(**relay_variables(relay.controller.port))
        assert counts_after(send_issue(context)) == {"deferred": 3}
        send.deliver_issue(context, ISSUE)
        assert relay.recipients == []
        clock.now += timedelta(minutes=10)
        send.deliver_issue(context, ISSUE)
        assert sorted(relay.recipients) == readers
    assert issue_status(context, ISSUE).closed


def test_a_deferred_reader_is_given_up_after_a_day_with_the_reason(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    with MisbehavingRelay(rcpt=always("451 4.7.1 try later")) as relay:
        context = publication.context(**relay_variables(relay.controller.port))
        send_issue(context)
        clock.now += timedelta(hours=25)
        send.deliver_issue(context, ISSUE)
    [rejected] = deliveries.list_deliveries(context.store, ISSUE, DeliveryState.REJECTED)
    assert "gave up" in rejected.reason
    assert issue_status(context, ISSUE).closed


def test_one_reader_who_does_not_exist_is_rejected_and_never_written_to_again(
    publication: Publication,
) -> None:
    publication.write_essay("Eins")
    publication.add_subscribers("anna@example.org", "gone@example.org")
    with MisbehavingRelay(rcpt=for_addresses("gone", "550 5.1.1 no such user")) as relay:
        context = publication.context(**relay_variables(relay.controller.port))
        first = send_issue(context)
        publication.write_essay("Zwei")
        second = send_issue(context, "2026-11-26-2")
    assert counts_after(first) == {"sent": 1, "rejected": 1}
    assert (second.audience, counts_after(second)) == (1, {"sent": 1})
    assert relay.recipients == ["anna@example.org", "anna@example.org"]


def test_an_address_in_a_reply_is_redacted(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_subscribers("gone@example.org", "anna@example.org")
    reply = "550 5.1.1 <gone@example.org>: no such user gone@example.org"
    with MisbehavingRelay(rcpt=for_addresses("gone", reply)) as relay:
        context = publication.context(**relay_variables(relay.controller.port))
        send_issue(context)
    [rejected] = deliveries.list_deliveries(context.store, ISSUE, DeliveryState.REJECTED)
    assert rejected.reason
    assert "gone" not in rejected.reason


# --- pause, stop, cancel


def test_a_paused_issue_waits_until_it_is_resumed(publication: Publication) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(3)
    context = publication.context()
    issue, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    issues.pause(context.store, issue, by="test", reason="", now=context.clock())
    with pytest.raises(IssueError, match="is paused"):
        send.deliver_issue(context, issue)
    assert publication.mails() == []
    issue_control.resume(context, issue)
    send.deliver_issue(context, issue)
    assert publication.recipients() == readers


def test_a_pause_during_a_send_takes_effect_before_the_next_mail(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(5)
    context = publication.context()
    issue, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    send.deliver_issue(
        context,
        issue,
        progress=lambda report: (
            report.sent == 2
            and issues.pause(context.store, issue, by="test", reason="", now=context.clock())
        ),
    )
    assert counts(context) == {"sent": 2, "queued": 3}


def test_a_stop_finishes_the_mail_in_flight_and_leaves_the_rest_queued(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(5)
    context = publication.context()
    issue, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    sent_so_far: list[int] = []
    send.deliver_issue(
        context,
        issue,
        progress=lambda report: sent_so_far.append(report.sent),
        stopping=lambda: len(sent_so_far) >= 2,
    )
    assert counts(context) == {"sent": 2, "queued": 3}


def test_a_cancelled_issue_cannot_be_sent_or_resumed(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context()
    issue, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    issues.cancel(context.store, issue, by="test", reason="", now=context.clock())
    for resume_delivery in (send.deliver_issue, issue_control.resume):
        with pytest.raises(IssueError):
            resume_delivery(context, issue)
    assert publication.mails() == []
    assert issue_status(context, issue).closed


@pytest.mark.parametrize("policy", ["hold", "resend"])
def test_a_delivery_that_a_dead_worker_had_on_the_wire_in_a_cancelled_issue_is_unknown(
    publication: Publication, policy: str
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context(RETRY__UNKNOWN=policy)
    issue, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    claimed_by_the_dead(context)
    issues.cancel(context.store, issue, by="test", reason="", now=context.clock())
    with pytest.raises(IssueError, match="was cancelled"):
        send.deliver_issue(context, issue)
    assert counts(context) == {"unknown": 1, "cancelled": 1}
    assert issue_status(context, issue).closed


def test_with_the_policy_resend_an_unknown_delivery_is_sent_again(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context(RETRY__UNKNOWN="resend")
    issue, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    claimed_by_the_dead(context)
    send.deliver_issue(context, issue)
    assert counts(context) == {"sent": 2}


def test_a_worker_on_another_machine_is_dead_after_ten_minutes_without_a_heartbeat(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context()
    issue, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    sender = workers.register_worker(
        context.store, host="elsewhere", pid=1, process_start="1", now=context.clock()
    )
    assert SingleLeaseLedger(context.store, issue, sender).claim(context.clock()) is not None
    send.deliver_issue(context, issue)
    assert counts(context) == {"sending": 1, "sent": 1}
    clock.now += timedelta(minutes=11)
    send.deliver_issue(context, issue)
    assert counts(context) == {"unknown": 1, "sent": 1}


def test_a_worker_on_a_machine_of_the_same_name_does_not_count_as_dead(clock: Clock) -> None:
    """Copies of one machine share its name, and the number of its process namespace."""
    name, _, space = worker_identity.this_host().split("/")
    twin = workers.Worker(1, f"{name}/0000aaaa/{space}", 4_000_000, "1", heartbeat_at=clock())
    assert worker_identity.is_alive(twin, clock())
    local = replace(twin, host=worker_identity.this_host())
    assert not worker_identity.is_alive(local, clock())


def test_the_deliveries_of_a_machine_that_vanished_are_reclaimed(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(5)
    context = publication.context()
    issue, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    elsewhere = workers.register_worker(
        context.store, host="elsewhere", pid=1, process_start="1", now=context.clock()
    )
    other_ledger = SingleLeaseLedger(context.store, issue, elsewhere)
    assert other_ledger.claim(context.clock()) is not None
    assert len(other_ledger.lease(2, context.clock())) == 2
    send.deliver_issue(context, issue)
    assert counts(context) == {"queued": 2, "sending": 1, "sent": 2}

    def a_minute_passes(_: float) -> None:
        clock.now += timedelta(minutes=1)

    begun = clock.now
    assert send.wait_for_other_workers(context, issue, sleep=a_minute_passes)
    assert clock.now - begun == worker_identity.HEARTBEAT_TIMEOUT
    send.deliver_issue(context, issue)
    assert counts(context) == {"sent": 4, "unknown": 1}
    assert not send.wait_for_other_workers(context, issue, sleep=a_minute_passes)


def claimed_by_the_dead(context: AppContext) -> None:
    """A claim of a process that is no more: its number is ours, its start another."""
    import os

    sender = workers.register_worker(
        context.store,
        host=worker_identity.this_host(),
        pid=os.getpid(),
        process_start="0",
        now=context.clock(),
    )
    assert SingleLeaseLedger(context.store, ISSUE, sender).claim(context.clock()) is not None


def counts_after(status: object) -> dict[str, int]:
    return {str(state): number for state, number in status.counts.items()}  # type: ignore[attr-defined]


# --- test mails


def test_a_test_mail_is_marked_and_no_delivery(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    rendered = render_revision(context, compose.compose_issue(context, ISSUE))
    assert test_mail.send_test(context, rendered, [EmailAddress("chefin@example.net")]) == 1
    [mail] = map(parse_mail, publication.mails())
    assert mail["To"] == "chefin@example.net"
    assert mail["Subject"] == "[Test] Was vom Bahnhof bleibt"
    assert counts(context) == {}
    row = issues.get(context.store, ISSUE)
    assert row is not None
    assert row.state is IssueState.OPEN


def test_a_test_mail_does_not_have_the_message_id_of_the_issue(
    publication: Publication, clock: Clock
) -> None:
    """Mailboxes drop a second message with the same Message-ID."""
    publication.write_essay()
    anna = NewSubscriber(EmailAddress("anna@example.org"), groups=("redaktion",))
    publication.add_subscribers(anna, "bert@example.org")
    context = publication.context()
    rendered = render_revision(context, compose.compose_issue(context, ISSUE))
    group = test_mail.group_addresses(context, "redaktion")
    assert [address.address for address in group] == ["anna@example.org"]
    test_mail.send_test(context, rendered, group)
    clock.now += timedelta(minutes=1)
    test_mail.send_test(context, rendered, group)
    send_issue(context)
    mails = [parse_mail(mail) for mail in publication.mails()]
    ids = [mail["Message-ID"] for mail in mails if mail["To"] == "anna@example.org"]
    assert len(ids) == len(set(ids)) == 3


def test_a_test_group_without_anybody_is_told_how_to_fill_it(publication: Publication) -> None:
    with pytest.raises(IssueError, match="--group redaktion"):
        test_mail.group_addresses(publication.context(), "redaktion")


def test_a_test_mail_that_is_refused_says_which_and_why(publication: Publication) -> None:
    publication.write_essay()
    with MisbehavingRelay(rcpt=always("550 5.1.1 no such user")) as relay:
        context = publication.context(**relay_variables(relay.controller.port))
        rendered = render_revision(context, compose.compose_issue(context, ISSUE))
        with pytest.raises(RelayError, match=r"test mail 1 of 1 .* 550 5\.1\.1"):
            test_mail.send_test(context, rendered, [EmailAddress("chefin@example.net")])


# --- which issue


def test_the_second_issue_of_a_day_has_the_suffix_two(publication: Publication) -> None:
    publication.write_essay("Eins")
    publication.add_many_subscribers(1)
    context = publication.context()
    assert str(current_issue(context)) == "2026-11-26"
    send_issue(context)
    assert str(current_issue(context)) == "2026-11-26-2"
    publication.write_essay("Zwei")
    second = send_issue(context, str(current_issue(context)))
    assert (second.issue, second.closed) == ("2026-11-26-2", True)
    assert str(current_issue(context)) == "2026-11-26-3"
    assert str(latest_issue(context)) == "2026-11-26-2"


def test_an_issue_that_is_being_sent_stays_the_current_one(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    issue, rendered = approve_issue(context)
    assert current_issue(context) == issue
    send.enqueue(context, rendered)
    assert current_issue(context) == issue
    issues.cancel(context.store, issue, by="test", reason="", now=context.clock())
    assert current_issue(context) == replace(issue, ordinal=2)


def test_the_day_is_the_publications_not_the_machines(
    publication: Publication, clock: Clock
) -> None:
    clock.now = clock.now.replace(hour=23, minute=30)  # half past midnight in Berlin
    assert str(current_issue(publication.context())) == "2026-11-27"


# --- what goes in


def test_a_published_essay_is_not_published_again(publication: Publication) -> None:
    slug = publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    send_issue(context)
    second = replace(ISSUE, ordinal=2)
    with pytest.raises(NothingNew):
        compose.compose_issue(context, second)
    with pytest.raises(Exception, match="has been in an issue already"):
        compose.compose_issue(context, second, [slug])


def test_an_editor_may_choose_the_essays(publication: Publication) -> None:
    first, second = publication.write_essay("Eins"), publication.write_essay("Zwei")
    context = publication.context()
    chosen = compose.compose_issue(context, ISSUE, [first]).manifest.issue.essays
    assert [essay.slug for essay in chosen] == [first]
    with pytest.raises(Exception, match=f"there is no essay 'drei'.*{second}"):
        compose.compose_issue(context, ISSUE, ["drei"])


def test_what_changed_since_an_approval_is_named(publication: Publication) -> None:
    slug = publication.write_essay()
    context = publication.context()
    approved = approve_issue(context)[1].revision
    assert compose.edits_since(context, approved) == ()
    publication.write_essay(text="Anders.\n")
    publication.change_setting("Lange Straße 1", "Lange Straße 2")
    path = publication.home / "templates/newsletter.mjml"
    path.write_text(path.read_text() + "\n")
    assert compose.edits_since(publication.context(), approved) == (
        f"essay {slug}",
        "templates/newsletter.mjml",
        "newsletter.toml",
    )


def test_a_picture_that_is_missing_is_told_with_the_essay(publication: Publication) -> None:
    publication.write_essay(text="![Ein Bahnhof](../images/fehlt.jpg)\n")
    with pytest.raises(Exception, match=r"content/essays/.*fehlt\.jpg"):
        compose.compose_issue(publication.context(), ISSUE)


# --- what the flows call


def test_pending_are_approved_issues_of_today_and_begun_ones(publication: Publication) -> None:
    publication.write_essay("Eins")
    publication.add_many_subscribers(2)
    context = publication.context()
    assert pending_issues(context) == []
    approve_issue(context)
    assert pending_issues(context) == ["2026-11-26"]
    assert counts(context) == {"queued": 2}
    assert pending_issues(context) == ["2026-11-26"]
    assert deliver_with_progress(context, ISSUE).as_dict()["sent"] == 2
    assert pending_issues(context) == []


def test_an_issue_that_cannot_be_queued_keeps_no_other_from_going_on(
    publication: Publication,
) -> None:
    publication.write_essay("Eins")
    publication.add_many_subscribers(2)
    context = publication.context()
    send.enqueue(context, approve_issue(context)[1])
    publication.write_essay("Zwei")
    approve_issue(context, "2026-11-26-2")
    publication.run("subscribers", "unsubscribe", "reader1@example.org")
    publication.run("subscribers", "unsubscribe", "reader2@example.org")
    assert pending_issues(context) == ["2026-11-26"]
    assert deliver_with_progress(context, ISSUE).as_dict()["cancelled"] == 2
    with pytest.raises(IssueError, match="nobody to send to"):
        pending_issues(context)


def test_an_issue_whose_approval_is_old_waits_for_a_person(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    approve_issue(publication.context())
    clock.now += timedelta(days=1)
    context = publication.context()
    assert pending_issues(context, max_lateness_hours=12) == []
    assert pending_issues(context, max_lateness_hours=36) == ["2026-11-26"]


def test_an_issue_waits_for_its_approval_unless_told_otherwise(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context()
    choice = EssayFilter()
    composed = steps.compose(context, ISSUE, choice, run="a run")
    steps.render(context, ISSUE, composed.revision_id)
    with pytest.raises(IssueError, match="is not approved"):
        steps.enqueue_once(context, ISSUE, composed.revision_id, run="a run")
    form = approval.request_approval(context, ISSUE, composed.revision_id, run="a run", waits=False)
    assert form.ended is not None
    assert "issue approve 2026-11-26" in form.ended.message
    approval.approve_if_undecided(context, ISSUE, composed.revision_id, by="flow")
    assert steps.enqueue_once(context, ISSUE, composed.revision_id, run="a run") == 2
    assert steps.compose(context, ISSUE, choice, run="another") == composed


def test_nobody_to_send_to_leaves_the_issue_open(publication: Publication) -> None:
    publication.write_essay()
    context = publication.context()
    issue, rendered = approve_issue(context)
    with pytest.raises(IssueError, match="nobody to send to"):
        send.enqueue(context, rendered)
    assert audience.count_audience(context.store, ()) == 0
    assert current_issue(context) == issue
