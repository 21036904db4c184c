"""The steps as the flows call them: plain values in and out, ids and counts, never an address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from upcycle_news.errors import IssueError, NothingNew, UpcycleError
from upcycle_news.logs import Log
from upcycle_news.model import Essay, IssueId, IssueStatus
from upcycle_news.newsroom import Newsroom
from upcycle_news.postroom.outcomes import RelayUnreachable
from upcycle_news.press.places import issue_path
from upcycle_news.sayings import counted, say
from upcycle_news.steps import (
    approving,
    composing,
    locking,
    processes,
    rendering,
    reporting,
    sending,
    starting,
)
from upcycle_news.steps.collecting import collect_feeds
from upcycle_news.steps.told import Told
from upcycle_news.store import approvals, issues, pauses, revisions, turns
from upcycle_news.store.issues import IssueState

log = Log(__name__)


def begin(
    room: Newsroom, wanted: str, *, planned_at: datetime, run: str, max_lateness_hours: float
) -> starting.Begun:
    """The issue of this run, taken into its hands; or why it ends here."""
    return starting.begin(
        room, wanted, planned_at=planned_at, run=run, max_lateness_hours=max_lateness_hours
    )


def collect(room: Newsroom) -> dict[str, Any]:
    """Ask the feeds that are due."""
    return collect_feeds(room).as_dict()


@dataclass(frozen=True)
class Choice:
    """What a run may put into the issue; empty means everything that is ready and new."""

    essays: Sequence[str] = ()
    leave_out: Sequence[str] = ()
    topics: Sequence[str] = ()

    def allows(self, essay: Essay) -> bool:
        """Whether this essay may be in."""
        return (
            essay.slug not in self.leave_out
            and (not self.essays or essay.slug in self.essays)
            and (not self.topics or bool(set(self.topics) & set(essay.topics)))
        )


@dataclass(frozen=True)
class Composed:
    """The issue's revision, or in `ended` why there is none."""

    revision: str = ""
    ended: Told | None = None


def compose(room: Newsroom, issue: str, choice: Choice, *, run: str) -> Composed:
    """Compose an issue from what is there now.

    One that has begun is taken as it is frozen, and a run that comes back with an answer takes the
    revision it asked about.
    """
    chosen = IssueId.parse(issue)
    row = issues.get(room.store, chosen)
    if row is not None and row.state is not IssueState.OPEN:
        return Composed(row.hash)
    asked = approvals.asked_by(room.store, run)
    if asked is not None and asked.answer in ("", "send", "reject"):
        return Composed(asked.hash)
    try:
        essays = chosen_essays(room, choice)
        return Composed(composing.compose_issue(room, chosen, essays).hash)
    except NothingNew as nothing:
        locking.free(room, chosen, run)
        return Composed(ended=Told("completed", "NothingNew", nothing.in_language(room.language)))


def chosen_essays(room: Newsroom, choice: Choice) -> Sequence[str]:
    """The slugs of the essays a run may take, none for all; raises `NothingNew` when none is left."""
    if not choice.leave_out and not choice.topics:
        return choice.essays
    published, _ = issues.used_up(room.store)
    essays = [
        essay
        for essay in composing.all_essays(room)
        if essay.status == "ready" and essay.slug not in published
    ]
    for slug in choice.leave_out:
        if slug not in {essay.slug for essay in essays}:
            raise UpcycleError(f"there is no essay '{slug}' to leave out")
    found = [essay.slug for essay in essays if choice.allows(essay)]
    if not found:
        raise NothingNew(say("nothing-new-left"))
    return found


def render(room: Newsroom, issue: str, revision: str) -> dict[str, Any]:
    """Render a revision and lay out its files; raises `IssueError` when preflight refuses it."""
    rendered = rendering.render_issue(room, IssueId.parse(issue), revision)
    files = rendering.lay_out(room, rendered)
    rendering.refuse_errors(rendered)
    return {
        "subject": rendered.rendered.subject,
        "bytes": rendered.html_bytes,
        "warnings": [found.in_language(room.language) for found in rendered.findings],
        "files": {kind: str(path) for kind, path in files.items()},
    }


def send_tests(
    room: Newsroom, issue: str, revision: str, group: str, *, again: bool = False
) -> int:
    """Send test mails to a group, once for each revision unless `again`; how many were accepted."""
    subject = f"{issue} {revision} {group}"
    first = turns.ring(room.store, "test", subject, now=room.clock())
    if not group or not (first or again):
        return 0
    try:
        return sending.send_test(
            room, IssueId.parse(issue), revision, sending.group_addresses(room, group)
        )
    except UpcycleError:
        turns.silence(room.store, "test", subject)  # a retry of the run tries again
        raise


def ask(
    room: Newsroom, issue: str, revision: str, *, run: str, waits: bool, refused: str = ""
) -> approving.Question:
    """What an editor is asked about this revision; nothing when it is decided by now."""
    chosen = IssueId.parse(issue)
    return approving.ask(room, chosen, revision, run=run, waits=waits, refused=refused)


def take_answer(
    room: Newsroom, issue: str, revision: str, question: int, answer: Mapping[str, Any]
) -> approving.Answered:
    """Act on the form an editor sent."""
    return approving.take_answer(room, IssueId.parse(issue), revision, question, answer)


def approve(room: Newsroom, issue: str, revision: str) -> None:
    """Approve what this run composed, because its parameters say so; what a person said stands."""
    chosen = IssueId.parse(issue)
    row = issues.get(room.store, chosen)
    decided = approvals.last_decision(room.store, chosen, revision)
    if decided is None and (row is None or row.state is IssueState.OPEN):
        sending.approve(room, chosen, revision, by="flow")


def enqueue(room: Newsroom, issue: str, revision: str, *, run: str, senders: int = 1) -> int:
    """Freeze an approved issue and queue its deliveries; the audience.

    Raises `IssueError` when nobody approved it, or `senders` are more than the store can serve.
    """
    if senders > 1 and room.store.dialect == "sqlite":
        raise IssueError(
            f"SQLite takes one sender, not {senders}: move the store to Postgres "
            "(UPCYCLE_NEWS_STORE=postgresql+psycopg://…), or set senders to 1"
        )
    chosen = IssueId.parse(issue)
    row = issues.get(room.store, chosen)
    if row is not None and row.state is not IssueState.OPEN:
        return row.audience
    audience = sending.enqueue(room, chosen, revision)
    locking.free(room, chosen, run)
    return audience


def helpers(senders: int) -> list[int]:
    """The numbers of the further senders beside this run."""
    return list(range(2, senders + 1))


def deliver(
    room: Newsroom, issue: str, show: reporting.Show = lambda percent, text: None
) -> dict[str, Any]:
    """Deliver what is queued or due, together with whoever else does; the closing sum.

    Raises `RelayUnreachable` when the relay is away: everything stays queued.
    """
    chosen = IssueId.parse(issue)
    before = _status(room, chosen)
    progress = _progress(room, before, show)
    try:
        with processes.stop_on_signals() as stopping:
            sending.deliver_issue(room, chosen, stopping=stopping, progress=progress)
            while sending.wait_for_others(room, chosen, stopping=stopping):
                sending.deliver_issue(room, chosen, stopping=stopping, progress=progress)
    except RelayUnreachable as error:
        left = before.audience - _ended(_status(room, chosen))
        waiting = counted(left, "delivery", "deliveries")
        raise RelayUnreachable(
            f"{error}. Nothing is lost: {waiting} of issue {issue} left to send, and "
            "deliver-pending goes on by itself once the relay answers"
        ) from None
    after = _status(room, chosen)
    ended = _ended(after)
    progress.tell(ended)
    return dict(after.as_dict())


def passes_by(error: object) -> bool:
    """Whether trying again in a minute may help: the relay does not answer just now."""
    return isinstance(error, RelayUnreachable)


def go_on(room: Newsroom, issue: str) -> dict[str, Any]:
    """`deliver`, for a run that comes again in a few minutes: a relay that is away is no failure.

    Then `waits` holds the sentence. A send that gets nowhere for long is told as stalled.
    """
    try:
        return {**deliver(room, issue), "waits": ""}
    except RelayUnreachable as error:
        return {**_status(room, IssueId.parse(issue)).as_dict(), "waits": str(error)}


def _progress(room: Newsroom, before: IssueStatus, show: reporting.Show) -> reporting.Progress:
    return reporting.Progress(before.audience, _ended(before), show, room.language)


def _ended(status: IssueStatus) -> int:
    return status.audience - status.waiting


def _status(room: Newsroom, issue: IssueId) -> IssueStatus:
    status = issues.status(room.store, issue)
    if status is None:
        raise IssueError(f"there is no issue {issue}")
    return status


def pending(room: Newsroom, *, max_lateness_hours: float = 0.0) -> list[str]:
    """Issues with deliveries left; those that are approved and due are queued first.

    An approval that is older than `max_lateness_hours` (0: any age) is left to people. Nothing is
    pending while the store stands still. An issue that cannot be queued keeps no other from going
    on: its `IssueError` is raised where nothing else is pending.
    """
    if pauses.standing(room.store):
        return []
    found: list[str] = []
    refused: list[IssueError] = []
    for row in issues.every(room.store):
        if row.state is IssueState.OPEN and row.id.day <= room.today:
            newest = revisions.revision(room.store, row.id)
            if newest is None or not newest.approved:
                continue
            decided = approvals.last_decision(room.store, row.id, newest.hash)
            limit = timedelta(hours=max_lateness_hours)
            if decided and max_lateness_hours and room.clock() - decided.at > limit:
                continue
            try:
                sending.enqueue(room, row.id, newest.hash)
            except IssueError as error:
                log.error("an approved issue was not queued", issue=row.id, why=error)
                refused.append(error)
                continue
            found.append(str(row.id))
        elif row.state is IssueState.SENDING and not _status(room, row.id).closed:
            found.append(str(row.id))
    if refused and not found:
        raise refused[0]
    return found


def report(room: Newsroom, issue: str, collected: Mapping[str, Any]) -> str:
    """The report of an issue in Markdown."""
    return reporting.delivery_report(room, IssueId.parse(issue), collected)


def archive_link(room: Newsroom, issue: str) -> str:
    """Where readers find the issue on the web."""
    return room.publication.site_address(issue_path(issue))


def dry(room: Newsroom, issue: str, subject: str, *, run: str) -> Told:
    """The end of a dry run."""
    locking.free(room, IssueId.parse(issue), run)
    return Told("completed", "DryRun", f"issue {issue}: {subject}; not sent")
