"""The tables of newsletter.toml, in the order of `Settings`; each field becomes a row of the reference."""

from __future__ import annotations

import base64
import ipaddress
from datetime import date
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, model_validator

from upcycle_news.config.errors import UnusableValueError
from upcycle_news.config.types import (
    Address,
    AllowPrivate,
    FeedUrl,
    GitAddress,
    Line,
    MetricsAccess,
    Origin,
    ProviderName,
    Quota,
    Table,
    TimeOfDay,
    Url,
    UrlSecret,
    Zone,
)
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Length
from upcycle_news.models.sns_topic import SnsTopic
from upcycle_news.models.webhook_secret import WebhookSecret
from upcycle_news.text.private_hosts import PrivateAccess, is_private_host

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class PublicationSettings(Table):
    """`[publication]`: what the newsletter is called and where it lives on the web."""

    name: Line = Field("Newsletter", min_length=1, description="The name in the masthead.")
    tagline: Line = Field("", description="One line below the name.")
    language: Literal["de", "en"] = Field("de", description="The language of the mail's own words.")
    timezone: Zone = Field(
        "Europe/Berlin", description="Decides which day it is and when the window is open."
    )
    public_url: Url = Field(
        "", description="Where confirm, unsubscribe and archive pages answer, without final slash."
    )
    closing_note: str = Field("", description="A sentence to the readers at the end of each issue.")

    @property
    def zone(self) -> ZoneInfo:
        """The time zone as a `ZoneInfo`."""
        return ZoneInfo(self.timezone)


class LanguageSettings(Table):
    """`[languages.en]`: a language that readers may choose beside `publication.language`, and its words.

    What is empty is as in `[publication]` and `[imprint]`, apart from the closing note.
    """

    de: Line = Field("", description="What pages in German call it; default: its own name.")
    en: Line = Field("", description="What pages in English call it; default: its own name.")
    name: Line = Field("", description="The name in the masthead.")
    tagline: Line = Field("", description="One line below the name.")
    closing_note: str = Field("", description="A sentence to the readers at the end of each issue.")
    imprint: tuple[Line, ...] = Field((), description="The lines of the imprint.")
    imprint_url: Url = Field("", description="The page of the imprint in this language.")
    privacy_url: Url = Field("", description="The page about privacy in this language.")


class TopicSettings(Table):
    """`[topics.NAME]`: what readers see of a topic, by language; NAME is as in essays and feeds."""

    de: Line = Field("", description="What pages and mails in German call it; default: NAME.")
    en: Line = Field("", description="What pages and mails in English call it; default: NAME.")


class SenderSettings(Table):
    """`[sender]`: who writes the mail."""

    name: Line = Field("", description="The name readers see; default: the publication's name.")
    address: Address = Field("", description="The From address; its domain is the one DKIM signs.")
    reply_to: Address = Field("", description="Where answers go; somebody should read them.")
    envelope: Address = Field("", description="Where bounces go; default: the From address.")
    verp: bool = Field(
        False, description="Sign each mail's envelope: bounces+….@ names the delivery (VERP)."
    )
    unsubscribe_mailto: Address = Field(
        "", description="An address whose mail is read as 'unsubscribe', beside the web link."
    )


class ImprintSettings(Table):
    """`[imprint]`: who is responsible (§ 5 DDG); without it nothing is sent."""

    lines: tuple[Line, ...] = Field((), description="Name, postal address, a way to reach you.")
    url: Url = Field("", description="The page of the imprint, linked below these lines.")
    privacy_url: Url = Field("", description="The page about privacy, linked beside it.")


class ChannelSettings(Table):
    """`[[channels]]`: another place where you can be followed; a table for each, in the footer."""

    name: Line = Field(min_length=1, description="What it is called.")
    url: Url = Field(min_length=1, description="Where it is.")


class AuthorSettings(Table):
    """`[[authors]]`: what stands below the texts of an author; a table for each."""

    name: Line = Field(min_length=1, description="The name, as essays have it in `author`.")
    about: Line = Field("", description="One or two sentences about them.")
    portrait: Line = Field("", description="A picture below content/images.")
    about_in: dict[Literal["de", "en"], Line] = Field(
        default_factory=dict,
        description='The same in further languages: `about_in = {en = "…"}`.',
    )


class IssueSettings(Table):
    """`[issue]`: how much goes into one issue."""

    essays: int = Field(5, ge=1, le=50, description="Essays at the most; the newest leads.")
    items: int = Field(6, ge=0, le=100, description="Feed items at the most.")
    per_feed: int = Field(2, ge=1, le=100, description="Items of one feed at the most.")
    per_section: int = Field(
        6, ge=1, le=100, description="Items that belong to one and the same essay at the most."
    )
    max_age_days: int = Field(30, ge=1, le=3650, description="Older feed items stay out.")
    excerpt: int = Field(280, ge=40, le=1000, description="Characters of an excerpt at the most.")
    items_only: bool = Field(False, description="Make an issue even when no essay is new.")
    length: Length = Field(
        "auto", description="Of the leading essay; `auto`: in full while the mail stays small."
    )
    images: Literal["auto", "embedded", "hosted"] = Field(
        "auto",
        description="Pictures in the mail, or below public_url; `auto`: hosted if it is your own.",
    )
    hosts: tuple[Line, ...] = Field(
        (), description="Hosts that a mail may load something from, beside public_url."
    )
    topics: tuple[Line, ...] = Field(
        (), description="Only to readers of these topics, and to those who chose none; empty: all."
    )
    untranslated: Literal["show", "leave_out", "refuse"] = Field(
        "show",
        description="Essays without a translation: shown in the language they have, left out for readers "
        "of the other one (who get nothing where no essay is left), or an error.",
    )
    foreign_items: Literal["leave_out", "show"] = Field(
        "leave_out",
        description="Feed items in other languages, for readers of a language of `[languages]`.",
    )
    variants: int = Field(
        256,
        ge=1,
        le=4096,
        description="Variants by the readers' topics at the most; 1: everybody gets all items.",
    )


class FeedsSettings(Table):
    """`[feeds]`: how feeds are collected."""

    file: str = Field("content/feeds.toml", description="The list of feeds, from the root.")
    vocabulary: str = Field(
        "content/vocabulary.toml",
        description="Concepts and their words, to find items that belong to an essay.",
    )
    allow_private: AllowPrivate = Field(
        False,
        description="Hosts and networks of your own that feeds and links may lead to, such as "
        '["intranet.example.org", "10.1.0.0/16"]; `true`, for trials: all. Link-local: never.',
    )
    refresh_minutes: int = Field(50, ge=0, description="A feed asked more recently is left alone.")
    deadline_seconds: float = Field(30.0, gt=0, description="For one feed, all together.")
    reading_seconds: float = Field(20.0, gt=0, description="For reading one feed once it is here.")
    git_pull: bool = Field(
        True,
        description="Begin with `git pull --ff-only` where content is a checkout with upstream.",
    )
    contact: Line = Field("", description="Named in the User-Agent; default: the sender's address.")


class SourceSettings(Table):
    """`[[sources]]`: a site of one's own whose posts become essays; a table for each."""

    name: Line = Field(min_length=1, max_length=80, description="What editors call it.")
    url: FeedUrl = Field(description="Its feed with whole texts: RSS, Atom or JSON Feed.")
    status: Literal["draft", "ready"] = Field(
        "draft", description="Of the essays: a draft is in no issue, what is ready in the next."
    )
    author: Line = Field("", description="Of posts that name nobody.")
    language: Literal["", "de", "en"] = Field("", description="Default: that of the words.")
    topics: tuple[Line, ...] = Field((), description="Of the essays, beside the post's own.")
    since: date | None = Field(None, description="Posts before this day stay out.")
    active: bool = Field(True, description="Whether it is asked.")


class CollectSettings(Table):
    """`[collect]`: where the drafts of `[[sources]]` go."""

    push: GitAddress = Field(
        "",
        description="Git repository that gets each draft on a branch collected/NAME; "
        "empty: drafts wait for `essay take`.",
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
        description="That send; 0: one, and for 20,000 deliveries (5,000 signed ones) and more one for each core.",
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
        "", description="The relay that takes over untried deliveries when this one is unreachable."
    )
    provider: Literal["", "ses", "postmark", "mailgun", "sendgrid", "brevo", "mailjet"] = Field(
        "",
        description="The provider behind it: each mail tells it to track nothing, and what to name in its "
        "events; empty: mails go out as they are.",
    )
    configuration_set: ProviderName = Field(
        "", description="Of Amazon SES: the configuration set that publishes events."
    )
    stream: ProviderName = Field("", description="Of Postmark: the id of the message stream.")
    tag: ProviderName = Field(
        "", description="What our mail is called in the provider's own statistics."
    )

    @model_validator(mode="after")
    def _options_belong_to_the_provider(self) -> Self:
        for name, provider in (("configuration_set", "ses"), ("stream", "postmark")):
            if getattr(self, name) and self.provider != provider:
                text = localized("value-relay-option", name=name, provider=provider)
                raise UnusableValueError(text)
        if self.tag and not self.provider:
            raise UnusableValueError(localized("value-relay-tag"))
        return self


class RetrySettings(Table):
    """`[retry]`: what happens to a delivery that was deferred or whose reply was lost."""

    first_seconds: float = Field(60.0, gt=0, description="First back-off; it doubles, with jitter.")
    give_up_hours: float = Field(24.0, gt=0, description="After this a deferred mail is rejected.")
    patience_seconds: float = Field(
        15.0,
        ge=0,
        description="How long a sending command waits for a retry, and for a relay that went away.",
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
    """`[window]`: when mail may be sent, in the publication's time zone."""

    start: TimeOfDay = Field("", description="Such as 08:00; empty: at any time.")
    end: TimeOfDay = Field("", description="Such as 20:00; earlier than start: on the next day.")
    days: tuple[Weekday, ...] = Field(
        WEEKDAYS,
        min_length=1,
        description="The days on which it opens.",
    )

    @model_validator(mode="after")
    def _start_and_end_together(self) -> Self:
        if bool(self.start) != bool(self.end):
            raise UnusableValueError(localized("value-window"))
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


def _web_address(value: SecretStr) -> SecretStr:
    """Return a secret http(s) address, or an empty one; the error does not repeat it."""
    url = value.get_secret_value()
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise UnusableValueError(localized("value-https"))
    return value


class CockpitSettings(Table):
    """`[cockpit]`: approvals, reminders and alerts."""

    editors: Line = Field("", description="The group that is reminded of a waiting approval.")
    operators: Line = Field("", description="The group that gets alerts by mail.")
    webhook: Annotated[SecretStr, AfterValidator(_web_address)] = Field(
        SecretStr(""),
        description="An address that alerts are posted to as well, such as a chat's or ntfy's; from "
        "the environment or a file only.",
    )
    webhook_format: Literal["json", "slack", "matrix", "ntfy"] = Field(
        "json",
        description="How that service wants alerts: json (title, message, event, run), slack and matrix "
        "(one text), ntfy (plain text, with title and priority).",
    )
    approval_hours: float = Field(
        48.0, gt=0, description="How long a flow run waits for the approval of an issue."
    )
    reminder_hours: float = Field(
        6.0, ge=0, description="So long before the end the editors are reminded; 0: never."
    )
    reminder_from: TimeOfDay = Field(
        "08:00",
        min_length=5,
        description="No reminder before this; one that would come at night or on a free day comes on the "
        "last morning of a working day before.",
    )
    reminder_until: TimeOfDay = Field("18:00", min_length=5, description="No reminder after this.")
    reminder_days: tuple[Weekday, ...] = Field(
        ("mon", "tue", "wed", "thu", "fri"),
        min_length=1,
        description="The days on which editors work; holidays are not known.",
    )
    slow_relay_seconds: float = Field(
        10.0, ge=0, description="A relay is slow when its median reply takes longer; 0: never."
    )
    slow_relay_factor: float = Field(
        5.0, ge=0, description="Or so many times as long as in the five issues before; 0: never."
    )

    @model_validator(mode="after")
    def _reminders_have_hours(self) -> Self:
        if self.reminder_from >= self.reminder_until:
            raise UnusableValueError(localized("value-reminder-hours"))
        return self


WebhookEvent = Literal[
    "subscriber.confirmed",
    "subscriber.left",
    "subscriber.suppressed",
    "subscriber.unsuppressed",
    "subscriber.forgotten",
    "issue.approved",
    "issue.rejected",
    "issue.sent",
    "issue.paused",
    "issue.stopped",
    "issue.resumed",
    "issue.closed",
    "issue.reopened",
    "issue.cancelled",
    "issue.taken_back",
]


def _webhook_secret(value: SecretStr) -> SecretStr:
    if value.get_secret_value():
        try:
            WebhookSecret.parse(value.get_secret_value())
        except ValueError:
            raise UnusableValueError(localized("value-webhook-secret")) from None
    return value


class WebhookSettings(Table):
    """`[webhooks.NAME]`: a program elsewhere that is told of events, signed (Standard Webhooks)."""

    url: Annotated[SecretStr, AfterValidator(_web_address)] = Field(
        SecretStr(""),
        description="Where events are posted: https, or http on this machine and for hosts of allow_private.",
    )
    secret: Annotated[SecretStr, AfterValidator(_webhook_secret)] = Field(
        SecretStr(""),
        description="Signs them: `whsec_` and base64 of 24 to 64 bytes, two with a blank while the receiver changes "
        "over; from the environment or a file only. Without it nothing is posted.",
    )
    events: tuple[WebhookEvent, ...] = Field(
        (
            "subscriber.confirmed",
            "subscriber.left",
            "subscriber.suppressed",
            "issue.approved",
            "issue.sent",
            "issue.stopped",
            "issue.closed",
        ),
        min_length=1,
        description="Of which events it is told.",
    )
    include_addresses: bool = Field(
        False, description="Name the address of the subscriber that an event is about."
    )
    timeout: float = Field(10.0, gt=0, le=30, description="Seconds for one request, all together.")
    allow_private: AllowPrivate = Field(
        False,
        description="Hosts and networks of your own that the address may lead to, as in "
        "feeds.allow_private; this machine always may.",
    )

    @model_validator(mode="after")
    def _goes_encrypted_or_stays_at_home(self) -> Self:
        url = self.url.get_secret_value()
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.username or parts.password:
            raise UnusableValueError(localized("value-webhook-login"))
        if url and is_private_host(host) and not self.access.allows_host(host):
            raise UnusableValueError(localized("value-webhook-private"))
        # `true` allows every private host, which a public one is not.
        named = is_private_host(host) or self.allow_private is not True
        if url and parts.scheme != "https" and not (named and self.access.allows_host(host)):
            raise UnusableValueError(localized("value-webhook-plain"))
        return self

    @property
    def access(self) -> PrivateAccess:
        """Which private addresses may be asked: this machine only where the address itself names it."""
        allowed = self.allow_private
        if allowed is True:
            return PrivateAccess.parse(True)
        host = (urlsplit(self.url.get_secret_value()).hostname or "").rstrip(".").lower()
        own = () if allowed is False else allowed
        if host == "localhost" or host.endswith(".localhost") or _is_loopback(host):
            own = (*own, "127.0.0.0/8", "::1", host)
        return PrivateAccess.parse(own)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class BrowserSettings(Table):
    """`[browser]`: the Chromium that takes pictures of issues, where one is installed."""

    chromium: Line = Field(
        "auto",
        min_length=1,
        description="Its program; `auto`: chromium, chromium-browser, google-chrome or chrome in "
        "PATH; `off`: no pictures.",
    )
    axe: Line = Field(
        "auto",
        min_length=1,
        description="axe-core's file `axe.min.js`, which examines issues in that Chromium for the report; "
        "`auto`: node_modules of the publication or the system; `off`: not examined.",
    )


class BackupSettings(Table):
    """`[backup]`: the copies of the store that `upcycle-news backup` makes."""

    folder: Line = Field(
        "", description="Where backups are put, from the root; default: backups in the state."
    )
    keep: int = Field(14, ge=0, description="So many backups are kept there; 0: all of them.")


class DeliveriesSettings(Table):
    """`[deliveries]`: how long the store keeps a row for each reader of an issue."""

    pack_after_days: int = Field(
        14,
        ge=0,
        description="The deliveries of an issue are packed so many days after it was closed; 0: never.",
    )


class JournalSettings(Table):
    """`[journal]`: the record of what went out, which tells a store that was lost or set back."""

    second: Line = Field(
        "",
        description="A second place beside journal in the state: a folder or file elsewhere, from "
        "the root; it has to be there.",
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
    keep_left_days: int = Field(
        365,
        ge=0,
        description="Who left is forgotten after so many days, as by `subscribers forget`; 0: never.",
    )
    confirmations_at_once: int = Field(
        30, ge=1, description="Confirmation mails that may go at once, from all networks together."
    )
    confirmations_per_hour: int = Field(
        300, ge=1, description="Confirmation mails in any hour, from all networks together."
    )
    confirmations_per_domain: int = Field(
        100, ge=1, description="Confirmation mails in any hour to one recipient domain."
    )
    confirmations_per_mailbox: int = Field(
        3,
        ge=1,
        description="Confirmation mails to one mailbox, with its plus-addresses, in cooldown_minutes.",
    )


class DigestSettings(Table):
    """`[digest]`: an issue of issues, for readers who chose it."""

    interval: Literal["", "weekly", "monthly", "quarterly"] = Field(
        "",
        description="weekly, monthly or quarterly: readers may choose a digest of so much time; empty: none.",
    )
    items: int = Field(12, ge=0, le=100, description="Feed items of a digest at the most.")


class WebSettings(Table):
    """`[web]`: the pages for subscribing and leaving (`upcycle-news web`)."""

    host: Line = Field(
        "127.0.0.1", description="The address the web server listens on; behind a proxy."
    )
    port: int = Field(8040, ge=0, le=65535, description="The port of the pages.")
    signups_per_hour: int = Field(
        20, ge=1, description="Sign-ups from one network (IPv4 /24, IPv6 /56) at the most."
    )
    api_requests_per_minute: int = Field(
        120,
        ge=1,
        description="Requests to the HTTP API with one token; four times as many from one network.",
    )
    signup_origins: tuple[Origin, ...] = Field(
        (),
        description="Other sites whose sign-up form may stay on its page, such as "
        '["https://www.example.org"]; without it their form leads here.',
    )
    answers_per_hour: int = Field(
        30, ge=1, description="Answers to an issue's question from one network at the most."
    )
    question_days: int = Field(
        14, ge=1, le=365, description="So long after an issue was queued its question is open."
    )
    trusted_proxies: tuple[Line, ...] = Field(
        ("127.0.0.1",), description="Proxies whose X-Forwarded-For is trusted."
    )
    connections: int = Field(
        2000,
        ge=16,
        description="Open at the same time; fewer where the process may open fewer files.",
    )
    request_seconds: float = Field(
        10.0, gt=0, description="In which a request has to arrive, and a second more per 4 KB."
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

    @property
    def is_set(self) -> bool:
        """True if an inbox is configured."""
        return bool(self.host or self.maildir)


class BouncesSettings(Table):
    """`[bounces]`: when bounces suppress an address, and when their share is an alert."""

    soft_threshold: float = Field(
        3.0,
        gt=0,
        description="Soft bounces, older ones counting less, until an address is suppressed.",
    )
    half_life_days: float = Field(
        30.0, gt=0, description="After this a soft bounce counts half, then a quarter."
    )
    webhooks: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="Secrets of the sources that post to `/bounces/NAME`, by name; from the "
        "environment or a file only.",
    )
    keep_days: int = Field(30, ge=1, description="How long raw reports are kept for inspection.")
    alarm_bounces_percent: float = Field(5.0, gt=0, description="Of an issue; more is an alert.")
    alarm_complaints_percent: float = Field(0.1, gt=0, description="Of an issue; more is an alert.")


class EventSourceSettings(Table):
    """`[events.NAME]`: a provider that posts what became of our mail to `/events/NAME/SECRET`."""

    provider: Literal["ses", "postmark", "mailgun", "sendgrid", "brevo", "mailjet"] = Field(
        description="Who posts there."
    )
    secret: UrlSecret = Field(
        SecretStr(""),
        description="The last part of the address, 20 letters, digits, - and _ or more; from the environment "
        "or a file only. Empty: the address does not exist.",
    )
    topic_arn: Line = Field("", description="Of Amazon SES: the SNS topic that its events go to.")
    signing_key: SecretStr = Field(
        SecretStr(""),
        description="Of Mailgun: the HTTP webhook signing key, from the environment or a file only.",
    )
    public_key: Line = Field("", description="Of SendGrid: the verification key of the webhook.")
    username: Line = Field(
        "",
        description="Of Postmark, Brevo and Mailjet: the user that they name besides (HTTP basic).",
    )
    password: SecretStr = Field(
        SecretStr(""), description="Beside username; from the environment or a file only."
    )
    requests_per_minute: int = Field(
        3000, ge=1, description="More than these are answered 429, and posted again later."
    )

    @model_validator(mode="after")
    def _keys_belong_to_the_provider(self) -> Self:
        basic = ("postmark", "brevo", "mailjet")
        for name, providers in (
            *(("topic_arn", ("ses",)), ("signing_key", ("mailgun",))),
            *(("public_key", ("sendgrid",)), ("username", basic), ("password", basic)),
        ):
            value = getattr(self, name)
            text = value.get_secret_value() if isinstance(value, SecretStr) else value
            if text and self.provider not in providers:
                raise UnusableValueError(localized("value-event-key", name=name))
        if bool(self.username) != bool(self.password.get_secret_value()):
            raise UnusableValueError(localized("value-basic-auth"))
        if self.provider == "ses":
            _topic(self.topic_arn)
        if self.provider == "sendgrid":
            _public_key(self.public_key)
        return self


def _topic(arn: str) -> None:
    try:
        SnsTopic.parse(arn)
    except UpcycleError as error:
        raise UnusableValueError(error.localized_text) from None


def _public_key(text: str) -> None:
    """Raise unless this is a public key as SendGrid shows it: the base64 of DER, on one line."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePublicKey):
        raise UnusableValueError(localized("value-public-key"))


class TemplatesSettings(Table):
    """`[templates]`: where the templates are from that `templates/` does not have."""

    look: Literal["", "letter", "bulletin", "magazine"] = Field(
        "",
        description="The look that comes with the program; empty: `templates/` has all of them.",
    )


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


class LogSettings(Table):
    """`[log]`: events with ids and counts, on standard error."""

    format: Literal["text", "json"] = Field(
        "text", description="One line an event: for people, or as JSON for a program."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        "warning",
        description="The lowest level that is logged; `info` for services, as in deploy/.",
    )


def split_resolver(text: str) -> tuple[str, int]:
    """Return the address and the port of a DNS server; raises `ValueError`."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):  # without a port
        host, port = text, "53"
    address = str(ipaddress.ip_address(host.strip("[]")))
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError
    return address, int(port)


def _resolver(text: str) -> str:
    """Return an IP address, with or without a port: ``127.0.0.1:5353``, ``[::1]:5353``."""
    if text:
        try:
            split_resolver(text)
        except ValueError:
            raise UnusableValueError(localized("value-resolver")) from None
    return text


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise UnusableValueError(localized("value-ip")) from None


class DoctorSettings(Table):
    """`[doctor]`: how `upcycle-news doctor` checks DNS."""

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
