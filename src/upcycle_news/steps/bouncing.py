"""Read what came back and act on it: suppress, count, let people leave by mail."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from upcycle_news.audience.links import Purpose
from upcycle_news.errors import SettingsError, UpcycleError
from upcycle_news.logs import Log
from upcycle_news.newsroom import Newsroom
from upcycle_news.postroom.inbox import ImapAccount, Inbox, open_imap, open_maildir
from upcycle_news.postroom.leaving import leaving_tokens
from upcycle_news.postroom.reports import (
    COUNTED,
    BounceKind,
    BounceReport,
    for_reader,
    parse_bounce,
)
from upcycle_news.settings import FILE_NAME
from upcycle_news.steps import joining, soft_bounces
from upcycle_news.store import bounces, people
from upcycle_news.store.people import Way

log = Log(__name__)

REASONS = {
    BounceKind.HARD: "hard bounce",
    BounceKind.SOFT: soft_bounces.REASON,
    BounceKind.COMPLAINT: "complaint",
}


@dataclass(frozen=True)
class Collected:
    """What lay in the inbox. `unsigned`: reports that name no delivery of ours, or pretend to.

    `soft` includes what nobody understood. `left_alone`: replies of people and of their assistants,
    notices of success, feedback that is no complaint. `suppressed`: addresses that will not
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


def has_inbox(room: Newsroom) -> bool:
    """Whether mail that comes back can be read."""
    return bool(room.settings.inbox.host or room.settings.inbox.maildir)


@contextmanager
def open_inbox(room: Newsroom, timeout: float = 60.0) -> Iterator[Inbox]:
    """The inbox of the settings; raises `SettingsError` when there is none. Seconds for an answer."""
    told = room.settings.inbox
    if told.maildir:
        with open_maildir(room.settings.home / Path(told.maildir), told.processed) as inbox:
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


def collect(room: Newsroom) -> Collected:
    """Handle everything in the inbox; safe to run again after a crash."""
    told = Collected()
    with open_inbox(room) as inbox:
        for key, raw in inbox.mails():
            outcome, handled = handle(room, raw)
            told = told.plus(**outcome)
            if handled:
                inbox.done(key)
            elif "left_alone" in outcome:
                inbox.leave(key)
    log.info("the inbox was read", **told.as_dict())
    return told


def handle(room: Newsroom, raw: bytes) -> tuple[dict[str, int], bool]:
    """Act on one mail: what to count, and whether it may be moved away."""
    if _leaves_by_mail(room, raw):
        return {"unsubscribed": 1}, True
    report = parse_bounce(raw)
    named = _whose(room, report)
    if named is None:
        # What nobody understands, and what says nothing of a delivery, is left to people.
        claims = report.kind in COUNTED | {BounceKind.DELAYED}
        return {
            "unsigned" if claims and report.kind is not BounceKind.UNCLEAR else "left_alone": 1
        }, False
    if report.kind is BounceKind.DELAYED:
        return {"delayed": 1}, True
    person = people.by_number(room.store, named[1])
    if person is not None:
        report = for_reader(report, person.email.address)
    if report.kind not in COUNTED:
        return {"left_alone": 1}, False
    return _record(room, report, named, raw), True


def _whose(room: Newsroom, report: BounceReport) -> tuple[int, int] | None:
    """Issue number and subscriber, if the report carries a signature of ours."""
    addresses = room.bounce_addresses
    if addresses is not None:
        for address in report.returned_to:
            try:
                return addresses.read(address)
            except (UpcycleError, ValueError):
                continue
    if report.kind is BounceKind.COMPLAINT:
        # Feedback loops write from an address of their own and bring the mail along.
        for link in report.links:
            token = room.signer.read(Purpose.UNSUBSCRIBE, link)
            if token is not None:
                return token.issue, token.subscriber
    return None


def _record(
    room: Newsroom, report: BounceReport, named: tuple[int, int], raw: bytes
) -> dict[str, int]:
    issue, subscriber = named
    now = room.clock()
    new = bounces.record(
        room.store,
        report_key=_report_key(report, named, raw),
        issue_number=issue,
        subscriber=subscriber,
        kind=report.kind,
        code=report.code,
        reason=report.reason,
        raw=raw,
        now=now,
    )
    final = report.kind in (BounceKind.HARD, BounceKind.COMPLAINT)  # whatever it was that came back
    if new is False or (new is None and not final):
        return {"known": 1}
    told = {"soft" if report.kind is BounceKind.UNCLEAR else report.kind.value: 1}
    soft = report.kind is BounceKind.SOFT
    if final or (soft and soft_bounces.fails_too_often(room, subscriber)):
        told["suppressed"] = int(
            bounces.suppress_person(
                room.store,
                subscriber,
                reason=REASONS[report.kind],
                detail=" ".join(filter(None, (report.code, report.reason))),
                now=now,
            )
        )
    return told


def _report_key(report: BounceReport, named: tuple[int, int], raw: bytes) -> str:
    """The same mail twice is one report; a complaint counts once for an issue."""
    once = f"{report.kind}/{named}".encode() if report.kind is BounceKind.COMPLAINT else raw
    return hashlib.sha256(once).hexdigest()


def _leaves_by_mail(room: Newsroom, raw: bytes) -> bool:
    """A mail to the unsubscribe address whose subject carries the reader's own token."""
    wanted = room.settings.sender.unsubscribe_mailto
    if not wanted:
        return False
    return any(leave_by_token(room, word, Way.MAIL) for word in leaving_tokens(raw, wanted))


def leave_by_token(room: Newsroom, token: str, way: Way) -> bool:
    """Let the reader of an unsubscribe token go; False for a token that is not ours."""
    found = joining.reader(room, Purpose.UNSUBSCRIBE, token)
    if found is None:
        return False
    joining.leave(room, *found, way)
    return True


def leave_by_links(room: Newsroom, lines: Iterable[str]) -> tuple[int, int]:
    """Links or tokens that a page elsewhere collected: how many were ours, and how many not."""
    ours = foreign = 0
    for line in lines:
        if not line.strip():
            continue
        found = re.search(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])", line)
        if found and leave_by_token(room, found[0], Way.PAGE):
            ours += 1
        else:
            foreign += 1
    return ours, foreign
