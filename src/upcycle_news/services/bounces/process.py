"""Read what came back and act on it: suppress, count, let people leave by mail."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.bounces.inbox import (
    ImapAccount,
    Inbox,
    open_imap,
    open_maildir,
)
from upcycle_news.bounces.parser import (
    COUNTED,
    Kind,
    Report,
    read_report,
)
from upcycle_news.bounces.score import score
from upcycle_news.bounces.unsubscribe_mail import unsubscribe_tokens
from upcycle_news.config.settings import FILE_NAME
from upcycle_news.errors import SettingsError, UpcycleError
from upcycle_news.observability.logging import Log
from upcycle_news.services.subscribers import subscriptions
from upcycle_news.storage import bounces
from upcycle_news.storage.subscribers import UnsubscribeMethod
from upcycle_news.subscribers.link_tokens import Purpose

log = Log(__name__)

REASONS = {Kind.HARD: "hard bounce", Kind.SOFT: "soft bounces", Kind.COMPLAINT: "complaint"}


@dataclass(frozen=True)
class Collected:
    """What lay in the inbox. `unsigned`: reports that name no delivery of ours, or pretend to.

    `left_alone`: replies of people and of their assistants. `suppressed`: addresses that will not
    be written to from now on.
    """

    hard: int = 0
    soft: int = 0
    blocked: int = 0
    complaint: int = 0
    unsubscribed: int = 0
    delayed: int = 0
    known: int = 0
    unsigned: int = 0
    left_alone: int = 0
    suppressed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The counts as programs read them."""
        return asdict(self)

    def plus(self, **more: int) -> Collected:
        """One more of something."""
        return replace(self, **{name: getattr(self, name) + count for name, count in more.items()})


def has_inbox(context: AppContext) -> bool:
    """Whether mail that comes back can be read."""
    return bool(context.settings.inbox.host or context.settings.inbox.maildir)


@contextmanager
def open_inbox(context: AppContext, timeout: float = 60.0) -> Iterator[Inbox]:
    """The inbox of the settings; raises `SettingsError` when there is none. Seconds for an answer."""
    told = context.settings.inbox
    if told.maildir:
        with open_maildir(context.settings.home / Path(told.maildir), told.processed) as inbox:
            yield inbox
        return
    if not told.host:
        raise SettingsError(
            FILE_NAME, None, "there is no inbox: set inbox.host (IMAP) or inbox.maildir"
        )
    account = ImapAccount(
        host=told.host,
        port=told.port,
        security=told.security,
        username=told.username,
        password=told.password.get_secret_value(),
        folder=told.folder,
        processed=told.processed,
        timeout=timeout,
    )
    with open_imap(account) as inbox:
        yield inbox


def collect(context: AppContext) -> Collected:
    """Handle everything in the inbox; safe to run again after a crash."""
    told = Collected()
    with open_inbox(context) as inbox:
        for key, raw in inbox.mails():
            outcome, handled = handle(context, raw)
            told = told.plus(**outcome)
            if handled:
                inbox.done(key)
            elif "left_alone" in outcome:
                inbox.skip(key)
    log.info("the inbox was read", **told.as_dict())
    return told


def handle(context: AppContext, raw: bytes) -> tuple[dict[str, int], bool]:
    """Act on one mail: what to count, and whether it may be moved away."""
    if _leaves_by_mail(context, raw):
        return {"unsubscribed": 1}, True
    report = read_report(raw)
    if report.kind is Kind.DELAYED:
        return {"delayed": 1}, True
    if report.kind not in COUNTED:
        return {"left_alone": 1}, False
    named = _whose(context, report)
    if named is None:
        return {"unsigned": 1}, False
    return _record(context, report, named, raw), True


def _whose(context: AppContext, report: Report) -> tuple[int, int] | None:
    """Issue number and subscriber, if the report carries a signature of ours."""
    addresses = context.bounce_addresses
    if addresses is not None:
        for address in report.returned_to:
            try:
                return addresses.read(address)
            except (UpcycleError, ValueError):
                continue
    if report.kind is Kind.COMPLAINT:
        # Feedback loops write from an address of their own and bring the mail along.
        for link in report.links:
            token = context.link_signer.read(Purpose.UNSUBSCRIBE, link)
            if token is not None:
                return token.issue, token.subscriber
    return None


def _record(
    context: AppContext, report: Report, named: tuple[int, int], raw: bytes
) -> dict[str, int]:
    issue, subscriber = named
    now = context.clock()
    new = bounces.record(
        context.store,
        report_key=_report_key(report, named, raw),
        issue_number=issue,
        subscriber=subscriber,
        kind=report.kind,
        code=report.code,
        reason=report.reason,
        raw=raw,
        now=now,
    )
    final = report.kind in (Kind.HARD, Kind.COMPLAINT)  # whatever it was that came back
    if new is False or (new is None and not final):
        return {"known": 1}
    told = {report.kind.value: 1}
    if final or (report.kind is Kind.SOFT and _too_often(context, subscriber)):
        told["suppressed"] = int(
            bounces.suppress_person(
                context.store,
                subscriber,
                reason=REASONS[report.kind],
                detail=" ".join(filter(None, (report.code, report.reason))),
                now=now,
            )
        )
    return told


def _report_key(report: Report, named: tuple[int, int], raw: bytes) -> str:
    """The same mail twice is one report; a complaint counts once for an issue."""
    once = f"{report.kind}/{named}".encode() if report.kind is Kind.COMPLAINT else raw
    return hashlib.sha256(once).hexdigest()


def _too_often(context: AppContext, subscriber: int) -> bool:
    told = context.settings.bounces
    half_life = timedelta(days=told.half_life_days)
    now = context.clock()
    times = bounces.soft_since(context.store, subscriber, now - 8 * half_life)
    return score(times, now=now, half_life=half_life) >= told.soft_threshold


def _leaves_by_mail(context: AppContext, raw: bytes) -> bool:
    """A mail to the unsubscribe address whose subject carries the reader's own token."""
    wanted = context.settings.sender.unsubscribe_mailto
    if not wanted:
        return False
    return any(leave_by_token(context, word, UnsubscribeMethod.MAIL) for word in unsubscribe_tokens(raw, wanted))


def leave_by_token(context: AppContext, token: str, way: UnsubscribeMethod) -> bool:
    """Let the reader of an unsubscribe token go; False for a token that is not ours."""
    found = subscriptions.read_link(context, Purpose.UNSUBSCRIBE, token)
    if found is None:
        return False
    subscriptions.unsubscribe(context, *found, way)
    return True


def leave_by_links(context: AppContext, lines: Iterable[str]) -> tuple[int, int]:
    """Links or tokens that a page elsewhere collected: how many were ours, and how many not."""
    ours = foreign = 0
    for line in lines:
        if not line.strip():
            continue
        found = re.search(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])", line)
        if found and leave_by_token(context, found[0], UnsubscribeMethod.PAGE):
            ours += 1
        else:
            foreign += 1
    return ours, foreign
