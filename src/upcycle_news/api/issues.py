"""`app.issues`: compose, preview, approve and send issues, and follow them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from upcycle_news.app.context import MAIN_RELAY, AppContext
from upcycle_news.errors import IssueError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import (
    Delivery,
    DeliveryState,
    EmailAddress,
    Finding,
    IssueId,
    IssueStatus,
)
from upcycle_news.services.delivery.status import status_of
from upcycle_news.services.issues import ids
from upcycle_news.services.issues.questions import (
    LEAST_ANSWERS,
    AskedQuestion,
    asked_question,
    count_answer,
)
from upcycle_news.storage import issues, replies
from upcycle_news.storage.issue_lifecycle import SYSTEM, RecordedEvent
from upcycle_news.storage.replies import ReplyCounts

# Each verb imports what it needs: whoever asks for a status loads no feeds, templates or backups.
if TYPE_CHECKING:
    from upcycle_news.curation.manifest_diff import ManifestDiff, Piece, TextChange
    from upcycle_news.curation.selection import Candidate
    from upcycle_news.delivery.ports import DeliveryReport
    from upcycle_news.services.delivery.deliver_run import DeliveryResult, Progress
    from upcycle_news.services.delivery.issue_control import Cancellation
    from upcycle_news.services.delivery.lateness import Standstill
    from upcycle_news.services.feeds.collect import FeedRunReport
    from upcycle_news.services.issues.diff import IssueDiff
    from upcycle_news.services.issues.plan import IssuePlan, PlannedDigest, PlannedIssue
    from upcycle_news.services.issues.preview import IssuePreview
    from upcycle_news.services.issues.review import Review
    from upcycle_news.services.issues.variants import ReaderExplanation, Readership
    from upcycle_news.services.issues.waiting_runs import ResumedRuns
    from upcycle_news.storage.revisions import Revision

    OnCollected = Callable[[FeedRunReport], None]

__all__ = [
    "LEAST_ANSWERS",
    "AskedQuestion",
    "Cancellation",
    "Candidate",
    "DeliveryReport",
    "DeliveryResult",
    "DryRun",
    "FeedRunReport",
    "IssueDecision",
    "IssueDiff",
    "IssuePlan",
    "IssuePreview",
    "Issues",
    "ManifestDiff",
    "Piece",
    "PlannedDigest",
    "PlannedIssue",
    "Progress",
    "ReaderExplanation",
    "Readership",
    "RecordedEvent",
    "ReplyCounts",
    "Resending",
    "Review",
    "Revision",
    "SendResult",
    "Standstill",
    "TestMails",
    "TextChange",
]


def _ignore_report(report: FeedRunReport) -> None:
    """Take a collection's report and do nothing with it."""


def _ignore_progress(status: IssueStatus, report: DeliveryReport) -> None:
    """Take the progress of a delivery and do nothing with it."""


@dataclass(frozen=True)
class IssueDecision:
    """An approval or a rejection of one revision, and the flow runs that go on because of it.

    `feed_findings` are warnings about feeds that fail and content that may be old.
    """

    issue: IssueId
    revision_id: str
    approved: bool
    runs: ResumedRuns
    feed_findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class DryRun:
    """To how many subscribers an issue would go now; `begun` when its deliveries have begun.

    `relay` is the name of the relay that it would go over; ``mailbox`` is the embedded one, without readers.
    """

    issue: IssueId
    recipients: int
    begun: bool
    relay: str = MAIN_RELAY


@dataclass(frozen=True)
class TestMails:
    """How many test mails of an issue were accepted; in the embedded mailbox they lie in `folder`."""

    issue: IssueId
    accepted: int
    folder: str = ""


@dataclass(frozen=True)
class SendResult:
    """The delivery counts after a send, and what this send did.

    `joined`: another process queued the issue in the same moment, and both sent it.
    """

    status: IssueStatus
    report: DeliveryReport
    joined: bool = False


@dataclass(frozen=True)
class Resending:
    """How many deliveries were queued again, and what their delivery did.

    `left_out`: as many were not, since they are suppressed or have unsubscribed.
    """

    queued: int
    result: SendResult
    left_out: int = 0


class Issues:
    """The issues of a publication.

    An issue is named by its id, such as ``2026-11-26`` or ``2026-11-26-2``, as text or as
    `IssueId`; None is the default issue. `by` is who does it, and is kept with what happened to
    the issue. All verbs raise `StoreError` when the store cannot be
    used.
    """

    def __init__(self, context: AppContext) -> None:
        """Make the group of an open publication; `App.issues` is the usual way."""
        self._context = context

    # --- which issue

    def default_id(self) -> IssueId:
        """Return today's issue: the one that is not sent completely, or the next id of today."""
        return ids.current_issue(self._context)

    def latest(self) -> IssueId | None:
        """Return the newest issue whose deliveries began, else the newest previewed one, or None."""
        return ids.latest_issue(self._context)

    # --- make it

    def new_file(self, issue: IssueId | str | None = None) -> Path:
        """Make the file of an issue, with its keys still empty, and return its path.

        None is the next issue of the schedule. Raises `ContentError` when the file is there, and
        `IssueError` for a correction, or an issue whose deliveries have begun.
        """
        from upcycle_news.services.issues.issue_file import new_issue_file, next_issue_id

        chosen = next_issue_id(self._context) if issue is None else self._id(issue)
        return new_issue_file(self._context, chosen)

    def compose(
        self,
        issue: IssueId | str | None = None,
        essays: Sequence[str] = (),
        *,
        collect: bool = True,
        on_collected: OnCollected = _ignore_report,
    ) -> Revision:
        """Compose an issue from the present content and store it as its newest revision.

        `essays` are slugs, empty for all that are ready and new. `collect` fetches the feeds that
        are due before; `on_collected` gets the report of that. An issue whose deliveries have begun
        is frozen: its revision is returned. One that lies in the mailbox is taken back when a relay is set:
        it is composed again, and counts as sent until it is. Raises `NothingNew` when there is nothing to compose
        and `ContentError` for files that cannot be read.
        """
        from upcycle_news.services.delivery import issue_control
        from upcycle_news.services.issues.compose import collect_and_compose

        chosen = self._id(issue)
        issue_control.take_back_if_unsent(self._context, chosen)
        return collect_and_compose(
            self._context,
            chosen,
            essays,
            collect=collect,
            on_collected=on_collected,
        )

    def preview(
        self,
        issue: IssueId | str | None = None,
        essays: Sequence[str] = (),
        *,
        collect: bool = True,
        on_collected: OnCollected = _ignore_report,
        refresh: int | None = None,
        variant: str = "",
    ) -> IssuePreview:
        """Compose an issue, render and check it, and write its files below var/issues/ISSUE/.

        Errors are among the findings and raise nothing. `refresh` is after how many seconds a
        browser loads the page again. `variant` is the number or key of the one that they show. Raises as
        `compose` does, `TemplateError`, and `IssueError` for an unknown variant.
        """
        from upcycle_news.services.issues.preview import preview_revision

        revision = self.compose(issue, essays, collect=collect, on_collected=on_collected)
        return preview_revision(self._context, revision, refresh=refresh, variant=variant)

    def take_pictures(self, preview: IssuePreview) -> IssuePreview:
        """Take PNG pictures of a preview, phone and desktop, light and dark; return it with their paths.

        They lie beside its issue.html until the next preview of the issue. Raises `BrowserError` when there
        is no Chromium (`browser.chromium`), or it fails.
        """
        from upcycle_news.services.issues.preview import with_pictures

        return with_pictures(self._context, preview)

    def correction_of(self, issue: IssueId | str | None = None) -> IssueId:
        """Return the id of the correction of an issue that is not sent yet, such as ``2026-11-26-c1``.

        None is the latest issue, digests aside. It goes to those who got the issue, and says what `App.archive.correct` noted since. All verbs
        take it as the issue that it is. Raises `IssueError` when nine of them went out.
        """
        from upcycle_news.services.issues.correction import correction_id

        latest = issues.newest_issue(self._context.store, frozen=True, digests=False)
        return correction_id(self._context, self._latest(issue or latest))

    def digest_due(self) -> IssueId:
        """Return the id of the digest that is due, such as ``2026-12-01-d1``; all verbs take it as an issue.

        It tells the issues of a period that has ended, to those who chose the digest. Raises `NothingNew` with
        a sentence that says when the next one is due, or why there is none.
        """
        from upcycle_news.services.issues.digest import digest_id

        return digest_id(self._context)

    def audience_of(self, revision: Revision) -> int:
        """Return how many would get a revision now."""
        from upcycle_news.services.delivery.manual_send import count_audience

        return count_audience(self._context, revision)

    def linked_preview(self, token: str, variant: int = 0) -> str | None:
        """Return the page behind a preview link; None when it is altered, foreign or has expired.

        `variant` is the number of the one that it shows; an unknown one is the first.
        """
        from upcycle_news.services.issues.preview_link import preview_html

        return preview_html(self._context, token, variant)

    def check(self, issue: IssueId | str | None = None) -> tuple[Finding, ...]:
        """Return what preflight finds in an issue as it would be now; nothing is stored.

        That nothing is new, and what keeps the issue from being composed, are findings, too.
        """
        from upcycle_news.services.checks.run import check_issue

        return tuple(check_issue(self._context, self._id(issue)))

    def diff(
        self,
        issue: IssueId | str | None = None,
        old: str = "preview",
        new: str = "now",
        essays: Sequence[str] = (),
    ) -> IssueDiff:
        """Compare two states of an issue, each ``preview``, ``approval`` or the beginning of an id.

        `new` may also be ``now``, the present content. Raises `IssueError` for a state that does not exist, `NothingNew` when no issue can be
        composed now, and `ContentError` for files that cannot be read.
        """
        from upcycle_news.services.issues.diff import diff_issue

        return diff_issue(self._context, self._id(issue), old, new, essays)

    def explain(
        self, issue: IssueId | str | None = None, essays: Sequence[str] = ()
    ) -> tuple[Candidate, ...]:
        """Return every feed item that an issue could have, the best first, and why it is in or out.

        Nothing is stored; a sent issue can be explained, too. Raises `ContentError`.
        """
        from upcycle_news.services.issues.compose import explain_issue

        return explain_issue(self._context, self._id(issue), essays)

    def explain_reader(
        self, subscriber: int, issue: IssueId | str | None = None
    ) -> ReaderExplanation:
        """Return which items of an issue a subscriber gets, or got, and why; None is the latest issue.

        Raises `IssueError` when there is no such issue or subscriber.
        """
        from upcycle_news.services.issues.variants import explain_reader

        return explain_reader(self._context, self._latest(issue), subscriber)

    def readership(self, revision: Revision) -> Readership:
        """Return how many readers get each variant of a revision, or have it in the queue."""
        from upcycle_news.services.issues.variants import readership

        return readership(self._context, revision)

    def plan(self, count: int = 4) -> IssuePlan:
        """Return the next `count` issues of the schedule in prefect.yaml; nothing is stored.

        Raises `SettingsError` for a prefect.yaml that cannot be read.
        """
        from upcycle_news.services.issues.plan import plan_issues

        return plan_issues(self._context, count)

    # --- decide about it

    def approval_page(self, issue: IssueId | str | None = None) -> Review:
        """Return what an editor is asked to approve, as Markdown, and what was decided about it.

        Raises `IssueError` for an issue without a revision.
        """
        from upcycle_news.services.issues.review import review_issue

        return review_issue(self._context, self._id(issue))

    def approve(
        self, issue: IssueId | str | None = None, *, by: str, revision_id: str = ""
    ) -> IssueDecision:
        """Approve the newest revision of an issue, and resume the flow runs that wait for that.

        `by` is kept with the decision; with a `revision_id` only that revision is approved. Raises
        `IssueError` when there is no revision, it is not the newest, preflight refuses it, or the content
        has changed since it was composed.
        """
        from upcycle_news.services.delivery import issue_control
        from upcycle_news.services.issues import approval
        from upcycle_news.services.issues.render import render_revision
        from upcycle_news.services.issues.revisions import newest_revision, raise_unless_newest
        from upcycle_news.services.issues.waiting_runs import resume_waiting_runs

        chosen = self._id(issue)
        if revision_id:
            raise_unless_newest(self._context, chosen, revision_id)
        issue_control.take_back_if_unsent(self._context, chosen, by=by)
        rendered = render_revision(self._context, newest_revision(self._context, chosen))
        waiting = approval.approve(self._context, rendered, by=by)
        runs = resume_waiting_runs(self._context, waiting, "send")
        return IssueDecision(
            rendered.issue, rendered.revision_id, True, runs, rendered.feed_findings
        )

    def reject(self, issue: IssueId | str | None = None, *, by: str) -> IssueDecision:
        """Reject the newest revision of an issue, and end the flow runs that wait for a decision.

        Raises `IssueError` when there is no revision, or its deliveries have begun.
        """
        from upcycle_news.services.issues import approval
        from upcycle_news.services.issues.revisions import newest_revision
        from upcycle_news.services.issues.waiting_runs import resume_waiting_runs

        revision = newest_revision(self._context, self._id(issue))
        waiting = approval.reject(self._context, revision.issue, revision.revision_id, by=by)
        runs = resume_waiting_runs(self._context, waiting, "reject")
        return IssueDecision(revision.issue, revision.revision_id, False, runs)

    # --- send it

    def dry_run(
        self,
        issue: IssueId | str | None = None,
        essays: Sequence[str] = (),
        *,
        collect: bool = True,
        on_collected: OnCollected = _ignore_report,
    ) -> DryRun:
        """Compose, render and check an issue, and count who would get it; nothing is sent.

        Raises as `compose` does, and `IssueError` when preflight refuses it.
        """
        from upcycle_news.services.delivery.manual_send import count_audience
        from upcycle_news.services.issues.mailbox import relay_name
        from upcycle_news.services.issues.render import raise_on_errors, render_revision

        revision = self.compose(issue, essays, collect=collect, on_collected=on_collected)
        raise_on_errors(render_revision(self._context, revision))
        status = status_of(self._context, revision.issue)
        if status.state.is_frozen:
            return DryRun(revision.issue, status.waiting, True, relay_name(self._context))
        audience = count_audience(self._context, revision)
        return DryRun(revision.issue, audience, False, relay_name(self._context))

    def send_test(
        self,
        issue: IssueId | str | None = None,
        essays: Sequence[str] = (),
        *,
        to: EmailAddress | str | None = None,
        group: str = "",
        collect: bool = True,
        on_collected: OnCollected = _ignore_report,
        variant: str = "",
    ) -> TestMails:
        """Compose, render and check an issue, and send it as a test to an address or a group.

        Nothing is recorded, and the mails have Message-IDs of their own. `variant` is the number or key of
        the one that they show; default: the first. Raises as `compose` does, `AddressError`, `IssueError`
        when preflight refuses the issue, the group is empty or there is no such variant, and `RelayError`
        when a mail is not accepted.
        """
        from upcycle_news.services.delivery.test_mail import group_addresses, send_test
        from upcycle_news.services.issues.mailbox import mailbox_path
        from upcycle_news.services.issues.render import (
            raise_on_errors,
            render_revision,
            show_variant,
        )
        from upcycle_news.services.issues.variants import find_variant

        address = EmailAddress.parse(to) if isinstance(to, str) else to
        revision = self.compose(issue, essays, collect=collect, on_collected=on_collected)
        rendered = render_revision(self._context, revision)
        raise_on_errors(rendered)
        if variant:
            number = find_variant(revision.issue, revision.manifest.variants, variant)
            rendered = show_variant(self._context, rendered, number)
        recipients = (address,) if address else group_addresses(self._context, group)
        accepted = send_test(self._context, rendered, recipients)
        folder = "" if self._context.configured_relay else mailbox_path(self._context)
        return TestMails(revision.issue, accepted, folder)

    def send(
        self,
        issue: IssueId | str | None = None,
        essays: Sequence[str] = (),
        *,
        by: str = SYSTEM,
        ask: Callable[[Revision, int], bool] | None = None,
        approve: bool = False,
        ahead: bool = False,
        collect: bool = True,
        on_collected: OnCollected = _ignore_report,
        progress: Progress = _ignore_progress,
    ) -> SendResult:
        """Queue an issue and deliver it; one whose deliveries have begun goes on where it stopped.

        The newest revision must be approved, and nothing may have changed since. `approve` composes
        the present content and approves it as `by`, whatever was decided before; `ask` is called for
        an issue that nobody has approved, with the composed revision and the size of its audience,
        and returns whether to approve it as `by` (`send_question` words the question). Such an approval is
        kept only if the issue is queued. An issue of a day to come is refused unless `ahead`. One that lies
        in the mailbox (`in_mailbox`) is composed and approved anew when a relay is set, and goes to
        everybody.

        `progress` gets the counts at the beginning of the
        delivery, and the report so far again and again. SIGTERM, Ctrl-C and SIGHUP end the delivery
        gently while it runs in the main thread.

        Raises `IssueError` when the issue is not approved, has changed, is of a day to come, was cancelled,
        has no audience, or a signal ended the delivery; `NothingNew`; `SendHoldError` after a restore; and
        `RelayError` when the relay cannot be reached or stops the issue. What is not sent stays
        queued.
        """
        from upcycle_news.services.delivery.manual_send import Approver, queue_issue

        chosen = self._id(issue)
        queued = queue_issue(
            self._context,
            chosen,
            essays,
            approver=Approver(by, asks=ask, always=approve),
            collect=collect,
            on_collected=on_collected,
            ahead=ahead,
        )
        from upcycle_news.services.delivery.deliver_run import run_delivery

        result = run_delivery(self._context, chosen, progress=progress, rendered=queued.rendered)
        return self._send_result(result, joined=queued.joined)

    def queue(self, issue: IssueId | str, *, revision_id: str, by: str) -> IssueStatus:
        """Queue the revision of an issue that is approved, and return its counts; nothing is delivered here.

        The flows deliver-pending and watch do that. An issue whose deliveries have begun with this revision
        goes on if it was paused or stopped. Raises `IssueError` as `send` does, and for another revision
        than the newest, or one that nobody has approved.
        """
        from upcycle_news.services.delivery.manual_send import queue_approved

        chosen = self._id(issue)
        queue_approved(self._context, chosen, revision_id, by=by)
        return self.status(chosen)

    def resume(
        self,
        issue: IssueId | str,
        *,
        by: str = SYSTEM,
        past_guard: bool = False,
        progress: Progress = _ignore_progress,
    ) -> SendResult:
        """Go on with an issue that was paused, stopped or interrupted; raises as `send` does.

        `past_guard` is for an issue that a wave of refusals has stopped, and somebody who knows that
        they are right: those deliveries are put off, the others go on, and no wave stops the issue
        again. What the refusals suppress from then on in a wave waits for a decision
        (`Suppressions.pending`).
        """
        from upcycle_news.services.delivery import issue_control
        from upcycle_news.services.delivery.deliver_run import run_delivery

        chosen = self._id(issue)
        issue_control.resume(self._context, chosen, by=by, past_guard=past_guard)
        return self._send_result(run_delivery(self._context, chosen, progress=progress))

    def resend(
        self,
        issue: IssueId | str,
        *,
        state: DeliveryState = DeliveryState.UNKNOWN,
        code: str = "",
        since: datetime | None = None,
        by: str = SYSTEM,
        on_queued: Callable[[int], None] = lambda _: None,
        progress: Progress = _ignore_progress,
    ) -> Resending:
        """Send again what may or may not have arrived, or what was refused wrongly.

        `state` is unknown or rejected; `code` takes only deliveries with this reply code (``550``) or
        enhanced status code (``5.7.1``), `since` only those that ended then or later. Nobody who is
        suppressed or has unsubscribed gets one, a closed issue is reopened, and a second copy has the
        same Message-ID. `on_queued` gets the number of deliveries before they are sent. Raises
        `UsageError` for another state or a code that is none, and as `send` does.
        """
        from upcycle_news.services.delivery import issue_control
        from upcycle_news.services.delivery.deliver_run import run_delivery

        chosen = self._id(issue)
        requeued = issue_control.requeue(
            self._context, chosen, state, code=code, since=since, by=by
        )
        on_queued(requeued.queued)
        result = run_delivery(self._context, chosen, progress=progress)
        return Resending(requeued.queued, self._send_result(result), requeued.left_out)

    def pause(self, issue: IssueId | str, *, by: str = SYSTEM) -> IssueStatus:
        """Pause an issue until it is resumed; its workers stop by themselves.

        Raises `IssueError` for an issue that is not being sent.
        """
        from upcycle_news.services.delivery import issue_control

        chosen = self._id(issue)
        issue_control.pause(self._context, chosen, by=by)
        return self.status(chosen)

    def cancel(self, issue: IssueId | str, *, by: str = SYSTEM) -> Cancellation:
        """End an issue: who has not got it yet will not get it.

        After a restore also one that was sent before. Raises `IssueError` for any other issue that
        is not being sent.
        """
        from upcycle_news.services.delivery import issue_control

        return issue_control.cancel(self._context, self._id(issue), by=by)

    def send_question(self, revision: Revision, audience: int) -> LocalizedText:
        """Return the question whether to send a revision to `audience` subscribers, and over which relay."""
        from upcycle_news.services.delivery.manual_send import send_question

        return send_question(self._context, revision, audience)

    # --- follow it

    def all(self, last: int | None = None) -> tuple[IssueStatus, ...]:
        """Return every issue, or the `last` so many, with its deliveries by state, oldest first."""
        rows = issues.all_issues(self._context.store, last)
        return tuple(status_of(self._context, row.id) for row in rows)

    def status(self, issue: IssueId | str | None = None) -> IssueStatus:
        """Return the deliveries by state, and by variant; None is the issue that `latest` returns.

        Raises `IssueError` when there is no such issue.
        """
        chosen = self._latest(issue)
        status = status_of(self._context, chosen)
        return replace(status, variants=issues.variant_sums(self._context.store, chosen))

    def replies(self, issue: IssueId | str | None = None) -> ReplyCounts:
        """Return how many replies the inbox held: of people, and of absence assistants; None is the latest issue.

        Only those that name a mail of the issue are counted; nothing else of them is kept.
        """
        chosen = str(self._latest(issue))
        return replies.counts_of(self._context.store, [chosen]).get(chosen, ReplyCounts())

    def in_mailbox(self, issue: IssueId | str | None = None) -> LocalizedText | None:
        """Return that an issue lies in the embedded mailbox, and how readers get it; None if it does not.

        No reader has such an issue: no relay was set when it was sent. None is the latest issue.
        """
        from upcycle_news.services.issues.mailbox import mailbox_text

        return mailbox_text(self._context, self._latest(issue))

    def question(
        self, issue: IssueId | str | None = None, *, language: str = ""
    ) -> AskedQuestion | None:
        """Return the question of an issue that was sent, with its answers; None without one.

        In `language` where the issue asks in it, else in the issue's own; the answers are counted together.
        Figures are there from five answers on. The answers name nobody, and can be stuffed.
        """
        return asked_question(self._context, self._latest(issue), language)

    def count_answer(self, issue: IssueId | str, answer: int) -> bool:
        """Count an answer to the question of an issue, by its number from 1; nothing else is kept.

        False, and nothing is counted, if there is none such or the question is closed.
        """
        return count_answer(self._context, self._id(issue), answer)

    def standstill(self, issue: IssueId | str | None = None) -> Standstill | None:
        """Return why an issue does not get on (None is the latest); None when it does.

        Raises `IssueError` when no issue was previewed yet.
        """
        from upcycle_news.services.delivery.lateness import standstill

        return standstill(self._context, self._latest(issue))

    def waits_until(self, issue: IssueId | str | None = None) -> LocalizedText | None:
        """Return until when an approved issue waits: its day, or the time in its file; None if it does not."""
        return ids.ahead_waiting(self._context, self._latest(issue))

    def history(self, issue: IssueId | str | None = None) -> tuple[RecordedEvent, ...]:
        """Return what happened to an issue, by whom and when, oldest first; default: the newest.

        Raises `IssueError` when there is no such issue.
        """
        status = self.status(issue)
        return issues.history(self._context.store, IssueId.parse(status.issue))

    def deliveries(
        self, issue: IssueId | str | None = None, *, state: DeliveryState
    ) -> Iterator[Delivery]:
        """Yield the deliveries in one state, with addresses; None is the latest issue.

        Raises `IssueError` when there is no such issue.
        """
        from upcycle_news.storage import deliveries

        chosen = self._latest(issue)
        status_of(self._context, chosen)
        return deliveries.list_deliveries(self._context.store, chosen, state)

    # ---

    def _id(self, issue: IssueId | str | None) -> IssueId:
        if issue is None:
            return self.default_id()
        return IssueId.parse(issue) if isinstance(issue, str) else issue

    def _latest(self, issue: IssueId | str | None) -> IssueId:
        if issue is not None:
            return self._id(issue)
        if (latest := self.latest()) is None:
            raise IssueError(localized("issue-none-yet"))
        return latest

    def _send_result(self, result: DeliveryResult, *, joined: bool = False) -> SendResult:
        if result.interrupted:
            raise IssueError(localized("send-interrupted", issue=result.status.issue))
        return SendResult(result.status, result.report, joined)
