"""Builds values from settings: relays, quotas, the send window. Pure functions."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pydantic import BaseModel, SecretStr

from upcycle_news.config.sections import RelaySettings
from upcycle_news.config.settings import FILE_NAME, PREFIX, Settings
from upcycle_news.errors import SettingsError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Rate, Relay

if TYPE_CHECKING:
    from upcycle_news.delivery.send_window import SendWindow
    from upcycle_news.storage.quotas import Quotas

_DEFAULT_PORTS = {"tls": 465, "starttls": 587, "none": 25}
_SAMPLES = ("example", "test", "invalid", "localhost", "example.org", "example.com", "example.net")


def is_sample_host(address: str) -> bool:
    """True for a URL or host reserved for examples (RFC 2606), and for an empty one."""
    host = address.rpartition("://")[2].partition("/")[0].partition(":")[0]
    return not host or any(host == name or host.endswith(f".{name}") for name in _SAMPLES)


def raise_without_password(table: str, username: str, password: SecretStr) -> None:
    """Raise `SettingsError` when the table has a user name and no password, before it is tried."""
    if username and not password.get_secret_value():
        variable = f"{PREFIX}{table.upper().replace('.', '__')}__PASSWORD"
        message = localized("password-missing", table=table, variable=variable)
        raise SettingsError(FILE_NAME, None, message)


def build_relay(name: str, settings: RelaySettings) -> Relay:
    """Return the relay of these settings; the default port follows from `security`.

    Raises `SettingsError` for a user name without a password: many servers count such a login as an
    attack.
    """
    raise_without_password(f"relays.{name}", settings.username, settings.password)
    return Relay(
        name=name,
        host=settings.host,
        port=settings.port or _DEFAULT_PORTS[settings.security],
        security=settings.security,
        username=settings.username,
        password=settings.password.get_secret_value(),
        connections=settings.connections,
        timeout=settings.timeout,
        messages_per_connection=settings.messages_per_connection,
        processes=settings.processes,
        provider=settings.provider,
        configuration_set=settings.configuration_set,
        stream=settings.stream,
        tag=settings.tag,
    )


def failover_relay(settings: Settings, relay: Relay) -> Relay | None:
    """Return the relay that takes over for `relay`, if one is configured; raises `SettingsError`."""
    primary = settings.relays.get(relay.name)
    if primary is None or not primary.failover:
        return None
    second = settings.relays.get(primary.failover)
    if second is None or not second.host or primary.failover == relay.name:
        raise SettingsError(
            FILE_NAME,
            None,
            localized("relay-failover", name=relay.name, failover=primary.failover),
        )
    return build_relay(primary.failover, second)


def build_quotas(settings: Settings, relay: str, sender: str) -> Quotas:
    """Return the quotas of a relay and a sender address."""
    from upcycle_news.storage.quotas import Quotas

    quotas = settings.quotas
    relay_settings = settings.relays.get(relay)
    return Quotas(
        relay=_rates(relay_settings.quotas if relay_settings else ()),
        relay_name=relay,
        sender=_rates(quotas.sender),
        sender_address=sender,
        domains=tuple((name.lower(), _rates(quotas.domains[name])) for name in quotas.domains),
    )


def build_send_window(settings: Settings, timezone: str) -> SendWindow | None:
    """Return the send window in `timezone`, or None when it is always open."""
    from upcycle_news.delivery.send_window import SendWindow

    window = settings.window
    if not window.start:
        return None
    start, end = time.fromisoformat(window.start), time.fromisoformat(window.end)
    return SendWindow(start, end, ZoneInfo(timezone), frozenset(window.days))


def secret_values(part: BaseModel) -> tuple[str, ...]:
    """Return every non-empty secret of the settings, so that logs can mask them."""
    secrets: list[str] = []
    for value in (getattr(part, name) for name in type(part).model_fields):
        parts = value.values() if isinstance(value, dict) else (value,)
        for item in parts:
            if isinstance(item, SecretStr):
                secrets.append(item.get_secret_value())
            elif isinstance(item, BaseModel):
                secrets += secret_values(item)
    return tuple(secret for secret in secrets if secret)


def _rates(texts: tuple[str, ...] | list[str]) -> tuple[Rate, ...]:
    return tuple(Rate.parse(text) for text in texts)
