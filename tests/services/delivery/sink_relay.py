"""A fast relay that accepts everything, and records each recipient at the moment of accepting."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import defaultdict
from typing import Self


class Sink:
    """Use as a context manager. `accepted` maps each recipient to the Message-IDs taken for it,
    `times` has the second of each (time.time()), and `bytes` all their sizes added up.

    A message counts from the moment its end mark has arrived, before the reply is written: that
    is when a relay takes over, whether or not the sender ever hears of it.
    """

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        self.accepted: dict[str, list[str]] = defaultdict(list)
        self.times: list[float] = []
        self.count = self.bytes = 0
        self.host, self.port = host, port  # 0: any that is free
        self._more = threading.Condition()

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            self._loop.create_server(lambda: _Session(self), self.host, self.port)
        )
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        server.close()

    def take(self, recipient: str, message: bytes) -> None:
        match = re.search(rb"\r\nMessage-ID: *<([^>]+)>", message)
        with self._more:
            self.accepted[recipient].append(match[1].decode() if match else "")
            self.times.append(time.time())
            self.bytes += len(message)
            self.count += 1
            self._more.notify_all()

    def wait_for(self, count: int, seconds: float = 0.2) -> bool:
        """Wait until so many messages were accepted; False after `seconds`."""
        with self._more:
            return self._more.wait_for(lambda: self.count >= count, seconds)


class _Session(asyncio.Protocol):
    def __init__(self, sink: Sink) -> None:
        self.sink, self.buffer, self.data, self.recipient = sink, bytearray(), False, ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            if self.data:
                end = self.buffer.find(b"\r\n.\r\n")
                if end < 0:
                    return
                message = bytes(self.buffer[: end + 2])
                del self.buffer[: end + 5]
                self.data = False
                self.sink.take(self.recipient, message)
                self.transport.write(b"250 2.0.0 taken\r\n")
                continue
            line, line_end, rest = bytes(self.buffer).partition(b"\r\n")
            if not line_end:
                return
            self.buffer[:] = rest
            self.command(line)

    def command(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb == b"RCPT":
            self.recipient = line.split(b"<")[1].split(b">")[0].decode()
        if verb == b"DATA":
            self.data = True
            self.transport.write(b"354 go on\r\n")
        elif verb == b"QUIT":
            self.transport.write(b"221 bye\r\n")
            self.transport.close()
        elif verb == b"EHLO":
            self.transport.write(b"250-sink\r\n250 8BITMIME\r\n")
        else:
            self.transport.write(b"250 ok\r\n")
