"""Base class and checked string types of the settings."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr

from upcycle_news.config.errors import UnusableValueError
from upcycle_news.errors import AddressError, UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import EmailAddress, Rate
from upcycle_news.text.private_hosts import PrivateAccess, PrivateAccessError
from upcycle_news.text.urls import BadLinkError, safe_link


def _address(text: str) -> str:
    try:
        return EmailAddress.parse(text).address if text else ""
    except AddressError as error:
        raise UnusableValueError(error.localized_text) from None


def _url(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query):
        raise UnusableValueError(localized("value-web-address"))
    return text.rstrip("/")


def _origin(text: str) -> str:
    """Return an origin as browsers send it (RFC 6454, 6.2): no path, small letters, no usual port."""
    parts = urlsplit(text)
    try:
        port = parts.port
    except ValueError:
        raise UnusableValueError(localized("value-origin")) from None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    origin = f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, usual) else "")
    if usual is None or not host or not text.isascii() or parts.path not in ("", "/"):
        raise UnusableValueError(localized("value-origin"))
    if "*" in host or "@" in parts.netloc or parts.query or parts.fragment:
        raise UnusableValueError(localized("value-origin"))
    return origin


def _feed_url(text: str) -> str:
    try:
        if "@" in text.partition("//")[2].partition("/")[0]:
            raise BadLinkError(localized("feed-url-user"))
        return safe_link(text.strip())
    except BadLinkError as error:
        reason = error.about(localized("href-it"))
        raise UnusableValueError(localized("feed-url", reason=reason)) from None


def _git_address(text: str) -> str:
    """Return where git pushes to: an address, ``user@host:path`` or a folder, without a password."""
    _single_line(text)
    if (
        text.startswith("-") or "::" in text
    ):  # an option, or a command of one's own (gitremote-helpers)
        raise UnusableValueError(localized("value-git-address"))
    login = text.partition("://")[2].partition("/")[0].rpartition("@")[0]
    if login and (":" in login or text.startswith(("http://", "https://"))):
        raise UnusableValueError(localized("value-git-password"))
    return text.strip()


def _zone(text: str) -> str:
    if text not in available_timezones():
        raise UnusableValueError(localized("value-time-zone"))
    return text


def _single_line(text: str) -> str:
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise UnusableValueError(localized("value-one-line"))
    return text.strip()


def _quota(text: str) -> str:
    try:
        Rate.parse(text)
    except UpcycleError:
        raise UnusableValueError(localized("value-quota")) from None
    return text.strip()


def _provider_name(text: str) -> str:
    """Return a name as all providers take it in a header, the strictest being the tags of Amazon SES."""
    if text and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text):
        raise UnusableValueError(localized("value-provider-name"))
    return text


def _url_secret(value: SecretStr) -> SecretStr:
    """Return a secret that stands in an address, or an empty one; the error does not repeat it."""
    if value and not re.fullmatch(r"[A-Za-z0-9_-]{20,200}", value.get_secret_value()):
        raise UnusableValueError(localized("value-url-secret"))
    return value


def _time_of_day(text: str) -> str:
    if text and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise UnusableValueError(localized("value-time-of-day"))
    return text


def _metrics_access(value: object) -> object:
    if value in ("loopback", "off"):
        return value
    try:
        if isinstance(value, list | tuple):
            return tuple(str(ipaddress.ip_network(network)) for network in value)
    except ValueError:
        pass  # the sentence below is clearer
    raise UnusableValueError(localized("value-metrics"))


_BOOLEANS = ("true", "false", "yes", "no", "on", "off", "1", "0")


def _private_access(value: object) -> object:
    if isinstance(value, str) and re.search(r"[.:]|^localhost$", value):  # from the environment
        value = [entry.strip() for entry in value.split(",") if entry.strip()]
    if isinstance(value, list | tuple) and all(isinstance(entry, str) for entry in value):
        try:
            PrivateAccess.parse(value)
        except PrivateAccessError as error:
            raise UnusableValueError(error.text) from None
        return tuple(entry.strip() for entry in value)
    if isinstance(value, bool) or str(value).lower() in _BOOLEANS:
        return value
    raise UnusableValueError(localized("value-private-access"))


Line = Annotated[str, AfterValidator(_single_line)]
Address = Annotated[str, AfterValidator(_address)]
Url = Annotated[str, AfterValidator(_url)]
Origin = Annotated[str, AfterValidator(_origin)]
FeedUrl = Annotated[str, AfterValidator(_feed_url)]
GitAddress = Annotated[str, AfterValidator(_git_address)]
Zone = Annotated[str, AfterValidator(_zone)]
Quota = Annotated[str, AfterValidator(_quota)]
UrlSecret = Annotated[SecretStr, AfterValidator(_url_secret)]
ProviderName = Annotated[str, AfterValidator(_provider_name)]
TimeOfDay = Annotated[str, AfterValidator(_time_of_day)]

MetricsAccess = Annotated[
    Literal["loopback", "off"] | tuple[str, ...], BeforeValidator(_metrics_access)
]


AllowPrivate = Annotated[bool | tuple[str, ...], BeforeValidator(_private_access)]


class Table(BaseModel):
    """A table of newsletter.toml: frozen, and unknown keys are an error.

    Its validator is made with that of `Settings`, as a part of it, and not a second time for itself.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
