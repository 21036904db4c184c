"""What an editor reads above the form of an approval, in the publication's language."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding, IssueId
from upcycle_news.rendering.preview_page import LEVELS
from upcycle_news.services.issues.changes import since_last_time
from upcycle_news.services.issues.preview_link import preview_url
from upcycle_news.services.issues.render import render_issue
from upcycle_news.services.markdown import Words, md
from upcycle_news.storage import issues, revisions


def approval_page(
    context: AppContext, issue: IssueId, revision_id: str, *, until: datetime, refused: str = ""
) -> str:
    """The issue, what changed, what was found and where to look, in Markdown."""
    found = revisions.revision(context.store, issue, revision_id)
    assert found is not None
    words = Words(context.settings.publication.language)
    rendered = render_issue(context, issue, revision_id)
    content = found.manifest.issue
    readers = issues.count_audience(context.store, found.manifest.publication.readers_of)
    told = localized(
        "question-issue",
        issue=str(issue),
        readers=localized("question-readers", count=readers),
        essays=localized("question-essays", count=len(content.essays)),
        items=localized("question-items", count=len(content.related)),
        size=rendered.html_bytes / 1000,
        revision=revision_id[:12],
        until=words.moment(until.astimezone(context.settings.publication.zone)),
    )
    link = preview_url(context, issue, revision_id, expires=until)
    lines = [
        f"## {md(rendered.rendered.subject)}",
        "",
        *([f"**{words(localized('question-refused'))}** {md(refused)}", ""] if refused else []),
        words(told),
        "",
        f"**[{words(localized('question-look'))}]({link})** ({words(localized('question-link'))})",
        "",
        *(f"- {words(localized('question-essay'))}: {md(essay.title)}" for essay in content.essays),
        "",
        *(
            f"{number}. {md(one.story.lead.title)} – [{md(one.story.lead.feed)}]({one.story.lead.link})"
            for number, one in enumerate(content.related, start=1)
        ),
        "",
        *since_last_time(context, words, issue, revision_id, found.manifest),
        *_findings(words, rendered.findings),
        words(localized("question-decide")),
    ]
    return "\n".join(lines)


def form_labels(context: AppContext) -> dict[str, tuple[str, str]]:
    """Title and words of the form's fields, by the fields' names."""
    labels = {
        "decision": (localized("form-decision-title"), localized("form-decision")),
        "leave_out": (localized("form-leave-out-title"), localized("form-leave-out")),
        "name": (localized("form-name-title"), localized("form-name")),
    }
    words = Words(context.language)
    return {name: (words(title), words(said)) for name, (title, said) in labels.items()}


def _findings(words: Words, findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return [words(localized("question-found-nothing")), ""]
    told = [
        f"- {words(LEVELS[one.level])}: {md(one.where)}: {md(words(one.said))}" for one in findings
    ]
    return [f"**{words(localized('question-found'))}**", "", *told, ""]
