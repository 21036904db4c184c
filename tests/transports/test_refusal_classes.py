"""Whom refusals speak of, in the words of the providers that our readers have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.models import SmtpReply
from upcycle_news.transports.refusal_classes import RefusalClass, classify_refusal, stops_issue

LIMITS = [
    (550, "5.4.6", "Hourly sending quota exceeded"),
    (
        550,
        "5.1.90",
        "Your message can't be sent because you've exceeded the daily limit for recipients",
    ),
    (554, "5.2.0", "SubmissionQuotaExceededException; the sender's submission quota was exceeded"),
    (550, "5.7.232", "your trial tenant has exceeded its external recipient rate limit"),
    (
        550,
        "5.4.5",
        "Daily user sending limit exceeded. See https://support.google.com/a/answer/166852",
    ),
    (550, "5.4.5", "Daily SMTP relay limit exceeded for customer"),
    (554, "", "Message rejected: Daily message quota exceeded."),
    (454, "", "Throttling failure: Maximum sending rate exceeded."),
    (
        550,
        "",
        "Domain a.example has exceeded the max emails per hour (151/150 (100%)) allowed. Message discarded.",
    ),
    (450, "4.7.1", "Requested mail action not taken: too many recipients per hour"),
    (554, "", "Versandlimit erreicht: Sie haben heute zu viele E-Mails verschickt"),
    (550, "", "Die maximale Anzahl an Empfängern pro Stunde wurde überschritten"),
    (550, "", "Vous avez dépassé la limite d'envoi par heure"),
    (550, "", "Ha superado el límite de envío de correos por hora"),
    (550, "", "Superato il limite giornaliero di invio"),
    (552, "", "too many recipients"),
    (550, "5.5.3", "Too many recipients"),
    (550, "5.7.1", "Recipient rate limit exceeded"),
    (550, "5.1.1", "recipient rate limit exceeded"),
    (550, "5.1.1", "you wrote to too many people within this hour"),
    (
        550,
        "5.2.1",
        "The user you are trying to contact is receiving mail at a rate that prevents more",
    ),
    (550, "5.2.1", "Letters for this person come in too quickly; wait a little and repeat"),
    (550, "", "No more letters from this customer in this hour; this one is discarded"),
    (554, "5.2.0", "Submission refused: the allowance of this sender for today is used up"),
]
OURS = [
    (554, "5.7.1", "Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org"),
    (
        550,
        "5.7.1",
        "messages from [192.0.2.1] weren't sent: part of their network is on our block list",
    ),
    (550, "5.1.1", "your server 192.0.2.9 stands on our list of spammers"),
    (553, "5.1.3", "http://www.spamhaus.org/query/bl?ip=192.0.2.222"),
    (550, "5.1.1", "Ihre IP-Adresse 192.0.2.1 steht auf einer Sperrliste"),
    (550, "5.1.1", "Votre adresse IP est bloquée"),
    (550, "5.1.1", "su dirección IP está bloqueada"),
    (550, "5.2.1", "reputation of the sending host is too low"),
    (550, "5.0.0", "no PTR record for 192.0.2.9"),
    (550, "5.1.3", "Kein PTR-Eintrag für 192.0.2.9"),
    (550, "", "PTR for the client address not found"),
    (550, "", "The account you log in with is unknown to this relay"),
    (550, "5.2.0", "this letter looks like spam"),
    (550, "5.7.515", "Access denied, sending domain does not meet the authentication level"),
    (554, "", "Nemesis ESMTP Service not available No SMTP service Bad DNS PTR resource record."),
    (550, "", "JunkMail rejected - mail.example [192.0.2.1] is in an RBL"),
    (550, "5.7.1", "Your account has been suspended for sending spam"),
    (550, "5.1.1", "We do not accept mail from your network"),
    (535, "5.7.8", "Authentication credentials invalid"),
    (550, "", "your address is listed"),
    (550, "5.1.1", "your address is listed"),
    (554, "", "Rejected: 192.0.2.7 listed at bl.example.net"),
    (550, "5.7.1", "you are currently listed"),
]
MAILBOXES = [
    (552, "5.2.2", "Mailbox is full / Blocks limit exceeded / Inode limit exceeded"),
    (550, "5.1.1", "<…> is over quota"),
    (552, "5.2.2", "The email account that you tried to reach is over quota and inactive."),
    (552, "", "Requested mail action aborted: exceeded storage allocation"),
    (552, "", "no room left in this mailbox"),
    (552, "", "the user mailbox exceeds its size"),
    (550, "5.1.1", "user's inbox is out of storage space"),
    (550, "5.1.1", "Benutzer hat das Postfach voll"),
    (550, "5.1.1", "La boîte aux lettres du destinataire est pleine"),
    (550, "5.1.1", "El buzón está lleno"),
    (550, "5.1.1", "casella piena"),
    (550, "5.1.1", "larger than the maximum message size of this mailbox"),
    (550, "5.1.1", "turned away because of what this recipient prefers"),
    (550, "5.1.1", "Empfänger nimmt keine Mails von Ihnen an"),
    (550, "", "This account has been temporarily suspended"),
    (550, "5.7.1", "Recipient address rejected: User temporary locked. Please try again later!"),
    (550, "5.5.0", "Le compte du destinataire est bloque. The recipient account is blocked."),
]
DEAD = [
    (550, "", "No such user here"),
    (550, "5.1.1", "this name is not in our table"),
    (
        550,
        "5.1.1",
        "The email account that you tried to reach does not exist. Please try double-checking",
    ),
    (550, "5.1.1", "<…>: Recipient address rejected: User unknown in relay recipient table"),
    (550, "5.1.10", "RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"),
    (
        554,
        "",
        "delivery error: dd This user doesn't have a yahoo.com account [-9] - mta1.mail.example",
    ),
    (550, "5.1.1", "No such recipient here; please check the address and try again"),
    (550, "5.1.6", "recipient no longer on server"),
    (550, "5.1.1", "Requested action not taken: mailbox unavailable"),
    (550, "5.1.10", "domain takes no mail (null MX)"),
    (550, "5.7.17", "this mailbox belongs to somebody else now"),
    (550, "5.2.1", "mailbox disabled"),
    (550, "", "Empfänger unbekannt"),
    (550, "", "Benutzer existiert nicht"),
    (550, "", "utilisateur inconnu"),
    (550, "", "le destinataire n'existe pas"),
    (550, "", "usuario desconocido"),
    (550, "", "la cuenta no existe"),
    (550, "", "destinatario sconosciuto"),
    (550, "", "gebruiker onbekend"),
    (550, "", "użytkownik nieznany"),
    (550, "5.1.1", "User not listed in Domino Directory"),
    (550, "", "Recipient is not listed here"),
]
NOT_CERTAIN = [
    (550, "", "Requested action not taken: mailbox unavailable"),
    (550, "5.7.1", "nobody here has a mailbox by that name: no such user"),
    (550, "5.1.1", "greylisted, please try again later"),
    (550, "5.4.1", "Recipient address rejected: Access denied"),
    (550, "5.1.1", "user unknown, or the mailbox is full"),
    (550, "5.5.0", "this mailbox cannot be used"),
    (550, "5.1.1", "ldap lookup failed"),
    (550, "5.1.2", "nameserver does not answer"),
    (550, "5.1.1", "maintenance until 18:00"),
    (550, "5.1.1", "cannot verify the recipient at the moment"),
]
TABLE = [
    (kind, *row)
    for kind, rows in (
        (RefusalClass.LIMIT, LIMITS),
        (RefusalClass.SENDER, OURS),
        (RefusalClass.MAILBOX, MAILBOXES),
        (RefusalClass.RECIPIENT, DEAD),
        (RefusalClass.UNCLEAR, NOT_CERTAIN),
    )
    for row in rows
]


@pytest.mark.parametrize(("kind", "code", "enhanced", "text"), TABLE)
def test_replies_to_rcpt_have_their_class(
    kind: RefusalClass, code: int, enhanced: str, text: str
) -> None:
    assert classify_refusal("rcpt", SmtpReply(code, text, enhanced)) is kind


def test_names_of_addresses_hosts_and_links_are_ignored() -> None:
    for text in (
        "5.1.1 <quota.spam@policy.example>: user unknown",
        "user unknown (mx1.antispam.example)",
        "User unknown. See https://a.example/en/reason/#mailboxfull",
    ):
        assert classify_refusal("rcpt", SmtpReply(550, text, "5.1.1")) is RefusalClass.RECIPIENT


def test_unknown_user_counts_at_rcpt_only() -> None:
    reply = SmtpReply(550, "unknown user")
    assert classify_refusal("rcpt", reply) is RefusalClass.RECIPIENT
    assert classify_refusal("body", reply) is RefusalClass.UNCLEAR
    assert classify_refusal("rcpt", SmtpReply(450, "unknown user")) is RefusalClass.UNCLEAR


@pytest.mark.parametrize(
    ("stage", "code", "enhanced", "text"),
    [
        ("rcpt", 554, "5.7.1", "Relay access denied"),
        ("rcpt", 554, "5.7.1", "Sender address rejected: not owned by user"),
        ("rcpt", 554, "5.7.1", "Client host rejected: cannot find your hostname"),
        ("rcpt", 530, "5.7.0", "Authentication required"),
        ("mail", 552, "5.3.4", "message too large"),
        ("body", 552, "5.3.4", "message too large"),
        ("body", 554, "5.7.1", "spam"),
    ],
)
def test_refusals_of_every_mail_stop_the_issue(stage, code, enhanced, text):  # type: ignore[no-untyped-def]
    assert stops_issue(stage, SmtpReply(code, text, enhanced))


@pytest.mark.parametrize("row", TABLE)
def test_refusals_of_one_recipient_do_not_stop_the_issue(
    row: tuple[RefusalClass, int, str, str],
) -> None:
    _, code, enhanced, text = row
    if code not in (530, 535) and code >= 500:
        assert not stops_issue("rcpt", SmtpReply(code, text, enhanced))


@given(
    st.sampled_from(["mail", "rcpt", "data", "body"]),
    st.integers(400, 599),
    st.text(max_size=500),
    st.sampled_from(["", "5.1.1", "5.7.1", "4.2.2", "5.999.999"]),
)
def test_every_reply_has_a_class(stage, code, text, enhanced):  # type: ignore[no-untyped-def]
    assert classify_refusal(stage, SmtpReply(code, text, enhanced)) in RefusalClass
