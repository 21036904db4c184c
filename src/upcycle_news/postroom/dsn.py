"""Delivery status notifications (RFC 3464), also those whose form is broken. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from itertools import islice

from upcycle_news.model import SmtpReply
from upcycle_news.postroom.mail_parts import from_mailer, notice_of, part_of_type, text_of

STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
_FIELDS = frozenset(
    (
        *("original-recipient", "final-recipient", "action", "status", "remote-mta"),
        *("diagnostic-code", "last-attempt-date", "final-log-id", "will-retry-until"),
        *(
            "reporting-mta",
            "received-from-mta",
            "arrival-date",
            "original-envelope-id",
            "dsn-gateway",
        ),
    )
)
_FIELD = re.compile(r" *([A-Za-z][A-Za-z0-9-]{1,40})[ \t]*:[ \t]*(.*)")
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_CODE = r"[45][0-5]\d"
_REPLY = re.compile(
    rf"(?<![\d.:#=-])({_CODE})[ -][ '\"(<#]{{0,4}}([45]\.\d{{1,3}}\.\d{{1,3}})(?![\d.])"
)
_PLAIN_REPLY = re.compile(rf"(?<![\d.:#=/-])({_CODE})(?=[ \-:])(?!-\d)")
_AFTER_DATA = re.compile(
    r"(final DATA|end of (the )?data|end of (the )?message|after (sending )?DATA|reply to (the )?(end of )?DATA"
    r"|>>> DATA\b|SMTP command\s+DATA\b|TEXT command)",
    re.IGNORECASE,
)
_END = re.compile(r"\n\s*\n|\n\s*<[^>\n]*>:?[ \t]*(?=\n)")
_MOST, _VALUE = 20, 2000
"""Recipients, and characters of a field, that are looked at."""
_SENTENCE = 400
"""Characters of a reply that are looked at."""


@dataclass(frozen=True)
class RecipientStatus:
    """What a notification says of one recipient, in lower case where letters' case is nothing.

    `action` is empty where it is missing; `recipient` is who failed in the end, `original` whom the
    mail was addressed to; both may be empty.
    """

    action: str = ""
    status: str = ""
    recipient: str = ""
    original: str = ""
    diagnostic: str = ""

    @property
    def failed(self) -> bool:
        """True if the mail will not arrive, by the action or, without one, by a permanent status."""
        if self.action in ("delayed", "delivered", "relayed", "expanded") or self.status[:1] == "2":
            return False
        return bool(self.action) or self.status[:1] in ("4", "5")


def recipient_statuses(message: Message) -> tuple[RecipientStatus, ...]:
    """What the notification says of each recipient; empty where it is none.

    Some servers put the fields into a plain text, or leave out the header that names the parts.
    In a text of somebody else they are a quotation.
    """
    part = part_of_type(message, *STATUS_TYPES)
    found = tuple(islice(_statuses(_source(part)), _MOST)) if part is not None else ()
    if found or not from_mailer(message):
        return found
    return tuple(islice(_statuses(notice_of(message)), _MOST))


def reply_in(text: str) -> SmtpReply | None:
    """The reply that `text` quotes: a code with an enhanced code first, then either; None without.

    Its text begins where it does; without a reply code, `code` is 500 or 400 by the class of the
    enhanced one, which may stand behind the words.
    """
    if both := _REPLY.search(text):
        return SmtpReply(int(both[1]), _sentence(text, both.start()), both[2])
    plain, enhanced = _PLAIN_REPLY.search(text), _STATUS.search(text)
    if enhanced and enhanced[1] == "2":
        enhanced = None
    if plain:
        same = enhanced is not None and enhanced[1] == plain[1][0]
        return SmtpReply(
            int(plain[1]), _sentence(text, plain.start()), enhanced[0] if enhanced and same else ""
        )
    if enhanced:
        before = _END.split(text[max(0, enhanced.start() - 200) : enhanced.start()])[-1]
        said = before + _sentence(text, enhanced.start())
        return SmtpReply(int(enhanced[1]) * 100, said, enhanced[0])
    return None


def _sentence(text: str, start: int) -> str:
    """What is said from here on, up to a blank line or the next recipient."""
    return _END.split(text[start : start + _SENTENCE], maxsplit=1)[0]


def refused_after_data(text: str) -> bool:
    """True if a notice says that the message itself was refused, not its recipient."""
    return bool(_AFTER_DATA.search(text))


def _source(part: Message) -> str:
    """The text of a status part, which Python has taken apart into blocks of headers."""
    payload = part.get_payload()
    if not isinstance(payload, list):
        return text_of(part) or str(payload)
    encoded = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    blocks = [block for block in payload if isinstance(block, Message)]
    text = "\n\n".join(_as_text(block) for block in blocks)
    if encoded in ("base64", "quoted-printable"):
        whole = Message()
        whole["Content-Transfer-Encoding"] = encoded
        whole.set_payload(text)
        return text_of(whole)
    return text


def _as_text(block: Message) -> str:
    # Not `items`, which loses letters outside ASCII (RFC 6533).
    lines = [f"{name}: {_letters(value)}" for name, value in block.raw_items()]
    rest = block.get_payload()
    return "\n".join(lines) + ("\n" + rest if isinstance(rest, str) else "")


def _letters(value: str) -> str:
    return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _statuses(text: str) -> Iterator[RecipientStatus]:
    """One for each recipient. Blank lines may be missing, doubled, or stand between the fields."""
    group: dict[str, str] = {}
    for name, value in _fields(text):
        if name in group and name != "reporting-mta":
            yield from _status_of(group)
            group = {}
        group[name] = value
    yield from _status_of(group)


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Fields with their values; a line that is no field goes on with the one before."""
    name, value = "", ""
    for line in text.splitlines():
        found = _FIELD.fullmatch(line)
        if found and (found[1].lower() in _FIELDS or (name and found[1].lower().startswith("x-"))):
            if name:
                yield name, value
            name, value = found[1].lower(), found[2][:_VALUE]
        elif not line.strip() or line.startswith("--"):
            if name:
                yield name, value
            name, value = "", ""
        elif name and len(value) < _VALUE:
            value += " " + line.strip()[:_VALUE]
    if name:
        yield name, value


def _status_of(group: dict[str, str]) -> Iterator[RecipientStatus]:
    if not group.keys() & {"final-recipient", "original-recipient", "action", "diagnostic-code"}:
        return
    action = re.sub(r"\(.*?\)", " ", group.get("action", "")).split()  # comments: RFC 3464, 2.1.1
    diagnostic, made_up = _diagnostic(group.get("diagnostic-code", ""))
    status = _STATUS.search(made_up) or _STATUS.search(group.get("status", ""))
    if not action and not status and "diagnostic-code" not in group:
        return
    yield RecipientStatus(
        action=action[0].strip(";,.").lower() if action else "",
        status=status[0] if status else "",
        recipient=_address(group.get("final-recipient", "")),
        original=_address(group.get("original-recipient", "")),
        diagnostic=diagnostic,
    )


def _address(value: str) -> str:
    """The address of ``rfc822; a@b``; empty for what is none."""
    found = value.rpartition(";")[2].strip()
    found = found.removesuffix(")").rpartition("(")[0].strip() if "(" in found else found
    found = found.strip("<> ")
    return found if "@" in found else ""


def _diagnostic(value: str) -> tuple[str, str]:
    """What the other server said, without its type, and the status that IronPort puts before it."""
    said = re.sub(r"^[a-z0-9-]+\s*;\s*", "", " ".join(value.split()), flags=re.IGNORECASE)
    found = re.match(r"([45]\.\d\.\d) - [^\d]{0,80}(?=[45]\d\d-')", said)
    return (said[found.end() :], found[1]) if found else (said, "")
