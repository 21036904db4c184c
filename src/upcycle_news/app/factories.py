"""Settings become values: what the newsroom needs and no live object is part of."""

from __future__ import annotations

from datetime import time
from zoneinfo import ZoneInfo

from pydantic import BaseModel, SecretStr

from upcycle_news.config.sections import RelaySettings
from upcycle_news.config.settings import FILE_NAME, Settings
from upcycle_news.delivery.send_window import Window
from upcycle_news.errors import SettingsError
from upcycle_news.models import Rate, Relay
from upcycle_news.storage.quotas import Quotas

_DEFAULT_PORTS = {"tls": 465, "starttls": 587, "none": 25}
_SAMPLES = ("example", "test", "invalid", "localhost", "example.org", "example.com", "example.net")


def is_sample(address: str) -> bool:
    """Whether a web address or a host is nobody's (RFC 2606), or none at all."""
    host = address.rpartition("://")[2].partition("/")[0].partition(":")[0]
    return not host or any(host == name or host.endswith(f".{name}") for name in _SAMPLES)


def relay_of(name: str, told: RelaySettings) -> Relay:
    """A relay as the postroom knows it; the port follows from the security."""
    return Relay(
        name=name,
        host=told.host,
        port=told.port or _DEFAULT_PORTS[told.security],
        security=told.security,
        username=told.username,
        password=told.password.get_secret_value(),
        connections=told.connections,
        timeout=told.timeout,
        messages_per_connection=told.messages_per_connection,
        processes=told.processes,
    )


def failover_of(settings: Settings, relay: Relay) -> Relay | None:
    """The relay that stands in for `relay`, if one does; raises `SettingsError`."""
    there = settings.relays.get(relay.name)
    if there is None or not there.failover:
        return None
    second = settings.relays.get(there.failover)
    if second is None or not second.host or there.failover == relay.name:
        raise SettingsError(
            FILE_NAME,
            None,
            f"relays.{relay.name}.failover names {there.failover!r}, which is not another "
            "relay with a host",
        )
    return relay_of(there.failover, second)


def quotas_of(settings: Settings, relay: str, sender: str) -> Quotas:
    """What may be sent over a relay in our name."""
    told = settings.quotas
    there = settings.relays.get(relay)
    return Quotas(
        relay=_rates(there.quotas if there else ()),
        relay_name=relay,
        sender=_rates(told.sender),
        sender_address=sender,
        domains=tuple((name.lower(), _rates(told.domains[name])) for name in told.domains),
    )


def window_of(settings: Settings, timezone: str) -> Window | None:
    """The send window in the issue's time zone, or None when it is always open."""
    told = settings.window
    if not told.start:
        return None
    start, end = time.fromisoformat(told.start), time.fromisoformat(told.end)
    return Window(start, end, ZoneInfo(timezone), frozenset(told.days))


def secrets_of(part: BaseModel) -> tuple[str, ...]:
    """Every secret of the settings, so that no log ever shows one."""
    found: list[str] = []
    for value in (getattr(part, name) for name in type(part).model_fields):
        parts = value.values() if isinstance(value, dict) else (value,)
        for one in parts:
            if isinstance(one, SecretStr):
                found.append(one.get_secret_value())
            elif isinstance(one, BaseModel):
                found += secrets_of(one)
    return tuple(secret for secret in found if secret)


def _rates(texts: tuple[str, ...] | list[str]) -> tuple[Rate, ...]:
    return tuple(Rate.parse(text) for text in texts)
