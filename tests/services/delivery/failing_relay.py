"""A relay on a fixed port that dies after some messages and is started again, as on a real machine."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from contextlib import suppress
from typing import Self

from ...processes import free_port


class FailingRelay:
    """Use as a context manager. It accepts everything; `fall_after` lets it die in mid-send.

    Dying closes the listening socket and resets every connection, also one that waits for a reply.
    `accepted` counts the messages of each recipient over all its lives.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.accepted: Counter[str] = Counter()
        self.lives = 0
        self._left = -1
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def start(self, *, fall_after: int = -1) -> None:
        """Start it (again); with `fall_after` it dies after so many further messages."""
        asyncio.run_coroutine_threadsafe(self._start(fall_after), self._loop).result(10)

    def stop(self) -> None:
        """End it at once, with all its connections."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)

    async def _start(self, fall_after: int) -> None:
        await self._stop()
        self._left = fall_after
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, reuse_address=True
        )
        self.lives += 1

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            sock = writer.get_extra_info("socket")
            with suppress(OSError):  # it is closed: its client was killed
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        recipient = ""
        writer.write(b"220 relay\r\n")
        try:
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"RCPT":
                    recipient = line.split(b"<")[1].split(b">")[0].decode()
                if verb == b"DATA":
                    if self._left == 0:
                        await self._stop()
                        return
                    writer.write(b"354 go on\r\n")
                    await reader.readuntil(b"\r\n.\r\n")
                    self.accepted[recipient] += 1
                    self._left -= 1
                writer.write(b"250 ok\r\n")
                if verb == b"QUIT":
                    break
        except (OSError, asyncio.IncompleteReadError):
            return
        self._writers.discard(writer)
        writer.close()
