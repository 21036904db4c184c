"""The sockets that the pages answer on: handed over by systemd, or bound here."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized

KERNEL_QUEUE = 512
"""Connections that the kernel keeps while the process is busy or starts (listen(2))."""

_FIRST_DESCRIPTOR = 3  # sd_listen_fds(3)


@dataclass(frozen=True)
class Listener:
    """Listening sockets, and the address that people may open. `inherited`: they are systemd's."""

    sockets: tuple[socket.socket, ...]
    url: str
    inherited: bool


def listen(host: str, port: int, environment: Mapping[str, str] = os.environ) -> Listener:
    """Return the sockets of systemd if it started this process with some, else bind `host`:`port`.

    Raises `UpcycleError` with a sentence when the port is busy, the address is none of this machine,
    or the system does not allow it.
    """
    inherited = _inherited(environment)
    if inherited:
        return Listener(inherited, _url(inherited[0]), inherited=True)
    bound = _bind(host, port)
    return Listener(bound, _url(bound[0]), inherited=False)


def _inherited(environment: Mapping[str, str]) -> tuple[socket.socket, ...]:
    """Return the sockets that systemd hands over (sd_listen_fds(3)); none if it did not mean us."""
    count = environment.get("LISTEN_FDS", "")
    if environment.get("LISTEN_PID") != str(os.getpid()) or not count.isdigit():
        return ()
    sockets = []
    for descriptor in range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + int(count)):
        os.set_inheritable(descriptor, False)  # no child keeps the port open
        one = socket.socket(fileno=descriptor)
        one.setblocking(False)
        sockets.append(one)
    return tuple(sockets)


def _bind(host: str, port: int) -> tuple[socket.socket, ...]:
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError):
        raise UpcycleError(localized("web-host-unknown", host=host)) from None
    sockets: list[socket.socket] = []
    problem: OSError | None = None
    for family, kind, protocol, _, address in dict.fromkeys(found):
        if sockets and port == 0:
            break  # a free port of one family may be taken in the other
        one = socket.socket(family, kind, protocol)
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
            one.listen(KERNEL_QUEUE)
            one.setblocking(False)
        except OSError as error:
            one.close()
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                problem = error  # a machine without IPv6 has "localhost" there as well
                continue
            _close(sockets)
            raise _refused(host, port, error) from None
        sockets.append(one)
    if not sockets:
        raise _refused(host, port, problem or OSError()) from None
    return tuple(sockets)


def _close(sockets: list[socket.socket]) -> None:
    for one in sockets:
        one.close()


def _refused(host: str, port: int, error: OSError) -> UpcycleError:
    where = str(port)
    if error.errno == errno.EADDRINUSE:
        return UpcycleError(localized("web-port-busy", host=host, port=where))
    if error.errno == errno.EADDRNOTAVAIL:
        return UpcycleError(localized("web-host-elsewhere", host=host))
    if error.errno in (errno.EACCES, errno.EPERM):
        return UpcycleError(localized("web-port-forbidden", host=host, port=where))
    why = error.strerror or type(error).__name__
    return UpcycleError(localized("web-cannot-listen", host=host, port=where, why=why))


def _url(one: socket.socket) -> str:
    name = one.getsockname()
    if not isinstance(name, tuple):
        return str(name)  # a socket in the file system
    host, port = str(name[0]), name[1]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
