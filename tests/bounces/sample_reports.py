"""Bounces in the shapes of the servers our readers have."""

from __future__ import annotations


def postfix(to: str, recipient: str, *, status: str = "5.1.1", said: str = "") -> bytes:
    said = said or f"550 {status} <{recipient}>: Recipient address rejected: User unknown"
    action = "failed" if status[0] in "45" else "delivered"
    return f"""\
Return-Path: <>
Delivered-To: {to}
From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B1"

--B1
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.org.

<{recipient}>: host mx.gmx.example said: {said}

--B1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
X-Postfix-Queue-ID: 4XyZ

Final-Recipient: rfc822; {recipient}
Action: {action}
Status: {status}
Remote-MTA: dns; mx.gmx.example
Diagnostic-Code: smtp; {said}

--B1
Content-Type: text/rfc822-headers

Return-Path: <{to}>
Subject: Was vom Bahnhof bleibt

--B1--
""".encode()


def delayed(to: str, recipient: str) -> bytes:
    return (
        postfix(to, recipient, status="4.4.1", said="connect timed out")
        .replace(b"Action: failed", b"Action: delayed")
        .replace(b"Undelivered Mail Returned to Sender", b"Delayed Mail (still being retried)")
    )


def exchange(to: str, recipient: str) -> bytes:
    return f"""\
From: <postmaster@contoso.example>
To: {to}
Subject: =?utf-8?Q?Unzustellbar:_Was_vom_Bahnhof_bleibt?=
X-MS-Exchange-Message-Is-Ndr:
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B2"

--B2
Content-Type: text/html; charset="utf-8"

<p>Ihre Nachricht konnte nicht zugestellt werden.</p>

--B2
Content-Type: message/delivery-status

Reporting-MTA: dns;AM0PR01.contoso.example
Received-From-MTA: dns;mx.example.org

Final-Recipient: rfc822;{recipient}
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient {recipient} not found by
 SMTP address lookup

--B2
Content-Type: message/rfc822

From: post@umbaupost.example.net
Subject: Was vom Bahnhof bleibt

Text
--B2--
""".encode()


def gmail(to: str, recipient: str) -> bytes:
    return f"""\
From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
To: {to}
Auto-Submitted: auto-replied
Subject: Delivery Status Notification (Failure)
MIME-Version: 1.0
Content-Type: multipart/report; boundary="B3"; report-type=delivery-status

--B3
Content-Type: multipart/related; boundary="B4"

--B4
Content-Type: text/plain; charset="UTF-8"

** Die Adresse wurde nicht gefunden **

Ihre Nachricht wurde nicht an {recipient} zugestellt.

--B4--

--B3
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com
Arrival-Date: Thu, 26 Nov 2026 06:00:00 -0800 (PST)

Final-Recipient: rfc822; {recipient}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please
 try double-checking the recipient's email address for typos.

--B3
Content-Type: message/rfc822

From: post@umbaupost.example.net

Text
--B3--
""".encode()


def gmx(to: str, recipient: str) -> bytes:
    return f"""\
From: GMX Mailer Daemon <mailer-daemon@gmx.example>
To: {to}
Subject: Mail delivery failed: returning message to sender
Auto-Submitted: auto-replied
Content-Type: text/plain; charset=utf-8

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of
its recipients. This is a permanent error. The following address
failed:

{recipient}:
SMTP error from remote server after RCPT command:
host: mx00.gmx.example
550 Requested action not taken: mailbox unavailable

--- The header of the original message is following. ---

Received: from mx.example.org
""".encode()


def qmail(to: str, recipient: str) -> bytes:
    return f"""\
Return-Path: <>
From: MAILER-DAEMON@qmail.example
To: {to}
Subject: failure notice

Hi. This is the qmail-send program at qmail.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{recipient}>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <{to}>
Subject: Was vom Bahnhof bleibt

Text
""".encode()


def full(to: str, recipient: str) -> bytes:
    return postfix(to, recipient, status="5.2.2", said="552 5.2.2 mailbox full")


def policy(to: str, recipient: str) -> bytes:
    return postfix(to, recipient, status="5.7.1", said="550 5.7.1 blocked by our policy")


def vacation(to: str, _: str = "") -> bytes:
    return f"""\
Return-Path: <>
From: Anna Muster <anna@example.org>
To: {to}
Subject: Abwesenheitsnotiz: Was vom Bahnhof bleibt
Auto-Submitted: auto-replied (vacation)
Content-Type: text/plain; charset=utf-8

Ich bin bis 550 5.1.1 nicht im Haus. User unknown ist mir egal.
""".encode()


def old_vacation(to: str, _: str = "") -> bytes:
    return (
        vacation(to)
        .replace(b"Auto-Submitted: auto-replied (vacation)\n", b"")
        .replace(b"Abwesenheitsnotiz:", b"=?utf-8?q?Out_of_office=3A?=")
    )


def answer(to: str, _: str = "") -> bytes:
    return f"""\
From: Anna Muster <anna@example.org>
To: {to}
Subject: Re: Was vom Bahnhof bleibt

Danke! Meine Mail an bert@example.org kam zurück, "550 user unknown", was tun?
""".encode()


def complaint(to: str, returned_to: str) -> bytes:
    return f"""\
From: <feedback@fbl.example>
To: {to}
Subject: FW: Was vom Bahnhof bleibt
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="B5"

--B5
Content-Type: text/plain

This is an email abuse report.

--B5
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <{returned_to}>

--B5
Content-Type: message/rfc822

From: post@umbaupost.example.net
Subject: Was vom Bahnhof bleibt

Text
--B5--
""".encode()
