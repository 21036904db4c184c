"""The mailbox where bounces and replies arrive: IMAP or a Maildir.

Mail is read without setting a flag, and moved once it was handled; nothing is ever deleted, and
what is not ours to handle stays as it was, unread. On a server it gets a keyword (RFC 9051, section
2.3.2), or every run would fetch all out-of-office replies again.
"""

from __future__ import annotations

import imaplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Literal, Protocol

from upcycle_news.bounces.mail_parts import decode_header_text
from upcycle_news.bounces.parser import MAX_BYTES
from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import os_reason
from upcycle_news.i18n.messages import LocalizedText, localized


class Inbox(Protocol):
    """Iterates over messages; `done` moves one to the processed folder."""

    def mails(self) -> Iterator[tuple[str, bytes]]:
        """Yield key and content of each message, oldest first; content is cut above a report's size."""

    def done(self, key: str) -> None:
        """Move a handled message to the processed folder."""

    def skip(self, key: str) -> None:
        """Leave a message that is not ours to handle where it is; it need not be yielded again."""

    def was_read(self, key: str) -> bool:
        """Return True if a person has read or answered the message in a mail program."""

    def with_subject(self, word: str) -> Iterator[tuple[str, bytes]]:
        """Yield as `mails` does each message, skipped or not, with this word of letters and digits in its subject."""


KEYWORD = "$UpcycleNews"


@dataclass(frozen=True)
class ImapAccount:
    """An IMAP account; `port` 0 means the standard port."""

    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    username: str
    password: str = field(repr=False)
    folder: str
    processed: str
    timeout: float = 60.0


@contextmanager
def open_imap(account: ImapAccount) -> Iterator[Inbox]:
    """Log in and yield the inbox; raises `UpcycleError` with the cure, never with the password."""
    from imap_tools import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
    from imap_tools.errors import ImapToolsError

    where = f"the inbox {account.host}"
    port = account.port or (993 if account.security == "tls" else 143)
    box: BaseMailBox
    try:
        if account.security == "none":
            box = MailBoxUnencrypted(account.host, port, account.timeout)
        else:
            context = ssl.create_default_context()
            kind = MailBox if account.security == "tls" else MailBoxStartTls
            box = kind(account.host, port, timeout=account.timeout, ssl_context=context)
    except (OSError, imaplib.IMAP4.error, ImapToolsError) as error:
        raise UpcycleError(_why_closed(error, f"{account.host}:{port}", account.timeout)) from None
    try:
        with box.login(account.username, account.password, initial_folder=account.folder) as opened:
            yield _Imap(opened, account)
    except ImapToolsError as error:
        raise UpcycleError(
            localized("inbox-refused", where=where, kind=type(error).__name__)
        ) from None
    except (OSError, imaplib.IMAP4.error) as error:
        raise UpcycleError(
            localized("inbox-broke-off", where=where, kind=type(error).__name__)
        ) from None


def _why_closed(error: Exception, where: str, seconds: float) -> LocalizedText:
    """Return why no session with the server at `where` began, and what to do."""
    match error:
        case ssl.SSLCertVerificationError():
            why = error.verify_message or "verification failed"
            return localized("inbox-certificate", where=where, why=why)
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError() | ConnectionResetError() | EOFError():
            return localized("inbox-hung-up", where=where)
        case ssl.SSLError():
            return localized("inbox-tls", where=where)
        case socket.gaierror():
            return localized("inbox-name-unknown", where=where)
        case TimeoutError():
            return localized("inbox-silent", where=where, seconds=seconds)
        case ConnectionRefusedError():
            return localized("inbox-not-listening", where=where)
        case imaplib.IMAP4.error() if "EOF" in str(error):
            return localized("inbox-hung-up", where=where)
        case OSError(strerror=str(why)):
            return localized("inbox-unreachable", where=where, why=why)
    return localized("inbox-unreachable", where=where, why=type(error).__name__)


class _Imap:
    def __init__(self, box: object, account: ImapAccount) -> None:
        from imap_tools import BaseMailBox

        assert isinstance(box, BaseMailBox)
        self._box, self._account = box, account
        self._ready = False

    def mails(self) -> Iterator[tuple[str, bytes]]:
        yield from self._fetch(f"UNKEYWORD {KEYWORD}")

    def with_subject(self, word: str) -> Iterator[tuple[str, bytes]]:
        assert word.isalnum() and word.isascii(), "no quotes in a command"
        yield from self._fetch(f'SUBJECT "{word}"')

    def _fetch(self, criteria: str) -> Iterator[tuple[str, bytes]]:
        for key in self._box.uids(criteria):
            # As it is: imap_tools would parse it and write it again, and trips over hostile ones.
            _, data = self._box.client.uid("FETCH", key, f"(BODY.PEEK[]<0.{MAX_BYTES + 1}>)")
            for part in data:
                if isinstance(part, tuple):  # else another program has moved it meanwhile
                    yield key, part[1]

    def done(self, key: str) -> None:
        if not self._ready:
            if not self._box.folder.exists(self._account.processed):
                self._box.folder.create(self._account.processed)
            self._ready = True
        self._box.move(key, self._account.processed)

    def skip(self, key: str) -> None:
        # Not `flag`, which expunges what others have marked. Where a server refuses, we read it again.
        self._box.client.uid("STORE", key, "+FLAGS.SILENT", f"({KEYWORD})")

    def was_read(self, key: str) -> bool:
        _, data = self._box.client.uid("FETCH", key, "(FLAGS)")
        flags = b" ".join(part for part in data if isinstance(part, bytes)).lower()
        return b"\\seen" in flags or b"\\answered" in flags


@contextmanager
def open_maildir(folder: Path, processed: str) -> Iterator[Inbox]:
    """Yield the inbox in a local Maildir; raises `UpcycleError` when it is none."""
    if not (folder / "new").is_dir() or not (folder / "cur").is_dir():
        raise UpcycleError(localized("inbox-no-maildir", folder=folder))
    yield _Maildir(folder, folder / f".{processed.strip('./').replace('/', '.')}")


@dataclass(frozen=True)
class _Maildir:
    folder: Path
    target: Path

    def mails(self) -> Iterator[tuple[str, bytes]]:
        paths = [path for name in ("new", "cur") for path in (self.folder / name).iterdir()]
        for path in sorted(paths, key=lambda path: path.name):
            try:
                yield f"{path.parent.name}/{path.name}", path.read_bytes()
            except OSError:
                continue  # moved by its owner while we looked

    def with_subject(self, word: str) -> Iterator[tuple[str, bytes]]:
        for key, raw in self.mails():
            subject = BytesHeaderParser().parsebytes(raw).get("subject", "")
            if word in decode_header_text(str(subject)):
                yield key, raw

    def done(self, key: str) -> None:
        try:
            for name in ("tmp", "new", "cur"):
                (self.target / name).mkdir(parents=True, exist_ok=True, mode=0o700)
            (self.folder / key).rename(
                self.target / "cur" / f"{Path(key).name.partition(':')[0]}:2,S"
            )
        except OSError as error:
            raise UpcycleError(
                localized("inbox-not-moved", target=self.target, why=os_reason(error))
            ) from None

    def skip(self, key: str) -> None:
        """Reading it again costs nothing here."""

    def was_read(self, key: str) -> bool:
        # The flags are behind ":2," in the name (Maildir's own description, cr.yp.to/proto/maildir.html).
        flags = key.rpartition(":2,")[2] if ":2," in key else ""
        return "S" in flags or "R" in flags
