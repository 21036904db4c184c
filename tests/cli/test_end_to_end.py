"""An editor, an essay, a list and a command line: from plain text to the mailbox."""

from __future__ import annotations

import json
import re
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from upcycle_news.demo.feed_server import DemoSite

from ..publications import (
    KLEINSTADT,
    Publication,
    parse_mail,
    relay_variables,
)
from ..transports.bad_relays import MisbehavingRelay

SUM = {
    "issue", "hash", "audience", "queued", "sending", "sent", "deferred", "rejected", "unknown",
    "suppressed", "cancelled", "closed", "state", "replies", "auto_replies",
}  # fmt: skip
CONSENT = ("--consent", "paper list, 3 May 2026")


def imported(publication: Publication) -> str:
    """An editor's plain text as an essay; the path that is printed."""
    text = publication.home / "kleinstadt.txt"
    text.write_text(KLEINSTADT, encoding="utf-8")
    arguments = ("--title", "Größe ist nichts", "--date", "2024-05-02")
    return publication.run("essay", "import", "kleinstadt.txt", *arguments).out.strip()


def listed(publication: Publication, *lines: str) -> dict[str, object]:
    """Import a list; the report."""
    path = publication.home / "list.csv"
    path.write_text("email,name,language,topics\n" + "\n".join(lines), encoding="utf-8")
    report: dict[str, object] = publication.run(
        "subscribers", "import", "list.csv", *CONSENT, "--json"
    ).json
    return report


def test_an_editors_text_becomes_an_issue_in_every_readers_mailbox(
    publication: Publication,
) -> None:
    path = imported(publication)
    essay = (publication.home / path).read_text(encoding="utf-8")
    assert path == "content/essays/2024-05-02-groesse-ist-nichts.md"
    assert 'author: "Mathilde Übersee"' in essay
    assert "„Das Wort ‚Leerstand‘ ist falsch“, sagt der Hausmeister – und" in essay

    report = listed(
        publication,
        "anna@example.org,Änne Größe,de,bestand",
        "bert@example.org,Bert,,",
        "BERT@example.org,Bert zweimal,,",
        "nobody,Niemand,,",
    )
    assert report == {
        "added": 2,
        "updated": 0,
        "unchanged": 0,
        "skipped": [{"line": 4, "reason": "dieselbe Adresse steht weiter oben in der Liste"}],
        "invalid": [{"line": 5, "reason": report["invalid"][0]["reason"]}],  # type: ignore[index]
        "unread": [],
        "notes": [],
        "guessed": "",
        "asked": 0,
    }

    preview = publication.run("issue", "preview", "--no-open", "--json").json
    assert set(preview) == {
        "issue", "hash", "subject", "essays", "items", "bytes", "files", "findings",
    }  # fmt: skip
    assert preview["subject"] == "Größe ist nichts"
    assert preview["essays"] == ["groesse-ist-nichts"]
    assert set(preview["files"]) == {"html", "text", "mjml", "eml", "manifest"}
    assert all(Path(file).read_bytes() for file in preview["files"].values())
    assert 1000 < preview["bytes"] < 100_000
    assert [finding for finding in preview["findings"] if finding["level"] == "error"] == []

    sent = publication.run("issue", "send", "--yes", "--json").json
    assert list(sent) == list(publication.run("issue", "status", "--json").json)
    assert set(sent) == SUM
    assert (sent["audience"], sent["sent"], sent["closed"]) == (2, 2, True)
    assert sent["hash"] == preview["hash"]
    assert publication.recipients() == ["anna@example.org", "bert@example.org"]

    again = publication.run("issue", "send", "--yes", "--json", code=3)
    assert again.json == sent
    assert "Kein neuer Essay" in again.err
    assert len(publication.mails()) == 2


def test_each_mail_has_the_required_headers_and_imprint(publication: Publication) -> None:
    imported(publication)
    listed(publication, "anna@example.org,Änne Größe,de,", "bert@example.org,,,")
    publication.run("issue", "send", "--yes", "--json")
    raw = publication.mails()
    assert len({parse_mail(mail)["Message-ID"] for mail in raw}) == 2
    links = set()
    for mail in raw:
        head = mail.partition(b"\r\n\r\n")[0].decode("ascii").replace("\r\n", "\n")
        message = parse_mail(mail)
        assert message.get_content_type() == "multipart/alternative"
        text, html = message.iter_parts()
        assert text.get_content_type() == "text/plain"
        body = html
        if html.get_content_type() == "multipart/related":
            body = next(html.iter_parts())
        assert body.get_content_type() == "text/html"
        for part in (text.get_content(), body.get_content()):
            assert "Der Bestand ist gebaut, bezahlt und vertraut." in part
            assert "Umbau e. V." in part.replace("\N{NO-BREAK SPACE}", " ")
            assert "reader.invalid" not in part
        [recipient] = message["To"].addresses
        assert recipient.addr_spec in ("anna@example.org", "bert@example.org")
        assert message.get_all("Cc") is message.get_all("Bcc") is None
        unsubscribe = re.search(
            r"^List-Unsubscribe: <(https://umbaupost\.example\.net/unsubscribe/[\w-]{43})>",
            head,
            re.M,
        )
        assert unsubscribe, head
        links.add(unsubscribe[1])
        assert unsubscribe[1] in text.get_content()
        assert re.search(r"^List-Unsubscribe-Post: List-Unsubscribe=One-Click$", head, re.M)
        assert re.search(r"^List-Id: .*<newsletter\.umbaupost\.example\.net>$", head, re.M)
        assert re.search(r"^Content-Language: de$", head, re.M)
        assert re.search(r"^Message-ID: <\S+@umbaupost\.example\.net>$", head, re.M)
        assert max(map(len, mail.split(b"\r\n"))) <= 998
        assert b"\n" not in mail.replace(b"\r\n", b"")
    assert len(links) == 2


def test_an_approved_issue_is_sent_without_asking_again(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    publication.run("issue", "preview", "--no-open")
    assert "ist freigegeben" in publication.run("issue", "approve").out
    assert publication.run("issue", "send", "--json").json["sent"] == 1


def test_a_change_after_the_approval_is_refused_and_named(publication: Publication) -> None:
    slug = publication.write_essay()
    publication.add_many_subscribers(1)
    publication.run("issue", "preview", "--no-open")
    publication.run("issue", "approve")
    publication.write_essay(text="Über Nacht geändert.\n")
    output = publication.run("issue", "send", code=1).err
    assert "hat sich seit ihrer Freigabe geändert" in output
    assert slug in output
    assert publication.mails() == []


def test_a_rejected_issue_is_not_sent(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    publication.run("issue", "preview", "--no-open")
    publication.run("issue", "approve")
    publication.run("issue", "reject")
    assert "ist nicht freigegeben" in publication.run("issue", "send", code=1).err
    assert publication.mails() == []


def test_without_approval_and_without_a_terminal_nothing_is_sent(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    assert "--yes" in publication.run("issue", "send", code=1).err
    assert publication.mails() == []


def test_sending_without_subscribers_is_an_error(publication: Publication) -> None:
    publication.write_essay()
    output = publication.run("issue", "send", "--yes", code=1).err
    assert "Niemand bekäme diese Ausgabe" in output
    assert "subscribers import" in output
    publication.add_many_subscribers(1)
    assert publication.run("issue", "send", "--yes", "--json").json["sent"] == 1


def test_a_missing_imprint_stops_the_issue_before_it_is_queued(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    publication.change_setting(
        'lines = ["Umbau e. V., Lange Straße 1, 12345 Musterstadt"]', "lines = []"
    )
    assert "imprint" in publication.run("issue", "send", "--yes", code=1).err
    status = publication.run("issue", "status", "--json").json
    assert (status["audience"], status["queued"], status["closed"]) == (0, 0, False)


def test_a_relay_that_refuses_loses_no_delivery_and_resume_goes_on(
    publication: Publication,
) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(3)
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        bad = relay_variables(nobody_listens.getsockname()[1])
        output = publication.run("issue", "send", "--yes", code=1, **bad).err
        assert "127.0.0.1" in output
    status = publication.run("issue", "status", "--json").json
    assert (status["queued"], status["audience"], status["closed"]) == (3, 3, False)
    with MisbehavingRelay() as relay:
        good = relay_variables(relay.controller.port)
        done = publication.run("issue", "resume", status["issue"], "--json", **good).json
    assert (done["sent"], done["closed"]) == (3, True)
    assert sorted(relay.recipients) == readers


def test_a_dry_run_sends_nothing_and_counts_the_subscribers(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    said = publication.run("issue", "send", "--dry-run").err
    assert "für 2 Leserinnen und Leser" in said
    assert "in das eingebaute Postfach auf diesem Rechner" in said
    relay = relay_variables(9)
    assert "ginge über das Relay „main“ an 2 Leserinnen und Leser" in (
        publication.run("issue", "send", "--dry-run", **relay).err
    )
    assert publication.mails() == []
    assert publication.run("issue", "status", "--json").json["audience"] == 0
    issue = publication.run("issue", "send", "--yes", "--json").json["issue"]
    output = publication.run("issue", "send", issue, "--dry-run").err
    assert (
        "ist begonnen; die Mails an 0 Leserinnen und Leser kämen noch in das eingebaute" in output
    )


def test_test_mails_do_not_change_the_deliveries(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    publication.run("subscribers", "add", "anna@example.org", *CONSENT, "--group", "redaktion")
    status = publication.run("issue", "send", "--test", "chefin@example.net", "--json").json
    group = publication.run("issue", "send", "--test-group", "redaktion", "--json").json
    assert status["audience"] == group["audience"] == 0
    assert publication.recipients() == ["anna@example.org", "chefin@example.net"]
    assert publication.run("issue", "send", "--yes", "--json").json["sent"] == 2


def test_the_deliveries_in_a_state_are_listed_on_request(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    issue = publication.run("issue", "send", "--yes", "--json").json["issue"]
    lines = publication.run("issue", "status", issue, "--list", "sent", "--json").lines
    assert [line["email"] for line in lines] == ["reader1@example.org", "reader2@example.org"]
    assert set(lines[0]) == {"subscriber", "email", "state", "code", "reason", "at"}
    assert (lines[0]["state"], lines[0]["code"]) == ("sent", 250)
    assert datetime.fromisoformat(lines[0]["at"]).tzinfo is not None
    assert publication.run("issue", "status", issue, "--list", "unknown", "--json").lines == []


def test_only_the_list_of_a_state_shows_addresses(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    results = [
        publication.run("issue", "preview", "--no-open"),
        publication.run("issue", "send", "--yes"),
        publication.run("issue", "status"),
    ]
    assert "@example.org" not in "".join(result.output for result in results)


def test_an_issue_is_paused_resumed_and_cancelled_by_hand(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(3)
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        bad = relay_variables(nobody_listens.getsockname()[1])
        publication.run("issue", "send", "--yes", code=1, **bad)
    issue = publication.run("issue", "status", "--json").json["issue"]
    publication.run("issue", "pause", issue)
    assert publication.run("issue", "status", "--json").json["queued"] == 3
    output = publication.run("issue", "status").err
    assert (
        f"Ausgabe {issue} macht Pause; „upcycle-news issue resume {issue}“ macht weiter." in output
    )
    assert (
        "3 abgebrochen (cancelled); alle Zustellungen sind abgerechnet"
        in publication.run("issue", "cancel", issue, "--yes").out
    )
    assert "wurde beendet" in publication.run("issue", "resume", issue, code=1).err
    assert "wurde beendet" in publication.run("issue", "send", issue, "--yes", code=1).err
    assert "wird nicht verschickt" in publication.run("issue", "pause", issue, code=1).err
    assert publication.mails() == []


def test_cancelling_asks_first(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        bad = relay_variables(nobody_listens.getsockname()[1])
        publication.run("issue", "send", "--yes", code=1, **bad)
    issue = publication.run("issue", "status", "--json").json["issue"]
    publication.run("issue", "cancel", issue, code=1)
    publication.run("issue", "cancel", issue, typed="n\n", code=1)
    assert publication.run("issue", "status", "--json").json["queued"] == 1
    publication.run("issue", "cancel", issue, typed="y\n")
    assert publication.run("issue", "status", "--json").json["cancelled"] == 1


def test_an_issue_that_was_not_started_cannot_be_resumed_or_cancelled(
    publication: Publication,
) -> None:
    publication.write_essay()
    issue = publication.run("issue", "preview", "--no-open", "--json").json["issue"]
    assert "Es gibt nichts fortzusetzen" in publication.run("issue", "resume", issue, code=1).err
    assert "wird nicht verschickt" in publication.run("issue", "cancel", issue, "--yes", code=1).err
    assert "Es gibt nichts fortzusetzen" in publication.run("issue", "resend", issue, code=1).err


def test_a_frozen_issue_can_still_be_previewed(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    sent = publication.run("issue", "send", "--yes", "--json").json
    publication.write_essay("Morgen")
    preview = publication.run("issue", "preview", sent["issue"], "--no-open", "--json").json
    assert (preview["issue"], preview["hash"]) == (sent["issue"], sent["hash"])


# --- feeds


@pytest.fixture
def site(publication: Publication):
    """The sample feeds on loopback, and one feed that is dead."""
    with DemoSite(datetime.now(UTC)) as site:
        dead = f'\n[[feeds]]\nname = "Verstummt"\nurl = "{site.url}/gone.xml"\n'
        (publication.home / "content/feeds.toml").write_text(site.feeds_toml() + dead)
        yield site


def test_a_dead_feed_is_reported_and_the_issue_goes_on(
    publication: Publication, site: DemoSite
) -> None:
    publication.write_essay(topics="[bestand, kreislauf]")
    publication.add_many_subscribers(1)
    own = {"FEEDS__ALLOW_PRIVATE": "true"}
    done = publication.run("issue", "send", "--yes", "--json", **own)
    assert done.json["sent"] == 1
    assert "feed Verstummt: " in done.err
    healths = {row["name"]: row for row in publication.run("feeds", "health", "--json").lines}
    assert healths["Verstummt"]["last_error"]
    assert healths["Verstummt"]["succeeded_at"] is None
    assert healths["Kreislaufbote"]["errors"] == 0


def test_feeds_are_requested_once_in_the_interval_and_unchanged_ones_add_nothing(
    publication: Publication, site: DemoSite
) -> None:
    own = {"FEEDS__ALLOW_PRIVATE": "true"}
    first = publication.run("feeds", "collect", "--json", **own).json
    assert first["asked"] == 6
    assert first["items"] > 0
    assert [row["feed"] for row in first["failed"]] == ["Verstummt"]
    assert publication.run("feeds", "collect", "--json", **own).json["asked"] == 0
    again = publication.run("feeds", "collect", "--all", "--json", **own).json
    assert (again["items"], again["unchanged"]) == (0, 5)


def test_feeds_in_the_private_network_are_not_requested_unless_allowed(
    publication: Publication, site: DemoSite
) -> None:
    report = publication.run("feeds", "collect", "--json").json
    assert len(report["failed"]) == 6
    assert report["items"] == 0


# --- subscribers


def test_an_exported_list_can_be_imported(publication: Publication) -> None:
    listed(publication, "anna@example.org,=Anna,en,bestand", "bert@example.org,Bert,de,")
    publication.run("subscribers", "unsubscribe", "bert@example.org")
    publication.run("subscribers", "export", "out.csv")
    assert (publication.home / "out.csv").stat().st_mode & 0o077 == 0
    assert "'=Anna" in (publication.home / "out.csv").read_text()
    assert publication.run("subscribers", "export").out.startswith("email,name,")
    report = publication.run("subscribers", "import", "out.csv", *CONSENT, "--json").json
    assert (report["added"], report["updated"], report["unchanged"]) == (0, 0, 1)
    assert report["skipped"] == [{"line": 3, "reason": "ist dort als „unsubscribed“ geführt"}]


def test_a_list_can_be_imported_as_a_dry_run(publication: Publication) -> None:
    (publication.home / "list.csv").write_text("email\nanna@example.org\n")
    done = publication.run("subscribers", "import", "list.csv", *CONSENT, "--dry-run")
    assert "Probelauf, gespeichert ist nichts: 1 neu" in done.out
    assert "ist niemand eingetragen" in (
        publication.run("subscribers", "show", "anna@example.org", code=1).err
    )


def test_a_subscriber_is_shown_with_consent_and_deliveries(publication: Publication) -> None:
    publication.write_essay()
    publication.run("subscribers", "add", "anna@example.org", *CONSENT, "--name", "Anna")
    publication.run("issue", "send", "--yes")
    record = publication.run("subscribers", "show", "ANNA@example.org", "--json").json
    assert record["consents"][0]["source"] == "paper list, 3 May 2026"
    assert [mail["state"] for mail in record["deliveries"]] == ["sent"]
    assert "sent" in publication.run("subscribers", "show", "anna@example.org").out


def test_an_unsubscribed_address_gets_no_issue_and_cannot_be_added(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_subscribers("anna@example.org", "bert@example.org")
    publication.run("subscribers", "unsubscribe", "anna@example.org")
    assert "War schon" in publication.run("subscribers", "unsubscribe", "anna@example.org").out
    refused = publication.run("subscribers", "add", "anna@example.org", *CONSENT, code=1)
    assert "Nur die Person selbst kann sich wieder anmelden" in refused.err
    publication.run("issue", "send", "--yes")
    assert publication.recipients() == ["bert@example.org"]


def test_an_import_without_language_keeps_the_known_one(publication: Publication) -> None:
    publication.run("subscribers", "add", "anna@example.org", *CONSENT, "--language", "en")
    listed(publication, "anna@example.org,Anna,,")
    record = publication.run("subscribers", "show", "anna@example.org", "--json").json
    assert (record["name"], record["language"]) == ("Anna", "en")


def test_the_output_for_programs_is_json_alone(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    for command in (
        ("issue", "preview", "--no-open", "--json"),
        ("issue", "send", "--dry-run", "--json"),
        ("issue", "send", "--yes", "--json"),
        ("issue", "status", "--json"),
        ("feeds", "collect", "--json"),
    ):
        assert json.loads(publication.run(*command).out)
