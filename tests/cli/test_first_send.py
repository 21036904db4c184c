"""The first hour of a new publication: the sample settings, the mailbox, and the first real send."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from upcycle_news.scaffold.layout import init_publication

from ..delivery.memory_ledger import Clock
from ..publications import Publication, parse_mail, relay_variables, today
from ..services.delivery.failing_relay import FailingRelay
from ..transports.bad_relays import MisbehavingRelay

NOBODY_HAS_IT = "im eingebauten Postfach auf diesem Rechner; keine Leserin und kein Leser hat sie"
IN_ENGLISH = "in the embedded mailbox on this machine; no reader has it"
OWN = {
    "https://newsletter.example.org": "https://verein.example",
    "redaktion@example.org": "post@verein.example",
    "Mein Verein e. V., Musterstraße 1, 12345 Musterstadt": "Verein Umbau e. V., Gasse 3, Umbach",
}


@pytest.fixture
def fresh(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publication]:
    """A publication exactly as `init` makes it; the current folder is its root."""
    home = tmp_path / "neu"
    init_publication(home, name="Umbaupost", today=date(2026, 11, 1))
    (home / "content/feeds.toml").write_text("", encoding="utf-8")
    monkeypatch.chdir(home)
    with Publication(home, clock) as opened:
        yield opened


@pytest.fixture
def server() -> Iterator[MisbehavingRelay]:
    with MisbehavingRelay() as started:
        yield started


def at(server: MisbehavingRelay) -> dict[str, str]:
    return dict(relay_variables(server.controller.port))


def import_readers(publication: Publication, *addresses: str) -> None:
    path = publication.home / "list.csv"
    path.write_text("email\n" + "\n".join(addresses), encoding="utf-8")
    publication.run("subscribers", "import", "list.csv", "--consent", "Liste vom 3. Mai 2026")


def make_own(publication: Publication) -> None:
    for sample, own in OWN.items():
        publication.change_setting(sample, own)
    publication.change_setting(
        '# privacy_url = "https://example.org', 'privacy_url = "https://www.verein-ev.example'
    )


# --- the walk


def test_the_first_hour_of_a_new_publication(fresh: Publication, server: MisbehavingRelay) -> None:
    checked = fresh.run("check")
    assert checked.out.count("warning sample-settings") == 3
    path = fresh.home / fresh.run("essay", "new", "Was vom Bahnhof bleibt").out.strip()
    assert "Entwurf" in fresh.run("issue", "preview", "--no-open", code=3).err
    text = path.read_text(encoding="utf-8").replace("status: draft", "status: ready")
    path.write_text(text.replace("Hier beginnt der Essay.", "Er steht leer."), encoding="utf-8")
    assert "error" not in fresh.run("check").out
    assert "Niemand bekäme diese Ausgabe" in fresh.run("issue", "send", "--yes", code=1).err
    import_readers(fresh, "anna@ort1.example", "bert@ort2.example", "cleo@ort3.example")
    assert "ist nicht freigegeben" in fresh.run("issue", "send", code=1).err
    preview = fresh.run("issue", "preview", "--no-open").out
    assert preview.count("warning sample-settings") == 3

    # Without a relay: the question, the result and the status say that no reader has it.
    test = fresh.run("issue", "send", "--test", "ich@verein.example").err
    assert "1 Testmail liegt im eingebauten Postfach auf diesem Rechner (var/mailbox/new)" in test
    asked = fresh.run("issue", "send", terminal=True, typed="n\n", code=1)
    assert "Es ist kein Relay gesetzt" in asked.err
    assert (
        "für 3 Leserinnen und Leser kommt in das eingebaute Postfach auf diesem Rechner"
        in asked.err
    )
    assert "keine Leserin und kein Leser hat sie dann" in asked.err
    assert "Nichts wurde verschickt" in asked.err
    assert len(fresh.mails()) == 1
    assert "niemand hat sie" in fresh.run("issue", "status").out
    sent = fresh.run("issue", "send", terminal=True, typed="j\n")
    assert NOBODY_HAS_IT in sent.out
    assert "3 im Postfach abgelegt (sent); alle Zustellungen sind abgerechnet" in sent.out
    assert NOBODY_HAS_IT in fresh.run("issue", "status").out
    fresh.run("issue", "send", "--yes", code=3)

    # With a relay, and the sample settings: refused, and everything stays as it is.
    relay, issue = at(server), today()
    assert fresh.run("check", code=1, **relay).out.count("error sample-settings") == 3
    refused = fresh.run("issue", "send", "--yes", code=1, **relay).err
    assert "„imprint.lines“ ist noch das mitgelieferte Beispiel." in refused
    assert NOBODY_HAS_IT in fresh.run("issue", "status", **relay).out
    assert "keine Leserin" in fresh.run("issue", "resume", issue, code=1, **relay).err
    assert server.accepted == []

    # With settings of its own the same issue goes to everybody, and to whoever has joined since.
    make_own(fresh)
    import_readers(fresh, "dora@ort4.example")
    assert "alles in Ordnung" in fresh.run("check", **relay).out
    assert "ist nicht freigegeben" in fresh.run("issue", "send", code=1, **relay).err
    question = fresh.run("issue", "send", terminal=True, typed="\n", code=1, **relay).err
    assert (
        f"Ausgabe {issue} „Was vom Bahnhof bleibt“ geht über das Relay „main“ (127.0.0.1)"
        in question
    )
    assert "an 4 Leserinnen und Leser" in question
    assert server.accepted == []
    real = fresh.run("issue", "send", terminal=True, typed="ja\n", **relay)
    assert "4 verschickt (sent); alle Zustellungen sind abgerechnet" in real.out
    assert "Postfach" not in real.output
    assert sorted(server.recipients) == [
        f"{name}@ort{number}.example"
        for number, name in enumerate(("anna", "bert", "cleo", "dora"), start=1)
    ]
    message = parse_mail(server.accepted[0][1])
    assert message["From"].addresses[0].addr_spec == "post@verein.example"
    assert b"example.org" not in server.accepted[0][1]
    assert "Postfach" not in fresh.run("issue", "status", **relay).output
    fresh.run("issue", "send", "--yes", code=3, **relay)
    assert fresh.run("issue", "send", issue, "--yes", "--json", **relay).json["sent"] == 4
    assert len(server.accepted) == 4


def test_english_publications_are_told_in_english(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    english = {"PUBLICATION__LANGUAGE": "en"}
    asked = publication.run("issue", "send", terminal=True, typed="y\n", **english)
    assert "goes into the embedded mailbox on this machine; no reader has it then." in asked.err
    assert IN_ENGLISH in asked.out
    as_json = publication.run("issue", "status", "--json", **english)
    assert as_json.json["sent"] == 1
    assert IN_ENGLISH in as_json.err


# --- sample settings over a relay


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_sample_settings_go_over_no_relay_on_loopback_either(
    fresh: Publication, server: MisbehavingRelay, host: str
) -> None:
    fresh.write_essay()
    import_readers(fresh, "anna@ort1.example")
    relay = at(server) | {"RELAYS__MAIN__HOST": host}
    for command in (
        ("issue", "send", "--yes"),
        ("issue", "send", "--test", "ich@verein.example"),
        ("issue", "send", "--dry-run"),
    ):
        assert "sample-settings" in fresh.run(*command, code=1, **relay).err
    fresh.run("issue", "preview", "--no-open", **relay)
    assert "sample-settings" in fresh.run("issue", "approve", code=1, **relay).err
    assert server.commands == [] or server.accepted == []


@pytest.mark.parametrize(
    ("kept", "setting"),
    [
        ("https://newsletter.example.org", "publication.public_url"),
        ("redaktion@example.org", "sender.address"),
        ("Mein Verein e. V., Musterstraße 1, 12345 Musterstadt", "imprint.lines"),
    ],
)
def test_one_sample_value_is_enough_to_be_refused(
    fresh: Publication, server: MisbehavingRelay, kept: str, setting: str
) -> None:
    fresh.write_essay()
    import_readers(fresh, "anna@ort1.example")
    for sample, own in OWN.items():
        if sample != kept:
            fresh.change_setting(sample, own)
    assert f"„{setting}“" in fresh.run("check", code=1, **at(server)).out
    assert f"„{setting}“" in fresh.run("issue", "send", "--yes", code=1, **at(server)).err
    assert server.accepted == []


def test_settings_of_ones_own_below_a_reserved_domain_go_out_over_loopback(
    fresh: Publication, server: MisbehavingRelay
) -> None:
    fresh.write_essay()
    import_readers(fresh, "anna@ort1.example")
    make_own(fresh)
    assert fresh.run("issue", "send", "--yes", "--json", **at(server)).json["sent"] == 1
    elsewhere = {"RELAYS__MAIN__HOST": "smtp.verein.example"}
    refused = fresh.run("check", code=1, **elsewhere).out
    assert "Domain, die Beispielen vorbehalten ist" in refused


def test_check_and_preview_name_the_settings_also_when_no_essay_is_new(fresh: Publication) -> None:
    elsewhere = {"RELAYS__MAIN__HOST": "smtp.verein.example"}
    assert "warning" in fresh.run("check").out
    assert "error sample-settings" in fresh.run("check", code=1, **elsewhere).out
    preview = fresh.run("issue", "preview", "--no-open", code=3, **elsewhere).err
    assert "error sample-settings" in preview
    assert "Kein neuer Essay" in preview


# --- an issue of a day to come


def coming() -> str:
    return str(date.fromisoformat(today()) + timedelta(days=9))


def test_an_issue_of_a_day_to_come_is_sent_only_on_purpose(
    publication: Publication, server: MisbehavingRelay
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    issue, relay = coming(), at(server)
    for _ in range(2):
        refused = publication.run("issue", "send", issue, "--yes", code=1, **relay).err
        assert "--yes --ahead" in refused
        assert "deliver-pending" in refused
        publication.run("issue", "send", issue, code=1, **relay)
        publication.run("issue", "preview", issue, "--no-open", **relay)
        approved = publication.run("issue", "approve", issue, **relay)
        assert "wartet auf ihren Tag" in approved.err
    assert "wartet auf ihren Tag" in publication.run("issue", "status", issue, **relay).err
    assert server.accepted == []
    publication.run("issue", "send", issue, "--test", "ich@verein.example", **relay)
    sent = publication.run("issue", "send", issue, "--yes", "--ahead", "--json", **relay).json
    assert sent["sent"] == 2
    assert publication.run("issue", "send", issue, "--yes", "--json", **relay).json == sent
    assert len(server.accepted) == 3


def test_the_question_about_an_issue_of_a_day_to_come_names_the_day(
    publication: Publication, server: MisbehavingRelay
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    issue = coming()
    asked = publication.run(
        "issue", "send", issue, "--ahead", terminal=True, typed="n\n", code=1, **at(server)
    ).err
    assert f"Ihr Tag ist erst der {date.fromisoformat(issue):%d.%m.%Y}." in asked


@pytest.mark.parametrize("days", [0, 1, 400])
def test_issues_of_today_and_of_earlier_days_go_out_as_before(
    publication: Publication, server: MisbehavingRelay, days: int
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    issue = str(date.fromisoformat(today()) - timedelta(days=days))
    sent = publication.run("issue", "send", issue, "--yes", "--json", **at(server)).json
    assert sent["sent"] == 1


# --- an approval that is left behind


def test_a_send_that_fails_before_anything_is_queued_leaves_no_approval(
    publication: Publication, server: MisbehavingRelay
) -> None:
    publication.write_essay()
    publication.run("issue", "send", "--yes", code=1, **at(server))
    publication.add_many_subscribers(2)
    assert "ist nicht freigegeben" in publication.run("issue", "send", code=1, **at(server)).err
    assert server.accepted == []
    events = [
        row["event"] for row in publication.run("issue", "status", "--history", "--json").lines
    ]
    assert "approved" not in events


def test_an_approval_that_a_person_gave_stays(
    publication: Publication, server: MisbehavingRelay
) -> None:
    publication.write_essay()
    publication.run("issue", "preview", "--no-open", **at(server))
    publication.run("issue", "approve", **at(server))
    publication.run("issue", "send", "--yes", code=1, **at(server))
    publication.add_many_subscribers(2)
    assert publication.run("issue", "send", "--json", **at(server)).json["sent"] == 2


# --- half by the relay


def test_the_rest_of_an_issue_waits_for_its_relay_in_a_shell_without_it(
    publication: Publication,
) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(12)
    with FailingRelay() as relay:
        relay.start(fall_after=6)
        there = dict(relay_variables(relay.port))
        publication.run("issue", "send", "--yes", code=1, **there)
        issue = publication.run("issue", "status", "--json").json["issue"]
        for command in (("resume", issue), ("send", issue, "--yes"), ("send", "--yes")):
            assert re.search("RELAYS__MAIN__HOST", publication.run("issue", *command, code=1).err)
        assert publication.mails() == []
        relay.start()
        assert publication.run("issue", "resume", issue, "--json", **there).json["sent"] == 12
        assert relay.accepted == dict.fromkeys(readers, 1)


@pytest.mark.parametrize("password", [{}, {"RELAYS__MAIN__PASSWORD_FILE": "/dev/null"}])
def test_a_user_name_without_a_password_queues_and_tries_nothing(
    publication: Publication, server: MisbehavingRelay, tmp_path: Path, password: dict[str, str]
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    if password:
        (tmp_path / "empty").write_text("\n")
        password = {"RELAYS__MAIN__PASSWORD_FILE": str(tmp_path / "empty")}
    variables = {**at(server), "RELAYS__MAIN__USERNAME": "post", **password}
    refused = publication.run("issue", "send", "--yes", code=1, **variables)
    assert "UPCYCLE_NEWS_RELAYS__MAIN__PASSWORD" in refused.err
    assert server.connections == 0
    assert publication.run("issue", "status", "--json").json["queued"] == 0
