"""The settings of everything about people: joining, the pages, and what comes back."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from upcycle_news.settings_types import Line, Table, Visitors


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
    metrics: Visitors = Field(
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
