"""The steps of the welcome as editors see them: previewed, approved once, and what waits for an approval."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.checks.issue import check_any_mail
from upcycle_news.content.welcome_files import WelcomeFiles, read_welcome_files
from upcycle_news.errors import ContentError, IssueError, UpcycleError
from upcycle_news.fileio import write_atomically
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import DeliveryState, Finding, IssueId, RenderedIssue
from upcycle_news.models.welcome import TEMPLATE, WelcomeFile, WelcomeRevision
from upcycle_news.rendering.template_strings import catalogue_name
from upcycle_news.scaffold.looks import bundled_templates, with_missing_words
from upcycle_news.services.content.templates import publication_templates
from upcycle_news.services.issues.settings_findings import settings_findings
from upcycle_news.storage import welcome


@dataclass(frozen=True)
class WelcomeStep:
    """A step: its file, what it says now, what was previewed, and the approved form that goes on.

    `counts` are its deliveries by state; they add up to `audience`.
    """

    file: WelcomeFile
    current: WelcomeRevision
    previewed: WelcomeRevision | None
    approved: WelcomeRevision | None
    counts: Mapping[DeliveryState, int]

    @property
    def audience(self) -> int:
        """For how many readers it was queued so far."""
        return sum(self.counts.values())

    @property
    def is_approved(self) -> bool:
        """Whether what the file says now is what goes out."""
        return self.approved is not None and self.approved.revision_id == self.current.revision_id

    def as_dict(self) -> dict[str, Any]:
        """Return the object of `welcome status --json`."""
        return {
            "step": self.file.step,
            "after_days": self.file.after.days,
            "subject": self.current.subject,
            "hash": self.current.revision_id,
            "approved": self.approved.revision_id if self.approved else None,
            "waits_for_approval": not self.is_approved,
            "audience": self.audience,
            **{state.value: self.counts.get(state, 0) for state in DeliveryState},
        }

    def sentence(self) -> LocalizedText:
        """Return the step with its state and its sums."""
        if self.is_approved:
            state = localized("welcome-approved")
        elif self.approved is not None:
            state = localized("welcome-changed")
        else:
            state = localized("welcome-waits")
        return localized(
            "welcome-step",
            step=self.file.step,
            days=localized("count-days", count=self.file.after.days),
            state=state,
            audience=self.audience,
            sent=self.counts.get(DeliveryState.SENT, 0),
            unknown=self.counts.get(DeliveryState.UNKNOWN, 0),
            rest=self.audience
            - self.counts.get(DeliveryState.SENT, 0)
            - self.counts.get(DeliveryState.UNKNOWN, 0),
        )


def read_steps(context: AppContext) -> WelcomeFiles:
    """Read the files of the steps; what is wrong with one is among `errors`."""
    return read_welcome_files(context.content_folder, context.settings.home, context.language)


def steps(context: AppContext) -> tuple[WelcomeStep, ...]:
    """Return the steps in their order; raises `ContentError` that names everything that is wrong."""
    found = read_steps(context)
    if found.errors:
        first, *more = found.errors
        raise ContentError(first.where, first.line, first.text, more)
    templates = _templates(context)
    return tuple(
        WelcomeStep(
            file,
            _revision(context, templates, file),
            welcome.previewed(context.store, file.step),
            welcome.approved(context.store, file.step),
            welcome.counts(context.store, file.step),
        )
        for file in found.steps
    )


def _templates(context: AppContext) -> dict[str, str]:
    """Return the publication's templates, with the bundled ones for what an older one lacks."""
    own, bundled = publication_templates(context), bundled_templates()
    missing = {
        name: bundled[name] for name in (f"{TEMPLATE}.mjml", f"{TEMPLATE}.txt") if name not in own
    }
    catalogue = catalogue_name(context.language)
    if catalogue in own:
        missing[catalogue] = with_missing_words(own[catalogue], bundled[catalogue])
    return {**own, **missing}


def _revision(
    context: AppContext, templates: Mapping[str, str], file: WelcomeFile
) -> WelcomeRevision:
    """Return what a step says now; its id is the SHA-256 of what readers would get, and when."""
    subject = html = text = ""
    if not file.newest_issue:
        from upcycle_news.rendering.welcome import render_welcome  # late: most have no such steps

        rendered = render_welcome(templates, context.publication, file)
        subject, html, text = rendered.subject, rendered.html, rendered.text
    digest = sha256()
    for part in (str(file.after.days), str(file.newest_issue), subject, html, text):
        digest.update(f"{len(part)}:".encode() + part.encode())
    return WelcomeRevision(
        step=file.step,
        revision_id=digest.hexdigest(),
        after=file.after,
        newest_issue=file.newest_issue,
        language=context.publication.language,
        subject=subject,
        html=html,
        text=text,
        created_at=context.clock(),
    )


def preview(context: AppContext) -> tuple[WelcomeStep, ...]:
    """Freeze what each step says now and write it to ``welcome`` in the state; returns the steps."""
    for step in steps(context):
        welcome.save_revision(context.store, step.current)
        if not step.file.newest_issue:
            for suffix, content in (("html", step.current.html), ("txt", step.current.text)):
                write_atomically(preview_path(context, step.file.step, suffix), content.encode())
    return steps(context)


def preview_path(context: AppContext, step: str, suffix: str = "html") -> Path:
    """Return the file that shows a step."""
    return context.settings.state / "welcome" / f"{step}.{suffix}"


def approve(
    context: AppContext, names: tuple[str, ...] = (), *, by: str
) -> tuple[WelcomeStep, ...]:
    """Approve what was previewed of these steps, or of all; returns those that are approved now.

    Raises `IssueError` for a step that does not exist, or changed since its preview, and `ContentError` for
    one that lacks what every mail needs, such as the link for unsubscribing.
    """
    known = {step.file.step: step for step in steps(context)}
    for name in names:
        if name not in known:
            raise IssueError(localized("welcome-unknown", step=name[:60]))
    chosen = [known[name] for name in names or known]
    for step in chosen:
        if step.previewed is None or step.previewed.revision_id != step.current.revision_id:
            raise IssueError(localized("welcome-not-previewed", step=step.file.step))
    errors = [
        ContentError(finding.where, None, finding.text)
        for finding in dict.fromkeys(
            (*settings_findings(context), *_content_findings(context, chosen))
        )
        if finding.level == "error"
    ]
    if errors:
        raise ContentError(errors[0].where, None, errors[0].text, errors[1:])
    for step in chosen:
        if not step.is_approved:
            welcome.approve(
                context.store, step.file.step, step.current.revision_id, by=by, now=context.clock()
            )
    wanted = {step.file.step for step in chosen}
    return tuple(step for step in steps(context) if step.file.step in wanted)


def _content_findings(context: AppContext, chosen: Collection[WelcomeStep]) -> Iterator[Finding]:
    """Yield what is wrong with the mails of these steps; the newest issue was looked at as an issue."""
    for step in chosen:
        if not step.file.newest_issue:
            revision = step.current
            rendered = RenderedIssue(
                IssueId(revision.created_at.date()),
                revision.language,
                revision.subject,
                revision.html,
                revision.text,
                mjml="",
            )
            for finding in check_any_mail(rendered, context.publication):
                # A step's files of the preview are called after it.
                where = finding.where.replace("issue.", f"welcome/{step.file.step}.", 1)
                yield replace(finding, where=where)


def welcome_findings(context: AppContext) -> Iterator[Finding]:
    """Yield an error for each mistake in a step's file, and a warning for a step that waits."""
    found = read_steps(context)
    for error in found.errors:
        yield Finding("error", "welcome-file", error.place, error.localized_text)
    if found.errors:
        return
    try:
        for step in steps(context):
            if not step.is_approved:
                name = step.file.step
                text = localized("welcome-outdated", step=name)
                if step.approved is None:
                    text = localized("welcome-unapproved", step=name)
                yield Finding("warning", "welcome-unapproved", f"{step.file.source}:1", text)
    except UpcycleError as error:
        place = error.place if isinstance(error, ContentError) else "content/welcome"
        yield Finding("error", "welcome-file", place, error.localized_text)
