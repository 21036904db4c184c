"""The composition root: settings become live objects, made when they are first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from upcycle_news.app.factories import (
    failover_of,
    is_sample,
    quotas_of,
    relay_of,
    secrets_of,
    window_of,
)
from upcycle_news.bounces.verp import BounceAddresses
from upcycle_news.config.sections import RelaySettings
from upcycle_news.config.settings import FILE_NAME, Settings, load_settings
from upcycle_news.curation.compose_issue import Limits
from upcycle_news.delivery.retry_policy import RetryPolicy
from upcycle_news.errors import SettingsError, UpcycleError
from upcycle_news.mail.dkim import DkimSigner
from upcycle_news.mail.message import Letterhead
from upcycle_news.models import Publication, Relay
from upcycle_news.models.archive_paths import ARCHIVE
from upcycle_news.observability import logging
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.quotas import Quotas
from upcycle_news.subscribers.link_tokens import LinkSigner, Purpose
from upcycle_news.subscribers.signing_keys import KeyRing, person_key

MAIN_RELAY = "main"
# Stands for the public address while there is none: good for looking, refused for sending.
NOWHERE = "https://newsletter.invalid"


def utc_now() -> datetime:
    """Return the time as the world has it; everything else is told the time."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class AppContext:
    """A publication with its live objects. Close it, or use it in a `with`."""

    settings: Settings
    clock: Callable[[], datetime] = field(default=utc_now)

    @classmethod
    def open(cls, home: Path | None = None) -> AppContext:
        """Read the configuration of `home` (default: the environment's, then this folder)."""
        settings = load_settings(home)
        logging.set_up(settings.log.format, settings.log.level, secrets_of(settings))
        return cls(settings)

    def __enter__(self) -> AppContext:
        return self

    def __exit__(
        self, _: object = None, error: BaseException | None = None, __: object = None
    ) -> None:
        if isinstance(error, UpcycleError):
            error.language = self.language  # whoever tells it does not know the publication
        if "store" in self.__dict__:
            self.store.close()

    @property
    def language(self) -> str:
        """The publication's own language: its editors read their findings in it."""
        return self.settings.publication.language

    @cached_property
    def store(self) -> Store:
        """The store, created or migrated when it is older."""
        store = open_store(self.settings.store_url)
        store.person_key = person_key(self.secrets, store)
        return store

    @property
    def secrets(self) -> Path:
        """Where the keys live: part of every backup, readable for their owner only."""
        return self.settings.state / "secrets"

    @property
    def today(self) -> date:
        """The day in the publication's time zone."""
        return self.clock().astimezone(self.settings.publication.zone).date()

    @property
    def content(self) -> Path:
        """Where essays, images and feeds.toml live."""
        return self.settings.home / "content"

    @property
    def templates(self) -> Path:
        """Where the templates live."""
        return self.settings.home / "templates"

    @property
    def issues_folder(self) -> Path:
        """Where rendered issues are laid out for people to look at."""
        return self.settings.state / "issues"

    @property
    def image_cache(self) -> Path:
        """Where scaled pictures are kept; it may be emptied at any time."""
        return self.settings.state / "images"

    @property
    def archive(self) -> Path:
        """The web pages of all issues: what has to answer at `publication.site_url`."""
        return self.settings.state / "archive"

    @property
    def hosted_images(self) -> Path:
        """The archive's pictures, and those of issues still to be sent."""
        return self.archive / "images"

    @property
    def mailbox_folder(self) -> Path:
        """Where mails go while no relay is configured."""
        return self.settings.state / "mailbox"

    @property
    def publication(self) -> Publication:
        """The settings that show in a mail."""
        told, sender = self.settings.publication, self.settings.sender
        return Publication(
            name=told.name,
            tagline=told.tagline,
            language=told.language,
            timezone=told.timezone,
            public_url=told.public_url or ("" if self.leaves_by_mail else NOWHERE),
            imprint=tuple(line for line in self.settings.imprint.lines if line),
            closing_note=told.closing_note,
            sender_name=sender.name or told.name,
            sender_address=sender.address,
            reply_to=sender.reply_to,
            length=self.settings.issue.length,
            images=self._images,
            hosts=self.settings.issue.hosts,
            readers_of=self.settings.issue.topics,
            archive_url=self.settings.archive.url,
        )

    @property
    def _images(self) -> Literal["embedded", "hosted"]:
        """Pictures travel in the mail while there is no address of our own to publish them at."""
        told = self.settings.issue.images
        if told == "auto":
            own = self.settings.archive.url or self.settings.publication.public_url
            return "embedded" if is_sample(own) else "hosted"
        return told

    @property
    def limits(self) -> Limits:
        """How much goes into one issue."""
        told = self.settings.issue
        return Limits(
            essays=told.essays,
            items=told.items,
            per_feed=told.per_feed,
            per_section=told.per_section,
            max_age_days=told.max_age_days,
            excerpt=told.excerpt,
            items_only=told.items_only,
        )

    @cached_property
    def signer(self) -> LinkSigner:
        """Signs the readers' links; its key is made at the first use."""
        return LinkSigner(KeyRing(self.secrets), self.settings.publication.public_url or NOWHERE)

    def reader_link(self, purpose: Purpose, subscriber: int, issue_number: int = 0) -> str:
        """A reader's signed link under the public address, or a mail with their token."""
        if not self.leaves_by_mail:
            return self.signer.url(purpose, subscriber, issue_number)
        sender = self.settings.sender
        if purpose is Purpose.PREFERENCES:
            return f"mailto:{sender.reply_to or sender.unsubscribe_mailto}?subject=Newsletter"
        token = self.signer.token(purpose, subscriber, issue_number)
        return f"mailto:{sender.unsubscribe_mailto}?subject={token}"

    @property
    def message_id_key(self) -> bytes:
        """Keys the Message-IDs: the oldest key, so that a new one does not change them."""
        return self.signer.keys[min(self.signer.keys)]

    def letterhead(self, publication: Publication) -> Letterhead:
        """What stands on every mail. A missing sender is preflight's to refuse."""
        address = publication.sender_address or "missing@newsletter.invalid"
        domain = address.rpartition("@")[2]
        return Letterhead(
            from_name=publication.sender_name,
            from_address=address,
            envelope_sender=self.settings.sender.envelope or address,
            list_id=f"newsletter.{domain}",
            list_name=publication.name,
            message_id_domain=domain,
            reply_to=publication.reply_to,
            unsubscribe_mailto=self.settings.sender.unsubscribe_mailto,
            one_click=not self.leaves_by_mail,
            archive=publication.site_address(ARCHIVE),
        )

    @property
    def leaves_by_mail(self) -> bool:
        """Without a public address readers leave by writing to an address that is read here."""
        inbox = self.settings.inbox
        return bool(
            not self.settings.publication.public_url
            and self.settings.sender.unsubscribe_mailto
            and (inbox.host or inbox.maildir)
        )

    @cached_property
    def dkim_signers(self) -> tuple[DkimSigner, ...]:
        """Who signs the mail here; none when the relay does."""
        told = self.settings.dkim
        domain = told.domain or self.settings.sender.address.rpartition("@")[2]
        kinds: tuple[tuple[Literal["rsa", "ed25519"], str, SecretStr], ...] = (
            ("rsa", told.selector, told.rsa_key),
            ("ed25519", told.ed25519_selector, told.ed25519_key),
        )
        found = []
        for kind, selector, key in kinds:
            if not selector and not key.get_secret_value():
                continue
            if not selector or not key.get_secret_value():
                raise SettingsError(
                    FILE_NAME, None, f"dkim: the {kind} key and its selector belong together"
                )
            found.append(DkimSigner.load(domain, selector, key.get_secret_value(), kind))
        return tuple(found)

    @property
    def bounce_addresses(self) -> BounceAddresses | None:
        """The signed envelope senders, or None when all mails have the same."""
        if not self.settings.sender.verp:
            return None
        base = self.settings.sender.envelope or self.settings.sender.address
        return BounceAddresses(base, self.message_id_key)

    def quotas(self, relay: str, sender: str) -> Quotas:
        """What may be sent over a relay in our name."""
        return quotas_of(self.settings, relay, sender)

    def window(self, timezone: str) -> Callable[[datetime], datetime | None]:
        """Tells for a moment when the send window opens, None while it is open."""
        window = window_of(self.settings, timezone)
        return window.opens if window else lambda _: None

    @property
    def retry_policy(self) -> RetryPolicy:
        """When a deferred delivery is tried again and when it is given up."""
        told = self.settings.retry
        hours = min(told.give_up_hours, told.max_lateness_hours or told.give_up_hours)
        return RetryPolicy(first_seconds=told.first_seconds, give_up_after=timedelta(hours=hours))

    @property
    def configured_relay(self) -> RelaySettings | None:
        """The relay of the configuration, or None: then the embedded mailbox takes the mail."""
        found = self.settings.relays.get(MAIN_RELAY)
        if self.settings.relays and (found is None or not found.host):
            raise SettingsError(
                FILE_NAME, None, "relays are configured, but not [relays.main] with its host"
            )
        return found

    @contextmanager
    def relay(self) -> Iterator[Relay]:
        """The relay that takes our mail; the embedded mailbox runs as long as it is used."""
        told = self.configured_relay
        if told is None:
            from upcycle_news.transports.dev_mailbox import Mailbox

            with Mailbox(self.mailbox_folder) as mailbox:
                yield mailbox.relay()
            return
        yield relay_of(MAIN_RELAY, told)

    def failover(self, relay: Relay) -> Relay | None:
        """The relay that stands in for `relay`, if one does."""
        return failover_of(self.settings, relay)

    @property
    def user_agent(self) -> str:
        """How we introduce ourselves to feeds: the newsletter's name and a contact."""
        from upcycle_news import __version__

        contact = self.settings.feeds.contact or self.settings.sender.address or "no contact"
        name = self.settings.publication.name.encode("ascii", "ignore").decode().strip()
        return f"upcycle-news/{__version__} ({name or 'newsletter'}; {contact})"
