"""An SMTP server on a free port of loopback: under the mailbox, and under the tests' relays."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import SMTP

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
