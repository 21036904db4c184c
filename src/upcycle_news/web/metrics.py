"""`/metrics` of the web door: for this machine, or the networks of the settings, and nobody else.

Behind a proxy on this machine the whole world comes from 127.0.0.1. So "this machine" means: the
connection comes from loopback, names a loopback host, and nothing says that somebody passed it on.
A proxy that hides all three (nginx without any header line and with its old HTTP/1.0) is caught by
the protocol's version; the examples in deploy/ answer 404 themselves.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response

from upcycle_news.web.handlers import Handlers

Who = Literal["loopback", "off"] | tuple[str, ...]

PEER = "upcycle_news.peer"
# What proxies add: RFC 7239, RFC 9110 section 7.6.3, and everybody's own.
_PASSED_ON = ("forwarded", "via", "x-real-ip", "x-original-uri", "cf-connecting-ip", "cdn-loop")


class PeerMiddleware:
    """ASGI middleware outside of the one that believes proxies: who is really at the other end."""

    def __init__(self, app: Any) -> None:
        """`app` finds the address in ``scope[PEER]``."""
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on."""
        client = scope.get("client")
        await self._app({**scope, PEER: client[0] if client else ""}, receive, send)


def may_see_metrics(
    who: Who, *, peer: str, client: str, headers: Mapping[str, str], http_version: str
) -> bool:
    """Whether the figures are for this visitor.

    `peer` is the other end of the connection, `client` what trusted proxies say it is.
    """
    if who == "off":
        return False
    if _direct(peer, headers, http_version):
        return True
    return who != "loopback" and _within(client, who)


def _direct(peer: str, headers: Mapping[str, str], http_version: str) -> bool:
    passed_on = any(name in _PASSED_ON or name.startswith("x-forwarded-") for name in headers)
    host = headers.get("host", "")
    name = host.partition("]")[0].strip("[") if host.startswith("[") else host.partition(":")[0]
    here = name == "localhost" or _within(name, _LOOPBACK)
    return _within(peer, _LOOPBACK) and here and not passed_on and http_version != "1.0"


_LOOPBACK = ("127.0.0.0/8", "::1/128")


def _within(address: str, networks: Iterable[str]) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in ipaddress.ip_network(network, strict=False) for network in networks)


class Metrics:
    """Answers `/metrics`; the figures are asked for when the first one comes who may see them."""

    def __init__(self, handlers: Handlers, who: Who) -> None:
        """`who` is the setting `web.metrics`."""
        self._handlers, self._who = handlers, who
        self._meter: Any = None

    async def show(self, request: Request) -> Response:
        """The figures; 404, as for anything that is not there, to everybody else."""
        client = request.client.host if request.client else ""
        if not may_see_metrics(
            self._who,
            peer=request.scope.get(PEER, ""),
            client=client,
            headers=request.headers,
            http_version=request.scope.get("http_version", ""),
        ):
            return self._handlers.plain(request, "missing", 404)
        text, kind = await self._handlers.in_thread(self._text)
        return Response(text, headers={"Content-Type": kind})

    def _text(self) -> tuple[bytes, str]:
        from upcycle_news.services.monitoring import metrics

        self._meter = self._meter or metrics.MetricsExporter(self._handlers.context)
        return self._meter.text(), metrics.CONTENT_TYPE
