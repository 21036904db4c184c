"""The welcome: who gets which step, what is approved, and that each step comes once."""

from __future__ import annotations

import json
import os
import random
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from upcycle_news.app.context import AppContext
from upcycle_news.errors import ContentError, IssueError, SendHoldError
from upcycle_news.models import (
    ConfirmationResult,
    DeliveryState,
    EmailAddress,
    IssueId,
    IssueState,
)
from upcycle_news.models.digest import Rhythm
from upcycle_news.scaffold.looks import bundled_templates
from upcycle_news.services.subscribers import subscriptions
from upcycle_news.services.welcome import send, steps
from upcycle_news.services.welcome.steps import WelcomeStep
from upcycle_news.storage import (
    issues,
    packed_deliveries,
    rhythms,
    send_hold,
    subscribers,
    suppressions,
)
from upcycle_news.storage.schema import consents, welcome_deliveries
from upcycle_news.storage.schema import issues as issue_rows
from upcycle_news.storage.send_hold import HoldKind
from upcycle_news.subscribers import double_opt_in
from upcycle_news.subscribers.link_tokens import Purpose

from ... import fork_server
from ...delivery.memory_ledger import Clock
from ...fork_server import ForkedPython
from ...publications import Publication, issue_status, parse_mail, relay_variables, send_issue
from ...transports.bad_relays import MisbehavingRelay, for_addresses
from ...two_languages import add_readers, make_bilingual, write_translated

ISSUE = IssueId.parse("2026-11-26")
HELLO = "---\nsubject: Willkommen\nafter: 0 days\n---\n\nSchön, dass Sie da sind: [lesen](https://example.org/a).\n"


def write_step(publication: Publication, name: str, text: str = HELLO) -> None:
    folder = publication.home / "content/welcome"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.md").write_text(text, encoding="utf-8")


def later(days: int, subject: str) -> str:
    return HELLO.replace("0 days", f"{days} days").replace("Willkommen", subject)


def approve(context: AppContext, *names: str) -> tuple[WelcomeStep, ...]:
    steps.preview(context)
    return steps.approve(context, names, by="Anna")


def join(
    context: AppContext, address: str, language: str = "de", rhythm: Rhythm | None = None
) -> None:
    """Sign up and confirm by the link; the confirmation mail itself is not sent."""
    email = EmailAddress.parse(address)
    signup = subscriptions.sign_up(context, email, language=language, rhythm=rhythm)
    assert signup is not None
    token = context.link_signer.token(Purpose.CONFIRM, signup.subscriber, signup.consent % 2**24)
    with context.store.writing() as connection:
        connection.execute(
            consents.update()
            .where(consents.c.id == signup.consent)
            .values(token_hash=double_opt_in.token_hash(token))
        )
    result = subscriptions.confirm(context, token).result
    assert result is ConfirmationResult.NOW


def mails(publication: Publication) -> Counter[tuple[str, str]]:
    """How often which reader got a mail with which subject."""
    parsed = [parse_mail(mail) for mail in publication.mails()]
    return Counter((mail["To"].addresses[0].addr_spec, str(mail["Subject"])) for mail in parsed)


def test_a_new_reader_gets_each_step_once_and_on_its_day(
    publication: Publication, clock: Clock
) -> None:
    context = publication.context()
    write_step(publication, "1-hallo")
    write_step(publication, "2-mehr", later(3, "Mehr"))
    approve(context)
    join(context, "anna@example.org")
    assert send.send_due(context).sent == 1
    assert send.send_due(context).sent == 0
    clock.now += timedelta(days=3) - timedelta(seconds=1)
    assert send.send_due(context).sent == 0
    clock.now += timedelta(seconds=1)
    assert send.send_due(context).sent == 1
    clock.now += timedelta(days=30)
    assert send.send_due(context).queued == 0
    assert mails(publication) == {
        ("anna@example.org", "Willkommen"): 1,
        ("anna@example.org", "Mehr"): 1,
    }
    shown = publication.run("subscribers", "show", "anna@example.org", "--json").json["welcome"]
    assert [(one["step"], one["state"]) for one in shown] == [
        ("1-hallo", "sent"),
        ("2-mehr", "sent"),
    ]
    publication.run("subscribers", "forget", "anna@example.org", "--yes")
    assert steps.steps(context)[0].counts == {DeliveryState.SENT: 1}  # the sums stay
    mail = parse_mail(publication.mails()[0])
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "Schön, dass Sie da sind" in html and "/unsubscribe/" in html
    assert "https://example.org/a" in text and "/unsubscribe/" in text


def test_nobody_gets_a_step_who_came_by_a_list_or_before_its_approval(
    publication: Publication, clock: Clock
) -> None:
    context = publication.context()
    write_step(publication, "1-hallo")
    join(context, "frueher@example.org")
    clock.now += timedelta(seconds=1)
    publication.add_subscribers("liste@example.org")
    assert send.send_due(context).queued == 0  # nothing is approved
    approve(context)
    assert send.send_due(context).queued == 0
    join(context, "neu@example.org")
    assert send.send_due(context).sent == 1
    assert publication.recipients() == ["neu@example.org"]


def test_who_leaves_gets_no_further_step_and_none_again(
    publication: Publication, clock: Clock
) -> None:
    context = publication.context()
    write_step(publication, "1-hallo")
    write_step(publication, "2-mehr", later(2, "Mehr"))
    approve(context)
    join(context, "anna@example.org")
    send.send_due(context)
    anna = subscribers.find(context.store, EmailAddress.parse("anna@example.org"))
    assert anna is not None
    clock.now += timedelta(days=2)
    subscribers.unsubscribe(context.store, anna, now=clock.now)
    assert send.send_due(context).queued == 0
    join(context, "anna@example.org")
    clock.now += timedelta(days=1)
    assert send.send_due(context).queued == 0
    clock.now += timedelta(days=1)
    assert (
        send.send_due(context).sent == 1
    )  # two days after coming back; the first step is not repeated
    assert mails(publication)[("anna@example.org", "Willkommen")] == 1


def test_a_changed_step_waits_for_its_approval_while_the_approved_one_goes_on(
    publication: Publication, clock: Clock
) -> None:
    context = publication.context()
    write_step(publication, "1-hallo")
    approve(context)
    write_step(publication, "1-hallo", HELLO.replace("Willkommen", "Hereinspaziert"))
    [step] = steps.steps(context)
    assert not step.is_approved and step.approved is not None
    assert "welcome-unapproved" in publication.run("check").out
    join(context, "anna@example.org")
    assert send.send_due(context).sent == 1
    with pytest.raises(IssueError):
        steps.approve(context, by="Anna")  # nobody has looked at it
    approve(context)
    join(context, "bert@example.org")
    assert send.send_due(context).sent == 1
    assert mails(publication) == {
        ("anna@example.org", "Willkommen"): 1,
        ("bert@example.org", "Hereinspaziert"): 1,
    }


@pytest.mark.parametrize("packed", [False, True], ids=["rows", "packed"])
def test_the_newest_issue_welcomes_who_is_not_in_its_audience_and_changes_no_sum(
    publication: Publication, clock: Clock, packed: bool
) -> None:
    publication.write_essay("Bahnhof")
    publication.add_subscribers("alt@example.org")
    context = publication.context()
    write_step(publication, "1-neueste", "---\nafter: 0 days\nnewest_issue: true\n---\n")
    approve(context)
    join(context, "vorher@example.org")  # in the audience of the issue that comes next
    assert send.send_due(context).queued == 0  # there is no issue yet
    with MisbehavingRelay() as relay:
        context = publication.context(**relay_variables(relay.controller.port))
        send_issue(context)
        before = issue_status(context, ISSUE).as_dict()
        clock.now += timedelta(hours=1)
        if packed:
            assert packed_deliveries.pack_issue(context.store, str(ISSUE), now=clock.now) == 1
        join(context, "neu@example.org")
        assert send.send_due(context).sent == 1
        clock.now += timedelta(days=1)
        assert send.send_due(context).queued == 0
        assert len(relay.accepted) == 3
    assert issue_status(context, ISSUE).as_dict() == before
    row = issues.get(context.store, ISSUE)
    assert row is not None and row.closed_at is not None
    [step] = steps.steps(context)
    assert step.counts == {DeliveryState.SENT: 1}


def test_the_newest_issue_welcomes_nobody_who_gets_it_in_a_digest(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay("Bahnhof")
    publication.add_subscribers("alt@example.org")
    settings = {"DIGEST__INTERVAL": "monthly"}
    context = publication.context(**settings)
    write_step(publication, "1-hallo")
    write_step(publication, "2-neueste", "---\nafter: 0 days\nnewest_issue: true\n---\n")
    approve(context)
    with MisbehavingRelay() as relay:
        context = publication.context(**settings, **relay_variables(relay.controller.port))
        send_issue(context)
        join(context, "gesammelt@example.org", rhythm=Rhythm.DIGEST)
        join(context, "einzeln@example.org", rhythm=Rhythm.EVERY_ISSUE)
        assert send.send_due(context).sent == 3
        welcomed = Counter(relay.recipients)
        assert welcomed["gesammelt@example.org"] == 1  # the words of the first step
        assert welcomed["einzeln@example.org"] == 2
        clock.now += timedelta(days=10)  # in the next period that issue is still in their digest
        assert send.queue_due(context) == 0
        join(context, "spaeter@example.org", rhythm=Rhythm.DIGEST)
        assert (
            send.send_due(context).sent == 2
        )  # no digest that they get tells the issue of November


def test_a_newest_issue_that_waits_goes_to_nobody_who_gets_it_in_a_digest_since(
    publication: Publication,
) -> None:
    publication.write_essay("Bahnhof")
    publication.add_subscribers("alt@example.org")
    settings = {"DIGEST__INTERVAL": "monthly"}
    context = publication.context(**settings)
    write_step(publication, "1-neueste", "---\nafter: 0 days\nnewest_issue: true\n---\n")
    approve(context)
    with MisbehavingRelay() as relay:
        context = publication.context(**settings, **relay_variables(relay.controller.port))
        send_issue(context)
        join(context, "neu@example.org")
        assert send.queue_due(context) == 1
        reader = subscribers.find(context.store, EmailAddress("neu@example.org"))
        assert reader is not None
        with context.store.writing() as connection:
            rhythms.choose(
                connection, reader.id, Rhythm.DIGEST, today=context.today, interval="monthly",
                is_new=True,
            )  # fmt: skip
        assert send.send_due(context).sent == 0
        assert relay.recipients == ["alt@example.org"]
    [step] = steps.steps(context)
    assert step.counts == {DeliveryState.CANCELLED: 1}


def test_the_newest_issue_welcomes_nobody_who_chose_other_topics(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay("Bahnhof")
    publication.add_subscribers("alt@example.org")
    write_step(publication, "1-neueste", "---\nafter: 0 days\nnewest_issue: true\n---\n")
    context = publication.context(ISSUE__TOPICS='["Bauen"]', AUDIENCE__TOPICS='["Bauen", "Essen"]')
    approve(context)
    send_issue(context)
    clock.now += timedelta(hours=1)
    for name, topic in (("bauen", "Bauen"), ("essen", "Essen")):
        join(context, f"{name}@example.org")
        subscriber = subscribers.find(context.store, EmailAddress.parse(f"{name}@example.org"))
        assert subscriber is not None
        subscribers.set_preferences(
            context.store, subscriber, language="de", topics=[topic], now=clock.now
        )
    assert send.send_due(context).queued == 1
    assert send.send_due(context).queued == 0
    assert sum(1 for reader, _ in mails(publication) if reader == "bauen@example.org") == 1
    assert not [reader for reader, _ in mails(publication) if reader == "essen@example.org"]


def test_the_newest_issue_welcomes_each_reader_in_their_language(
    publication: Publication, clock: Clock
) -> None:
    make_bilingual(publication)
    write_translated(publication)
    add_readers(publication)
    write_step(publication, "1-neueste", "---\nafter: 0 days\nnewest_issue: true\n---\n")
    context = publication.context()
    approve(context)
    send_issue(context)
    clock.now += timedelta(hours=1)
    for language in ("de", "en"):
        join(context, f"neu-{language}@example.org", language)
    assert send.send_due(context).sent == 2
    sent = mails(publication)
    assert sent["neu-de@example.org", "Lob der Schraube"] == 1
    assert sent["neu-en@example.org", "In Praise of the Screw"] == 1


def test_the_newest_issue_waits_when_it_was_stopped_after_it_was_queued(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay("Bahnhof")
    publication.add_subscribers("alt@example.org")
    write_step(publication, "1-neueste", "---\nafter: 0 days\nnewest_issue: true\n---\n")
    context = publication.context()
    approve(context)
    send_issue(context)
    clock.now += timedelta(hours=1)
    join(context, "neu@example.org")
    assert send.queue_due(context) == 1
    with context.store.writing() as connection:
        connection.execute(update(issue_rows).values(state=IssueState.STOPPED))
    assert send.send_due(context).sent == 0
    with context.store.writing() as connection:
        connection.execute(update(issue_rows).values(state=IssueState.CLOSED))
    assert send.send_due(context).sent == 1


def test_a_step_over_a_provider_is_not_tracked_and_carries_a_key(
    publication: Publication, clock: Clock
) -> None:
    write_step(publication, "1-hallo")
    with MisbehavingRelay() as relay:
        context = publication.context(
            **relay_variables(relay.controller.port), RELAYS__MAIN__PROVIDER="mailgun"
        )
        approve(context)
        join(context, "anna@example.org")
        assert send.send_due(context).sent == 1
        mail = parse_mail(relay.accepted[0][1])
    assert mail["X-Mailgun-Track"] == "no"
    variables = json.loads(mail["X-Mailgun-Variables"])
    assert context.delivery_keys.read(variables["delivery_key"])[0] == 0


def test_nothing_is_approved_or_sent_that_an_issue_would_be_refused_for(
    publication: Publication, clock: Clock
) -> None:
    context = publication.context()
    write_step(publication, "1-hallo")
    (publication.home / "templates").mkdir(exist_ok=True)
    template = publication.home / "templates/welcome.txt"
    whole = bundled_templates()["welcome.txt"]
    template.write_text("{{ body_text }}\n", encoding="utf-8")
    with pytest.raises(ContentError) as refused:
        approve(context)
    said = refused.value.in_language("de")
    assert "welcome/1-hallo.txt: Man kann sich nicht abmelden" in said
    template.write_text(whole, encoding="utf-8")
    approve(context)
    join(context, "anna@example.org")
    nowhere = publication.context(PUBLICATION__PUBLIC_URL="")
    report = send.send_due(nowhere)
    assert (report.sent, report.queued) == (0, 0)
    assert "public_url" in report.away
    assert send.send_due(context).sent == 1


def test_nothing_goes_out_while_the_store_is_on_hold_and_nothing_in_doubt_afterwards(
    publication: Publication, clock: Clock
) -> None:
    context = publication.context()
    write_step(publication, "1-hallo")
    write_step(publication, "2-mehr", later(1, "Mehr"))
    approve(context)
    join(context, "anna@example.org")
    assert send.queue_due(context) == 1
    clock.now += timedelta(days=2)
    with context.store.writing() as connection:
        send_hold.start(connection, HoldKind.RESTORED, as_of=clock.now, location="x", now=clock.now)
    with pytest.raises(SendHoldError):
        send.send_due(context)
    send_hold.clear(context.store, by="Anna", now=clock.now)
    # Queued before, or due before: it may have been sent by the store that is gone.
    assert send.send_due(context).sent == 0
    first, second = steps.steps(context)
    assert (first.counts, second.counts) == ({DeliveryState.UNKNOWN: 1}, {})
    join(context, "bert@example.org")
    assert send.send_due(context).sent == 1


def test_what_the_relay_does_not_take_waits_and_a_refused_reader_is_rejected(
    publication: Publication, clock: Clock
) -> None:
    context = publication.context(**relay_variables(9))  # nobody answers there
    write_step(publication, "1-hallo")
    approve(context)
    join(context, "anna@example.org")
    report = send.send_due(context)
    assert (report.sent, bool(report.away)) == (0, True)
    with MisbehavingRelay(rcpt=for_addresses("bert", "550 5.1.1 no such user")) as relay:
        context = publication.context(**relay_variables(relay.controller.port))
        join(context, "bert@example.org")
        assert send.send_due(context).sent == 1
    [step] = steps.steps(context)
    assert step.counts == {DeliveryState.SENT: 1, DeliveryState.REJECTED: 1}
    # Whether it was the address or the relay the guard of the next issue finds out.
    assert list(suppressions.all_suppressions(context.store)) == []


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_two_processes_at_once_send_each_step_once(
    publication: Publication, kind: str, request: pytest.FixtureRequest
) -> None:
    more = {"STORE": request.getfixturevalue("empty_postgres")} if kind == "postgres" else {}
    context = publication.context(**more)
    write_step(publication, "1-hallo")
    approve(context)
    for number in range(12):
        join(context, f"leserin{number}@example.org")
    environment = {**os.environ, "UPCYCLE_NEWS_HOME": str(publication.home)}
    environment |= {f"UPCYCLE_NEWS_{name}": value for name, value in more.items()}
    with MisbehavingRelay() as relay:
        port = relay_variables(relay.controller.port)
        environment |= {f"UPCYCLE_NEWS_{name}": value for name, value in port.items()}
        command = [sys.executable, str(Path(__file__).with_name("kill_child.py"))]
        now = context.clock().isoformat()
        children = [ForkedPython([*command, now], env=environment) for _ in range(2)]
        assert [child.wait(120) for child in children] == [0, 0]
        assert len(relay.accepted) == 12
    [step] = steps.steps(context)
    assert step.counts == {DeliveryState.SENT: 12}


@pytest.mark.timeout(400)
def test_forty_days_with_kills_bring_each_step_once(publication: Publication, clock: Clock) -> None:
    """Readers join every day; on every fourth day a process is killed at some commit."""
    dice = random.Random(40)
    context = publication.context()
    write_step(publication, "1-hallo")
    write_step(publication, "2-mehr", later(2, "Mehr"))
    write_step(publication, "3-schluss", later(7, "Schluss"))
    approve(context)
    joined = left = 0
    environment = {**os.environ, "UPCYCLE_NEWS_HOME": str(publication.home)}
    command = [sys.executable, str(Path(__file__).with_name("kill_child.py"))]
    for day in range(40):
        if day < 30:
            for _ in range(dice.randrange(1, 3)):
                joined += 1
                join(context, f"leserin{joined}@example.org")
        if day % 4 == 2:
            where = (dice.choice(["before", "after"]), str(dice.randrange(1, 4)))
            context.store.close()
            child = fork_server.run(
                [*command, clock.now.isoformat(), *where], env=environment, check=False
            )
            assert child.returncode in (0, -9)
        send.send_due(context)
        if day == 20:
            anna = subscribers.find(context.store, EmailAddress.parse("leserin1@example.org"))
            assert anna is not None
            left += subscribers.unsubscribe(context.store, anna, now=clock.now)
        clock.now += timedelta(days=1)
    got = mails(publication)
    assert max(got.values()) == 1  # never twice
    with context.store.reading() as connection:
        rows = connection.execute(select(welcome_deliveries)).all()
    doubtful = {(row.step, row.subscriber_id) for row in rows if row.state == DeliveryState.UNKNOWN}
    assert {row.state for row in rows} <= {DeliveryState.SENT, DeliveryState.UNKNOWN}
    assert 0 < len(doubtful) <= 10
    subjects = {"1-hallo": "Willkommen", "2-mehr": "Mehr", "3-schluss": "Schluss"}
    for row in rows:  # what is said to be sent was sent
        if row.state == DeliveryState.SENT:
            assert got[(f"leserin{row.subscriber_id}@example.org", subjects[row.step])] == 1
    for step in steps.steps(context):  # the sums close, for each step and all readers
        assert step.audience == joined
        assert sum(step.counts.values()) == joined


def test_the_commands_show_approve_and_send(publication: Publication) -> None:
    assert "content/welcome" in publication.run("welcome", "status").err
    write_step(publication, "1-hallo")
    assert "wartet auf die erste Freigabe" in publication.run("welcome", "status").out
    assert "noch nicht angesehen" in publication.run("welcome", "approve", code=1).err
    shown = publication.run("welcome", "preview").out
    assert Path(shown.splitlines()[1].strip()).is_file()
    assert "freigegeben" in publication.run("welcome", "approve", "1-hallo").out
    assert (
        "gibt es in content/welcome nicht" in publication.run("welcome", "approve", "x", code=1).err
    )
    assert publication.run("welcome", "send").out == "Gerade ist kein Schritt fällig.\n"
    [line] = publication.run("welcome", "status", "--json").lines
    assert (line["step"], line["waits_for_approval"], line["audience"]) == ("1-hallo", False, 0)
