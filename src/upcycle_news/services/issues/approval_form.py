"""Texts of the approval form in Prefect: the page above it and the labels of its fields."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding
from upcycle_news.rendering.preview_page import LEVELS
from upcycle_news.services.issues.changes_markdown import changes_since_last_request
from upcycle_news.services.issues.preview_link import preview_url
from upcycle_news.services.issues.render import RenderedRevision
from upcycle_news.services.markdown import Translator, escape_markdown, markdown_of_sentence
from upcycle_news.services.subscribers import suppression_lists
from upcycle_news.storage import issues


def approval_page(
    context: AppContext, rendered: RenderedRevision, *, until: datetime, refused: str = ""
) -> str:
    """Return the Markdown above the form: the issue, a preview link, changes and findings."""
    revision = rendered.revision
    translate = Translator(context.settings.publication.language)
    content = revision.manifest.issue
    audience = issues.count_audience(context.store, revision.manifest.publication.readers_of)
    summary = localized(
        "request-issue",
        issue=str(revision.issue),
        readers=localized("request-readers", count=audience),
        essays=localized("request-essays", count=len(content.essays)),
        items=localized("request-items", count=len(content.related)),
        size=rendered.html_bytes / 1000,
        revision=revision.revision_id[:12],
        until=translate.format_time(until.astimezone(context.settings.publication.zone)),
    )
    link = preview_url(context, revision.issue, revision.revision_id, expires=until)
    lines = [
        f"## {escape_markdown(rendered.content.subject)}",
        "",
        *(
            [f"**{translate(localized('request-refused'))}** {markdown_of_sentence(refused)}", ""]
            if refused
            else []
        ),
        translate(summary),
        "",
        f"**[{translate(localized('request-look'))}]({link})** ({translate(localized('request-link'))})",
        "",
        translate(localized("request-decide")),
        "",
        *(
            f"- {translate(localized('request-essay'))}: {escape_markdown(essay.title)}"
            for essay in content.essays
        ),
        "",
        *(
            f"{number}. {escape_markdown(lead.title)} – [{escape_markdown(lead.feed)}]({lead.link})"
            for number, lead in enumerate((related.story.lead for related in content.related), 1)
        ),
        "",
        *changes_since_last_request(context, translate, revision),
        *_findings(translate, rendered.findings),
        *_pending_suppressions(context),
    ]
    return "\n".join(lines)


def form_labels(context: AppContext) -> dict[str, tuple[str, str]]:
    """Return title and description of the form's fields, by field name."""
    labels = {
        "decision": (localized("form-decision-title"), localized("form-decision")),
        "leave_out": (localized("form-leave-out-title"), localized("form-leave-out")),
        "name": (localized("form-name-title"), localized("form-name")),
    }
    translate = Translator(context.language)
    return {
        name: (translate(title), translate(description))
        for name, (title, description) in labels.items()
    }


def _pending_suppressions(context: AppContext) -> list[str]:
    waiting = suppression_lists.pending_sentence(context)
    return [f"**{waiting}**", ""] if waiting else []


def _findings(translate: Translator, findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return [translate(localized("request-found-nothing")), ""]
    lines = [
        f"- {translate(LEVELS[finding.level])}: {escape_markdown(finding.where)}: {markdown_of_sentence(translate(finding.text))}"
        for finding in findings
    ]
    return [f"**{translate(localized('request-found'))}**", "", *lines, ""]
