"""The settings of the doctor: whom it asks, and what no machine can find out by itself."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field

from upcycle_news.settings_types import Line, Table


def _resolver(text: str) -> str:
    """An IP address, or one with a port behind it: ``127.0.0.1:5353``, ``[::1]:5353``."""
    if text:
        try:
            split_resolver(text)
        except ValueError:
            raise ValueError("not a DNS server; write it as 9.9.9.9 or 127.0.0.1:5353") from None
    return text


def split_resolver(text: str) -> tuple[str, int]:
    """The address and the port of a DNS server; raises `ValueError`."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):  # no port behind it
        host, port = text, "53"
    address = str(ipaddress.ip_address(host.strip("[]")))
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError
    return address, int(port)


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("not an IP address; write it as 192.0.2.7 or 2001:db8::7") from None


class DoctorSettings(Table):
    """`[doctor]`: what `upcycle-news doctor` asks."""

    resolver: Annotated[Line, AfterValidator(_resolver)] = Field(
        "", description="The DNS server to ask, such as 9.9.9.9; default: the machine's."
    )
    timeout: float = Field(5.0, gt=0, le=60, description="Seconds for one answer.")
    dkim_selectors: tuple[Line, ...] = Field(
        (), description="The selectors with which the relay signs in our name: s= in a mail."
    )
    outgoing_ips: tuple[Annotated[str, AfterValidator(_ip)], ...] = Field(
        (), description="The addresses our mail leaves from, when the relay is our own server."
    )
