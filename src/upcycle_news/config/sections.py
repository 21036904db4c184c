"""The settings of the postroom: relays, retries, quotas, the window and DKIM."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from upcycle_news.config.types import (
    Line,
    MetricsAccess,
    Quota,
    Table,
    TimeOfDay,
    Url,
)


class CockpitSettings(Table):
    """`[cockpit]`: the runs that wait for people, and the alarms."""

    editors: Line = Field("", description="The group that is reminded of a waiting approval.")
    operators: Line = Field("", description="The group that gets alarms by mail.")
    approval_hours: float = Field(
        48.0, gt=0, description="How long an issue waits for its approval."
    )
    reminder_hours: float = Field(
        6.0, ge=0, description="So long before the end the editors are reminded; 0: never."
    )
    slow_relay_seconds: float = Field(
        10.0, ge=0, description="A relay is slow when half of its answers take longer; 0: never."
    )
    slow_relay_factor: float = Field(
        5.0, ge=0, description="Or so many times as long as in the five issues before; 0: never."
    )


class LogSettings(Table):
    """`[log]`: events with ids and counts, on standard error."""

    format: Literal["text", "json"] = Field(
        "text", description="One line an event: for people, or as JSON for a program."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="What is told; `info` for services, as in deploy/."
    )


class BackupSettings(Table):
    """`[backup]`: the copies of the store that `upcycle-news backup` makes."""

    folder: Line = Field(
        "", description="Where backups are put, from the root; default: backups in the state."
    )
    keep: int = Field(14, ge=0, description="So many backups are kept there; 0: all of them.")


class ArchiveSettings(Table):
    """`[archive]`: the web pages of all issues (`upcycle-news archive build`)."""

    url: Url = Field(
        "", description="Where the folder is published if not at public_url, without final slash."
    )
    command: tuple[Line, ...] = Field(
        (), description="Run after each change, word by word; `{folder}` is the archive's folder."
    )
    index_html: bool = Field(
        False, description="Links name index.html: for reading from disk, or hosts without it."
    )


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


class RelaySettings(Table):
    """`[relays.NAME]`: an SMTP server that takes our mail; `main` is used, others as failover."""

    host: Line = Field("", description="Its name; empty: the embedded mailbox is used.")
    port: int = Field(0, ge=0, le=65535, description="Default 587, or 465 with security = tls.")
    security: Literal["none", "starttls", "tls"] = Field(
        "starttls", description="`none` only for a relay on this machine."
    )
    username: str = Field("", description="Empty: no login.")
    password: SecretStr = Field(SecretStr(""), description="From the environment or a file only.")
    connections: int = Field(
        1, ge=1, le=64, description="At the same time, shared by the processes that send."
    )
    processes: int = Field(
        0,
        ge=0,
        le=64,
        description="That send; 0: one, and for 2,000 deliveries and more one for each core.",
    )
    messages_per_connection: int = Field(
        0, ge=0, description="Then a new connection is opened; 0: no limit. Yahoo wants 20."
    )
    quotas: tuple[Quota, ...] = Field(
        (),
        description="Messages it takes, such as 14/s, 30/min, 1000/h, 50000/d; all of them hold.",
    )
    timeout: float = Field(30.0, gt=0, description="Seconds to wait for an answer.")
    failover: Line = Field(
        "", description="The relay that takes over what was never tried when this one is away."
    )


class RetrySettings(Table):
    """`[retry]`: what happens to a delivery that was deferred or whose reply was lost."""

    first_seconds: float = Field(60.0, gt=0, description="First back-off; it doubles, with jitter.")
    give_up_hours: float = Field(24.0, gt=0, description="After this a deferred mail is rejected.")
    patience_seconds: float = Field(
        15.0, ge=0, description="How long a sending command waits for a retry before it returns."
    )
    max_lateness_hours: float = Field(
        0.0, ge=0, description="An older issue is refused rather than sent late; 0: never."
    )
    stalled_minutes: float = Field(
        10.0, gt=0, description="Without any progress for so long a send is reported as stalled."
    )
    unknown: Literal["hold", "resend"] = Field(
        "hold", description="After a crash: hold what may have been sent, or send it again."
    )


class QuotaSettings(Table):
    """`[quotas]`: how much may be sent, beside the quotas of each relay."""

    sender: tuple[Quota, ...] = Field((), description="From our address, over all relays.")
    domains: dict[str, tuple[Quota, ...]] = Field(
        default_factory=dict,
        description='To a domain: "gmx.de" = ["30/min"]; "*" for each other domain.',
    )


class WindowSettings(Table):
    """`[window]`: when mail may go out, on the clock of the publication's time zone."""

    start: TimeOfDay = Field("", description="Such as 08:00; empty: at any time.")
    end: TimeOfDay = Field("", description="Such as 20:00; earlier than start: on the next day.")
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = Field(
        ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
        min_length=1,
        description="The days on which it opens.",
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if bool(self.start) != bool(self.end):
            raise ValueError("a window needs both start and end")
        return self


class DkimSettings(Table):
    """`[dkim]`: sign the mail here; most relays sign, then leave it empty."""

    domain: Line = Field("", description="The signing domain; default: that of the From address.")
    selector: Line = Field("", description="Names the RSA key in DNS; empty: no signature here.")
    rsa_key: SecretStr = Field(
        SecretStr(""), description="The RSA key as PEM, from the environment or a file only."
    )
    ed25519_selector: Line = Field("", description="Names a second key in DNS (RFC 8463).")
    ed25519_key: SecretStr = Field(
        SecretStr(""), description="The Ed25519 key as PEM, from the environment or a file only."
    )


class AudienceSettings(Table):
    """`[audience]`: how people join, and what they may choose."""

    topics: tuple[Line, ...] = Field((), description="What subscribers may choose from.")
    confirm_days: int = Field(
        7, ge=1, le=90, description="A sign-up not confirmed by then expires and is deleted."
    )
    cooldown_minutes: int = Field(
        1440, ge=1, description="No second confirmation mail to an address before this."
    )
    keep_ip: bool = Field(False, description="Keep the IP address of a sign-up as further proof.")


class WebSettings(Table):
    """`[web]`: the pages for subscribing and leaving (`upcycle-news web`)."""

    host: Line = Field("127.0.0.1", description="Where the pages answer; a proxy stands before.")
    port: int = Field(8040, ge=0, le=65535, description="The port of the pages.")
    signups_per_hour: int = Field(
        20, ge=1, description="Sign-ups from one network (IPv4 /24, IPv6 /56) at the most."
    )
    trusted_proxies: tuple[Line, ...] = Field(
        ("127.0.0.1",), description="Whose X-Forwarded-For is believed."
    )
    metrics: MetricsAccess = Field(
        "loopback",
        description='Who may see /metrics: this machine, or also networks: ["10.1.0.0/16"].',
    )


class InboxSettings(Table):
    """`[inbox]`: where bounces and replies arrive; an IMAP server, or a Maildir on this machine."""

    host: Line = Field("", description="IMAP server; empty: none.")
    port: int = Field(
        0, ge=0, le=65535, description="Default 993, or 143 with security = starttls."
    )
    security: Literal["none", "starttls", "tls"] = Field(
        "tls", description="`none` only for a server on this machine."
    )
    username: str = Field("", description="The mailbox's user.")
    password: SecretStr = Field(SecretStr(""), description="From the environment or a file only.")
    folder: Line = Field("INBOX", description="The folder that is read.")
    processed: Line = Field("processed", description="Where handled mail is moved to.")
    maildir: str = Field("", description="A Maildir instead of an IMAP server.")


class BouncesSettings(Table):
    """`[bounces]`: when mail that comes back ends a subscription, and when it is an alarm."""

    soft_threshold: float = Field(
        3.0,
        gt=0,
        description="Soft bounces, older ones counting less, until an address is suppressed.",
    )
    half_life_days: float = Field(
        30.0, gt=0, description="After this a soft bounce counts half, then a quarter."
    )
    keep_days: int = Field(30, ge=1, description="How long raw reports are kept for inspection.")
    alarm_bounces_percent: float = Field(5.0, gt=0, description="Of an issue; more is an alarm.")
    alarm_complaints_percent: float = Field(0.1, gt=0, description="Of an issue; more is an alarm.")
