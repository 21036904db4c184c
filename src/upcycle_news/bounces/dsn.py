"""Read delivery status notifications (RFC 3464), malformed ones included. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from itertools import islice

from upcycle_news.bounces.mail_parts import from_mailer, notice_text, part_of_type, text_of
from upcycle_news.models import SmtpReply

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
_MAX_RECIPIENTS, _MAX_VALUE = 20, 2000
"""Recipients, and characters of a field, that are read."""
_MAX_REPLY = 400
"""Characters of a reply that are read."""


@dataclass(frozen=True)
class RecipientStatus:
    """The status of one recipient in a notification.

    `action` is in lower case, and empty where it is missing; `recipient` is the address that failed
    in the end, `original` the one the mail was addressed to; both may be empty.
    """

    action: str = ""
    status: str = ""
    recipient: str = ""
    original: str = ""
    diagnostic: str = ""

    @property
    def failed(self) -> bool:
        """True if the delivery failed, by the action or, without one, by a 4.x.x or 5.x.x status."""
        if self.action in ("delayed", "delivered", "relayed", "expanded") or self.status[:1] == "2":
            return False
        return bool(self.action) or self.status[:1] in ("4", "5")


def recipient_statuses(message: Message) -> tuple[RecipientStatus, ...]:
    """Return the status of each recipient; empty if the mail is no notification.

    Some servers put the fields into a plain text, or leave out the header that declares the parts.
    In a mail that no mail system wrote they are a quotation.
    """
    part = part_of_type(message, *STATUS_TYPES)
    statuses = tuple(islice(_statuses(_source(part)), _MAX_RECIPIENTS)) if part is not None else ()
    if statuses or not from_mailer(message):
        return statuses
    return tuple(islice(_statuses(notice_text(message)), _MAX_RECIPIENTS))


def reply_in(text: str) -> SmtpReply | None:
    """Return the SMTP reply that `text` quotes, or None.

    A reply code followed by an enhanced code is preferred, then either alone. The reply's text
    begins at the code. Without a reply code, `code` is 500 or 400 by the class of the enhanced code,
    which may come after the words.
    """
    if reply := _REPLY.search(text):
        return SmtpReply(int(reply[1]), _reply_text(text, reply.start()), reply[2])
    code, enhanced = _PLAIN_REPLY.search(text), _STATUS.search(text)
    if enhanced and enhanced[1] == "2":
        enhanced = None
    if code:
        same_class = enhanced is not None and enhanced[1] == code[1][0]
        return SmtpReply(
            int(code[1]),
            _reply_text(text, code.start()),
            enhanced[0] if enhanced and same_class else "",
        )
    if enhanced:
        before = _END.split(text[max(0, enhanced.start() - 200) : enhanced.start()])[-1]
        text_around = before + _reply_text(text, enhanced.start())
        return SmtpReply(int(enhanced[1]) * 100, text_around, enhanced[0])
    return None


def _reply_text(text: str, start: int) -> str:
    """Return the text from `start` up to a blank line or the next recipient."""
    return _END.split(text[start : start + _MAX_REPLY], maxsplit=1)[0]


def refused_after_data(text: str) -> bool:
    """Return True if a notice says that the message itself was refused, not its recipient."""
    return bool(_AFTER_DATA.search(text))


def _source(part: Message) -> str:
    """Return the text of a status part, which Python has parsed into blocks of headers."""
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
    # Not `items`, which loses non-ASCII letters (RFC 6533).
    lines = [f"{name}: {_as_unicode(value)}" for name, value in block.raw_items()]
    rest = block.get_payload()
    return "\n".join(lines) + ("\n" + rest if isinstance(rest, str) else "")


def _as_unicode(value: str) -> str:
    return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _statuses(text: str) -> Iterator[RecipientStatus]:
    """Yield the status of each recipient. Blank lines may be missing, doubled, or between the fields."""
    group: dict[str, str] = {}
    for name, value in _fields(text):
        if name in group and name != "reporting-mta":
            yield from _status_of(group)
            group = {}
        group[name] = value
    yield from _status_of(group)


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield fields and values; a line that is no field continues the value before it."""
    name, value = "", ""
    for line in text.splitlines():
        match = _FIELD.fullmatch(line)
        if match and (match[1].lower() in _FIELDS or (name and match[1].lower().startswith("x-"))):
            if name:
                yield name, value
            name, value = match[1].lower(), match[2][:_MAX_VALUE]
        elif not line.strip() or line.startswith("--"):
            if name:
                yield name, value
            name, value = "", ""
        elif name and len(value) < _MAX_VALUE:
            value += " " + line.strip()[:_MAX_VALUE]
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
    """Return the address of ``rfc822; a@b``; empty if it is none."""
    address = value.rpartition(";")[2].strip()
    address = address.removesuffix(")").rpartition("(")[0].strip() if "(" in address else address
    address = address.strip("<> ")
    return address if "@" in address else ""


def _diagnostic(value: str) -> tuple[str, str]:
    """Return the diagnostic without its type, and the status that IronPort puts before it."""
    diagnostic = re.sub(r"^[a-z0-9-]+\s*;\s*", "", " ".join(value.split()), flags=re.IGNORECASE)
    made_up = re.match(r"([45]\.\d\.\d) - [^\d]{0,80}(?=[45]\d\d-')", diagnostic)
    return (diagnostic[made_up.end() :], made_up[1]) if made_up else (diagnostic, "")
