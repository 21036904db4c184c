"""The doctor sends a mail through a provider and reads it back from the inbox."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.bounces.unsubscribe_mail import wants_to_leave
from upcycle_news.diagnostics.mail_changes import MailChanges, PartChanges
from upcycle_news.diagnostics.read_back import WAITS, ReadBackFacts, evaluate, inspect_read_back
from upcycle_news.diagnostics.results import CheckResult
from upcycle_news.errors import AddressError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import EmailAddress
from upcycle_news.services.bounces import process

from ..bounces.imap_server import Account, imap_server
from ..publications import Publication, parse_mail, relay_variables
from ..transports.bad_relays import MisbehavingRelay, always

ADDRESS = EmailAddress.parse("bounces@umbaupost.example.net")
TRACKER = b"https://click.tracker.example/"


def rewriting(mail: bytes) -> bytes:
    """Return what a provider makes of a mail when it counts clicks and openings, and adds a footer."""
    mail = re.sub(rb'href=3D"(?:=\r\n)?https?://', b'href=3D"' + TRACKER, mail)
    pixel = (
        b'<img src=3D"https://open.tracker.example/1.gif" width=3D"1"><p>Gesendet mit Anbieter</p>'
    )
    return mail.replace(b"</body>", b"=\r\n" + pixel + b"=\r\n</body>")


def unchanged(mail: bytes) -> bytes:
    return mail


class Way:
    """A provider that hands each mail to the inbox, as `changed` returns it, or loses it."""

    def __init__(self, account: Account, changed: Callable[[bytes], bytes | None]) -> None:
        self.account, self.changed = account, changed
        self.sent: list[bytes] = []

    def deliver(self, relay: MisbehavingRelay) -> None:
        for _, mail in relay.accepted[len(self.sent) :]:
            self.sent.append(mail)
            arrived = self.changed(mail)
            if arrived is not None:
                number = max(self.account.folders["INBOX"], default=0) + 1
                self.account.folders["INBOX"][number] = arrived


def read_back_over(
    publication: Publication,
    changed: Callable[[bytes], bytes | None],
    *,
    provider: str = "mailgun",
    looks: int = 1,
    **environment: str,
) -> tuple[ReadBackFacts, Way, AppContext]:
    """Send a test mail; it arrives before the inbox is looked into for the time `looks`."""
    with imap_server(Account({"INBOX": {}})) as account, MisbehavingRelay() as relay:
        way, waits = Way(account, changed), []

        def wait(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == looks:
                way.deliver(relay)

        context = publication.context(
            **relay_variables(relay.controller.port),
            **inbox_variables(account.port),
            RELAYS__MAIN__PROVIDER=provider,
            **environment,
        )
        context = AppContext(context.settings, clock=context.clock, wait=wait)
        publication.contexts.append(context)
        facts = inspect_read_back(context, ADDRESS)
    return facts, way, context


def inbox_variables(port: int) -> dict[str, str]:
    return {
        "INBOX__HOST": "127.0.0.1", "INBOX__PORT": str(port), "INBOX__SECURITY": "none",
        "INBOX__USERNAME": "bounces", "INBOX__PASSWORD": "geheim",
    }  # fmt: skip


def states(results: list[CheckResult]) -> list[tuple[str, str]]:
    return [(result.about, str(result.state)) for result in results]


def test_a_mail_that_arrives_as_it_was_sent_is_told_to_be_unchanged(
    publication: Publication,
) -> None:
    facts, way, _ = read_back_over(publication, unchanged, looks=3)
    [result] = evaluate(facts)
    assert states([result]) == [("main", "ok")]
    assert "arrives as it was sent, after 10 seconds" in str(result.finding)
    assert way.account.folders["INBOX"] == {}
    assert list(way.account.folders["processed"]) == [1]  # nobody has to clear it away


def test_a_provider_that_rewrites_counts_and_adds_a_footer_is_told_each_of_it(
    publication: Publication,
) -> None:
    facts, _, _ = read_back_over(publication, rewriting)
    results = evaluate(facts)
    assert states(results) == [
        ("main links", "problem"),
        ("main pixel", "problem"),
        ("main footer", "warning"),
    ]
    said = " ".join(str(result.finding) for result in results)
    assert "4 links lead elsewhere" in said
    assert "click.tracker.example, open.tracker.example" in said
    assert "docs/providers/mailgun.md" in str(results[0].fix)
    assert ADDRESS.address not in str([result.as_dict() for result in results])


def test_the_links_that_amazon_ses_takes_its_marks_out_of_are_unchanged(
    publication: Publication,
) -> None:
    def without_marks(mail: bytes) -> bytes:
        assert mail.count(b" ses:no-track") == 5
        return mail.replace(b" ses:no-track", b"")

    facts, _, _ = read_back_over(publication, without_marks, provider="ses")
    assert states(evaluate(facts)) == [("main", "ok")]


def test_a_replaced_header_for_leaving_is_a_problem(publication: Publication) -> None:
    def leaving(mail: bytes) -> bytes:
        return re.sub(rb"List-Unsubscribe: <[^>]*>", b"List-Unsubscribe: <" + TRACKER + b"u>", mail)

    facts, _, _ = read_back_over(publication, leaving)
    [result] = evaluate(facts)
    assert states([result]) == [("main headers", "problem")]
    assert "List-Unsubscribe" in str(result.finding)


def test_a_mail_that_does_not_arrive_is_waited_for_two_minutes_and_no_longer(
    publication: Publication,
) -> None:
    facts, _, _ = read_back_over(publication, lambda mail: None)
    assert facts.waited == sum(WAITS) == 120
    [result] = evaluate(facts)
    assert states([result]) == [("main", "warning")]
    assert "nobody knows whether links are rewritten" in str(result.impact)


def test_another_mail_in_the_inbox_is_neither_read_nor_moved(publication: Publication) -> None:
    def beside(mail: bytes) -> bytes | None:
        return mail.replace(b"[doctor --read-back] ", b"[doctor --read-back] 0")

    facts, way, _ = read_back_over(publication, beside)
    assert facts.changes is not None  # the token is in it all the same
    facts, way, _ = read_back_over(publication, lambda mail: mail.replace(b"Subject: ", b"X: "))
    assert facts.changes is None
    assert list(way.account.folders["INBOX"]) == [1]
    assert not any("FETCH" in said for said in way.account.said)


def test_a_refused_test_mail_is_a_problem_with_the_relays_words(publication: Publication) -> None:
    with (
        imap_server(Account({"INBOX": {}})) as account,
        MisbehavingRelay(rcpt=always("550 5.7.1 not verified")) as relay,
    ):
        context = publication.context(
            **relay_variables(relay.controller.port), **inbox_variables(account.port)
        )
        [result] = evaluate(inspect_read_back(context, ADDRESS))
    assert states([result]) == [("main", "problem")]
    assert "550" in str(result.finding)
    assert "not verified" in str(result.finding)


def test_without_an_inbox_nothing_can_be_read_back(publication: Publication) -> None:
    with MisbehavingRelay() as relay:
        context = publication.context(**relay_variables(relay.controller.port))
        [result] = evaluate(inspect_read_back(context, ADDRESS))
        assert relay.accepted == []  # nothing is sent that nobody will look for
    assert states([result]) == [("main", "problem")]
    assert "inbox" in str(result.finding)


def test_the_test_mail_is_what_an_issue_is_and_asks_nobody_to_leave(
    publication: Publication,
) -> None:
    _, way, context = read_back_over(publication, unchanged)
    [raw] = way.sent
    mail = parse_mail(raw)
    assert mail["List-Unsubscribe"] and mail["X-Mailgun-Track"] == "no"
    assert mail.get_body(("html",)) is not None
    assert mail.get_body(("plain",)) is not None
    # Where it comes after all, hours later, the run over the inbox leaves it alone.
    assert not wants_to_leave(raw, "abbestellen@umbaupost.example.net")
    outcome, handled = process.handle(context, raw)
    assert (outcome, handled) == ({"left_alone": 1}, False)


@pytest.fixture
def maildir(publication: Publication) -> Iterator[Path]:
    folder = publication.home / "inbox"
    for name in ("tmp", "new", "cur"):
        (folder / name).mkdir(parents=True)
    yield folder


def test_a_maildir_is_looked_into_as_well(publication: Publication, maildir: Path) -> None:
    with MisbehavingRelay() as relay:

        def wait(seconds: float) -> None:
            (maildir / "new/1.other.here").write_bytes(b"Subject: anders\r\n\r\n")
            (maildir / "new/2.mail.here").write_bytes(rewriting(relay.accepted[0][1]))

        context = publication.context(
            **relay_variables(relay.controller.port), INBOX__MAILDIR="inbox"
        )
        context = AppContext(context.settings, clock=context.clock, wait=wait)
        publication.contexts.append(context)
        results = evaluate(inspect_read_back(context, ADDRESS))
    assert [about for about, _ in states(results)] == ["main links", "main pixel", "main footer"]
    assert [path.name for path in (maildir / "new").iterdir()] == ["1.other.here"]


@pytest.mark.parametrize(
    ("changes", "about", "state"),
    [
        (MailChanges(text=PartChanges(links=1)), "main links", "problem"),
        (MailChanges(html=PartChanges(loaded=1)), "main pixel", "problem"),
        (MailChanges(text=PartChanges(added_links=1)), "main footer", "warning"),
        (MailChanges(html=PartChanges(lost_words=2)), "main words", "warning"),
        (MailChanges(text=PartChanges(reordered=True)), "main words", "warning"),
        (MailChanges(html=PartChanges(missing=True)), "main parts", "warning"),
        (MailChanges(headers=("From",)), "main headers", "problem"),
    ],
)
def test_each_change_has_a_result_in_both_languages(
    changes: MailChanges, about: str, state: str
) -> None:
    [result] = evaluate(ReadBackFacts("main", "brevo", changes=changes))
    assert states([result]) == [(about, state)]
    for text in (result.finding, result.impact, result.fix):
        assert text is not None
        assert text.in_language("de") != text.in_language("en")
        assert "0" not in text.in_language("de")  # nothing was counted that is not there
    assert "docs/providers/brevo.md" in str(result.fix)
    [result] = evaluate(ReadBackFacts("main", changes=changes))
    assert result.fix == localized("read-back-cure", name="main")


# --- the command


def test_the_command_sends_a_mail_only_when_it_is_asked_to(publication: Publication) -> None:
    with imap_server(Account({"INBOX": {}})) as account, MisbehavingRelay() as relay:
        environment = {
            **relay_variables(relay.controller.port),
            **inbox_variables(account.port),
            "RELAYS__MAIN__PROVIDER": "postmark",
        }
        done = publication.run("doctor", "read-back", "--json", **environment)
        [line] = done.json["groups"]["relay"]
        assert (line["state"], relay.accepted) == ("skipped", [])
        assert "doctor --read-back ADDRESS" in line["cure"]
        refused = publication.run("doctor", "--read-back", "nobody", code=1, **environment)
        assert "nobody" not in refused.out
        assert relay.accepted == []


class DeliveringRelay(MisbehavingRelay):
    """A provider that rewrites each mail and hands it to the inbox at once."""

    def __init__(self, account: Account) -> None:
        super().__init__()
        self.account = account

    async def handle_DATA(self, server, session, envelope):
        reply = await super().handle_DATA(server, session, envelope)
        self.account.folders["INBOX"][len(self.accepted)] = rewriting(self.accepted[-1][1])
        return reply


def test_the_command_tells_in_german_what_a_provider_did(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upcycle_news.diagnostics.read_back.WAITS", (0.0,))
    with imap_server(Account({"INBOX": {}})) as account, DeliveringRelay(account) as relay:
        done = publication.run(
            *("doctor", "dns", "--offline", "--read-back", ADDRESS.address),
            code=1,
            **relay_variables(relay.controller.port),
            **inbox_variables(account.port),
            RELAYS__MAIN__PROVIDER="sendgrid",
        )
    said = " ".join(done.out.split())
    assert "Über main führen 4 Links woandershin oder fehlen: click.tracker.example" in said
    assert "Der Anbieter zählt, wer die Mail wann und wo öffnet" in said
    assert "docs/providers/sendgrid.md sagt, wo, und was sich nicht ausschalten lässt" in said
    assert "höchstens zwei Minuten" in done.err
    assert ADDRESS.address not in done.output
    assert len(relay.accepted) == 1


def test_something_that_is_no_address_is_refused(publication: Publication) -> None:
    from upcycle_news.api import App

    with pytest.raises(AddressError):
        App(publication.context()).doctor.run(read_back="nobody")
