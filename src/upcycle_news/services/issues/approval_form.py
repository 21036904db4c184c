"""Texts of the approval form in Prefect: the page above it and the labels of its fields."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding, Issue
from upcycle_news.models.delivery import digest_text
from upcycle_news.models.language_names import language_name
from upcycle_news.rendering.preview_page import LEVELS
from upcycle_news.services.issues.changes_markdown import changes_since_last_request
from upcycle_news.services.issues.preview_link import preview_url
from upcycle_news.services.issues.render import RenderedRevision
from upcycle_news.services.issues.variants import Readership, readership, variant_label
from upcycle_news.services.subscribers import wave_suppressions
from upcycle_news.storage.revisions import Revision
from upcycle_news.storage.wordings import name_in
from upcycle_news.text.escaped_markdown import (
    Translator,
    escape_markdown,
    markdown_link,
    markdown_of_sentence,
)

CHOICES = (
    localized("request-send"),
    localized("request-test-again"),
    localized("request-leave-out"),
    localized("request-reject"),
)
"""What each answer of the form does: its words are a documented surface and the same in all languages."""

VIEWS = {"phone": localized("preview-phone"), "desktop": localized("preview-desktop")}


def approval_page(
    context: AppContext,
    rendered: RenderedRevision,
    *,
    until: datetime,
    refused: str = "",
    pictures: Mapping[str, bytes] = {},
) -> str:
    """Return the Markdown above the form: the issue, a preview link, what can be decided, what changed, findings.

    `pictures` are small WebP pictures by the kind of a view; Prefect's page shows them from the text.
    """
    revision = rendered.revision
    translate = Translator(context.settings.publication.language)
    content = revision.manifest.issue
    everybody = readership(context, revision)
    summary = localized(
        "request-issue",
        issue=str(revision.issue),
        readers=localized("request-readers", count=everybody.audience),
        essays=localized("request-essays", count=len(content.all_essays)),
        items=localized("request-items", count=len(content.all_related)),
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
        *_digest(translate, content),
        f"**[{translate(localized('request-look'))}]({link})** ({translate(localized('request-link'))})",
        "",
        *_pictures(translate, pictures),
        *_variants(context, translate, everybody, link),
        f"**{translate(localized('request-decide'))}**",
        "",
        *(f"- {translate(choice)}" for choice in CHOICES),
        "",
        f"**{translate(localized('request-contents'))}**",
        "",
        *(
            f"- {translate(localized('request-essay'))}: {escape_markdown(essay.title)}"
            for essay in content.all_essays
        ),
        "",
        *(
            f"{number}. {escape_markdown(lead.title)} – {markdown_link(lead.feed, lead.link)}"
            for number, lead in enumerate((one.story.lead for one in content.all_related), 1)
        ),
        "",
        *changes_since_last_request(context, translate, revision),
        *_findings(translate, rendered.findings),
        *_pending_suppressions(context),
    ]
    return "\n".join(lines)


def _digest(translate: Translator, content: Issue) -> list[str]:
    """Return which issues a digest tells, and to whom; nothing about another issue."""
    if not content.digest_of:
        return []
    return [translate(localized("request-digest", told=content.digest_of)), ""]


LISTED_VARIANTS = 12
"""Variants that the form lists with links: those of most readers."""


def _variants(
    context: AppContext, translate: Translator, everybody: Readership, link: str
) -> list[str]:
    """Return the variants with their readers as a list, and who gets none of their own, nothing, or a digest."""
    lines = []
    if len(everybody.variants) > 1:
        several = len({one.variant.language for one in everybody.variants}) > 1
        most = sorted(everybody.variants, key=lambda one: (-one.readers, one.number))
        for one in most[:LISTED_VARIANTS]:
            name = translate(variant_label(context, one.variant, languages=several))
            items = translate(localized("request-items", count=one.items))
            readers = translate(localized("preview-variant-readers", count=one.readers))
            url = f"{link}?variant={one.number}"
            lines.append(f"- {markdown_link(name, url)}: {items}, {readers}")
        if more := len(most[LISTED_VARIANTS:]):
            lines.append(f"- {translate(localized('request-variants-more', count=more))}")
        title = translate(localized("request-variants"))
        together = translate(localized("request-variants-all", count=len(most)))
        lines = [f"**{title}** {together}", "", *lines, ""]
    if everybody.others:
        lines += [translate(localized("request-variants-others", count=everybody.others)), ""]
    for language, count in sorted(everybody.without.items()):
        lines += [
            translate(localized("request-without", language=language_name(language), count=count)),
            "",
        ]
    if (left := digest_text(everybody.left_for_digest, everybody.digest_day)) is not None:
        lines += [translate(left), ""]
    return lines


def form_values(revision: Revision) -> dict[str, str]:
    """Return what the form's fields hold at first: texts that can be changed there, and what is shown."""
    return {**_texts(revision), "revision": revision.revision_id[:12]}


def _texts(revision: Revision) -> dict[str, str]:
    texts: dict[str, str] = {}
    for content in revision.manifest.issue.in_languages:
        texts[name_in("subject", content.folder)] = content.subject
        texts[name_in("greeting", content.folder)] = content.greeting
    return texts


def shows_another(revision: Revision, answer: Mapping[str, Any]) -> bool:
    """Return whether an answer comes from a form that showed another revision, such as an old window.

    A field that is missing is of a program that sends the decision alone.
    """
    shown = str(answer.get("revision") or "").strip()
    return bool(shown) and not revision.revision_id.startswith(shown)


def changed_texts(revision: Revision, answer: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts that an answer changes in a revision; a field that is missing changes nothing.

    Line ends and spaces at the ends do not count, since browsers write their own.
    """
    changed = {}
    for name, shown in _texts(revision).items():
        given = answer.get(name)
        if given is not None and (text := _typed(name, str(given))) != _typed(name, shown):
            changed[name] = text
    return changed


def _typed(name: str, text: str) -> str:
    if name.startswith("subject"):
        return " ".join(text.split())
    return "\n".join(text.strip().splitlines())


def form_labels(context: AppContext, page: str) -> dict[str, tuple[str, str]]:
    """Return title and description of the form's fields, by field name.

    The first field is described by the whole page: what Prefect shows above a form shrinks to nothing
    where the window is lower than the form, as on a laptop, but a field's description does not.
    """
    labels = {
        "decision": (localized("form-decision-title"), localized("form-decision")),
        "leave_out": (localized("form-leave-out-title"), localized("form-leave-out")),
        "subject": (localized("form-subject-title"), localized("form-subject")),
        "greeting": (localized("form-greeting-title"), localized("form-greeting")),
        "name": (localized("form-name-title"), localized("form-name")),
        "revision": (localized("form-revision-title"), localized("form-revision")),
    }
    for language in context.publication.languages[1:]:
        for name in ("subject", "greeting"):
            label, meaning = labels[name]
            titled = localized("form-in-language", title=label, language=language_name(language))
            labels[name_in(name, language)] = (titled, meaning)
    translate = Translator(context.language)
    texts = {
        name: (translate(title), translate(description))
        for name, (title, description) in labels.items()
    }
    title, question = texts["decision"]
    # In a field's description Prefect's page takes away one line end of each group of them.
    return {**texts, "decision": (title, f"{page}\n{question}".replace("\n", "\n\n"))}


def _pictures(translate: Translator, pictures: Mapping[str, bytes]) -> list[str]:
    """Return the pictures side by side, as a table in HTML on one line."""
    cells = [
        f'<td><img alt="{translate(VIEWS[kind])}" src="data:image/webp;base64,{b64encode(data).decode()}"></td>'
        for kind, data in pictures.items()
    ]
    return [f"<table><tr>{''.join(cells)}</tr></table>", ""] if cells else []


def _pending_suppressions(context: AppContext) -> list[str]:
    waiting = wave_suppressions.pending_sentence(context)
    return [f"**{waiting}**", ""] if waiting else []


def _findings(translate: Translator, findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return [translate(localized("request-found-nothing")), ""]
    lines = [
        f"- {translate(LEVELS[finding.level])}: {escape_markdown(finding.where)}: {markdown_of_sentence(translate(finding.text))}"
        for finding in findings
    ]
    return [f"**{translate(localized('request-found'))}**", "", *lines, ""]
