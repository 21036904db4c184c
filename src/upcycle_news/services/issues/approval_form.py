"""What an editor reads above the form of an approval, in the publication's language."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from upcycle_news.app.context import Newsroom
from upcycle_news.i18n.messages import say
from upcycle_news.models import Finding, IssueId
from upcycle_news.rendering.preview_page import LEVELS
from upcycle_news.services.issues.changes import since_last_time
from upcycle_news.services.issues.preview_link import preview_url
from upcycle_news.services.issues.render import render_issue
from upcycle_news.services.markdown import Words, md
from upcycle_news.storage import issues, revisions


def approval_page(
    room: Newsroom, issue: IssueId, digest: str, *, until: datetime, refused: str = ""
) -> str:
    """The issue, what changed, what was found and where to look, in Markdown."""
    found = revisions.revision(room.store, issue, digest)
    assert found is not None
    words = Words(room.settings.publication.language)
    rendered = render_issue(room, issue, digest)
    content = found.manifest.issue
    readers = issues.count_audience(room.store, found.manifest.publication.readers_of)
    told = say(
        "question-issue",
        issue=str(issue),
        readers=say("question-readers", count=readers),
        essays=say("question-essays", count=len(content.essays)),
        items=say("question-items", count=len(content.related)),
        size=rendered.html_bytes / 1000,
        revision=digest[:12],
        until=words.moment(until.astimezone(room.settings.publication.zone)),
    )
    link = preview_url(room, issue, digest, expires=until)
    lines = [
        f"## {md(rendered.rendered.subject)}",
        "",
        *([f"**{words(say('question-refused'))}** {md(refused)}", ""] if refused else []),
        words(told),
        "",
        f"**[{words(say('question-look'))}]({link})** ({words(say('question-link'))})",
        "",
        *(f"- {words(say('question-essay'))}: {md(essay.title)}" for essay in content.essays),
        "",
        *(
            f"{number}. {md(one.story.lead.title)} – [{md(one.story.lead.feed)}]({one.story.lead.link})"
            for number, one in enumerate(content.related, start=1)
        ),
        "",
        *since_last_time(room, words, issue, digest, found.manifest),
        *_findings(words, rendered.findings),
        words(say("question-decide")),
    ]
    return "\n".join(lines)


def form_labels(room: Newsroom) -> dict[str, tuple[str, str]]:
    """Title and words of the form's fields, by the fields' names."""
    labels = {
        "decision": (say("form-decision-title"), say("form-decision")),
        "leave_out": (say("form-leave-out-title"), say("form-leave-out")),
        "name": (say("form-name-title"), say("form-name")),
    }
    words = Words(room.language)
    return {name: (words(title), words(said)) for name, (title, said) in labels.items()}


def _findings(words: Words, findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return [words(say("question-found-nothing")), ""]
    told = [
        f"- {words(LEVELS[one.level])}: {md(one.where)}: {md(words(one.said))}" for one in findings
    ]
    return [f"**{words(say('question-found'))}**", "", *told, ""]
