"""Which columns of another system's list say who wants mail and who left, and what their cells say."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.errors import ContentError
from upcycle_news.subscribers.csv_lists import ParsedList
from upcycle_news.subscribers.permission_columns import Answer, Sense, answer_of, sense_of

from .lists import read


def taken(parsed: ParsedList) -> list[str]:
    return [person.email.address.partition("@")[0] for person in parsed.subscribers]


WANTS = (
    "Newsletter", "newsletter?", "NEWSLETTER_OPT_IN", "Newsletter erwünscht", "Rundbrief", "Abo",
    "Abonniert", "subscribed_to_emails", "Subscribed", "is confirmed", "Is this subscriber confirmed",
    "Double Opt-In", "DOUBLE_OPT-IN", "opted_in", "Einwilligung", "Einwilligung am", "Einverständnis",
    "Zustimmung DSGVO", "bestätigt", "bestaetigt", "aktiv", "active", "activated", "Aktiviert",
    "IsActive", "verified", "Accepts Email Marketing", "Email Permission Status", "E-Mail-Verteiler",
    "Möchten Sie unseren Newsletter erhalten?", "Newsletter für Mitglieder", "DOI", "zustellbar", "enabled",
)  # fmt: skip
LEFT = (
    "opt_out", "Opt-Out", "HasOptedOutOfEmail", "Unsubscribed", "IsUnsubscribed", "UNSUB_TIME",
    "unsubscribed_at", "Unsubscribed from all email", "abgemeldet", "Abgemeldet am", "Abmeldedatum",
    "ausgetragen", "is blacklisted", "emailBlacklisted", "Blocklisted", "Blacklist", "gesperrt",
    "Sperrvermerk", "Werbesperre", "Robinsonliste", "deactivated", "deaktiviert", "inaktiv", "inactive",
    "email_disabled", "Is this account disabled?", "bounced", "Hard Bounce", "Number of bounces",
    "Rückläufer", "unzustellbar", "spam complaint", "IsSpamComplaining", "IsExcludedFromCampaigns",
    "IsOptInPending", "deleted_at", "gelöscht", "CLEAN_TIME", "Widerruf", "widersprochen am",
    "Kein Newsletter", "keine E-Mails", "Do not email", "Bitte nicht anschreiben", "unconfirmed",
    "ungültig", "Newsletter abgemeldet", "Opt Out (no bulk email)", "Do Not Contact", "trashed",
    "Email Bounced Date", "Newsletter abbestellt", "Geblockt",
)  # fmt: skip
ASKED_ABOUT = (
    "Marketing", "Werbung erlaubt", "DSGVO", "Datenschutz", "E-Mail erlaubt", "Infos per Mail",
    "Kontakt erwünscht", "Kündigung", "gekündigt am", "Austritt", "verstorben", "Opt-in/Opt-out",
    "nicht abgemeldet", "E-Mail-Benachrichtigung", "Mailfehler", "On hold", "Abo-Ende",
    "Abonniert bis", "E-Mail gültig", "Einwilligung (Formular)", "Marketing contact status",
    "Stopp", "Mailstopp", "Versand-Stop", "raus", "Adresse tot", "Infopost", "gültig", "valid",
    "Send me updates", "Möchte informiert werden",
)  # fmt: skip
SILENT = (
    "Ort", "Notiz", "Mitglied", "Mitglied aktiv", "Mitgliedsnummer", "Firma", "Straße", "Wünsche",
    "Themenwunsch", "Sommerfest Anmeldung", "Abo-Nr.", "Newsletter-ID",
    "unsubscribe_key", "Rechnung per Mail", "Unsubscribe link", "Abmeldelink", "OPTIN_IP", "OPTIN_TIME", "CONFIRM_TIME", "Subscribe page",
    "Send this subscriber HTML emails", "smsBlacklisted", "SMS marketing", "WhatsApp Opt-in",
    "Telefon erlaubt", "complimentary_plan", "active_subscription", "Cancel date",
    "Emails received (6mo)", "Emails opened", "Days active (30d)", "MEMBER_RATING", "E-Mail-Format",
    "Bounce rate", "Kündigungsfrist", "labels", "tiers", "created_at", "id", "",
    "State", "Status (as number)", "Totholz", "Daraus", "Haltestelle Stop", "Führerschein gültig",
)  # fmt: skip


@pytest.mark.parametrize("name", WANTS)
def test_a_name_that_says_who_wants_mail(name: str) -> None:
    assert sense_of(name) is Sense.WANTS


@pytest.mark.parametrize("name", LEFT)
def test_a_name_that_says_who_left(name: str) -> None:
    assert sense_of(name) is Sense.LEFT


@pytest.mark.parametrize("name", ASKED_ABOUT)
def test_a_name_that_may_speak_of_mail_is_not_read_but_asked_about(name: str) -> None:
    assert sense_of(name) in (Sense.MAY_WANT, Sense.MAY_HAVE_LEFT, Sense.EITHER)


@pytest.mark.parametrize("name", SILENT)
def test_a_name_that_says_nothing_of_permission(name: str) -> None:
    assert sense_of(name) in (Sense.SILENT, Sense.HARDLY)


@pytest.mark.parametrize(
    ("answer", "values"),
    [
        (Answer.YES, "ja|Ja|J|yes|Y|true|WAHR|1|1.0|x|X|✓|aktiv|active|subscribed|abonniert|opt-in|"
         "Ja, gerne|Ich bin einverstanden|bestätigt|confirmed|enabled"),
        (Answer.NO, "nein|Nein|N|no|false|FALSCH|0|0,0|-|–|Nein danke|bitte nicht|kein Interesse|"
         "nicht bestätigt|not subscribed|ja nicht|0000-00-00 00:00:00|0001-01-01T00:00:00Z|n/a|"
         "liegt nicht vor"),
        (Answer.ENDED, "unsubscribed|abgemeldet|inaktiv|inactive|blacklisted|opt-out|Opted out|"
         "unconfirmed|deaktiviert|bounced|gesperrt|non-subscribed|fehlt|zurückgezogen|gekündigt"),
        (Answer.TIME, "2024-02-01|2024-03-01T10:00:00.000Z|01.02.2024|1. 2. 2024|3/5/2024|1700000000|2019"),
        (Answer.UNDECIDED, "vielleicht|?|unbekannt|pending|ausstehend|ja?|unknown"),
        (Answer.NUMBER, "2|17|2.5"),
        (Answer.OTHER, "Umbaupost|Newsletter Nord|NORMAL|hard|Sperrmüll-News"),
        (Answer.BLANK, "| |\u00a0|\u200b"),
    ],
)  # fmt: skip
def test_what_a_cell_says(answer: Answer, values: str) -> None:
    said = {value: answer_of(value) for value in values.split("|")}
    assert said == dict.fromkeys(said, answer)


@given(st.text(max_size=60))
def test_every_name_and_every_cell_is_something(text: str) -> None:
    assert sense_of(text) in Sense
    assert answer_of(text) in Answer


@pytest.mark.parametrize("name", ["Newsletter", "Einwilligung", "is confirmed", "aktiv"])
@pytest.mark.parametrize(("yes", "no"), [("ja", "nein"), ("1", "0"), ("TRUE", "FALSE"), ("x", "")])
def test_a_no_to_mail_is_skipped(name: str, yes: str, no: str) -> None:
    parsed = read(f"E-Mail;{name}\nja@example.org;{yes}\nnein@example.org;{no}\n")
    assert taken(parsed) == ["ja"]
    [(line, reason)] = parsed.skipped
    assert line == 3
    assert name in str(reason)


@pytest.mark.parametrize(
    "name", ["opt_out", "abgemeldet", "bounced", "is blacklisted", "deleted_at"]
)
@pytest.mark.parametrize("no", ["nein", "0", "false", "", "0000-00-00", "-"])
@pytest.mark.parametrize(
    "yes", ["ja", "1", "true", "2025-06-30 12:00:00", "30.6.2025", "3", "hard"]
)
def test_who_left_is_skipped_and_a_no_to_leaving_is_a_yes(name: str, no: str, yes: str) -> None:
    parsed = read(f"email;{name}\nbleibt@example.org;{no}\nweg@example.org;{yes}\n")
    assert taken(parsed) == ["bleibt"]
    assert [line for line, _ in parsed.skipped] == [3]


def test_names_of_newsletters_are_no_answers() -> None:
    parsed = read("E-Mail;Newsletter\na@example.org;Umbaupost\nb@example.org;nein\n")
    assert taken(parsed) == ["a"]
    parsed = read("E-Mail;Newsletter\na@example.org;Umbaupost\nb@example.org;Wochenpost\n")
    assert taken(parsed) == ["a", "b"]
    assert parsed.unread == ("Newsletter",)
    # Whoever has none beside others who do gets none.
    parsed = read("E-Mail;Newsletter\na@example.org;Umbaupost\nb@example.org;\n")
    assert taken(parsed) == ["a"]


def test_what_is_neither_yes_nor_no_beside_a_yes_is_skipped_and_can_be_taken() -> None:
    text = "E-Mail;Newsletter\na@example.org;ja\nb@example.org;selten\nc@example.org;vielleicht\n"
    parsed = read(text)
    assert taken(parsed) == ["a"]
    assert parsed.unknown_status
    assert taken(read(text, take=("selten",))) == ["a", "b"]


def test_an_empty_cell_is_no_no_where_a_list_notes_only_who_said_no() -> None:
    assert taken(read("E-Mail;Newsletter\na@example.org;\nb@example.org;nein\n")) == ["a"]
    assert taken(read("E-Mail;Newsletter\na@example.org;\nb@example.org;\n")) == ["a", "b"]
    # The date of a subscription may be missing, the proof of a consent may not.
    assert taken(read("E-Mail;Abonniert am\na@example.org;3.5.2024\nb@example.org;\n")) == [
        "a",
        "b",
    ]
    assert taken(read("E-Mail;Einwilligung am\na@example.org;3.5.2024\nb@example.org;\n")) == ["a"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Marketing", "nein"), ("DSGVO", "nein"), ("Werbung erlaubt", "0"), ("Datenschutz", "offen"),
        ("Kündigung", "31.12.2025"), ("Austritt", "ja"), ("ausgetreten am", "2025-01-01"),
        ("Opt-in/Opt-out", "0"), ("Infos per Mail", "nein"), ("nicht abgemeldet", "nein"),
    ],
)  # fmt: skip
def test_a_column_that_may_say_no_refuses_the_list_until_a_person_has_looked(
    name: str, value: str
) -> None:
    text = f"E-Mail;{name}\na@example.org;\nb@example.org;{value}\n"
    with pytest.raises(ContentError) as refused:
        read(text)
    assert refused.value.line == 3
    assert f"the column '{name}'" in str(refused.value)
    assert "--ignore-column" in str(refused.value)
    assert taken(read(text, ignore=(name,))) == ["a", "b"]
    assert taken(read(text, ignore=(name.upper(),))) == ["a", "b"]
    assert taken(read(text, columns={name: "left"})) == (
        ["a", "b"] if value in ("0", "nein") else ["a"]
    )


def test_a_column_that_may_speak_of_mail_and_says_no_no_is_only_named() -> None:
    parsed = read("E-Mail;Marketing;Kündigung\na@example.org;ja;\nb@example.org;Abteilung;-\n")
    assert taken(parsed) == ["a", "b"]
    assert parsed.unread == ("Marketing", "Kündigung")


@pytest.mark.parametrize("name", ["Mitglied", "Ort", "Notiz", "Abteilung", "Kommt zum Fest", "SMS"])
@pytest.mark.parametrize("value", ["nein", "0", "unsubscribed", "inaktiv", "gesperrt"])
def test_values_alone_never_refuse_and_never_skip(name: str, value: str) -> None:
    assert taken(read(f"E-Mail;{name}\na@example.org;{value}\n")) == ["a"]


def test_a_column_that_is_read_can_be_ignored_as_well() -> None:
    text = "E-Mail;Newsletter\na@example.org;nein\n"
    assert taken(read(text)) == []
    assert taken(read(text, ignore=("Newsletter",))) == ["a"]


def test_a_column_that_is_not_there_is_refused() -> None:
    for arguments in ({"ignore": ("Newsleter",)}, {"columns": {"Mial": "email"}}):
        with pytest.raises(ContentError, match=r"has no column '(Mial|Newsleter)'"):
            read("E-Mail;Newsletter\na@example.org;ja\n", **arguments)  # type: ignore[arg-type]


def test_a_row_with_too_many_fields_is_not_read_where_a_no_could_hide() -> None:
    text = "email,name,newsletter\na@example.org,Muster, Anna,nein\nb@example.org,Bert,ja\n"
    parsed = read(text)
    assert taken(parsed) == ["b"]
    assert [line for line, _ in parsed.invalid] == [2]


def test_a_status_is_read_strictly() -> None:
    words = (
        "aktiv",
        "bestätigt",
        "Ja",
        "opt-in",
        "subscribed",
        "neu",
        "new",
        "enabled",
        "pending",
        "",
    )
    rows = "".join(f"leser{number}@example.org;{word}\n" for number, word in enumerate(words))
    parsed = read("E-Mail;Status\n" + rows)
    assert taken(parsed) == ["leser0", "leser1", "leser2", "leser3", "leser4", "leser9"]


@pytest.mark.parametrize(
    "name",
    ["Status", "Subscriber Status", "Abo-Status", "Global Status", "List Status", "Anmeldestatus",
     "E-Mail-Status", "Zustellstatus"],
)  # fmt: skip
def test_a_name_of_a_status(name: str) -> None:
    assert sense_of(name) is Sense.STATUS
    parsed = read(f"E-Mail;{name}\na@example.org;subscribed\nb@example.org;abgemeldet\n")
    assert taken(parsed) == ["a"]


def test_a_date_in_a_column_that_says_when_a_subscription_ends_is_asked_about() -> None:
    with pytest.raises(ContentError, match="'Abo-Ende'"):
        read("E-Mail;Abo-Ende\na@example.org;\nb@example.org;31.12.2024\n")
    assert taken(read("E-Mail;Abo-Ende\na@example.org;\n")) == ["a"]


def test_where_a_consent_came_from_is_no_answer_unless_it_says_no() -> None:
    text = "E-Mail;Einwilligung (Formular)\na@example.org;Messe 2019\nb@example.org;\n"
    assert taken(read(text)) == ["a", "b"]
    with pytest.raises(ContentError, match="Einwilligung"):
        read(text + "c@example.org;nein\n")


def test_how_somebody_subscribed_is_no_answer_but_for_a_word_that_says_they_left() -> None:
    text = "email_address,subscriber_type\na@example.org,regular\nb@example.org,0\n"
    assert taken(read(text)) == ["a", "b"]
    with pytest.raises(ContentError, match="'subscriber_type'"):
        read(text + "c@example.org,unsubscribed\n")


def test_a_year_since_when_somebody_gets_the_mail_is_a_yes() -> None:
    assert taken(read("E-Mail;Abonnent seit\na@example.org;2020\nb@example.org;2024\n")) == [
        "a",
        "b",
    ]


@pytest.mark.parametrize("name", ["state", "Zustand", "Status (Altsystem)"])
def test_a_place_is_no_answer_and_a_state_that_ended_is_asked_about(name: str) -> None:
    text = f"email;{name}\na@example.org;Bayern\nb@example.org;active\n"
    assert taken(read(text)) == ["a", "b"]
    for word in ("cancelled", "bounced", "abgemeldet"):
        with pytest.raises(ContentError, match=re.escape(name)):
            read(text + f"c@example.org;{word}\n")
