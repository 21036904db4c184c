"""A DNS server on loopback with the records that a test gives it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Mapping
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = Mapping[tuple[str, str], Iterable[str]]


class NameServer:
    """Use as a context manager; `address` is what `doctor.resolver` wants.

    `zone` maps (name, type) to values as zone files have them. Names that are in it by no type do
    not exist; those in `broken` are answered with SERVFAIL; `silent` answers nothing at all.
    """

    def __init__(self, zone: Zone, *, broken: Iterable[str] = (), silent: bool = False) -> None:
        self.zone = {(name.lower(), kind): list(values) for (name, kind), values in zone.items()}
        self.broken, self.silent = set(broken), silent
        self.queries: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", self._socket.getsockname())
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, sender = self._socket.recvfrom(65535)
            if not data:
                return
            answer = self._answer(data)
            if not self.silent:
                self._socket.sendto(answer, sender)

    def _answer(self, data: bytes) -> bytes:
        query = dns.message.from_wire(data)
        [question] = query.question
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.queries.append((name, kind))
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        values = self.zone.get((name, kind), [])
        if name in self.broken:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif values:
            answer.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, values))
        elif not any(known == name for known, _ in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer.to_wire()
