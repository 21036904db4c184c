"""Send the steps of the welcome that are due: each reader gets each step once, and in doubt not again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from upcycle_news.app.context import AppContext
from upcycle_news.delivery.engine import deliver
from upcycle_news.delivery.ports import DeliveryReport, SendLimits, WaitLimits
from upcycle_news.errors import RelayError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.i18n.recognition import recognise
from upcycle_news.mail.message import MessageTemplate
from upcycle_news.models import Choice, IssueId, IssueState, Relay, RenderedIssue
from upcycle_news.models.welcome import SERIES, WelcomeRevision
from upcycle_news.observability.logging import Log
from upcycle_news.services.delivery import worker_identity
from upcycle_news.services.delivery.worker_job import (
    combine_reports,
    compose_template,
    load_mailing,
    message_composer,
    variant_templates,
)
from upcycle_news.services.issues.mailbox import is_unsent
from upcycle_news.services.issues.settings_findings import settings_findings
from upcycle_news.services.journal.consistency import raise_if_sending_refused
from upcycle_news.services.welcome.steps import read_steps
from upcycle_news.storage import corrections, issues, revisions, welcome, workers
from upcycle_news.storage.audience import VariantOf, wants
from upcycle_news.storage.issues import IssueRow
from upcycle_news.storage.welcome_ledger import WelcomeLedger
from upcycle_news.transports.smtp import open_connection

log = Log(__name__)


@dataclass(frozen=True)
class WelcomeReport:
    """What a run sent: mails, of all steps together; `away` says why the relay took no more."""

    queued: int = 0
    sent: int = 0
    rejected: int = 0
    unknown: int = 0
    deferred: int = 0
    away: str = ""

    def sentences(self) -> tuple[LocalizedText, ...]:
        """Return what happened; nothing where nothing was due."""
        said = []
        if self.sent:
            said.append(localized("welcome-sent", count=self.sent))
        if self.unknown:
            said.append(localized("welcome-unknown-count", count=self.unknown))
        if self.away:
            said.append(localized("welcome-away", why=self.away))
        return tuple(said)


def queue_due(context: AppContext) -> int:
    """Queue each approved step for whom it is due now; returns how many deliveries are new.

    A step goes to whom it was due for after its first approval; nothing that was due before a store was
    restored, since it may have been sent.
    """
    set_back, now = welcome.set_back_at(context.store), context.clock()
    if set_back is not None:
        welcome.doubt_queued_before(context.store, set_back, now=now)
    queued = 0
    for file in read_steps(context).steps:
        step = welcome.approved(context.store, file.step)
        first = welcome.first_approved_at(context.store, file.step)
        if step is None or first is None:
            continue
        sent = _sent_issues(context) if step.newest_issue else ()
        issue = max(sent, key=lambda row: row.id, default=None)
        if step.newest_issue and issue is None:
            continue
        queued += welcome.queue_due(
            context.store,
            step,
            since=max(first, set_back) if set_back else first,
            now=now,
            issue=str(issue.id) if issue else "",
            variant_of=_variant_of(context, issue) if issue else _only_one,
        )
    return queued


def _only_one(_: Choice) -> int:
    return 0


def _variant_of(context: AppContext, issue: IssueRow) -> VariantOf:
    """Return what says which variant of an issue a choice gets, as when it was queued; None for no mail."""
    revision = revisions.load_revision(context.store, issue.id, issue.revision_id)
    assert revision is not None, "sent without a revision"
    topics = revision.manifest.publication.readers_of
    number_of = issues.variant_chooser(revision.manifest) or _only_one

    def variant_of(choice: Choice) -> int | None:
        return number_of(choice) if not topics or wants(choice.topics, topics) else None

    return variant_of


def _sent_issues(context: AppContext) -> tuple[IssueRow, ...]:
    """Return the issues that were sent to readers, and neither stopped nor withdrawn since."""
    withdrawn = {
        one.issue for one in corrections.all_corrections(context.store)
        if one.kind == "withdrawal" and not one.essay
    }  # fmt: skip
    return tuple(
        row
        for row in issues.issues_in(context.store, IssueState.SENDING, IssueState.CLOSED)
        if row.enqueued_at is not None
        and row.id.is_regular
        and row.id not in withdrawn
        and not is_unsent(context, row.id)
    )


def send_due(context: AppContext, *, stopping: Callable[[], bool] = lambda: False) -> WelcomeReport:
    """Queue what is due and send it; safe in several processes, and after any death.

    Raises `SendHoldError` and its like while nothing may be sent. What the relay does not take waits.
    """
    raise_if_sending_refused(context)
    _reclaim_from_dead(context)
    if refusal := _refusal(context):
        return WelcomeReport(away=refusal.in_language(context.language))
    queued, now = queue_due(context), context.clock()
    report, away = DeliveryReport(), ""
    if welcome.has_due(context.store, now=now):
        try:
            with context.relay() as relay:
                for step, revision_id, issue in welcome.due_parts(context.store, now=now):
                    if stopping() or report.stopped:
                        break
                    if issue and issue not in {str(row.id) for row in _sent_issues(context)}:
                        continue  # stopped or withdrawn since it was queued: it waits
                    part = _Part(welcome.revision(context.store, step, revision_id), issue)
                    report = combine_reports(report, part.send(context, relay, stopping))
        except RelayError as error:
            log.warning("welcome waits", why=error)
            away = error.in_language(context.language)
    if report.away is not None:
        away = report.away.in_language(context.language)
    elif report.stopped:
        away = recognise(report.stopped, "reasons").in_language(context.language)
    return WelcomeReport(
        queued, report.sent, report.rejected, report.unknown, report.deferred, away
    )


def _refusal(context: AppContext) -> LocalizedText | None:
    """Return why no step may be sent with these settings, as no issue may; None when they may."""
    if not any(welcome.approved(context.store, file.step) for file in read_steps(context).steps):
        return None
    errors = (one.text for one in settings_findings(context) if one.level == "error")
    return next(errors, None)


@dataclass(frozen=True)
class _Part:
    """One mail: a revision of a step, or with it the newest issue."""

    step: WelcomeRevision
    issue: str

    def send(
        self, context: AppContext, relay: Relay, stopping: Callable[[], bool]
    ) -> DeliveryReport:
        publication = context.publication
        template_of = self._template_of(context, relay)
        worker = worker_identity.register(context)
        try:
            return deliver(
                ledger=WelcomeLedger(
                    context.store,
                    worker,
                    step=self.step.step,
                    revision_id=self.step.revision_id,
                    issue=self.issue,
                    quotas=context.quotas(relay.name, publication.sender_address),
                    give_up_after=context.retry_policy.give_up_after,
                    language=context.language,
                ),
                connect=lambda: open_connection(relay),
                # Not the issue's own Message-ID: it is another mailing, with a key of its own.
                compose_message=message_composer(
                    context, template_of, f"{SERIES}/{self.step.step}", 0, relay
                ),
                policy=context.retry_policy,
                wait_limits=WaitLimits(deferred=0.0, relay=0.0),
                send_limits=SendLimits(
                    connections=1,
                    messages_per_connection=relay.messages_per_connection,
                    next_opening=context.send_window(publication.timezone),
                ),
                clock=context.clock,
                wait=context.wait,
                stopping=stopping,
            )
        finally:
            workers.deregister_worker(context.store, worker, now=context.clock())

    def _template_of(self, context: AppContext, relay: Relay) -> Callable[[int], MessageTemplate]:
        """Return what gives the mail over `relay` by the number of its variant; a step of words has one."""
        if self.issue:
            row = issues.get(context.store, IssueId.parse(self.issue))
            assert row is not None
            return variant_templates(context, load_mailing(context, row), relay)
        step = self.step
        content = RenderedIssue(
            IssueId(step.created_at.date()),
            step.language,
            step.subject,
            step.html,
            step.text,
            mjml="",
        )
        template = compose_template(
            context, content, context.publication, relay, revision_id=step.revision_id
        )
        return lambda _: template


def _reclaim_from_dead(context: AppContext) -> None:
    dead = [
        worker
        for worker in welcome.workers_in_flight(context.store)
        if not worker_identity.is_alive(worker, context.clock())
    ]
    if dead:
        resend = context.settings.retry.unknown == "resend"
        count = welcome.reclaim(context.store, dead, resend=resend, now=context.clock())
        log.warning("welcome workers died", on_the_wire=count)
