"""Refusals that a provider hands on: judged as the relay's replies are, and more carefully."""

from __future__ import annotations

import pytest

from upcycle_news.bounces.parser import BounceKind, report_of_reply
from upcycle_news.models import SmtpReply

READER = "anna.muster@example.com"
OURS = ("bounces+1-1-abc@example.org",)


@pytest.mark.parametrize(
    ("code", "enhanced", "text", "kind"),
    [
        (550, "5.1.1", "User unknown", BounceKind.HARD),
        (550, "", "no such user here", BounceKind.SOFT),
        (552, "5.2.2", "Mailbox full", BounceKind.SOFT),
        (550, "5.1.1", "mailbox is over quota", BounceKind.SOFT),
        (554, "5.7.1", "your server is on our block list", BounceKind.BLOCKED),
        (450, "4.1.1", "User unknown, try later", BounceKind.SOFT),
        (421, "4.7.0", "too many connections", BounceKind.BLOCKED),
        (0, "", "", BounceKind.SOFT),
    ],
)
def test_a_reply_is_hard_only_with_the_code_of_a_dead_address(
    code: int, enhanced: str, text: str, kind: BounceKind
) -> None:
    report = report_of_reply(SmtpReply(code, text, enhanced), recipient=READER, returned_to=OURS)
    assert report.kind is kind
    assert report.returned_to == OURS
    assert report.recipients == (READER,)


def test_the_reason_names_no_address() -> None:
    reply = SmtpReply(550, f"<{READER}>: unknown user", "5.1.1")
    reason = report_of_reply(reply, recipient=READER).reason
    assert "anna" not in reason
    assert "unknown user" in reason
