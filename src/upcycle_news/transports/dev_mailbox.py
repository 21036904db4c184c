"""The mailbox: a real SMTP server on loopback that keeps every message in a Maildir.

The embedded default when no relay is configured, so that the same sending code runs as in
production. Nothing is ever delivered further.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import SMTP
import itertools
import os
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from upcycle_news.errors import UpcycleError
from upcycle_news.models import Relay

if TYPE_CHECKING:
    from aiosmtpd.controller import Controller

HOST = "127.0.0.1"


def loopback_controller(
    handler: object, server: type[SMTP] | None = None, **options: Any
) -> Controller:
    """A controller for `handler` that ends without a word; its `port` is known once it started.

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

    # aiosmtpd reports each hiccup of a client; with no logging set up that is on the terminal.
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    options.setdefault("server_hostname", "localhost")
    options.setdefault("data_size_limit", 2**26)
    return Loopback(handler, hostname=HOST, port=0, **options)


class DevMailbox:
    """Use as a context manager; while it is open, `relay` says where to send.

    Each message lies in ``folder/new``, byte for byte as it was sent, below the two trace headers
    that a mail server adds at final delivery: Return-Path and Delivered-To (RFC 5321, section
    4.4). One file has one recipient.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` is made when the mailbox opens."""
        self.folder = folder
        self._controller: Controller | None = None
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        try:
            for name in ("tmp", "new", "cur"):
                (self.folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UpcycleError(
                f"{self.folder}: the mailbox cannot be made ({error.strerror}): choose a folder "
                "that is yours, with UPCYCLE_NEWS_STATE"
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
        """The mailbox as a relay to hand over to; only while it is open."""
        if self._controller is None:
            raise UpcycleError("the mailbox is closed: open it before sending")
        return Relay(name="mailbox", host=HOST, port=self._controller.port, security="none")

    def keep(self, sender: str, recipient: str, message: bytes) -> None:
        """Put one message into the Maildir: written in tmp, then renamed, so never seen half."""
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
        """Keep the message, once for each recipient."""
        try:
            for recipient in envelope.rcpt_tos:
                self.keep(envelope.mail_from or "", recipient, envelope.original_content)
        except OSError as error:
            return f"452 4.3.1 the mailbox cannot be written ({error.strerror})"
        return "250 2.0.0 kept in the mailbox"
