"""Checks everything that editors write, without sending or storing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from upcycle_news.app.context import AppContext
from upcycle_news.checks.extra_names import names_of_extra
from upcycle_news.checks.topics import check_labels, check_topics
from upcycle_news.checks.translations import check_essay_languages
from upcycle_news.config.settings import FILE_NAME
from upcycle_news.content.essays import EssayCollection
from upcycle_news.errors import ContentError, NothingNew, PlacedError, UpcycleError
from upcycle_news.fileio import did_you_mean, exists, line_of, read_text
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Essay, Finding, IssueId
from upcycle_news.rendering.template_strings import catalogue_name, read_toml
from upcycle_news.services.archive.static_files import static_findings
from upcycle_news.services.checks.essays import check_essays
from upcycle_news.services.checks.own_flows import check_flows
from upcycle_news.services.checks.providers import check_providers
from upcycle_news.services.content.files import (
    line_of_head,
    load_publication_feeds,
    load_publication_vocabulary,
    read_publication_essays,
)
from upcycle_news.services.content.images import (
    load_design_images,
)
from upcycle_news.services.content.templates import publication_templates
from upcycle_news.services.feeds.feed_findings import feed_findings
from upcycle_news.services.feeds.pins import unknown_pins
from upcycle_news.services.issues.compose import compose_manifest, frozen_revision
from upcycle_news.services.issues.digest_words import WORDS
from upcycle_news.services.issues.issue_file import check_issue_files
from upcycle_news.services.issues.render import RefusedError, check_manifest, render_revision
from upcycle_news.services.issues.settings_findings import privacy_findings, settings_findings
from upcycle_news.services.kept_results import kept_findings
from upcycle_news.services.welcome.steps import welcome_findings
from upcycle_news.storage import issues


@dataclass(frozen=True)
class PublicationInput:
    """What a check of the whole publication examines: its context, and its essays as they were read."""

    context: AppContext
    essays: EssayCollection


PublicationCheck = Callable[[PublicationInput], Iterator[Finding]]
PUBLICATION_CHECKS: list[PublicationCheck] = []
"""All checks of a publication's files, in the order in which their findings are shown."""


def publication_check(function: PublicationCheck) -> PublicationCheck:
    """Add a check of the publication to `PUBLICATION_CHECKS`; used as a decorator."""
    PUBLICATION_CHECKS.append(function)
    return function


def check_everything(context: AppContext, issue: IssueId) -> tuple[Finding, ...]:
    """Run `PUBLICATION_CHECKS`, and check the issue as it would be now.

    Errors become findings, so that all of them are reported at once. The issue itself is checked
    only when its essays, feeds, vocabulary and templates have no errors. The settings are checked also
    when no essay is new.
    """
    check_input = PublicationInput(context, read_publication_essays(context))
    findings = [finding for run_check in PUBLICATION_CHECKS for finding in run_check(check_input)]
    if not any(finding.level == "error" and finding.code != "flow" for finding in findings):
        findings += check_issue(context, issue)
        findings += feed_findings(context)
    findings += check_settings(context)
    return tuple(dict.fromkeys(findings))


@publication_check
def _essays(check_input: PublicationInput) -> Iterator[Finding]:
    yield from (_finding("essay", error) for error in check_input.essays.errors)
    yield from check_essays(check_input.context, check_input.essays)


@publication_check
def _translations(check_input: PublicationInput) -> Iterator[Finding]:
    """Check the translations of the essays that were in no issue yet."""
    context = check_input.context
    for essay in _unpublished(context, check_input.essays.essays):
        yield from check_essay_languages(essay, context.publication.languages)


@publication_check
def _topics(check_input: PublicationInput) -> Iterator[Finding]:
    """Check the topics of feeds and of essays that were in no issue yet, and the labels of topics."""
    context = check_input.context
    settings = context.settings
    known = tuple(dict.fromkeys((*settings.audience.topics, *settings.topics)))
    for essay in _unpublished(context, check_input.essays.essays):
        where = f"{essay.source}:{line_of_head(context, essay, 'topics')}"
        yield from check_topics(essay.topics, known, where)
    try:
        feeds = load_publication_feeds(context)
    except UpcycleError:
        return  # which another check tells
    source = read_text(settings.home / settings.feeds.file, settings.feeds.file) if feeds else ""
    for number, feed in enumerate(feeds):
        line = line_of(source, ("feeds", number, "topics")) or 1
        yield from check_topics(feed.topics, known, f"{settings.feeds.file}:{line}")
    toml = settings.home / FILE_NAME
    written = read_text(toml, FILE_NAME) if exists(toml) else ""

    def place(topic: str) -> str:
        line = line_of(written, ("topics", topic)) or line_of(written, ("audience", "topics")) or 1
        return f"{FILE_NAME}:{line}"

    yield from check_labels(settings.audience.topics, context.publication, place)


@publication_check
def _pins(check_input: PublicationInput) -> Iterator[Finding]:
    context = check_input.context
    yield from unknown_pins(context, _unpublished(context, check_input.essays.essays))


def _unpublished(context: AppContext, essays: Sequence[Essay]) -> list[Essay]:
    """Return essays that were in no issue yet: the pins of the others are of no use any more."""
    published = issues.published_essays(context.store, [essay.slug for essay in essays])
    return [essay for essay in essays if essay.slug not in published]


@publication_check
def _issue_files(check_input: PublicationInput) -> Iterator[Finding]:
    """Check the files of issues; against the essays only when these can all be read."""
    if not check_input.essays.errors:
        yield from check_issue_files(check_input.context, check_input.essays.essays)


@publication_check
def _stray_files(check_input: PublicationInput) -> Iterator[Finding]:
    """Warn of files beside the essays that are not read, mostly for a forgotten suffix."""
    context = check_input.context
    for path in sorted((context.content_folder / "essays").glob("*")):
        if path.is_file() and path.suffix != ".md" and not path.name.startswith((".", "README")):
            where = path.relative_to(context.settings.home).as_posix()
            yield Finding("warning", "essay-stray", where, localized("essay-stray"))


@publication_check
def _static_files(check_input: PublicationInput) -> Iterator[Finding]:
    yield from static_findings(check_input.context)


@publication_check
def _feeds(check_input: PublicationInput) -> Iterator[Finding]:
    try:
        load_publication_feeds(check_input.context)
    except UpcycleError as error:
        yield _finding("feeds", error)
    try:
        load_publication_vocabulary(check_input.context)
    except UpcycleError as error:
        yield _finding("vocabulary", error)


@publication_check
def _templates(check_input: PublicationInput) -> Iterator[Finding]:
    """Check templates, and the names by which they read the essays' own fields.

    These names are known only while every essay can be read.
    """
    context, collection = check_input.context, check_input.essays
    try:
        templates = publication_templates(context)
    except UpcycleError as error:
        yield _finding("template", error)
        return
    texts = [one for essay in collection.essays for one in (essay, *essay.translations)]
    extra = None if collection.errors else names_of_extra(texts)

    def check() -> Iterable[Finding]:
        from upcycle_news.checks.templates import check_templates

        return check_templates(templates, extra)

    yield from kept_findings(context, "templates", [templates, extra], check)
    if context.settings.digest.interval:
        yield from _digest_in_templates(context, templates)
    yield from _misspelt_fields(context, texts, templates)


@publication_check
def _design_pictures(check_input: PublicationInput) -> Iterator[Finding]:
    """Check that the pictures which theme.toml and the settings name are there."""
    context = check_input.context
    try:
        load_design_images(context, publication_templates(context), check_input.essays.essays)
    except ContentError as error:
        yield _finding("image-missing", error)
    except UpcycleError:
        return  # of templates and theme, which other checks tell


def _digest_in_templates(context: AppContext, templates: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what the templates of an older publication lack: each string of a digest, and the choice of it."""
    from upcycle_news.rendering.subscriber_pages import TEMPLATE as SUBSCRIBER_PAGE

    if "rhythm" not in templates.get(SUBSCRIBER_PAGE, "rhythm"):
        location = f"templates/{SUBSCRIBER_PAGE}"
        yield Finding("warning", "digest-no-choice", location, localized("digest-no-choice"))
    for language in context.publication.languages:
        name = catalogue_name(language)
        if name not in templates:
            continue  # which other checks tell
        missing = [key for key in WORDS if key not in read_toml(templates, name)]
        for key in missing:
            text = localized("words-missing", name=name, key=key)
            yield Finding("error", "words-missing", f"templates/{name}", text)


def _misspelt_fields(
    context: AppContext, essays: Sequence[Essay], templates: Mapping[str, str]
) -> Iterator[Finding]:
    """Warn of an own field that no template shows while one of nearly the same name is shown.

    Others may be meant for programs that read the files.
    """
    with_fields = [essay for essay in _unpublished(context, essays) if essay.extra]
    if not with_fields:
        return
    from upcycle_news.checks.templates import extra_names_shown

    shown = extra_names_shown(templates)
    for essay in with_fields:
        for name in essay.extra:
            if name not in shown and get_close_matches(name.lower(), sorted(shown), n=1):
                where = f"{essay.source}:{line_of_head(context, essay, name)}"
                text = localized("extra-unused", name=name, hint=did_you_mean(name, shown))
                yield Finding("warning", "extra-unused", where, text)


@publication_check
def _privacy_page(check_input: PublicationInput) -> Iterator[Finding]:
    yield from privacy_findings(check_input.context)


@publication_check
def _welcome(check_input: PublicationInput) -> Iterator[Finding]:
    yield from welcome_findings(check_input.context)


@publication_check
def _flows(check_input: PublicationInput) -> Iterator[Finding]:
    yield from check_flows(check_input.context.settings.home)


def check_issue(context: AppContext, issue: IssueId) -> Iterator[Finding]:
    """Yield findings about an issue as it was frozen, or as it would be composed now.

    An error that keeps it from being composed is a finding, too.
    """
    try:
        if (frozen := frozen_revision(context, issue)) is not None:
            yield from render_revision(context, frozen).findings
        else:
            yield from check_manifest(context, compose_manifest(context, issue))
    except NothingNew as error:
        yield Finding("warning", "nothing-new", "content", error.localized_text)
    except RefusedError as error:
        yield from error.findings
    except UpcycleError as error:
        yield _finding("issue", error)


def check_settings(context: AppContext) -> Iterator[Finding]:
    """Yield findings about the settings that every issue depends on, whatever it holds."""
    try:
        yield from settings_findings(context)
        yield from check_providers(context)
    except UpcycleError as error:
        yield _finding("settings", error)


def _finding(code: str, error: UpcycleError) -> Finding:
    where = error.place if isinstance(error, PlacedError) else "publication"
    return Finding("error", code, where, error.localized_text)
