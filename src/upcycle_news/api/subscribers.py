"""`app.subscribers`: who gets the mail, how they come, and how they leave."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.models import (
    ConfirmationResult,
    Consent,
    EmailAddress,
    Signup,
    Subscriber,
    SubscriberStatus,
    UnsubscribeMethod,
)
from upcycle_news.models.digest import ReaderRhythm, Rhythm, RhythmOutlook
from upcycle_news.models.personal_data import PersonalData
from upcycle_news.services.subscribers import (
    address_changes,
    confirmation_mails,
    export,
    list_questions,
    lists,
    signup_form,
    subscriptions,
)
from upcycle_news.services.subscribers import topics as topics_
from upcycle_news.services.subscribers.address_changes import ChangeAnswer, ChangeConfirmation
from upcycle_news.services.subscribers.confirmation_mails import MailingReport
from upcycle_news.services.subscribers.export import SubscriberLinks
from upcycle_news.services.subscribers.list_health import ListStatistics, list_statistics
from upcycle_news.services.subscribers.lists import (
    AddResult,
    ImportReport,
    LineNote,
    Progress,
    no_progress,
)
from upcycle_news.services.subscribers.subscriptions import (
    CleanupReport,
    Confirmation,
    LinkCounts,
    Preferences,
    SubscriberLink,
)
from upcycle_news.storage import personal_data, subscribers
from upcycle_news.subscribers.link_tokens import Purpose

__all__ = [
    "AddResult",
    "ChangeAnswer",
    "ChangeConfirmation",
    "CleanupReport",
    "Confirmation",
    "ConfirmationResult",
    "Consent",
    "ImportReport",
    "LineNote",
    "LinkCounts",
    "ListStatistics",
    "MailingReport",
    "PersonalData",
    "Preferences",
    "Progress",
    "ReaderRhythm",
    "Rhythm",
    "RhythmOutlook",
    "Signup",
    "Subscriber",
    "SubscriberLink",
    "SubscriberLinks",
    "SubscriberStatus",
    "Subscribers",
    "UnsubscribeMethod",
]


class Subscribers:
    """The list: added, imported, exported, erased; sign-up, confirmation, preferences, unsubscribing.

    An `address` is text or an `EmailAddress`; text that is no address raises `AddressError`, whose
    sentence does not repeat it. A `token` is the last part of a signed link; one that is altered,
    foreign or for another purpose opens nothing.
    """

    def __init__(self, context: AppContext) -> None:
        """Make the group of an open publication; `App.subscribers` is the usual way."""
        self._context = context

    # --- the list

    def add(
        self,
        address: EmailAddress | str,
        *,
        consent: str,
        name: str = "",
        language: str = "",
        topics: Iterable[str] = (),
        groups: Iterable[str] = (),
        rhythm: Rhythm | None = None,
        given_at: datetime | None = None,
        consent_text: str = "",
    ) -> AddResult:
        """Add one subscriber whose consent is documented ("letter of 3 May 2026"), confirmed at once.

        `given_at` is when it was given (default: now), `consent_text` the words that were agreed to. Of a
        known one the values that are not empty change; groups are added. A `rhythm` holds at once for who is
        new, from the digest's next period on for others. Raises `UpcycleError` for an address that is
        suppressed, has unsubscribed or has not confirmed yet, `UsageError` without a consent, for a language
        other than de and en, and for the digest where none is offered.
        """
        return lists.add_subscriber(
            self._context,
            _email(address),
            consent=consent,
            name=name,
            language=language,
            topics=topics,
            groups=groups,
            rhythm=rhythm,
            given_at=given_at,
            consent_text=consent_text,
        )

    def change(
        self,
        number: int,
        *,
        name: str | None = None,
        language: str | None = None,
        topics: Iterable[str] | None = None,
        groups: Iterable[str] | None = None,
        rhythm: Rhythm | None = None,
    ) -> Subscriber | None:
        """Change what is not None of the subscriber with this id, and return them; None without one.

        Language, topics and rhythm count as chosen by the subscriber: no imported list replaces them. A
        rhythm begins with the digest's next period. Raises `UsageError` for a language other than de and en,
        and for the digest where none is offered, `UpcycleError` for a name with control characters.
        """
        return lists.change_subscriber(
            self._context,
            number,
            name=name,
            language=language,
            topics=topics,
            groups=groups,
            rhythm=rhythm,
        )

    def import_csv(
        self,
        file: Path | str,
        *,
        consent: str,
        columns: Mapping[str, str] | Iterable[str] = (),
        ignore: Collection[str] = (),
        take: Collection[str] = (),
        dry_run: bool = False,
        progress: Progress = no_progress,
    ) -> ImportReport:
        """Add the subscribers of a CSV file who consented, all or none; with `dry_run` only report.

        Columns: email, name, language, topics, groups, rhythm, status, and those of other systems that say who
        wants mail and who left. `columns` maps the file's other names to ours (or holds ``THEIRS=ours``;
        `left` is one that says who left), `ignore` names columns that are not read; `take` holds further
        words that count as subscribed. Who unsubscribed or is suppressed stays so. Raises `ContentError`
        when the file is no such list, or when a column that is not read may say of somebody that they
        want no mail; `UsageError` without a consent.
        """
        return lists.import_list(
            self._context,
            Path(file),
            consent=consent,
            columns=columns,
            ignore=ignore,
            take=take,
            dry_run=dry_run,
            progress=progress,
        )

    def ask_csv(
        self,
        file: Path | str,
        *,
        origin: str = "",
        columns: Mapping[str, str] | Iterable[str] = (),
        ignore: Collection[str] = (),
        take: Collection[str] = (),
        dry_run: bool = False,
        progress: Progress = no_progress,
    ) -> ImportReport:
        """Ask the people of a CSV file whose consent nobody can show; each once, ever.

        They are pending until they confirm, and deleted like sign-ups if they do not. The mails are sent
        by `tidy` and the flows watch and tidy, within the limits of `[audience]` and the quotas. `origin`
        says where the list comes from; the other arguments are those of `import_csv`. Raises
        `UpcycleError` where no confirmation mail can be sent.
        """
        return list_questions.ask_list(
            self._context,
            Path(file),
            origin=origin,
            columns=columns,
            ignore=ignore,
            take=take,
            dry_run=dry_run,
            progress=progress,
        )

    def export_csv(self, file: Path | None = None) -> str:
        """Return all subscribers as CSV, in the form that `import_csv` reads.

        With a `file` it is written there, too, readable for its owner only; raises `UpcycleError` when
        that fails.
        """
        return lists.write_private(lists.export_list(self._context), file)

    def all(self) -> Iterator[Subscriber]:
        """Yield all subscribers, whatever their status, oldest first."""
        return subscribers.all_subscribers(self._context.store)

    def with_rhythms(
        self, people: Iterable[Subscriber]
    ) -> Iterator[tuple[Subscriber, ReaderRhythm]]:
        """Yield subscribers each with their rhythm, looked up for many at a time."""
        return lists.with_rhythms(self._context, people)

    def find(self, address: EmailAddress | str) -> Subscriber | None:
        """Return the subscriber with this address, whatever the status; None when there is none."""
        return subscribers.find(self._context.store, _email(address))

    def by_id(self, number: int) -> Subscriber | None:
        """Return the subscriber with this id, whatever the status; None for one who was erased."""
        return subscribers.by_id(self._context.store, number)

    def page(
        self, *, after: int = 0, limit: int = 100, status: SubscriberStatus | None = None
    ) -> tuple[Subscriber, ...]:
        """Return at most `limit` subscribers with ids above `after`, by their ids."""
        return subscribers.page(self._context.store, after=after, limit=limit, status=status)

    def search(
        self,
        text: str = "",
        *,
        status: SubscriberStatus | str = "",
        topic: str = "",
        group: str = "",
    ) -> Iterator[Subscriber]:
        """Yield the subscribers with `text` in their address or name, oldest first.

        Letter case does not matter. With `status`, `topic` or `group` only those that have it: a topic
        that they chose. Raises `UsageError` for an unknown status.
        """
        return lists.search(self._context, text, status=status, topic=topic, group=group)

    def consent_proofs(self, address: EmailAddress | str) -> tuple[Consent, ...]:
        """Return the proofs of consent that stayed of somebody who left and was forgotten, oldest first.

        They are kept with a keyed hash, so that only who names the address finds them.
        """
        return personal_data.consent_proofs_of(self._context.store, _email(address))

    def show(self, address: EmailAddress | str) -> PersonalData:
        """Return everything that is stored about a subscriber: the answer to a request for access.

        Raises `UpcycleError` when no subscriber has this address.
        """
        subscriber = lists.subscriber_with(self._context, _email(address))
        return personal_data.personal_data_of(self._context.store, subscriber)

    def forget(self, address: EmailAddress | str) -> None:
        """Erase a subscriber; a keyed hash stays, so that no list adds them again.

        Raises `UpcycleError` when nothing is stored about this address.
        """
        lists.erase(self._context, _email(address))

    def statistics(self) -> ListStatistics:
        """Count subscribers and suppressions, and tell what each of the newest issues did to the list."""
        return list_statistics(self._context)

    def tidy(self) -> CleanupReport:
        """Delete unconfirmed sign-ups, the texts of old reports and who left long ago; pack old deliveries.

        Sends the confirmation mails that wait, within the limits.
        """
        from upcycle_news.services.backup.pack_store import pack_old_deliveries

        report = subscriptions.purge_expired(self._context)
        return replace(report, packed=pack_old_deliveries(self._context).deliveries)

    # --- joining

    def topic_labels(self, language: str) -> Mapping[str, str]:
        """Return the topics that readers may choose, in their order, each with its label in `language`."""
        return topics_.topic_labels(self._context, language)

    def sign_up(
        self,
        address: EmailAddress | str,
        *,
        language: str,
        topics: Collection[str] | None = None,
        rhythm: Rhythm | None = None,
        wording: str = "",
        source: str = "",
        ip: str = "",
    ) -> Signup | None:
        """Store a sign-up, whose confirmation mail `send_confirmation` sends; None if none may be sent.

        Who is confirmed, suppressed or was asked a short while ago gets no mail; tell nobody which it
        was. `language`, `topics` and `rhythm` are the subscriber's from the confirmation on: of the topics those
        that are offered count, none of them means all, and what is None stays as before. The rhythm counts where
        the digest is offered; who had mail from us before gets it from the next period on. `wording` is
        the version of the consent that a form elsewhere shows, `source` says where it stands (default for
        both: our own page). `ip` is stored only if `audience.keep_ip` says so.
        """
        return subscriptions.sign_up(
            self._context,
            _email(address),
            language=language,
            topics=topics,
            rhythm=rhythm,
            wording=wording,
            source=source,
            ip=ip,
        )

    def form_for_other_sites(self, language: str = "") -> str:
        """Return the sign-up form as HTML for other sites, in a language (default: the publication's).

        It works without any script; with ours it stays on its page where `web.signup_origins` names the
        site. Raises `UsageError` for a language other than de and en, and without a public address.
        """
        return signup_form.form_for_other_sites(self._context, language)

    def send_confirmation(self, signup: Signup) -> bool:
        """Send the confirmation mail of a sign-up now; False if there is nothing to send.

        It was sent, it has to wait for the limits of `audience`, or the subscriber was erased. Raises
        `RelayError` when it was not accepted. What waits `send_confirmations` and `tidy` send later,
        unless the address is the reason.
        """
        return subscriptions.send_confirmation_mail(self._context, signup)

    def send_confirmations(
        self, *, due_only: bool = False, stopping: Callable[[], bool] = lambda: False
    ) -> MailingReport:
        """Send the mails of sign-ups and changes of address that wait, within the limits of `audience`.

        With `due_only` those that failed lately are left for later. `stopping` is asked before each
        mail. Safe in several processes at once. A relay that takes none is in the log, not raised.
        """
        return confirmation_mails.send_waiting(self._context, due_only=due_only, stopping=stopping)

    def count_request(self, address: EmailAddress | str) -> timedelta:
        """Count that an address was entered on a page; returns how long its mail may have to wait.

        It depends on how many were entered lately, and not on what is known of the address.
        """
        return confirmation_mails.count_request(self._context, _email(address))

    def read_confirmation(self, token: str) -> Confirmation:
        """Return what `confirm` would do, changing nothing."""
        return subscriptions.confirm(self._context, token, act=False)

    def confirm(self, token: str) -> Confirmation:
        """Follow a confirmation link: from now on the consent is valid. May be repeated."""
        return subscriptions.confirm(self._context, token)

    # --- preferences

    def preferences(self, token: str) -> Preferences | None:
        """Return the preferences behind a link; None if it opens nothing or its subscriber was erased."""
        return subscriptions.preferences(self._context, token)

    def change_preferences(
        self,
        token: str,
        *,
        language: str,
        topics: Collection[str],
        rhythm: Rhythm | None = None,
    ) -> Preferences | None:
        """Store what a confirmed subscriber chose, all or nothing, and return what is stored then.

        Of `topics` those that are offered count, and an unknown `language` changes nothing of it. A
        `rhythm` (None: as it is) counts where the digest is offered, and begins with the digest's next
        period: what is returned names the day. None as with `preferences`.
        """
        return subscriptions.change_preferences(
            self._context, token, language=language, topics=topics, rhythm=rhythm
        )

    def rhythm(self, number: int) -> RhythmOutlook:
        """Return how often the subscriber with this id gets mail today, what comes, and from which day."""
        return subscriptions.rhythm_outlook(self._context, number)

    # --- another address

    def request_address_change(
        self, token: str, address: EmailAddress | str
    ) -> ChangeAnswer | None:
        """Ask the owner of a new address to confirm it, by the token of a preferences link.

        `send_confirmations` sends the mail. The answer does not tell whether the address is known, and
        neither may the page. None for a token that opens nothing, and for who gets no mail.
        """
        return address_changes.request_change(self._context, token, _email(address))

    def cancel_address_change(self, token: str) -> bool | None:
        """Cancel the change that waits, by a preferences link; False if none does, None for no link."""
        return address_changes.cancel_change(self._context, token)

    def read_address_change(self, token: str) -> ChangeConfirmation:
        """Return what `confirm_address_change` would do, changing nothing."""
        return address_changes.confirm_change(self._context, token, act=False)

    def confirm_address_change(self, token: str) -> ChangeConfirmation:
        """Follow the link that a new address got: it is the subscriber's from now on. May be repeated.

        The old address is told.
        """
        return address_changes.confirm_change(self._context, token)

    # --- leaving

    def unsubscribe(
        self,
        address: EmailAddress | str,
        *,
        method: UnsubscribeMethod = UnsubscribeMethod.COMMAND,
    ) -> bool:
        """Unsubscribe an address at once; False if it was already. Only its owner can come back.

        `method` is the way that is kept. Raises `UpcycleError` when no subscriber has this address.
        """
        subscriber = lists.subscriber_with(self._context, _email(address))
        return subscriptions.unsubscribe(self._context, subscriber, method)

    def read_unsubscribe_link(self, token: str) -> SubscriberLink | None:
        """Return whose unsubscribe link it is, changing nothing; None if it opens nothing."""
        return subscriptions.read_link(self._context, Purpose.UNSUBSCRIBE, token)

    def unsubscribe_by_token(
        self, token: str, method: UnsubscribeMethod = UnsubscribeMethod.PAGE
    ) -> SubscriberLink | None:
        """Unsubscribe the owner of an unsubscribe link at once; None if it opens nothing.

        May be repeated. With `method` PREFERENCES the token is that of a preferences link.
        """
        return subscriptions.unsubscribe_by_token(self._context, token, method)

    def unsubscribe_by_links(self, links: Path | Iterable[str]) -> LinkCounts:
        """Unsubscribe by links or tokens, one a line of a file, that a page elsewhere collected.

        Raises `ContentError` when the file cannot be read.
        """
        return subscriptions.unsubscribe_by_links(self._context, links)

    def links(self) -> Iterator[SubscriberLinks]:
        """Yield the signed links of every confirmed subscriber, for pages that are served elsewhere."""
        return export.subscriber_links(self._context)

    def links_csv(self, file: Path | None = None) -> str:
        """Return the signed links of every confirmed subscriber as CSV; `file` as in `export_csv`."""
        return lists.write_private(export.links_csv(self._context), file)


def _email(address: EmailAddress | str) -> EmailAddress:
    return address if isinstance(address, EmailAddress) else EmailAddress.parse(address)
