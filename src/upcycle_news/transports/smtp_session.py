"""One SMTP session, advanced step by step without blocking, so that one thread can drive many.

A relay that offers PIPELINING (RFC 2920) gets MAIL, RCPT and DATA in one write, any other one after
the other. The message goes only after DATA was answered with 354, and nothing of the next one
before the reply to this one has come: so a connection that dies leaves one delivery in doubt.
"""

from __future__ import annotations

import re
import select
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.mail.dot_stuffing import DotStuffedMessage, dot_stuff
from upcycle_news.models import Envelope, SmtpReply
from upcycle_news.transports.outcomes import (
    Accepted,
    LostBeforeBody,
    LostInBody,
    Outcome,
    Refused,
    Stage,
    UnsupportedAddress,
)
from upcycle_news.transports.replies import parse_reply

_QUIT_TIMEOUT = 2.0  # seconds: the reply to QUIT must not hold up the end of a run
_MAX_PIECES = 1024  # sendmsg(2): IOV_MAX
_REPLY_LIMIT = 65536  # bytes: anything longer is no reply
_WRITABLE = re.compile(r"[^\s<>\x00-\x1f\x7f]*\Z")
# RFC 5321, section 4.2.1: the code is followed by a hyphen in every line but the last one.
_COMPLETE_REPLY = re.compile(rb"(?:[0-9]{3}-[^\n]*\n)*(?![0-9]{3}-)[^\n]*\n")

Steps = Generator[None, None, None]
"""Yields whenever it has to wait for the relay."""


class SmtpConnection:
    """An open connection, for one thread; after a refusal it takes the next message.

    `begin` starts a message; while it returns no outcome, wait until the socket (`fileno`) can be
    read, or written when `writing` is True, and `advance`; past the `deadline` (of
    `time.monotonic`) `expire`. `send` does all of that for a single message.
    """

    def __init__(self, smtp: smtplib.SMTP) -> None:
        """Take over `smtp`, which is connected and logged in."""
        assert smtp.sock is not None
        self._smtp, self._sock = smtp, smtp.sock
        self._timeout = smtp.sock.gettimeout() or 30.0
        self._tls = isinstance(smtp.sock, ssl.SSLSocket)
        self._pipelining = smtp.has_extn("pipelining")
        self._sock.setblocking(False)
        with suppress(OSError):  # no TCP socket, as in some tests
            # All that is ready is written at once. Over TLS a message is several records, the last of which
            # would wait for an acknowledgement that the relay delays by 40 ms (RFC 1122, section 4.2.3.4).
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self._step_name: Stage = "mail"  # whose reply is waited for
        self._steps: Generator[None, None, Outcome] | None = None
        self.writing = False
        self.deadline = 0.0
        self.broken = False
        self.in_body = False
        self.errors = 0

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return self._sock.fileno()

    def begin(self, envelope: Envelope, message: bytes | DotStuffedMessage) -> Outcome | None:
        """Start sending a message to one recipient: MAIL, RCPT, DATA, body (RFC 5321, 3.3).

        `message` as bytes has CRLF line ends and no dot stuffing. Whatever the relay does is an
        outcome; raises `UpcycleError` only for an envelope sender that is no address.
        """
        self.in_body = False
        if not _WRITABLE.match(envelope.sender) or not envelope.sender.isascii():
            raise UpcycleError(localized("envelope-bad"))
        if not _WRITABLE.match(envelope.recipient) or not envelope.recipient:
            return UnsupportedAddress(str(localized("reason-address-bad")))
        if not envelope.recipient.isascii() and not self._smtp.has_extn("smtputf8"):
            return UnsupportedAddress(str(localized("reason-address-utf8")))
        if self.broken:
            return LostBeforeBody(str(localized("reason-closed-before")))
        stuffed = message if isinstance(message, DotStuffedMessage) else dot_stuff(message)
        self._steps = self._transaction(envelope, stuffed)
        return self._step(self._steps.__next__)

    def advance(self) -> Outcome | None:
        """Continue as far as possible without waiting; return the outcome once there is one."""
        assert self._steps is not None
        return self._step(self._steps.__next__)

    def expire(self) -> Outcome | None:
        """End the message because the deadline has passed; return its outcome."""
        assert self._steps is not None
        steps = self._steps
        return self._step(lambda: steps.throw(TimeoutError()))

    def send(self, envelope: Envelope, message: bytes | DotStuffedMessage) -> Outcome:
        """Send one message and wait for its outcome."""
        outcome = self.begin(envelope, message)
        while outcome is None:
            poll = select.poll()
            poll.register(self, select.POLLIN | (select.POLLOUT if self.writing else 0))
            left = max(self.deadline - time.monotonic(), 0)
            outcome = self.advance() if poll.poll(1000 * left) else self.expire()
        return outcome

    @property
    def offers(self) -> dict[str, str]:
        """The ESMTP keywords of the relay in lower case, with parameters (RFC 5321, section 4.1.1.1)."""
        return dict(self._smtp.esmtp_features)

    @property
    def protection(self) -> tuple[str, bytes]:
        """The version of TLS and the relay's certificate as DER; both empty without TLS."""
        if not isinstance(self._smtp.sock, ssl.SSLSocket):
            return "", b""
        return self._smtp.sock.version() or "", self._smtp.sock.getpeercert(binary_form=True) or b""

    def close(self) -> None:
        """Say QUIT unless the connection is broken, and close it; never raises."""
        with suppress(OSError):
            if not self.broken and self._steps is None:  # never into the middle of a message
                self._sock.settimeout(_QUIT_TIMEOUT)
                self._sock.sendall(b"QUIT\r\n")
                self._sock.recv(512)
        self.broken = True
        with suppress(OSError):
            self._smtp.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- the mail transaction

    def _step(self, step: Callable[[], None]) -> Outcome | None:
        try:
            step()
        except StopIteration as end:
            outcome: Outcome = end.value
            self._steps = None
            return outcome
        except OSError as error:
            self._steps = None
            return self._lost(error)
        except BaseException:
            self.broken = True
            raise
        return None

    def _transaction(
        self, envelope: Envelope, message: DotStuffedMessage
    ) -> Generator[None, None, Outcome]:
        if self._received:  # the next replies would be taken for those of other commands
            self.broken = True
            return LostBeforeBody(str(localized("reason-said-more")))
        commands = self._commands(envelope, message)
        if self._pipelining:
            yield from self._write([command for _, command, _ in commands])
        for number, (stage, command, expected) in enumerate(commands):
            self._step_name = stage
            if not self._pipelining:
                yield from self._write([command])
            code, raw = yield from self._reply()
            if code // 100 in {4, 5}:
                self.errors += 1
                refused = Refused(stage, parse_reply(code, raw, envelope, message))
                unanswered = [later for later, _, _ in commands[number + 1 :]]
                yield from self._reset(refused, unanswered)
                return refused
            if code // 100 != expected:
                self.broken = True
                return LostBeforeBody(
                    str(localized("reason-odd-reply", command=stage.upper(), code=code))
                )
        return (yield from self._body(envelope, message))

    def _commands(
        self, envelope: Envelope, message: DotStuffedMessage
    ) -> list[tuple[Stage, bytes, int]]:
        """Return the commands before the message, each with the expected class of reply."""
        size = f" SIZE={message.size}" if self._smtp.has_extn("size") else ""  # RFC 1870
        international = not envelope.recipient.isascii()
        utf8 = " BODY=8BITMIME SMTPUTF8" if international else ""  # RFC 6531, section 3.6
        return [
            ("mail", f"MAIL FROM:<{envelope.sender}>{size}{utf8}\r\n".encode(), 2),
            ("rcpt", f"RCPT TO:<{envelope.recipient}>\r\n".encode(), 2),
            ("data", b"DATA\r\n", 3),
        ]

    def _body(
        self, envelope: Envelope, message: DotStuffedMessage
    ) -> Generator[None, None, Outcome]:
        if self._received:  # it would be taken for the reply to a message that was not sent yet
            self.broken = True
            return LostBeforeBody(str(localized("reason-answered-early")))
        self.in_body = True
        yield from self._write(message.pieces, until_answered=True)
        # A relay that replies before the end reads no more, and we could not continue.
        early, self.writing = self.writing, False
        code, raw = yield from self._reply()
        reply = parse_reply(code, raw, envelope, message)
        if early:
            self.broken = True
        if code // 100 == 2 and not early:
            self.errors = 0
            return Accepted(reply)
        if code // 100 in {4, 5}:
            self.errors += 1
            self._break_on_421(reply)
            return Refused("body", reply)
        self.broken = True
        return LostInBody(str(localized("reason-odd-answer", code=code)))

    def _reset(self, refused: Refused, unanswered: list[Stage]) -> Steps:
        """Make the connection ready for the next message after a refusal; any failure breaks it."""
        self._break_on_421(refused.reply)
        try:
            for stage in unanswered if self._pipelining and not self.broken else ():
                code, _ = yield from self._reply()
                self.errors += code // 100 in {4, 5}
                if stage == "data" and code // 100 == 3:
                    if refused.stage != "rcpt":
                        self.broken = True
                        return
                    # RFC 2920, section 3.1: the relay waits for a message to nobody.
                    yield from self._write([b".\r\n"])
                    yield from self._reply()
            if not self.broken:
                yield from self._write([b"RSET\r\n"])
                code, _ = yield from self._reply()
                self.broken = code != 250
        except OSError:
            self.broken = True

    def _break_on_421(self, reply: SmtpReply) -> None:
        if reply.code == 421:  # RFC 5321, section 3.8: the relay closes the connection
            self.broken = True

    def _lost(self, error: OSError) -> Outcome:
        self.broken = True
        if self.in_body:
            if isinstance(error, TimeoutError):
                text = localized("reason-silent-in-body", seconds=self._timeout)
            else:
                text = localized("reason-hung-up-in-body")
            return LostInBody(str(text))
        step = self._step_name.upper()
        if isinstance(error, TimeoutError):
            text = localized("reason-silent", step=step, seconds=self._timeout)
        else:
            text = localized("reason-hung-up", step=step)
        return LostBeforeBody(str(text))

    # --- the socket

    def _write(self, pieces: Sequence[bytes], *, until_answered: bool = False) -> Steps:
        """Write all `pieces`, or stop, still `writing`, when the relay replies before the end."""
        self._reset_deadline()
        left = self._write_at_once(pieces)
        while True:
            with suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                while left:
                    left = left[self._sock.send(left) :]
                    self._reset_deadline()
                    if not self._tls:
                        break  # the kernel took what it had room for; TLS takes one record at a time
            self.writing = bool(left)
            if not left:
                return
            yield
            if until_answered and self._read() and _COMPLETE_REPLY.match(self._received):
                return

    def _write_at_once(self, pieces: Sequence[bytes]) -> memoryview:
        """Write what the kernel has room for, which mostly is all, without joining it; return the rest."""
        if self._tls or len(pieces) > _MAX_PIECES:
            return memoryview(b"".join(pieces))
        sent = 0
        with suppress(BlockingIOError):
            sent = self._sock.sendmsg(pieces)
        if sent == sum(map(len, pieces)):
            return memoryview(b"")
        return memoryview(b"".join(pieces))[sent:]

    def _reply(self) -> Generator[None, None, tuple[int, bytes]]:
        """Return the next reply: its code, or -1 if malformed, and its lines without codes."""
        self._reset_deadline()  # for the whole reply, even if it comes byte by byte
        while not (reply := _COMPLETE_REPLY.match(self._received)):
            # TLS may have buffered more than the socket shows, so it is read until it is empty.
            if not (self._tls and self._read()):
                yield
                self._read()
        lines = reply[0][:-1].split(b"\n")
        self._received = self._received[reply.end() :]
        code = lines[-1][:3]
        return int(code) if code.isdigit() else -1, b"\n".join([line[4:].strip() for line in lines])

    def _read(self) -> bool:
        """Read what has arrived; False for nothing. Raises `OSError` when the connection has ended."""
        try:
            data = self._sock.recv(_REPLY_LIMIT)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        if not data or len(self._received) > _REPLY_LIMIT:
            raise ConnectionError
        self._received += data
        return True

    def _reset_deadline(self) -> None:
        self.deadline = time.monotonic() + self._timeout
