"""The message: built and encoded once for an issue, a few bytes substituted for each recipient.

Encoding 60 kB of quoted-printable for every recipient costs more than sending it, so the template
keeps the encoded bytes cut at the places where something personal goes. Equal inputs give equal
bytes: nothing here looks at a clock or draws a random number.
"""

from __future__ import annotations

import hmac
import html
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Self

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.mail.dkim import DkimSigner, TemplateDkimSigner
from upcycle_news.mail.dot_stuffing import DotStuffedMessage, double_leading_dots
from upcycle_news.mail.headers import (
    LINE_LIMIT,
    ascii_header,
    mailbox_header,
    quoted_printable,
    unstructured_header,
)
from upcycle_news.mail.mime import (
    Gap,
    Piece,
    dot_stuff_pieces,
    encode_body,
)
from upcycle_news.models import (
    EmailAddress,
    Envelope,
    IssueId,
    Placeholder,
    RenderedIssue,
)

_LINK = re.compile(r"(https?://|mailto:)[!-~]+\Z")
_HASH = re.compile(r"[A-Za-z0-9_-]{8,64}\Z")
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\Z")


@dataclass(frozen=True)
class SenderHeaders:
    """The headers that all mails of the publication have in common.

    `envelope_sender` takes the bounces and never shows. `list_id` is a domain-like name such as
    ``news.example.org`` (RFC 2919) and `list_name` the human name beside it. `unsubscribe_mailto`
    is an address, optionally with ``?subject=…``, or empty; without a subject the mail carries the
    subscriber's own token there. Without `one_click` subscribers unsubscribe by mail only, and their
    personal links are mailto addresses. `feedback_id` is empty or constant, `archive` the archive's
    address (RFC 2369) or empty.
    """

    from_name: str
    from_address: str
    envelope_sender: str
    list_id: str
    list_name: str
    message_id_domain: str
    reply_to: str = ""
    unsubscribe_mailto: str = ""
    one_click: bool = True
    feedback_id: str = ""
    archive: str = ""


@dataclass(frozen=True)
class RecipientFields:
    """The fields that differ by recipient; `message_hash` as the function of that name returns it.

    `relay_headers` are for the relay, which acts on them and takes most of them out: DKIM does not cover
    them.
    """

    address: EmailAddress
    name: str
    unsubscribe_url: str
    preferences_url: str
    message_hash: str
    date: datetime
    relay_headers: tuple[tuple[str, str], ...] = ()


def message_hash(secret: bytes, issue: IssueId | str, subscriber: int) -> str:
    """Return the part of the Message-ID that identifies a delivery, stable and opaque.

    It is keyed because subscriber ids are small numbers that anybody could try one after another.
    """
    return hmac.digest(secret, f"message-id/{issue}/{subscriber}".encode(), "sha256").hex()[:32]


@dataclass(frozen=True, repr=False)
class MessageTemplate:
    """The encoded message with gaps; make one with `compose` and use it for all recipients."""

    issue: IssueId
    sender_headers: SenderHeaders
    _head: bytes
    _body: tuple[Piece, ...]
    _dot_stuffed: tuple[Piece, ...]
    _constant_size: int
    _gaps: tuple[Gap, ...]
    _signer: TemplateDkimSigner | None = None

    @classmethod
    def compose(
        cls,
        rendered: RenderedIssue,
        sender_headers: SenderHeaders,
        *,
        revision_id: str,
        signers: Sequence[DkimSigner] = (),
        unsigned: Collection[str] = (),
    ) -> Self:
        """Build and encode the message; the MIME boundaries follow from `revision_id`.

        `unsigned`, in lower case, are the headers that DKIM must not cover since the relay replaces them.
        Raises `UpcycleError` when a header cannot be written or a part lacks the unsubscribe link.
        """
        if not _DOMAIN.match(sender_headers.message_id_domain):
            raise UpcycleError(localized("message-id-domain"))
        head, body = _constant_headers(rendered, sender_headers), encode_body(rendered, revision_id)
        return cls(
            issue=rendered.issue,
            sender_headers=sender_headers,
            _head=head,
            _body=body,
            _dot_stuffed=dot_stuff_pieces(body),
            _constant_size=sum(len(piece) for piece in body if isinstance(piece, bytes)),
            _gaps=tuple(piece for piece in body if not isinstance(piece, bytes)),
            _signer=(
                TemplateDkimSigner.prepare(head, body, signers, unsigned) if signers else None
            ),
        )

    def for_recipient(self, recipient: RecipientFields) -> bytes:
        """Return the message to one recipient: CRLF everywhere, no line above 998 octets."""
        headers, links = self._personalise(recipient)
        return b"".join([headers, *_filled(self._body, links)])

    def dot_stuffed_for(self, recipient: RecipientFields) -> DotStuffedMessage:
        """Return the same as it is sent; what is constant in it was dot-stuffed once."""
        headers, links = self._personalise(recipient)
        size = len(headers) + self._constant_size + sum([len(links[gap]) for gap in self._gaps])
        links = {gap: double_leading_dots(link, at_line_start=True) for gap, link in links.items()}
        return DotStuffedMessage((headers, *_filled(self._dot_stuffed, links)), size)

    def _personalise(self, recipient: RecipientFields) -> tuple[bytes, dict[Gap, bytes]]:
        """Return all headers before those of the body, and the encoded links for the gaps."""
        personal = self._personal_headers(recipient)
        links = {
            **_encoded_link(Placeholder.UNSUBSCRIBE, recipient.unsubscribe_url),
            **_encoded_link(Placeholder.PREFERENCES, recipient.preferences_url),
        }
        headers = self._head + personal
        if self._signer is not None:
            headers = self._signer.signatures(personal, links, recipient.date) + headers
        return headers + relay_header_lines(recipient.relay_headers), links

    def envelope_for(self, address: EmailAddress) -> Envelope:
        """Return the envelope of the message to `address`."""
        return Envelope(sender=self.sender_headers.envelope_sender, recipient=address.address)

    def _personal_headers(self, recipient: RecipientFields) -> bytes:
        if not _HASH.match(recipient.message_hash):
            raise UpcycleError("the hash for a Message-ID must be 8 to 64 letters and digits")
        message_id = (
            f"<{self.issue}.{recipient.message_hash}@{self.sender_headers.message_id_domain}>"
        )
        return b"".join(
            (
                mailbox_header("To", recipient.name, recipient.address.address),
                _date(recipient.date.replace(microsecond=0)),
                ascii_header("Message-ID", message_id),
                _list_unsubscribe(recipient.unsubscribe_url, self.sender_headers),
            )
        )


def _filled(pieces: tuple[Piece, ...], links: dict[Gap, bytes]) -> list[bytes]:
    return [piece if isinstance(piece, bytes) else links[piece] for piece in pieces]


def _encoded_link(placeholder: Placeholder, link: str) -> dict[Gap, bytes]:
    """Return what a link is in the text and in the HTML, encoded; mostly that is the same."""
    plain, escaped = quoted_printable(_checked_link(link)), html.escape(link)
    in_html = plain if escaped == link else quoted_printable(escaped)
    return {(placeholder, False): plain, (placeholder, True): in_html}


def relay_header_lines(headers: Sequence[tuple[str, str]]) -> bytes:
    """Return the headers that a relay acts on as lines; raises `UpcycleError` unless they are ASCII."""
    return b"".join(ascii_header(name, value) for name, value in headers)


def _constant_headers(rendered: RenderedIssue, sender_headers: SenderHeaders) -> bytes:
    headers = [
        mailbox_header("From", sender_headers.from_name, sender_headers.from_address),
        unstructured_header("Subject", rendered.subject),
        mailbox_header("List-Id", sender_headers.list_name, sender_headers.list_id),
        ascii_header("Auto-Submitted", "auto-generated"),
        ascii_header("Content-Language", rendered.language),
        ascii_header("MIME-Version", "1.0"),
    ]
    if sender_headers.one_click:
        # RFC 8058, section 3.1: this very value, and both list headers under the DKIM signature.
        headers.insert(3, ascii_header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
    if sender_headers.reply_to:
        headers.insert(1, mailbox_header("Reply-To", "", sender_headers.reply_to))
    if sender_headers.archive:
        headers.insert(
            -3, ascii_header("List-Archive", f"<{_checked_link(sender_headers.archive)}>")
        )
    if sender_headers.feedback_id:
        headers.insert(-3, ascii_header("Feedback-ID", sender_headers.feedback_id))
    return b"".join(headers)


@lru_cache(maxsize=4)
def _date(at: datetime) -> bytes:
    """Return the Date header, which is the same for hundreds of recipients."""
    return ascii_header("Date", format_datetime(at))


def _list_unsubscribe(link: str, sender_headers: SenderHeaders) -> bytes:
    """Return List-Unsubscribe in raw ASCII (RFC 2369; RFC 8058 wants exactly one https URI)."""
    value, mailto = f"<{link}>", sender_headers.unsubscribe_mailto
    if link.startswith("mailto:"):
        mailto = ""  # it is the link already
    elif mailto and "?" not in mailto:
        mailto = f"{mailto}?subject={link.rpartition('/')[2]}"
    if len(value) > LINE_LIMIT - 20:
        raise UpcycleError(localized("leave-link-long"))
    header = ascii_header("List-Unsubscribe", value)
    if not mailto:
        return header
    if not re.fullmatch(r"[!-;=?-~]{3,900}", mailto) or "@" not in mailto:
        raise UpcycleError(localized("leave-address-bad"))
    return header[:-2] + f",\r\n <mailto:{mailto}>\r\n".encode("ascii")


def _checked_link(link: str) -> str:
    if not _LINK.match(link) or "<" in link or ">" in link:
        raise UpcycleError(localized("personal-link-bad"))
    return link
