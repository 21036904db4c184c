"""Relays that turn on us, allowances that are used up, dead companies: end to end over SMTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from upcycle_news.models import DeliveryState, IssueId, IssueState
from upcycle_news.storage import deliveries, issues, pending_suppressions, suppressions

from ...publications import CommandResult, Publication, relay_variables, today
from ...transports.bad_relays import MisbehavingRelay, always

NO_SUCH_NAME = "550 5.1.1 this name is not in our table"
Rule = Callable[[int, str], bool]
"""Whether the relay refuses the n-th recipient (from 1) with this address."""


def scripted(rule: Rule, reply: str) -> Callable[[MisbehavingRelay, str], str | None]:
    """Return a reply function that counts what it is asked, over all connections."""
    asked = [0]

    def answer(relay: MisbehavingRelay, address: str) -> str | None:
        asked[0] += 1
        return reply if rule(asked[0], address) else None

    return answer


def from_the(first: int) -> Rule:
    return lambda number, _: number >= first


def nine_of_ten_from_the(first: int) -> Rule:
    return lambda number, _: number >= first and (number - first) % 10 != 0


def at(domain: str) -> Rule:
    return lambda _, address: address.endswith(f"@{domain}")


def readers(count: int) -> list[str]:
    """Readers at as many domains."""
    return [f"leser{number}@ort{number}.example" for number in range(1, count + 1)]


class Trial:
    """An issue for these readers, sent over relays that answer as told."""

    def __init__(self, publication: Publication, addresses: list[str]) -> None:
        self.publication, self.accepted = publication, list[str]()
        publication.write_essay()
        publication.add_subscribers(*addresses)
        self.context = publication.context()
        self.issue = today()

    def run(self, *command: str, code: int = 0, **replies: Any) -> CommandResult:
        with MisbehavingRelay(**replies) as relay:
            result = self.publication.run(
                *command,
                code=code,
                RETRY__FIRST_SECONDS="1",
                **relay_variables(relay.controller.port),
            )
        self.accepted += relay.recipients
        return result

    def send(self, code: int = 0, **replies: Any) -> CommandResult:
        return self.run("issue", "send", "--yes", "--no-collect", code=code, **replies)

    def resume(self, *options: str, code: int = 0, **replies: Any) -> CommandResult:
        return self.run("issue", "resume", self.issue, *options, code=code, **replies)

    @property
    def state(self) -> IssueState:
        row = issues.get(self.context.store, IssueId.parse(self.issue))
        assert row is not None
        return row.state

    @property
    def counts(self) -> dict[str, int]:
        status = issues.status(self.context.store, IssueId.parse(self.issue))
        assert status is not None
        return {str(state): count for state, count in status.counts.items() if count}

    @property
    def suppressed(self) -> set[str]:
        return {row.key for row in suppressions.all_suppressions(self.context.store)}

    @property
    def pending(self) -> set[str]:
        return {row.key for row in pending_suppressions.all_pending(self.context.store)}

    def assert_everybody_has_it_once(self, addresses: list[str]) -> None:
        assert Counter(self.accepted) == Counter(addresses)
        assert self.counts == {"sent": len(addresses)}
        assert self.state is IssueState.CLOSED


# --- the relay turns


TURNS = {
    "after the first": (60, from_the(2), "rcpt", NO_SUCH_NAME),
    "after thirty": (60, from_the(31), "rcpt", NO_SUCH_NAME),
    "nine of ten": (150, nine_of_ten_from_the(21), "rcpt", NO_SUCH_NAME),
    "two of three": (90, lambda number, _: number > 12 and number % 3 != 0, "rcpt", NO_SUCH_NAME),
    "without a status code": (40, from_the(5), "rcpt", "550 unknown user"),
    "in unclear words": (40, from_the(5), "rcpt", "550 5.5.0 not today"),
    "as full mailboxes": (40, from_the(5), "rcpt", "552 5.2.2 mailbox full"),
    "listed": (40, from_the(5), "rcpt", "550 5.7.1 your address is listed"),
    "listed at the first": (40, from_the(1), "rcpt", "550 5.7.1 your address is listed"),
    "disabled, after the body": (40, from_the(8), "data", "550 5.2.1 mailbox disabled"),
    "allowance at RCPT": (
        40,
        from_the(7),
        "rcpt",
        "550 No more letters from this customer in this hour; this one is discarded",
    ),
    "allowance after the body": (
        40,
        from_the(9),
        "data",
        "554 5.2.0 Submission refused: the allowance of this sender for today is used up",
    ),
    "allowance of Exim": (
        40,
        from_the(9),
        "rcpt",
        "550 Domain umbaupost.example.net has exceeded the max emails per hour (100/100 (100%))",
    ),
}


@pytest.mark.parametrize("name", TURNS)
def test_a_relay_that_turns_stops_the_issue_and_after_the_mend_all_have_it_once(
    publication: Publication, name: str
) -> None:
    count, rule, step, reply = TURNS[name]
    trial = Trial(publication, readers(count))
    result = trial.send(code=1, **{step: scripted(rule, reply)})
    assert trial.state is IssueState.STOPPED
    assert "wurde angehalten: Das Relay hat" in result.err
    assert set(trial.counts) <= {"sent", "queued"}
    assert not trial.suppressed
    assert not trial.pending
    trial.resume()
    trial.assert_everybody_has_it_once(readers(count))
    assert not trial.suppressed


def test_a_relay_that_was_not_mended_stops_the_issue_again(publication: Publication) -> None:
    trial = Trial(publication, readers(60))
    trial.send(code=1, rcpt=scripted(from_the(2), NO_SUCH_NAME))
    trial.resume(code=1, rcpt=always(NO_SUCH_NAME))
    assert trial.counts == {"sent": 1, "queued": 59}
    assert not trial.suppressed
    trial.resume()
    trial.assert_everybody_has_it_once(readers(60))


# --- not the relay


def test_scattered_dead_addresses_are_suppressed_one_by_one(publication: Publication) -> None:
    trial = Trial(publication, readers(60))
    trial.send(rcpt=scripted(lambda number, _: number % 10 == 0, NO_SUCH_NAME))
    assert trial.counts == {"sent": 54, "rejected": 6}
    assert (len(trial.suppressed), trial.pending) == (6, set())
    assert trial.state is IssueState.CLOSED


@pytest.mark.parametrize("first", [0, 20, 48], ids=["first", "in the middle", "last"])
def test_a_dead_company_stops_nothing_and_its_suppressions_wait_for_a_person(
    publication: Publication, first: int
) -> None:
    dead = [f"tot{number}@altort.example" for number in range(1, 13)]
    alive = readers(48)
    trial = Trial(publication, [*alive[:first], *dead, *alive[first:]])
    result = trial.send(rcpt=scripted(at("altort.example"), "550 5.1.1 no such mailbox"))
    assert sorted(trial.accepted) == sorted(alive)
    assert trial.counts == {"sent": 48, "rejected": 12}
    assert trial.state is IssueState.CLOSED
    assert (trial.suppressed, trial.pending) == (set(), set(dead))
    assert "12 Sperren warten" in result.err


def test_two_dead_companies_stop_nothing(publication: Publication) -> None:
    dead = [f"tot{number}@altort{number % 2}.example" for number in range(24)]
    trial = Trial(publication, [*readers(20), *dead, *[f"b{a}" for a in readers(20)]])
    trial.send(
        rcpt=scripted(lambda _, address: address.startswith("tot"), "550 5.1.1 no such mailbox")
    )
    assert trial.counts == {"sent": 40, "rejected": 24}
    assert not trial.suppressed


@pytest.mark.parametrize(
    "domains", [("verein.example",), ("gmx.example", "web.example", "post.example")]
)
def test_a_list_that_knows_few_domains_is_protected_as_well(
    publication: Publication, domains: tuple[str, ...]
) -> None:
    addresses = [f"leser{number}@{domains[number % len(domains)]}" for number in range(60)]
    trial = Trial(publication, addresses)
    trial.send(code=1, rcpt=scripted(from_the(2), NO_SUCH_NAME))
    assert trial.counts == {"sent": 1, "queued": 59}
    assert not trial.suppressed
    trial.resume()
    trial.assert_everybody_has_it_once(addresses)


@pytest.mark.parametrize(
    ("reply", "ends"),
    [
        ("552 no room left in this mailbox", {"sent": 12, "rejected": 1}),
        ("552 5.2.2 quota exceeded", {"sent": 12, "rejected": 1}),
        ("554 5.7.1 <zu@example.org>: entry refused", {"sent": 12, "deferred": 1}),
        ("550 5.7.1 policy of this recipient", {"sent": 12, "deferred": 1}),
    ],
)
def test_one_reader_who_is_refused_stops_nobody(
    publication: Publication, reply: str, ends: dict[str, int]
) -> None:
    trial = Trial(publication, [*readers(6), "zu@example.org", *readers(12)[6:]])
    trial.send(rcpt=scripted(at("example.org"), reply))
    assert trial.counts == ends
    assert len(trial.accepted) == 12
    assert not trial.suppressed
    assert not trial.pending


def test_readers_who_are_put_off_again_and_again_are_no_new_wave(publication: Publication) -> None:
    """Fifteen servers refuse us; the rest has its mail, so every retry is refused."""
    listed = [f"leser{number}@streng{number}.example" for number in range(15)]
    mixed = [address for pair in zip(readers(15), listed, strict=True) for address in pair]
    trial = Trial(publication, [*mixed, *readers(30)[15:]])
    refuses = scripted(lambda _, address: "@streng" in address, "550 5.7.1 your address is listed")
    trial.send(rcpt=refuses)
    assert trial.counts == {"sent": 30, "deferred": 15}
    with publication.context().store.writing() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET next_at = '2020-01-01 00:00:00'")
    trial.resume(rcpt=refuses)
    assert trial.counts == {"sent": 30, "deferred": 15}
    assert trial.state is IssueState.SENDING


@pytest.mark.parametrize("step", ["mail", "data"])
def test_a_mail_that_is_too_large_for_everybody_still_asks_for_a_smaller_issue(
    publication: Publication, step: str
) -> None:
    trial = Trial(publication, readers(13))
    result = trial.send(
        code=1, **{step: always("552 5.3.4 this letter is too large for our system")}
    )
    assert "machen Sie die Ausgabe kleiner" in result.err
    assert trial.counts == {"queued": 13}


# --- what a person decides


def test_past_the_guard_the_refused_are_put_off_the_others_go_on_and_it_ends(
    publication: Publication,
) -> None:
    """A block of thirty addresses that are really dead, at thirty domains."""
    dead = [f"tot{number}@alt{number}.example" for number in range(30)]
    trial = Trial(publication, [*readers(20), *dead, *readers(40)[20:]])
    refuses = scripted(lambda _, address: address.startswith("tot"), NO_SUCH_NAME)
    trial.send(code=1, rcpt=refuses)
    assert trial.counts == {"sent": 20, "queued": 50}
    trial.resume("--past-guard", rcpt=refuses)
    assert sorted(trial.accepted) == sorted(readers(40))
    counts = trial.counts
    assert counts["sent"] == 40
    assert counts["deferred"] >= 10
    assert counts["deferred"] + counts["rejected"] == 30
    with publication.context().store.writing() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET next_at = '2020-01-01 00:00:00'")
    trial.run("issue", "send", trial.issue, "--yes", rcpt=refuses)
    assert trial.counts["sent"] == 40


def test_past_the_guard_is_for_issues_that_were_stopped(publication: Publication) -> None:
    trial = Trial(publication, readers(3))
    trial.send()
    result = trial.resume("--past-guard", code=1)
    assert "ist nicht angehalten" in result.err


def test_what_was_refused_wrongly_is_sent_again_and_never_to_the_suppressed(
    publication: Publication,
) -> None:
    addresses = readers(12)
    trial = Trial(publication, addresses)
    refuses = {3: "550 5.5.0 not today", 5: "550 5.1.1 no such user", 7: "552 5.2.2 full"}
    numbers = iter(range(1, 100))
    trial.send(rcpt=lambda relay, address: refuses.get(next(numbers)))
    assert trial.counts == {"sent": 9, "rejected": 3}
    assert trial.state is IssueState.CLOSED
    again = ("issue", "resend", trial.issue, "--state", "rejected")
    result = trial.run(*again, "--code", "5.2.2", "--json")
    assert (result.json["sent"], result.json["rejected"]) == (10, 2)
    result = trial.run(*again, "--since", "2999-01-01")
    assert "0 Zustellungen wieder in der Warteschlange" in result.err
    result = trial.run(*again, "--code", "550")
    assert trial.counts == {"sent": 11, "rejected": 1}
    assert "1 Zustellung nicht in die Warteschlange" in result.err
    assert trial.state is IssueState.CLOSED
    result = trial.publication.run("subscribers", "unsuppress", "--issue", trial.issue, "--json")
    assert result.json == {"unsuppressed": 1}
    trial.run(*again)
    trial.assert_everybody_has_it_once(addresses)


@pytest.mark.parametrize(
    "options", [("--state", "sent"), ("--code", "55"), ("--since", "yesterday")]
)
def test_resend_says_what_it_takes(publication: Publication, options: tuple[str, ...]) -> None:
    trial = Trial(publication, readers(1))
    trial.send()
    trial.run("issue", "resend", trial.issue, *options, code=2)


def test_a_refusal_that_comes_when_the_issue_has_stopped_suppresses_nobody(
    publication: Publication,
) -> None:
    trial = Trial(publication, readers(80))
    with MisbehavingRelay(rcpt=scripted(from_the(30), NO_SUCH_NAME)) as relay:
        publication.run(
            *("issue", "send", "--yes", "--no-collect"),
            code=1,
            RELAYS__MAIN__CONNECTIONS="8",
            **relay_variables(relay.controller.port),
        )
    assert trial.state is IssueState.STOPPED
    assert not trial.suppressed
    left = deliveries.list_deliveries(
        trial.context.store, IssueId.parse(trial.issue), DeliveryState.REJECTED
    )
    assert not list(left)
