"""Exports of twelve systems, each written after the documentation of its form: who comes in, and why not.

The addresses say what the system means by the row. docs/moving.md has the same as a table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from upcycle_news.errors import ContentError

from .lists import read

MOVING = Path(__file__).parents[2] / "docs/moving.md"


@dataclass(frozen=True)
class Export:
    """A list as bytes; who of it is taken, and the reason for each of the others."""

    data: bytes
    taken: tuple[str, ...]
    skipped: dict[str, str]


def export(text: str, *, taken: str, encoding: str = "utf-8", **skipped: str) -> Export:
    return Export(text.encode(encoding), tuple(taken.split()), skipped)


EXPORTS = {
    # subscribed_members_export_….csv, unsubscribed_…, cleaned_… of an audience, put into one file here.
    "Mailchimp": export(
        '"Email Address","First Name","Last Name",MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,'
        "CONFIRM_IP,GMTOFF,LAST_CHANGED,LEID,EUID,NOTES,TAGS,UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,"
        "UNSUB_REASON,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE\n"
        'da@example.org,Dora,Ahn,2,,,"2024-01-02 10:00:00",192.0.2.7,1,"2024-01-02 10:00:00",1,aa,,'
        '"""Verein""",,,,,\n'
        'weg@example.org,Willi,Egge,2,"2023-01-02 10:00:00",192.0.2.8,"2023-01-02 10:00:00",,1,'
        '"2025-01-02 10:00:00",2,bb,,,"2025-01-02 10:00:00","Nr. 12","NORMAL (was nicht)",,\n'
        'tot@example.org,Toni,Ott,1,,,"2022-01-02 10:00:00",,1,,3,cc,,,,,,"2025-02-03 08:00:00","Nr. 13"\n',
        taken="da", weg="UNSUB_TIME", tot="CLEAN_TIME",
    ),
    # Members, Export.
    "Ghost": export(
        "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,"
        "deleted_at,labels,tiers\n"
        "6a1,da@example.org,Dora Ahn,,true,false,,2024-03-01T10:00:00.000Z,,Verein,\n"
        "6a2,zahlt@example.org,Zoe Zahl,,true,true,cus_1,2024-03-01T10:00:00.000Z,,,Gold\n"
        "6a3,weg@example.org,Willi Egge,,false,false,,2024-03-01T10:00:00.000Z,,,\n"
        "6a4,geloescht@example.org,,,true,false,,2024-03-01T10:00:00.000Z,2025-01-01T10:00:00.000Z,,\n",
        taken="da zahlt", weg="subscribed_to_emails is false", geloescht="deleted_at",
    ),
    # Contacts, Export as CSV.
    "Keila": export(
        "Email,First name,Last name,Data,Status,External ID\n"
        'da@example.org,Dora,Ahn,"{""ort"":""Ulm"",""newsletter"":false}",active,\n'
        "weg@example.org,Willi,Egge,,unsubscribed,\n"
        "tot@example.org,Toni,Ott,,unreachable,\n",
        taken="da", weg="is listed as unsubscribed", tot="is listed as unreachable",
    ),
    # Subscribers, Export: the status is that of the account.
    "listmonk": export(
        "uuid,email,name,attributes,status,created_at,updated_at\n"
        'u1,konto@example.org,Kim,"{""city"": ""Ulm""}",enabled,2024-01-01T00:00:00Z,2024-01-01T00:00:00Z\n'
        "u2,gesperrt@example.org,Gerd,{},blocklisted,2024-01-01T00:00:00Z,2024-01-01T00:00:00Z\n"
        "u3,aus@example.org,Alex,{},disabled,2024-01-01T00:00:00Z,2024-01-01T00:00:00Z\n",
        taken="", konto="is listed as enabled", gesperrt="is listed as blocklisted",
        aus="is listed as disabled",
    ),
    # email_list.….csv
    "Substack": export(
        "email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at\n"
        "da@example.org,false,,other,false,2024-01-01T10:00:00.000Z,\n"
        "zahlt@example.org,true,2027-01-01T10:00:00.000Z,yearly,false,2024-01-01T10:00:00.000Z,"
        "2024-01-01T10:00:00.000Z\n"
        "weg@example.org,false,,other,true,2024-01-01T10:00:00.000Z,\n",
        taken="da zahlt", weg="email_disabled: true",
    ),
    # Export subscribers, with the columns that it offers.
    "phpList": export(
        "ID\tEmail\tIs this subscriber confirmed\tIs this subscriber blacklisted\t"
        "Did this subscriber manually confirm\tNumber of bounces on this subscriber\tEntered\t"
        "Last Modified\tUnique ID\tSend this subscriber HTML emails\tSubscribe page\tRSS Frequency\t"
        "Is this account disabled?\tList Membership\n"
        "1\tda@example.org\t1\t0\t1\t0\t2024-01-01 10:00:00\t2024-01-01 10:00:00\tabc\t0\t1\t\t0\tNews\n"
        "2\toffen@example.org\t0\t0\t0\t0\t2024-01-01 10:00:00\t2024-01-01 10:00:00\tabd\t1\t1\t\t0\tNews\n"
        "3\tschwarz@example.org\t1\t1\t1\t0\t2024-01-01 10:00:00\t2024-01-01 10:00:00\tabe\t1\t1\t\t0\tNews\n"
        "4\ttot@example.org\t1\t0\t1\t6\t2024-01-01 10:00:00\t2024-01-01 10:00:00\tabf\t1\t1\t\t0\tNews\n"
        "5\taus@example.org\t1\t0\t1\t0\t2024-01-01 10:00:00\t2024-01-01 10:00:00\tabg\t1\t1\t\t1\tNews\n"
        "6\tohne@example.org\t1\t0\t0\t0\t2024-01-01 10:00:00\t2024-01-01 10:00:00\tabh\t1\t\t\t0\tNews\n",
        taken="da", offen="Is this subscriber confirmed is 0",
        schwarz="Is this subscriber blacklisted: 1", tot="Number of bounces on this subscriber: 6",
        aus="Is this account disabled?: 1", ohne="Did this subscriber manually confirm is 0",
    ),
    # Contacts, Export, with the subscription status of e-mail and SMS.
    "Brevo": export(
        "CONTACT ID;EMAIL;FIRSTNAME;LASTNAME;SMS;WHATSAPP;EMAIL_MARKETING;SMS_MARKETING;DOUBLE_OPT-IN;"
        "OPT_IN;ADDED_TIME;MODIFIED_TIME\n"
        "1;da@example.org;Dora;Ahn;;;Subscribed;Unsubscribed;Yes;true;01-02-2024 10:00:00;\n"
        "2;weg@example.org;Willi;Egge;491;;Unsubscribed;Subscribed;Yes;true;01-02-2024 10:00:00;\n"
        "3;schwarz@example.org;Sven;Arz;;;Blocklisted;;Yes;true;01-02-2024 10:00:00;\n"
        "4;offen@example.org;Otto;Fen;;;Subscribed;;No;true;01-02-2024 10:00:00;\n"
        "5;unklar@example.org;Uwe;Klar;;;Subscribed;;;true;01-02-2024 10:00:00;\n",
        taken="da", weg="EMAIL_MARKETING is Unsubscribed", schwarz="EMAIL_MARKETING is Blocklisted",
        offen="DOUBLE_OPT-IN is No", unklar="DOUBLE_OPT-IN is empty",
    ),
    # Recipients, Export of a list: times in seconds, 0 for none.
    "CleverReach": export(
        '"email";"source";"active";"registered";"activated";"deactivated";"bounced";"points";"last_ip";'
        '"Vorname";"Nachname"\n'
        '"da@example.org";"Formular";"1";"1700000000";"1700000100";"0";"0";"17";"192.0.2.7";"Dora";"Ahn"\n'
        '"weg@example.org";"Formular";"0";"1700000000";"1700000100";"1750000000";"0";"3";"";"Willi";"Egge"\n'
        '"offen@example.org";"Formular";"0";"1700000000";"0";"0";"0";"0";"";"Otto";"Fen"\n'
        '"tot@example.org";"Import";"1";"1700000000";"1700000100";"0";"1760000000";"0";"";"Toni";"Ott"\n',
        taken="da", weg="active is 0", offen="active is 0", tot="bounced: 1760000000",
    ),
    # Empfänger, Export einer Empfängerliste.
    "rapidmail": export(
        "id;foreign_id;email;firstname;lastname;gender;mailtype;extra1;status;created;activated;updated\n"
        "1;;da@example.org;Dora;Größ;female;text;nein;active;2024-01-01 10:00:00;2024-01-01 11:00:00;\n"
        "2;;offen@example.org;Otto;Fen;male;html;;new;2024-01-01 10:00:00;;\n"
        "3;;tot@example.org;Toni;Ott;;html;;bounced;2024-01-01 10:00:00;2024-01-01 11:00:00;\n"
        "4;;klagt@example.org;Karl;Agt;;html;;abused;2024-01-01 10:00:00;2024-01-01 11:00:00;\n"
        "5;;weg@example.org;Willi;Egge;;html;;deleted;2024-01-01 10:00:00;2024-01-01 11:00:00;\n",
        taken="da", encoding="cp1252", offen="is listed as new", tot="is listed as bounced",
        klagt="is listed as abused", weg="is listed as deleted",
    ),
    # Contacts with the properties of the API, as its export and its connectors name them.
    "Mailjet": export(
        "ID,Email,Name,CreatedAt,DeliveredCount,IsUnsubscribed,UnsubscribedAt,IsExcludedFromCampaigns,"
        "ExclusionFromCampaignsUpdatedAt,IsOptInPending,IsSpamComplaining,LastActivityAt\n"
        "1,da@example.org,Dora,2024-01-01T10:00:00Z,0,false,,false,2024-05-01T10:00:00Z,false,false,\n"
        "2,weg@example.org,Willi,2024-01-01T10:00:00Z,9,true,2025-01-01T10:00:00Z,false,,false,false,\n"
        "3,aus@example.org,Alex,2024-01-01T10:00:00Z,9,false,,true,2025-01-01T10:00:00Z,false,false,\n"
        "4,offen@example.org,Otto,2024-01-01T10:00:00Z,0,false,,false,,true,false,\n"
        "5,klagt@example.org,Karl,2024-01-01T10:00:00Z,4,false,,false,,false,true,\n",
        taken="da", weg="IsUnsubscribed: true", aus="IsExcludedFromCampaigns: true",
        offen="IsOptInPending: true", klagt="IsSpamComplaining: true",
    ),
    # Answers of a form, File, Download, CSV.
    "Google Sheets": export(
        "Zeitstempel,E-Mail-Adresse,Wie heißen Sie?,Möchten Sie unseren Newsletter erhalten?,"
        "Kommen Sie zum Sommerfest?\n"
        '01.02.2024 10:00:00,da@example.org,"Ahn, Dora",Ja,Nein\n'
        '01.02.2024 10:05:00,gern@example.org,Gerda,"Ja, gern",\n'
        "01.02.2024 10:06:00,nein@example.org,Nina,Nein,Ja\n"
        "01.02.2024 10:07:00,leer@example.org,Leo,,Ja\n",
        taken="da gern", nein="is Nein", leer="is empty",
    ),
    # Speichern unter, CSV (Trennzeichen-getrennt), in Windows.
    "Excel": export(
        "sep=;\r\nNachname;Vorname;E-Mail;Sprache;Mitglied;Newsletter;Abgemeldet am;Bemerkung\r\n"
        'Größ;Änne;da@example.org;Deutsch;nein;WAHR;;"rief an;\nwill kommen"\r\n'
        "Egge;Willi;weg@example.org;Deutsch;ja;WAHR;03.05.2025;\r\n"
        "Nein;Nina;nein@example.org;Englisch;ja;FALSCH;;\r\n",
        taken="da", encoding="cp1252", weg="Abgemeldet am: 03.05.2025", nein="Newsletter is FALSCH",
    ),
}  # fmt: skip


@pytest.mark.parametrize("system", EXPORTS)
def test_of_an_export_those_come_in_who_get_the_mail_there(system: str) -> None:
    wanted = EXPORTS[system]
    parsed = read(wanted.data)
    taken = [person.email.address.partition("@")[0] for person in parsed.subscribers]
    assert taken == list(wanted.taken)
    assert parsed.invalid == []
    reasons = [str(reason) for _, reason in parsed.skipped]
    assert len(reasons) == len(wanted.skipped)
    for reason, expected in zip(reasons, wanted.skipped.values(), strict=True):
        assert expected in reason


@pytest.mark.parametrize("system", EXPORTS)
def test_nobody_of_an_export_comes_in_by_the_columns_that_another_one_lacks(system: str) -> None:
    """A column that is renamed away may be asked about; those who left never come in unasked."""
    wanted = EXPORTS[system]
    columns = dict.fromkeys(
        re.findall(
            r"(?:IsUnsubscribed|UNSUB_TIME|email_disabled|deactivated|status)", str(wanted.data)
        )
    )
    for column in columns:
        renamed = wanted.data.replace(column.encode(), b"Kuendigung", 1)
        try:
            parsed = read(renamed)
        except ContentError as refused:
            assert "Kuendigung" in str(refused)
        else:
            left = {person.email.address.partition("@")[0] for person in parsed.subscribers}
            assert "weg" not in left


def test_of_listmonk_those_come_in_whom_a_person_takes() -> None:
    parsed = read(EXPORTS["listmonk"].data, take={"enabled"})
    assert [person.email.address for person in parsed.subscribers] == ["konto@example.org"]


def test_the_names_of_an_export_are_read() -> None:
    excel = read(EXPORTS["Excel"].data)
    assert [(p.name, p.language) for p in excel.subscribers] == [("Änne Größ", "de")]
    assert "Windows-1252" in str(excel.guessed)
    brevo = read(EXPORTS["Brevo"].data)
    assert [person.name for person in brevo.subscribers] == ["Dora Ahn"]


def test_the_documentation_has_a_row_for_each_system() -> None:
    text = MOVING.read_text(encoding="utf-8")
    table = text[text.index("| system | comes in |") :]
    assert [system for system in EXPORTS if f"\n| {system} |" not in table] == []
