"""The development mailbox: a real SMTP server on loopback that stores every message in a Maildir.

The default when no relay is configured, so that the same sending code runs as in production.
Nothing is ever delivered further.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import os_reason
from upcycle_news.i18n.messages import localized
from upcycle_news.models import MAILBOX, Relay

if TYPE_CHECKING:
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import SMTP

HOST = "127.0.0.1"


def loopback_controller(
    handler: object, server: type[SMTP] | None = None, **options: Any
) -> Controller:
    """Return a controller for `handler` that stops cleanly; its `port` is known once it started.

    `server` replaces aiosmtpd's SMTP class; `options` go to it, or to the controller.
    """
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import SMTP

    class Loopback(Controller):
        def factory(self) -> SMTP:
            return (server or SMTP)(self.handler, **self.SMTP_kwargs)

        # With port=0 the probe that start() makes would connect to port 0.
        def _trigger_server(self) -> None:
            assert self.server is not None
            self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
            super()._trigger_server()  # type: ignore[no-untyped-call]

        def stop(self, no_assert: bool = False) -> None:
            # The controller stops its loop with connections still open, of which asyncio then
            # complains, and on which Python 3.12 waits for ever.
            asyncio.run_coroutine_threadsafe(self._end_sessions(), self.loop).result(5)
            super().stop(no_assert)

        async def _end_sessions(self) -> None:
            assert self.server is not None
            self.server.close()
            sessions = asyncio.all_tasks() - {asyncio.current_task()}
            for session in sessions:
                session.cancel()
            await asyncio.gather(*sessions, return_exceptions=True)

    # aiosmtpd logs each protocol error of a client; with no logging set up, to the terminal.
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    options.setdefault("server_hostname", "localhost")
    options.setdefault("data_size_limit", 2**26)
    return Loopback(handler, hostname=HOST, port=0, **options)


class DevMailbox:
    """Use as a context manager; while it is open, `relay` returns where to send.

    Each message is in ``folder/new``, byte for byte as it was sent, below the two trace headers
    that a mail server adds at final delivery: Return-Path and Delivered-To (RFC 5321, section
    4.4). One file has one recipient.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` is created when the mailbox opens."""
        self.folder = folder
        self._controller: Controller | None = None
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        try:
            for name in ("tmp", "new", "cur"):
                (self.folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UpcycleError(
                localized("mailbox-not-made", folder=self.folder, why=os_reason(error))
            ) from None
        self._controller = loopback_controller(self)
        self._controller.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def relay(self) -> Relay:
        """Return the mailbox as a relay; raises `UpcycleError` unless it is open."""
        if self._controller is None:
            raise UpcycleError(localized("mailbox-closed"))
        return Relay(name=MAILBOX, host=HOST, port=self._controller.port, security="none")

    def store(self, sender: str, recipient: str, message: bytes) -> None:
        """Write one message to the Maildir: in tmp, then renamed, so that none is seen incomplete."""
        trace = f"Return-Path: <{sender}>\r\nDelivered-To: {recipient}\r\n".encode()
        now = time.time_ns()
        name = f"{now // 10**9}.M{now // 1000 % 10**6:06}P{os.getpid()}Q{next(self._numbers)}.here"
        path = self.folder / "tmp" / name
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "wb") as out:
                out.write(trace + message)
            path.rename(self.folder / "new" / name)
        except OSError:
            path.unlink(missing_ok=True)
            raise

    # --- what aiosmtpd calls

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Store the message once for each recipient."""
        try:
            for recipient in envelope.rcpt_tos:
                self.store(envelope.mail_from or "", recipient, envelope.original_content)
        except OSError as error:
            return f"452 4.3.1 the mailbox cannot be written ({error.strerror})"
        return "250 2.0.0 kept in the mailbox"
