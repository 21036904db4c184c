"""The settings of the postroom: relays, retries, quotas, the window and DKIM."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from upcycle_news.settings_types import Line, Quota, Table, TimeOfDay


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
