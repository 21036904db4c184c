"""Lists on the command line: who is taken, what is said, and when nobody is taken at all."""

from __future__ import annotations

import pytest

from ..publications import CommandResult, Publication

CONSENT = ("--consent", "Papierliste, 3. Mai 2026")


def bring(
    publication: Publication, data: str | bytes, *arguments: str, code: int = 0
) -> CommandResult:
    path = publication.home / "liste.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return publication.run("subscribers", "import", "liste.csv", *CONSENT, *arguments, code=code)


def listed(publication: Publication) -> list[str]:
    lines = publication.run("subscribers", "list", "--json").lines
    return [line["email"].partition("@")[0] for line in lines]


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("email,name,is blacklisted,is confirmed\nschwarz@example.org,S,1,1\n"
         "offen@example.org,O,0,0\ngut@example.org,G,0,1\n", "gut"),
        ("email;activated;deactivated\naktiv@example.org;2024-02-01;0\n"
         "weg@example.org;2024-02-01;2025-06-30 12:00:00\n", "aktiv"),
        ("E-Mail;Name;Newsletter\nja@example.org;J;ja\nnein@example.org;N;nein\n", "ja"),
        ("email;bounced\nda@example.org;0\n", "da"),
        ("E-Mail;Mitglied\ngast@example.org;nein\n", "gast"),
        ("E-Mail;Newsletter\nname@example.org;Umbaupost\n", "name"),
        ("email;opt_out\nbleibt@example.org;nein\n", "bleibt"),
        ("id,email,subscribed_to_emails,complimentary_plan\n1,geist@example.org,true,false\n", "geist"),
    ],
)  # fmt: skip
def test_who_left_there_is_not_taken_and_nobody_else_is_left_out(
    publication: Publication, text: str, taken: str
) -> None:
    bring(publication, text)
    assert listed(publication) == taken.split()


def test_what_may_be_a_no_refuses_the_list_before_anybody_is_taken(
    publication: Publication,
) -> None:
    text = "E-Mail;Werbung\na@example.org;ja\nb@example.org;nein\n"
    refused = bring(publication, text, code=1)
    assert refused.err.startswith("liste.csv:3: Die Spalte „Werbung“ wird nicht gelesen")
    assert '--ignore-column "Werbung"' in refused.err
    assert refused.out == ""
    assert listed(publication) == []
    done = bring(publication, text, "--column", "Werbung=status")
    assert listed(publication) == ["a"]
    assert "b@" not in done.output
    bring(publication, text, "--ignore-column", "Werbung")
    assert listed(publication) == ["a", "b"]


def test_two_addresses_in_a_row_are_a_question(publication: Publication) -> None:
    text = "E-Mail;Name;E-Mail-Adresse\ngut@example.org;G;\nalt@example.org;D;neu@example.org\n"
    asked = bring(publication, text, code=1)
    assert "„E-Mail“ und „E-Mail-Adresse“" in asked.err
    assert listed(publication) == []
    bring(publication, text, "--ignore-column", "E-Mail-Adresse")
    assert listed(publication) == ["gut", "alt"]


def test_what_was_guessed_or_changed_is_said_in_whole_sentences(publication: Publication) -> None:
    text = b"E-Mail;Sprache\num@example.org;Deutsch\n" + "fremd@example.org;Français\n".encode(
        "cp1252"
    )
    done = bring(publication, text)
    assert done.out == "2 neu, 0 geändert, 0 unverändert, 0 übersprungen, 0 nicht lesbar\n"
    assert "liste.csv:3: Die Sprache „Français“ gibt es hier nicht" in done.err
    assert "als Windows-1252 gelesen" in done.err
    report = bring(publication, text, "--json").json
    assert [note["line"] for note in report["notes"]] == [3]
    assert "Windows-1252" in report["guessed"]


@pytest.mark.parametrize("suppressed", ["@käse.example", "@xn--kse-qla.example"])
@pytest.mark.parametrize("address", ["ü@käse.example", "ü@xn--kse-qla.example", "u@KÄSE.example"])
def test_a_suppressed_domain_with_an_umlaut_is_suppressed_in_both_spellings(
    publication: Publication, suppressed: str, address: str
) -> None:
    publication.run("subscribers", "suppress", suppressed)
    report = bring(publication, f"email\n{address}\n", "--json").json
    assert report["added"] == 0
    assert [row["line"] for row in report["skipped"]] == [2]


def test_subscribers_are_listed_and_found_without_their_links(publication: Publication) -> None:
    bring(
        publication,
        "email,name,topics,groups\nanna@example.org,Anna Ärendt,bestand,redaktion\n"
        "bert@example.org,Bert,,\n",
    )
    publication.run("subscribers", "unsubscribe", "bert@example.org")
    everybody = publication.run("subscribers", "list")
    assert everybody.out.splitlines() == [
        "confirmed    de  anna@example.org  Anna Ärendt  bestand",
        "unsubscribed de  bert@example.org  Bert",
    ]
    assert "unsubscribe/" not in everybody.output
    for arguments, found in (
        (("list", "--status", "unsubscribed"), "bert"), (("list", "--topic", "bestand"), "anna"),
        (("list", "--group", "redaktion"), "anna"), (("find", "ÄREND"), "anna"),
        (("find", "Bert@Example"), "bert"),
    ):  # fmt: skip
        [row] = publication.run("subscribers", *arguments, "--json").lines
        assert row["email"] == f"{found}@example.org"
        assert set(row) == {
            "id", "email", "name", "language", "status", "topics", "groups", "created_at",
            "rhythm",
        }  # fmt: skip
    assert "niemand" in publication.run("subscribers", "find", "zoe", code=1).err
    assert (
        "einer von pending" in publication.run("subscribers", "list", "--status", "x", code=2).err
    )


def test_a_list_says_how_often_each_wants_mail_and_comes_back_from_the_export(
    publication: Publication,
) -> None:
    text = "E-Mail;Rhythmus\nanna@example.org;gesammelt\nbert@example.org;jede Ausgabe\n"
    refused = publication.run(
        "subscribers", "add", "cem@example.org", *CONSENT, "--rhythm", "digest", code=2
    )
    assert "„interval“ in [digest]" in refused.err
    assert "„interval“ in [digest]" in bring(publication, text).err
    publication.run("subscribers", "forget", "anna@example.org", "--yes")
    publication.change_setting("[browser]", '[digest]\ninterval = "weekly"\n\n[browser]')
    bring(publication, text.replace("anna", "dora"))
    publication.run("subscribers", "add", "bert@example.org", *CONSENT, "--rhythm", "digest")
    found = {
        line["email"]: line["rhythm"]
        for line in publication.run("subscribers", "list", "--json").lines
    }
    now = {"present": "digest", "coming": None, "from": None}
    assert found["dora@example.org"] == now
    bert = found["bert@example.org"]
    assert (bert["present"], bert["coming"]) == ("every_issue", "digest") and bert["from"]
    shown = publication.run("subscribers", "show", "bert@example.org")
    assert f"from      {bert['from']} digest" in shown.out
    record = publication.run("subscribers", "show", "dora@example.org", "--json").json
    assert record["rhythm"] == now and record["rhythms"][0]["rhythm"] == "digest"
    assert "dora@example.org  digest" in publication.run("subscribers", "list").out
    sums = publication.run("subscribers", "stats", "--json").json["rhythms"]
    assert sums == {"every_issue": 1, "digest": 1}
    assert "Jede Ausgabe: 1, Digest: 1" in publication.run("subscribers", "stats").out
    exported = publication.run("subscribers", "export", "out.csv")
    assert exported.code == 0
    again = publication.run("subscribers", "import", "out.csv", *CONSENT, "--json").json
    assert (again["added"], again["updated"], again["unchanged"]) == (0, 0, 2)
