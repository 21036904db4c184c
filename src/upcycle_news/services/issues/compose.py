"""Compose an issue from the current content, once, and store it as a revision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from upcycle_news.app.context import AppContext
from upcycle_news.curation.compose_issue import compose, explain, recompose
from upcycle_news.curation.manifest_diff import diff_manifests
from upcycle_news.curation.selection import Candidate
from upcycle_news.errors import IssueError, NothingNew, UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import (
    Essay,
    FeedItem,
    Issue,
    IssueId,
    Manifest,
)
from upcycle_news.models.variants import variants_for
from upcycle_news.services.content.files import (
    load_publication_essays,
    load_publication_feeds,
    load_publication_vocabulary,
)
from upcycle_news.services.content.git_sync import git_commit
from upcycle_news.services.content.images import load_design_images, load_essay_images
from upcycle_news.services.content.templates import publication_templates
from upcycle_news.services.issues.essay_filter import EssayFilter
from upcycle_news.services.issues.issue_file import (
    left_out_items,
    read_choice,
    read_file,
    read_translations,
)
from upcycle_news.services.issues.item_results import KeptItemResults
from upcycle_news.services.issues.mailbox import is_unsent
from upcycle_news.storage import approvals, issues, manifest_json, revisions, wordings
from upcycle_news.storage import feeds as feed_rows
from upcycle_news.storage.audience import count_choices
from upcycle_news.storage.revisions import Revision
from upcycle_news.text.typography import base_language
from upcycle_news.text.urls import canonical_link

# Feeds, corrections and digests are imported where they are asked for: composing alone needs none.
if TYPE_CHECKING:
    from upcycle_news.services.feeds.collect import FeedRunReport


def compose_issue(context: AppContext, issue: IssueId, essays: Sequence[str] = ()) -> Revision:
    """Compose `issue` from the current content, or from the essays with these slugs only.

    Returns its newest revision from now on: a new one, or an earlier one with the same content. Its
    variants are those that readers' choices ask for now; but where somebody was asked about the same
    content, or decided about it, they stay as they are, so that no choice voids an approval. Raises `NothingNew`, `ContentError` for unreadable files (its message names all), and
    `IssueError` for an issue whose deliveries have begun.
    """
    return revisions.save_revision(
        context.store,
        with_variants(context, compose_manifest(context, issue, essays)),
        git_commit=git_commit(context.settings.home),
        now=context.clock(),
    )


def with_variants(context: AppContext, manifest: Manifest) -> Manifest:
    """Return a manifest with its variants: those that were asked about or decided, else present ones."""
    for revision_id, variants in revisions.decided_variants(context.store, manifest.issue.id):
        decided = replace(manifest, variants=variants)
        if manifest_json.revision_id_of(manifest_json.encode(decided)[0]) == revision_id:
            return decided
    return replace(
        manifest,
        variants=variants_for(
            manifest.issue,
            count_choices(
                context.store,
                manifest.publication.readers_of,
                issue=manifest.issue.id,
                interval=context.settings.digest.interval or None,
            ),
            context.settings.audience.topics,
            limit=context.settings.issue.variants,
            languages=manifest.publication.languages,
        ),
    )


def frozen_revision(context: AppContext, issue: IssueId) -> Revision | None:
    """Return the revision that an issue's deliveries are of; None before they begin.

    None also for an issue that lies in the mailbox when a relay is set: it is composed again.
    """
    row = issues.get(context.store, issue)
    if row is None or not row.revision_id or is_unsent(context, issue):
        return None
    return revisions.load_revision(context.store, issue, row.revision_id)


def collect_and_compose(
    context: AppContext,
    issue: IssueId,
    essays: Sequence[str] = (),
    *,
    collect: bool,
    on_collected: Callable[[FeedRunReport], None] = lambda _: None,
) -> Revision:
    """Collect the feeds that are due, then compose as `compose_issue` does.

    An issue whose deliveries have begun is frozen: nothing is collected, and its revision returned.
    `on_collected` gets the report before anything is composed, so that what failed is known even
    when there is nothing new.
    """
    if (frozen := frozen_revision(context, issue)) is not None:
        return frozen
    if collect:
        from upcycle_news.services.feeds.collect import collect_feeds

        on_collected(collect_feeds(context))
    return compose_issue(context, issue, essays)


def select_essays(context: AppContext, issue: IssueId, essay_filter: EssayFilter) -> Sequence[str]:
    """Return the slugs that the filter allows, empty for all; raises `NothingNew` when none is left."""
    if not issue.is_regular or (not essay_filter.leave_out and not essay_filter.topics):
        return essay_filter.essays
    ready = [essay for essay in load_publication_essays(context) if essay.status == "ready"]
    published = issues.published_essays(
        context.store, [essay.slug for essay in ready], apart_from=issue
    )
    essays = [essay for essay in ready if essay.slug not in published]
    for slug in essay_filter.leave_out:
        if slug not in {essay.slug for essay in essays}:
            raise UpcycleError(localized("essay-to-leave-out-unknown", essay=slug))
    if not essay_filter.essays:
        choice = read_choice(context, issue, ready, published)
        essays = [essay for essay in essays if choice.allows(essay)]
    essays = list(_of_the_same_issue(context, issue, essays, essay_filter.essays))
    slugs = [essay.slug for essay in essays if essay_filter.allows(essay)]
    if not slugs:
        raise NothingNew(localized("nothing-new-left"))
    return slugs


def edits_since(context: AppContext, revision: Revision) -> tuple[str, ...]:
    """Return what editors changed since a revision; new feed items do not count."""
    old = revision.manifest
    if old.issue.id.correction:
        now = _correction(context, old.issue.id)
        return tuple(diff_manifests(old, now).manual_changes())
    if old.issue.id.digest:
        from upcycle_news.services.issues.digest import digest_changes

        return digest_changes(old, _digest(context, old.issue.id))
    known = load_publication_essays(context)
    published = issues.published_essays(
        context.store, [essay.slug for essay in known], apart_from=old.issue.id
    )
    essays = _selected(known, [essay.slug for essay in old.issue.all_essays], published)
    read = read_file(context, old.issue.id)
    recomposed = recompose(
        old.issue,
        language=context.settings.publication.language,
        essays=essays,
        published=published,
        limits=context.limits,
        file=read.file if read else None,
        rules=context.language_rules,
        files=read_translations(context, old.issue.id),
    )
    return tuple(diff_manifests(old, _manifest(context, recomposed)).manual_changes())


def compose_manifest(
    context: AppContext, issue_id: IssueId, chosen: Sequence[str] = ()
) -> Manifest:
    """Return the manifest of the current content without storing it; raises as `compose_issue`."""
    if issue_id.correction:
        return _correction(context, issue_id, chosen)
    if issue_id.digest:
        return _digest(context, issue_id, chosen)
    inputs, _ = _inputs(context, issue_id, chosen)
    return _manifest(
        context,
        compose(id=issue_id, language=context.settings.publication.language, **inputs),
    )


def compose_essay(context: AppContext, issue_id: IssueId, essay: Essay) -> Manifest:
    """Return the manifest of an issue of one essay alone, whatever its status; it has no feed items."""
    issue = compose(
        id=issue_id,
        language=context.settings.publication.language,
        essays=[
            replace(
                essay,
                status="ready",
                date=min(essay.date, issue_id.day),
                translations=tuple(replace(one, status="ready") for one in essay.translations),
            )
        ],
        published=(),
        candidates=(),
        used=(),
        feeds=(),
        limits=context.limits,
        rules=context.language_rules,
    )
    return _manifest(context, issue)


def _correction(context: AppContext, issue: IssueId, chosen: Sequence[str] = ()) -> Manifest:
    from upcycle_news.services.issues.correction import correction_manifest

    if chosen:
        raise IssueError(localized("correction-essays", issue=str(issue)))
    manifest = correction_manifest(context, issue)
    return replace(manifest, issue=_reworded(context, manifest.issue))


def _digest(context: AppContext, issue: IssueId, chosen: Sequence[str] = ()) -> Manifest:
    from upcycle_news.services.issues.digest import digest_manifest

    if chosen:
        raise IssueError(localized("digest-essays", issue=str(issue)))
    manifest = digest_manifest(context, issue)
    return replace(manifest, issue=_reworded(context, manifest.issue))


def _manifest(context: AppContext, issue: Issue) -> Manifest:
    """Return the issue with everything else that its rendering depends on, as it is now."""
    issue = _reworded(context, issue)
    shown = [essay for one in issue.in_languages for essay in one.essays]
    greetings = [one.greeting_essay for one in issue.in_languages if one.greeting_essay]
    templates = publication_templates(context)
    return Manifest(
        issue=issue,
        publication=context.publication,
        templates=templates,
        images=load_design_images(context, templates, issue.essays)
        | load_essay_images(context, [*shown, *greetings]),
    )


def _reworded(context: AppContext, issue: Issue) -> Issue:
    """Return the issue with the subjects and greetings that an editor wrote in Prefect's form, if any.

    They win over its files, and the issue says so.
    """
    return replace(
        _reworded_in(context, issue, ""),
        translations=tuple(
            _reworded_in(context, one, base_language(one.language)) for one in issue.translations
        ),
    )


def _reworded_in(context: AppContext, issue: Issue, language: str) -> Issue:
    wording = wordings.wording_of(context.store, issue.id, language)
    texts = {name: text for name, text in vars(wording).items() if text is not None}
    overruled = [
        name for name, text in texts.items() if getattr(issue.file, name, "") not in ("", text)
    ]
    return replace(issue, **texts, overruled=tuple(dict.fromkeys((*issue.overruled, *overruled))))


_NOT_EXPLAINED = ("overruled", "withheld", "rules", "files")


def explain_issue(
    context: AppContext, issue_id: IssueId, essays: Sequence[str] = ()
) -> tuple[Candidate, ...]:
    """Return every candidate of an issue, best first, with the reasons; nothing is stored.

    A correction has none, and the items of a digest were chosen for the issues that it tells.

    What the issue itself used counts as new, so that a sent one can be explained too.
    """
    if not issue_id.is_regular:
        return ()
    inputs, identities = _inputs(context, issue_id, essays, ages=2)
    return tuple(
        replace(candidate, identity=identities.get(candidate.story.lead, ""))
        for candidate in explain(
            day=issue_id.day,
            **{name: inputs[name] for name in inputs if name not in _NOT_EXPLAINED},
        )
    )


def _inputs(
    context: AppContext,
    issue_id: IssueId,
    chosen: Sequence[str],
    *,
    ages: int = 1,
) -> tuple[dict[str, Any], Mapping[FeedItem, str]]:
    """Return the arguments of `compose`, and what each candidate is recognised by.

    Items may be as old as `ages` times the limit. What the issue itself told counts as new: it may be
    explained, or have been taken back from the mailbox, and holds the same essays then.
    """
    from upcycle_news.services.feeds.item_recognition import listed_items

    known = load_publication_essays(context)
    published = issues.published_essays(
        context.store, [essay.slug for essay in known], apart_from=issue_id
    )
    zone = context.settings.publication.zone
    days = timedelta(days=ages * context.limits.max_age_days)
    since = datetime.combine(issue_id.day, time(), zone) - days
    choice = read_choice(context, issue_id, known, published, chosen)
    chosen = choice.essays
    essays = _selected(_of_the_same_issue(context, issue_id, known, chosen), chosen, published)
    allowed = tuple(essay for essay in essays if choice.allows(essay))
    withheld = sum(
        essay.status == "ready" and essay.slug not in published
        for essay in essays
        if essay not in allowed
    )
    file_pins = choice.file.pin if choice.file else ()
    pins = {canonical_link(pin) for essay in allowed for pin in essay.pin}
    pins |= {canonical_link(pin) for pin in file_pins}
    feeds = load_publication_feeds(context)
    recent = feed_rows.items_since(context.store, since.astimezone(UTC))
    stored = (*recent, *feed_rows.items_on_pages(context.store, pins))
    listed = listed_items(context.settings, feeds, stored, pins)
    names = {name for item in listed.items for name in (item.key, item.canonical)}
    inputs = {
        "essays": allowed,
        "published": published,
        "candidates": listed.items,
        "used": issues.used_items(context.store, names, apart_from=issue_id),
        "excluded": approvals.excluded_items_of(context.store, issue_id)
        | left_out_items(choice.file, listed.items),
        "rejections": listed.rejections,
        "feeds": feeds,
        "limits": context.limits,
        "vocabulary": load_publication_vocabulary(context),
        "file": choice.file,
        "overruled": choice.overruled,
        "withheld": withheld,
        "rules": context.language_rules,
        "files": choice.translations,
        "results": KeptItemResults(context),
    }
    return inputs, listed.identities


def _of_the_same_issue(
    context: AppContext, issue: IssueId, essays: Sequence[Essay], chosen: Sequence[str]
) -> tuple[Essay, ...]:
    """Return the essays that an issue may hold: those that it told already, if it did; else all.

    Whoever chooses essays by name may give it others.
    """
    told = () if chosen else issues.essays_of(context.store, issue)
    return tuple(essay for essay in essays if not told or essay.slug in told)


def _selected(
    essays: tuple[Essay, ...], chosen: Sequence[str], published: frozenset[str]
) -> tuple[Essay, ...]:
    for slug in chosen:
        if slug not in {essay.slug for essay in essays}:
            known = (
                ", ".join(essay.slug for essay in essays if essay.slug not in published) or "none"
            )
            raise UpcycleError(localized("essay-to-send-unknown", essay=slug, known=known))
        if slug in published:
            raise UpcycleError(localized("essay-was-sent", essay=slug))
    return tuple(essay for essay in essays if not chosen or essay.slug in chosen)
