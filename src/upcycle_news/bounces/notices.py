"""Read failure notices that follow no standard. Pure."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message
from email.utils import getaddresses

from upcycle_news.bounces.mail_parts import decode_header_text, from_mailer, notice_text

_COPY = re.compile(
    r"^[-\t >*=_#.]{0,80}(?:"
    r"(?:-----)?original message|unsent message|returned message|message headers|headers? of the (?:original|returned)"
    r"|(?:this|below(?: this line)?|here|attached|following) (?:is|are|follows?) (?:a |the )?(?:copy|original|message|returned|header)"
    r"|the (?:headers?|body|text) of the (?:original|message)|(?:a )?copy of (?:the|your) (?:message|mail)"
    r"|(?:original|returned|your) (?:message|mail) (?:follows|is|header|was attached)|included is a copy|es folg|nachstehend|urspr\S+nglich"
    r"|die kopfzeilen|message d'origine|mensaje original|messaggio originale|oorspronkelijk"
    r")[^\n]*$",
    re.IGNORECASE | re.MULTILINE,
)
_HEADER_LINE = re.compile(
    r"(?:received|return-path|message-id|mime-version|date|from|to|subject|content-type|reply-to|delivered-to|x-[a-z-]+)[ \t]*:",
    re.IGNORECASE,
)
_DELAYED = re.compile(
    r"\bdelayed\b|\bdelay\)|\bdelay\b.{0,20}\bnotif|(?:has|have|is|could) not (?:yet )?(?:been )?(?:yet )?(?:be )?delivered (?:yet|so far|after|for|within)"
    r"|not yet been delivered|still (?:being )?(?:retried|trying|trying|in the queue|attempting)|will (?:continue|keep|be retried|try again|retry)"
    r"|(?:delivery )?attempts will continue|warning message only|warning: (?:could not send|message)"
    r"|need not do anything|do not need to (?:resend|do)|no action is required"
    r"|verz(?:ö|oe)ger\w*|noch nicht zugestellt|weitere (?:zustell)?versuche|wird (?:weiter|erneut) versucht"
    r"|retard[ée]|n'a pas encore|sera (?:à nouveau|réessay)|retras(?:ado|o)\b|aún no|se seguirá|ritard(?:ato|o)\b|non ancora|vertraag\w*|nog niet|atrasad|ainda não",
    re.IGNORECASE,
)
_GAVE_UP = re.compile(
    r"\bgiv(?:e|en|ing) up\b|\bgave up\b|\bpermanent|\bfatal errors?\b(?!.{0,200}(?:retried|warning))|\bwill be deleted\b|\bremoved from (?:the )?queue|\bhas expired\b|\bexpired\b"
    r"|\bcannot send message (?:for|within)\b|\bnot going to try again|\bundeliver(?:able|ed)\b|\breturn(?:ed|ing) (?:mail|message|to sender)|\bfailure\b|\bfailed\b"
    r"|\baufgegeben|\bendg(?:ü|ue)ltig|\bunzustellbar|\babgebrochen",
    re.IGNORECASE,
)
_RETRIED = re.compile(
    r"will be retried|attempts will continue|warning message only|still being retried|\(delay\)|will (?:continue|keep) (?:to )?try"
    r"|weitere (?:zustell)?versuche|noch nicht zugestellt|nouvelles? tentatives?|sera (?:à nouveau|réessay)"
    r"|se volver[áa] a intentar|nuevos intentos|nuovi tentativi|nieuwe pogingen|novas tentativas",
    re.IGNORECASE,
)
_ARRIVED = re.compile(
    r"(?:success(?:ful(?:ly)?)?\b[^.\n]{0,40}\bdeliver\w*|deliver\w*\b[^.\n]{0,30}\bsuccess\w*|\bwas delivered to\b|\bhas been delivered\b|\(success\)"
    r"|\(relayed\)|\bsuccessfully relayed|erfolgreich (?:zugestellt|ausgeliefert)|wurde zugestellt|remis avec succès|entregado correctamente|consegnato)",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"\bnot\b|n't\b|\bnicht\b|\bunable\b|\bfail|\bcould\b|\berror|\bundeliver|\bonly\b|\brejected",
    re.IGNORECASE,
)
_LIKE_AN_ADDRESS = re.compile(
    r"[^\s<>,;:\"'()\[\]@=]{1,64}@[a-z0-9.-]{1,255}[a-z0-9]", re.IGNORECASE
)
# Codes of RFC 5321, RFC 4954 and made-up ones, at the beginning of a reply.
_REPLY_BESIDE = re.compile(
    r"(?:^|[:>\"'(#\]]|\b(?:said|sagte|antwortete|code|error|fehler|replied|smtp))[ \t\"'(]*"
    r"(?:4[2-5]\d|5[0-7]\d)[ \t:-]+(?:[45]\.\d{1,3}\.\d{1,3}\b|[^\W\d])",
    re.IGNORECASE | re.MULTILINE,
)


# The first sentences of known forms: DragonFly, OpenSMTPD, sendmail, Exim, Notes, Yahoo, WorkMail, Exchange.
_FORM = re.compile(
    r"dragonfly mail agent|there was an error delivering your mail to|transcript of session follows|this is the mailer-daemon, please do not reply|failure reasons\b"
    r"|the following address(?:es|\(es\))? (?:had|failed)|unable to deliver your message to the following"
    r"|could not be delivered to (?:one or more|the following)|delivery to the following recipients? (?:has )?failed"
    r"|recipient addresses that were|did not reach the following recipient|message cannot be delivered to the following"
    r"|trying to deliver the mail to the following|following recipients was rejected|this is the (?:qmail-send|postfix|mail system)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Notice:
    """A failure notice in a server's own words.

    `recipients` are the addresses that failed, `known` is True for the form of a known server, and
    `temporary` if that form says that the failure is temporary.
    """

    text: str
    subject: str = ""
    mailer: bool = False
    recipients: tuple[str, ...] = ()
    known: bool = False
    temporary: bool = False

    @property
    def delayed(self) -> bool:
        """True if the server keeps trying (RFC 3464's *delayed*, in words)."""
        content = f"{self.subject}\n{self.text}"
        if not _DELAYED.search(content):
            return False
        return bool(_RETRIED.search(content)) or not _GAVE_UP.search(content)

    @property
    def arrived(self) -> bool:
        """True if it says that the mail was delivered, and nothing else."""
        content = f"{self.subject}\n{self.text}"
        match = _ARRIVED.search(content)
        return match is not None and not _NOT.search(content[: match.end() + 200])

    def about(self, recipient: str = "") -> str:
        """Return the passage about `recipient`, or about the first one, without the polite frame."""
        recipient = recipient or (self.recipients[0] if self.recipients else "")
        at = self.text.lower().find(recipient.lower()) if recipient else -1
        passage = self.text if at < 0 else self.text[max(0, at - 200) : at + 900]
        return passage[:1500]


def read_notice(message: Message, known_addresses: Iterable[str] = ()) -> Notice:
    """Return the notice in a mail; `known_addresses`, such as the return address, did not fail."""
    text, mailer = without_copy(notice_text(message)), from_mailer(message)
    temporary, permanent = _failures(message)
    known_form = [
        address for address in (*permanent, *temporary) if _LIKE_AN_ADDRESS.fullmatch(address)
    ]
    listed = str(message.get("X-Failed-Recipients", "")).split(",")
    recipients = known_form or [address.strip() for address in listed if address.strip()]
    if not recipients:
        not_failed = {address.lower() for address in known_addresses}
        matches = [match[0] for match in _LIKE_AN_ADDRESS.finditer(text)]
        recipients = [
            address
            for address in matches
            if address.lower() not in not_failed and not _is_role_address(address)
        ]
    return Notice(
        text=text,
        subject=decode_header_text(str(message.get("Subject", ""))),
        mailer=mailer,
        recipients=tuple(dict.fromkeys(recipients))[:20],
        known=bool(known_form) or (mailer and bool(_FORM.search(" ".join(text.split())))),
        temporary=bool(temporary) and not permanent,
    )


def without_copy(text: str) -> str:
    """Return `text` up to the mail that it returns."""
    if match := _COPY.search(text):
        text = text[: match.start()] if match.start() > 20 else text
    lines = text.split("\n")
    header_lines = 0
    for number, line in enumerate(lines):
        if _HEADER_LINE.match(line):
            header_lines += 1
        elif not (header_lines and line[:1] in " \t"):
            header_lines = 0
        if header_lines == 4 and number > 6:
            return "\n".join(lines[: number - 3])
    return text


def refusal_beside(text: str, address: str) -> bool:
    """Return True if a 4xx or 5xx reply is near `address` (300 characters), outside quotations."""
    lines = [line for line in text.split("\n") if not line.lstrip().startswith(">")]
    text = "\n".join(lines)
    for match in re.finditer(re.escape(address), text, re.IGNORECASE):
        nearby = text[max(0, match.start() - 300) : match.end() + 300]
        if _REPLY_BESIDE.search(nearby.replace(match[0], "…")):
            return True
    return False


def _is_role_address(address: str) -> bool:
    """Return True for addresses of a mail system's staff, which notices ask to contact."""
    local = address.partition("@")[0].lower()
    return bool(
        re.fullmatch(r"postmaster|support|abuse|help(desk)?|mailer-daemon|admin\w*|noreply", local)
    )


def _failures(message: Message) -> tuple[list[str], list[str]]:
    """Return the temporary and permanent failures that flufl.bounce recognises."""
    from flufl.bounce import all_failures

    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # it would quote the mail
    if not getaddresses([str(message.get("From", ""))]):
        # One of its detectors needs an address there.
        del message["From"]
        message["From"] = "nobody@mail.invalid"
    temporary, permanent = all_failures(message)
    return sorted(map(_text, temporary)), sorted(map(_text, permanent))


def _text(address: object) -> str:
    return address.decode("ascii", "replace") if isinstance(address, bytes) else str(address)
