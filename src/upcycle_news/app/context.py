"""The composition root: builds store, signers and relays from settings, each on first use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import SecretStr

from upcycle_news.app.factories import (
    build_quotas,
    build_relay,
    build_send_window,
    failover_relay,
    is_sample_host,
    secret_values,
)
from upcycle_news.config.sections import RelaySettings
from upcycle_news.config.settings import FILE_NAME, Settings, load_settings, publication_language
from upcycle_news.errors import SettingsError, StoreError, StoreMismatchError, UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Author, Channel, Publication, PublicationTexts, Relay
from upcycle_news.models.archive_paths import ARCHIVE
from upcycle_news.observability import logging
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.key_fingerprints import (
    belongs_to_other_keys,
    record_fingerprint,
    recorded_fingerprint,
)
from upcycle_news.subscribers.link_tokens import LinkSigner, Purpose
from upcycle_news.subscribers.signing_keys import KeyRing, erasure_key, key_fingerprint

# What only some commands need is imported where it is made, so that every command starts fast.
if TYPE_CHECKING:
    from upcycle_news.bounces.delivery_keys import DeliveryKeys
    from upcycle_news.bounces.verp import BounceAddresses
    from upcycle_news.curation.compose_issue import LanguageRules, Limits
    from upcycle_news.delivery.retry_policy import RetryPolicy
    from upcycle_news.mail.dkim import DkimSigner
    from upcycle_news.mail.message import SenderHeaders
    from upcycle_news.storage.quotas import Quotas
    from upcycle_news.transports.sns import SnsClient

MAIN_RELAY = "main"
# Used in previews while no public address is configured; preflight refuses to send with it.
PLACEHOLDER_URL = "https://newsletter.invalid"


def utc_now() -> datetime:
    """Return the current time in UTC; all other code gets it from `AppContext.clock`."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class AppContext:
    """A publication's settings, clock and live objects. Use it in a `with`, which closes the store.

    `wait` takes seconds: what is waited for while an issue is sent.
    """

    settings: Settings
    clock: Callable[[], datetime] = field(default=utc_now)
    wait: Callable[[float], None] = field(default=time.sleep)

    @classmethod
    def open(cls, home: Path | None = None) -> AppContext:
        """Read the configuration of `home` (default: UPCYCLE_NEWS_HOME, then the current folder)."""
        try:
            settings = load_settings(home)
        except SettingsError as error:
            error.language = publication_language(home)
            raise
        logging.configure_logging(settings.log.format, settings.log.level, secret_values(settings))
        return cls(settings)

    def __enter__(self) -> AppContext:
        return self

    def __exit__(
        self, _: object = None, error: BaseException | None = None, __: object = None
    ) -> None:
        if isinstance(error, UpcycleError):
            error.language = self.language  # whoever prints it does not know the publication
        if "store" in self.__dict__:
            self.store.close()

    @property
    def language(self) -> str:
        """The publication's language; editors get findings and errors in it."""
        return self.settings.publication.language

    @cached_property
    def store(self) -> Store:
        """The store, created or migrated at the first access.

        Raises `StoreMismatchError` for one that belongs to other keys than those in `secrets_folder`.
        """
        store = open_store(self.settings.store_url)
        store.erasure_key = erasure_key(self.secrets_folder, store)
        self._match_keys(store, key_fingerprint(store.erasure_key))
        return store

    def _match_keys(self, store: Store, fingerprint: str) -> None:
        """Compare the keys with those that the store knows; a new store remembers them."""
        if recorded_fingerprint(store) == fingerprint:
            return
        if not belongs_to_other_keys(store, fingerprint):
            with suppress(StoreError):  # one that cannot be written to now remembers them later
                record_fingerprint(store, fingerprint, now=self.clock(), replace=True)
        else:
            store.close()
            raise StoreMismatchError(
                localized("store-other-keys", store=store.place, folder=str(self.secrets_folder))
            )

    @property
    def secrets_folder(self) -> Path:
        """The folder of the keys: part of every backup, readable for its owner only."""
        return self.settings.state / "secrets"

    @property
    def today(self) -> date:
        """The current day in the publication's time zone."""
        return self.clock().astimezone(self.settings.publication.zone).date()

    @property
    def content_folder(self) -> Path:
        """The folder of essays, images and feeds.toml."""
        return self.settings.home / "content"

    @property
    def templates_folder(self) -> Path:
        """The folder of the templates."""
        return self.settings.home / "templates"

    @property
    def issues_folder(self) -> Path:
        """The folder to which previews write the files of an issue."""
        return self.settings.state / "issues"

    @property
    def image_cache_folder(self) -> Path:
        """The folder of scaled pictures; it may be emptied at any time."""
        return self.settings.state / "images"

    @property
    def archive_folder(self) -> Path:
        """The folder of the static archive, to be served at `publication.site_url`."""
        return self.settings.state / "archive"

    @property
    def hosted_images_folder(self) -> Path:
        """The folder of the archive's pictures, including those of issues not sent yet."""
        return self.archive_folder / "images"

    @property
    def mailbox_folder(self) -> Path:
        """The Maildir that takes the mail while no relay is configured."""
        return self.settings.state / "mailbox"

    @property
    def publication(self) -> Publication:
        """The settings that a mail shows."""
        settings, sender = self.settings.publication, self.settings.sender
        return Publication(
            name=settings.name,
            tagline=settings.tagline,
            language=settings.language,
            timezone=settings.timezone,
            public_url=settings.public_url
            or ("" if self.unsubscribes_by_mail else PLACEHOLDER_URL),
            imprint=tuple(line for line in self.settings.imprint.lines if line),
            closing_note=settings.closing_note,
            sender_name=sender.name or settings.name,
            sender_address=sender.address,
            reply_to=sender.reply_to,
            length=self.settings.issue.length,
            images=self._images,
            hosts=self.settings.issue.hosts,
            readers_of=self.settings.issue.topics,
            archive_url=self.settings.archive.url,
            imprint_url=self.settings.imprint.url,
            privacy_url=self.settings.imprint.privacy_url,
            channels=tuple(Channel(one.name, one.url) for one in self.settings.channels),
            authors=tuple(
                Author(one.name, one.about, one.portrait, tuple(sorted(one.about_in.items())))
                for one in self.settings.authors
            ),
            texts=tuple(
                PublicationTexts(
                    language=language,
                    name=texts.name,
                    tagline=texts.tagline,
                    closing_note=texts.closing_note,
                    imprint=tuple(line for line in texts.imprint if line),
                    imprint_url=texts.imprint_url,
                    privacy_url=texts.privacy_url,
                )
                for language, texts in self.settings.languages.items()
                if language != settings.language
            ),
            language_labels=tuple(
                (language, named, label)
                for named, texts in self.settings.languages.items()
                for language, label in (("de", texts.de), ("en", texts.en))
                if label
            ),
            topic_labels=tuple(
                (language, topic, label)
                for topic, labels in self.settings.topics.items()
                for language, label in (("de", labels.de), ("en", labels.en))
                if label
            ),
        )

    @property
    def _images(self) -> Literal["embedded", "hosted"]:
        """How mails carry pictures; `auto` embeds them while there is no public address to host them."""
        setting = self.settings.issue.images
        if setting == "auto":
            site = self.settings.archive.url or self.settings.publication.public_url
            return "embedded" if is_sample_host(site) else "hosted"
        return setting

    @property
    def limits(self) -> Limits:
        """The limits of one issue's contents."""
        from upcycle_news.curation.compose_issue import Limits

        settings = self.settings.issue
        return Limits(
            essays=settings.essays,
            items=settings.items,
            per_feed=settings.per_feed,
            per_section=settings.per_section,
            max_age_days=settings.max_age_days,
            excerpt=settings.excerpt,
            items_only=settings.items_only,
        )

    @property
    def language_rules(self) -> LanguageRules:
        """The languages of an issue beside the publication's, and what they hold."""
        from upcycle_news.curation.compose_issue import LanguageRules

        own, issue = self.settings.publication.language, self.settings.issue
        return LanguageRules(
            own=own,
            further=tuple(one for one in self.settings.languages if one != own),
            leaves_out=issue.untranslated == "leave_out",
            own_items=issue.foreign_items == "leave_out",
        )

    @cached_property
    def link_signer(self) -> LinkSigner:
        """The signer of subscribers' links; its key is generated at the first use."""
        return LinkSigner(
            KeyRing(self.secrets_folder), self.settings.publication.public_url or PLACEHOLDER_URL
        )

    def subscriber_link(self, purpose: Purpose, subscriber: int, issue_number: int = 0) -> str:
        """Return a subscriber's signed link, or a mailto: link without a public address."""
        if not self.unsubscribes_by_mail:
            return self.link_signer.url(purpose, subscriber, issue_number)
        sender = self.settings.sender
        if purpose is Purpose.PREFERENCES:
            return f"mailto:{sender.reply_to or sender.unsubscribe_mailto}?subject=Newsletter"
        token = self.link_signer.token(purpose, subscriber, issue_number)
        return f"mailto:{sender.unsubscribe_mailto}?subject={token}"

    @property
    def message_id_key(self) -> bytes:
        """The key of Message-IDs: the oldest one, so that adding a key does not change them."""
        return self.link_signer.keys[min(self.link_signer.keys)]

    def sender_headers(self, publication: Publication) -> SenderHeaders:
        """Return the headers that all mails share. Preflight refuses a missing sender address."""
        from upcycle_news.mail.message import SenderHeaders

        address = publication.sender_address or "missing@newsletter.invalid"
        domain = address.rpartition("@")[2]
        return SenderHeaders(
            from_name=publication.sender_name,
            from_address=address,
            envelope_sender=self.settings.sender.envelope or address,
            list_id=f"newsletter.{domain}",
            list_name=publication.name,
            message_id_domain=domain,
            reply_to=publication.reply_to,
            unsubscribe_mailto=self.settings.sender.unsubscribe_mailto,
            one_click=not self.unsubscribes_by_mail,
            archive=publication.site_address(ARCHIVE),
        )

    @property
    def unsubscribes_by_mail(self) -> bool:
        """True if unsubscribing works by mail to our inbox only, as there is no public address."""
        return bool(
            not self.settings.publication.public_url
            and self.settings.sender.unsubscribe_mailto
            and self.settings.inbox.is_set
        )

    @cached_property
    def dkim_signers(self) -> tuple[DkimSigner, ...]:
        """The DKIM signers (RSA, Ed25519), none when the relay signs; raises `SettingsError`."""
        from upcycle_news.mail.dkim import DkimSigner

        settings = self.settings.dkim
        domain = settings.domain or self.settings.sender.address.rpartition("@")[2]
        kinds: tuple[tuple[Literal["rsa", "ed25519"], str, SecretStr], ...] = (
            ("rsa", settings.selector, settings.rsa_key),
            ("ed25519", settings.ed25519_selector, settings.ed25519_key),
        )
        signers = []
        for kind, selector, key in kinds:
            if not selector and not key.get_secret_value():
                continue
            if not selector or not key.get_secret_value():
                raise SettingsError(FILE_NAME, None, localized("dkim-half", kind=kind))
            signers.append(DkimSigner.load(domain, selector, key.get_secret_value(), kind))
        return tuple(signers)

    @property
    def bounce_addresses(self) -> BounceAddresses | None:
        """The per-delivery envelope senders (VERP), or None when all mails share one."""
        from upcycle_news.bounces.verp import BounceAddresses

        if not self.settings.sender.verp:
            return None
        base = self.settings.sender.envelope or self.settings.sender.address
        return BounceAddresses(base, self.message_id_key)

    @property
    def delivery_keys(self) -> DeliveryKeys:
        """The signed names of deliveries, which providers hand back with their events."""
        from upcycle_news.bounces.delivery_keys import DeliveryKeys

        return DeliveryKeys(self.message_id_key)

    @cached_property
    def sns(self) -> SnsClient:
        """Asks Amazon SNS for the certificates of its messages, each once."""
        from upcycle_news.transports.sns import SnsClient

        return SnsClient()

    def quotas(self, relay: str, sender: str) -> Quotas:
        """Return the quotas of a relay and a sender address."""
        return build_quotas(self.settings, relay, sender)

    def send_window(self, timezone: str) -> Callable[[datetime], datetime | None]:
        """Return a function of a time: when the send window opens next, None while it is open."""
        window = build_send_window(self.settings, timezone)
        return window.next_opening if window else lambda _: None

    @property
    def retry_policy(self) -> RetryPolicy:
        """The back-off of deferred deliveries and when they are given up."""
        from upcycle_news.delivery.retry_policy import RetryPolicy

        settings = self.settings.retry
        hours = min(settings.give_up_hours, settings.max_lateness_hours or settings.give_up_hours)
        return RetryPolicy(
            first_seconds=settings.first_seconds, give_up_after=timedelta(hours=hours)
        )

    @property
    def configured_relay(self) -> RelaySettings | None:
        """The main relay's settings, None for the embedded mailbox; raises `SettingsError`."""
        main = self.settings.relays.get(MAIN_RELAY)
        if self.settings.relays and (main is None or not main.host):
            raise SettingsError(FILE_NAME, None, localized("relay-main-missing"))
        return main

    @contextmanager
    def relay(self) -> Iterator[Relay]:
        """Yield the relay to send over; without one the embedded mailbox runs inside the `with`."""
        settings = self.configured_relay
        if settings is None:
            from upcycle_news.transports.dev_mailbox import DevMailbox

            with DevMailbox(self.mailbox_folder) as mailbox:
                yield mailbox.relay()
            return
        yield build_relay(MAIN_RELAY, settings)

    def failover(self, relay: Relay) -> Relay | None:
        """Return the relay that takes over when `relay` cannot be reached, if one is configured."""
        return failover_relay(self.settings, relay)

    @property
    def user_agent(self) -> str:
        """The User-Agent header for feeds: version, the newsletter's name and a contact."""
        from upcycle_news.version import __version__

        contact = self.settings.feeds.contact or self.settings.sender.address or "no contact"
        name = self.settings.publication.name.encode("ascii", "ignore").decode().strip()
        return f"upcycle-news/{__version__} ({name or 'newsletter'}; {contact})"
