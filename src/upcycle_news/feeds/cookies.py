"""Cookies of one chain of redirects (RFC 6265): kept for it alone, shown only to the host that set them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from email.message import Message
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request

MAX_HEADER = 8 * 1024  # characters; servers refuse more


class RedirectCookies:
    """A jar for each host of a chain, so that a Domain attribute opens no other host."""

    def __init__(self) -> None:
        self._jars: defaultdict[str, CookieJar] = defaultdict(_jar)

    def store(self, url: str, values: Sequence[bytes]) -> None:
        """Keep what a response from `url` sets: the values of its Set-Cookie fields."""
        if values:
            answer = _Answer([value.decode("latin-1") for value in values])
            self._jars[_host(url)].extract_cookies(answer, Request(url))  # type: ignore[arg-type]  # noqa: S310

    def header(self, url: str) -> str:
        """Return the Cookie field for a request of `url`, empty without cookies for it."""
        if (jar := self._jars.get(_host(url))) is None:
            return ""
        request = Request(url)  # noqa: S310  it is only asked for its parts
        jar.add_cookie_header(request)
        value = request.get_header("Cookie", "")
        # A control character would be a second field of the request.
        usable = len(value) <= MAX_HEADER and re.fullmatch(r"[ -~\xa0-\xff]+", value)
        return value if usable else ""


class _Answer:
    """What a jar asks of a response: its header fields."""

    def __init__(self, cookies: Sequence[str]) -> None:
        self._fields = Message()
        for cookie in cookies:
            self._fields["Set-Cookie"] = cookie

    def info(self) -> Any:
        return self._fields


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _jar() -> CookieJar:
    return CookieJar(DefaultCookiePolicy(netscape=True, rfc2965=False))
