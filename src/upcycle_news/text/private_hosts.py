"""Hosts and addresses outside the public internet, and which of them a publication allows.

Link-local addresses and those where clouds give away the credentials of a machine are never allowed.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Self

from upcycle_news.i18n.messages import LocalizedText, localized

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NOT_GLOBAL = (
    ipaddress.ip_network("64:ff9b:1::/48"),  # local-use NAT64 (RFC 8215)
    ipaddress.ip_network("fec0::/10"),  # site-local, deprecated by RFC 3879
)
_NEVER = (
    ipaddress.ip_network("169.254.0.0/16"),  # link-local (RFC 3927), and most clouds' metadata
    ipaddress.ip_network("fe80::/10"),
    ipaddress.ip_network("fd00:ec2::254/128"),  # metadata: Amazon, Google, Alibaba, Oracle, Azure
    ipaddress.ip_network("fd20:ce::254/128"),
    ipaddress.ip_network("100.100.100.200/32"),
    ipaddress.ip_network("192.0.0.192/32"),
    ipaddress.ip_network("168.63.129.16/32"),
)
# RFC 6761, 6762 (with its appendix G) and 8375, and what routers give out.
_PRIVATE_NAMES = (
    ".localhost", ".local", ".localdomain", ".home.arpa",
    ".intranet", ".internal", ".private", ".corp", ".home", ".lan",
)  # fmt: skip
_NUMERIC_HOST = re.compile(r"(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+)){0,3}")
_HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_-]+)*")


def ascii_host(host: str) -> str:
    """Return a host name as browsers ask for it: UTS #46, non-transitional (``ß`` stays another letter).

    Empty for what cannot be a name; raises `UnicodeError` for characters that no name may have.
    """
    host = host.lower()
    if host.isascii():
        return host
    import idna  # late: its tables take a while, and the settings need this module

    labels = idna.uts46_remap(host, std3_rules=False).split(".")
    labels = [
        label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")
        for label in labels
    ]
    return "" if any(len(label) > 63 for label in labels) else ".".join(labels)


def is_global(address: str) -> bool:
    """Tell whether an IP address belongs to the public internet, embedded IPv4 addresses included."""
    return all(map(_is_global, _with_embedded(_parsed(address))))


def is_never_asked(address: str) -> bool:
    """Tell whether an IP address is link-local or a cloud's metadata service."""
    return any(ip in network for ip in _with_embedded(_parsed(address)) for network in _NEVER)


def is_private_host(host: str) -> bool:
    """Tell whether a host is outside the public internet, as far as its name alone says it.

    That is an address that is not of the public internet, however it is written (``127.1``,
    ``0x7f000001``), a name that is reserved for private networks, or a name without a dot.
    """
    host = host.lower().rstrip(".")
    if _is_written_as_address(host):
        address = _literal(host)
        return address is None or not is_global(address)
    return "." not in host or host.endswith(_PRIVATE_NAMES)


class PrivateAccessError(ValueError):
    """An entry that names no host and no network that could be asked; `text` says why."""

    def __init__(self, text: LocalizedText) -> None:
        super().__init__(str(text))
        self.text = text


@dataclass(frozen=True)
class PrivateAccess:
    """Which private addresses may be asked: `everything` but link-local ones, or what is named."""

    everything: bool = False
    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, allowed: bool | Collection[str]) -> Self:
        """Return what a setting allows: all, nothing, or these hosts and networks.

        Raises `PrivateAccessError` for an entry that is neither, or is never asked.
        """
        if isinstance(allowed, bool):
            return cls(everything=allowed)
        hosts: set[str] = set()
        networks: list[Network] = []
        for entry in allowed:
            network = _network(entry)
            if network is None:
                hosts.add(_host_name(entry))
            elif any(network[0] in never and network[-1] in never for never in _NEVER):
                raise PrivateAccessError(localized("value-link-local", entry=entry))
            else:
                networks.append(network)
        return cls(hosts=frozenset(hosts), networks=tuple(networks))

    def allows(self, host: str, address: str) -> bool:
        """Tell whether `address`, to which `host` resolves, may be asked although it is private."""
        if is_never_asked(address):
            return False
        return self.everything or self._names(host) or self._contains(address)

    def allows_host(self, host: str) -> bool:
        """Tell whether links to a private host may be used; nothing is resolved."""
        host = host.lower().rstrip(".")
        address = _literal(host)
        if address is not None:
            return self.allows(host, address)
        return self.everything or self._names(host)

    def _names(self, host: str) -> bool:
        return host.lower().rstrip(".") in self.hosts

    def _contains(self, address: str) -> bool:
        return any(
            ip in network for ip in _with_embedded(_parsed(address)) for network in self.networks
        )


def _parsed(address: str) -> Address:
    return ipaddress.ip_address(address.partition("%")[0])


def _with_embedded(ip: Address) -> Iterator[Address]:
    """Yield an address, and the IPv4 address that it stands for."""
    yield ip
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            yield inner


def _is_global(ip: Address) -> bool:
    embeds = isinstance(ip, ipaddress.IPv6Address) and len(list(_with_embedded(ip))) > 1
    if embeds:  # judged by what it stands for
        return True
    if any(ip in network for network in (*_NOT_GLOBAL, *_NEVER)):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _is_written_as_address(host: str) -> bool:
    return ":" in host or bool(_NUMERIC_HOST.fullmatch(host))


def _literal(host: str) -> str | None:
    """Return the address that a host is written as, in any notation of inet_aton; None for a name."""
    if not _is_written_as_address(host):
        return None
    try:
        text = host if ":" in host else socket.inet_ntoa(socket.inet_aton(host))
        return str(_parsed(text))
    except (OSError, ValueError):
        return None


def _network(entry: str) -> Network | None:
    try:
        return ipaddress.ip_network(entry.strip().strip("[]"), strict=False)
    except ValueError:
        return None


def _host_name(entry: str) -> str:
    try:
        host = ascii_host(entry.strip()).rstrip(".")
    except UnicodeError:
        host = ""
    if not _HOST_NAME.fullmatch(host) or _is_written_as_address(host):
        raise PrivateAccessError(localized("value-no-private-host", entry=entry))
    return host
