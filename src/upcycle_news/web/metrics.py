"""`/metrics`: for this machine and the networks of `web.metrics` only.

Behind a proxy on this machine every client comes from 127.0.0.1. So "this machine" means: the
connection comes from loopback, names a loopback host, and no header says that it was forwarded.
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

MetricsAccess = Literal["loopback", "off"] | tuple[str, ...]
"""Who may see the metrics: this machine, nobody, or this machine and these networks."""

PEER = "upcycle_news.peer"
# Headers that proxies add: RFC 7239, RFC 9110 section 7.6.3, and those of single products.
_PASSED_ON = ("forwarded", "via", "x-real-ip", "x-original-uri", "cf-connecting-ip", "cdn-loop")


class PeerMiddleware:
    """ASGI middleware that records the real peer before `ProxyHeadersMiddleware` replaces it."""

    def __init__(self, app: Any) -> None:
        """`app` finds the address in ``scope[PEER]``."""
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Call the application with the peer's address in its scope."""
        client = scope.get("client")
        await self._app({**scope, PEER: client[0] if client else ""}, receive, send)


def may_see_metrics(
    access: MetricsAccess, *, peer: str, client: str, headers: Mapping[str, str], http_version: str
) -> bool:
    """Return True if this client may see the metrics.

    `peer` is the other end of the connection, `client` what trusted proxies say it is.
    """
    if access == "off":
        return False
    if _is_direct_from_loopback(peer, headers, http_version):
        return True
    return access != "loopback" and _within(client, access)


def _is_direct_from_loopback(peer: str, headers: Mapping[str, str], http_version: str) -> bool:
    passed_on = any(name in _PASSED_ON or name.startswith("x-forwarded-") for name in headers)
    host = headers.get("host", "")
    name = host.partition("]")[0].strip("[") if host.startswith("[") else host.partition(":")[0]
    names_loopback = name == "localhost" or _within(name, _LOOPBACK)
    return _within(peer, _LOOPBACK) and names_loopback and not passed_on and http_version != "1.0"


_LOOPBACK = ("127.0.0.0/8", "::1/128")


def _within(address: str, networks: Iterable[str]) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in ipaddress.ip_network(network, strict=False) for network in networks)


class MetricsEndpoint:
    """Serves `/metrics`; the exporter is created with the first permitted request."""

    def __init__(self, handlers: Handlers, access: MetricsAccess) -> None:
        """`access` is the setting `web.metrics`."""
        self._handlers, self._access = handlers, access

    async def show(self, request: Request) -> Response:
        """Return the metrics; 404, as for an unknown path, to clients that may not see them."""
        client = request.client.host if request.client else ""
        if not may_see_metrics(
            self._access,
            peer=request.scope.get(PEER, ""),
            client=client,
            headers=request.headers,
            http_version=request.scope.get("http_version", ""),
        ):
            return self._handlers.error_page(request, "missing", 404)
        text, kind = await self._handlers.run_in_thread(self._text)
        return Response(text, headers={"Content-Type": kind})

    def _text(self) -> tuple[bytes, str]:
        from upcycle_news.api.monitoring import (
            CONTENT_TYPE,  # only with the first permitted request
        )

        return self._handlers.app.monitoring.metrics(), CONTENT_TYPE
